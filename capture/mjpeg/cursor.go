package mjpeg

import "bytes"

// cursor steps through the markers and segments of a JPEG, or of as much of it
// as has arrived.
type cursor struct {
	b []byte
	i int // next byte to read
}

// marker moves behind the next marker and returns its second byte. Fill bytes,
// stuffed zeros and stray bytes between segments are stepped over, as libjpeg
// and image/jpeg do. When b ends first it reports false and stays where the
// search goes on once there is more.
func (c *cursor) marker() (m byte, ok bool) {
	for {
		j := bytes.IndexByte(c.b[c.i:], 0xff)
		if j < 0 {
			c.i = len(c.b)
			return 0, false
		}
		c.i += j + 1
		for c.i < len(c.b) && c.b[c.i] == 0xff {
			c.i++
		}
		if c.i == len(c.b) {
			c.i--
			return 0, false
		}
		m = c.b[c.i]
		c.i++
		if m != 0 {
			return m, true
		}
	}
}

// segment returns the segment whose length field is next, without that field,
// and moves behind it. It reports false, and stays, when b ends before. A length
// that is impossible, because it counts itself, gives a nil segment.
func (c *cursor) segment() (seg []byte, ok bool) {
	rest := c.b[c.i:]
	if len(rest) < 2 {
		return nil, false
	}
	n := int(rest[0])<<8 | int(rest[1])
	if n < 2 {
		return nil, true
	}
	if n > len(rest) {
		return nil, false
	}
	c.i += n
	return rest[2:n:n], true
}

// isRST reports whether m is a restart marker. Those stand alone, without a
// length, within coded data.
func isRST(m byte) bool { return m >= markRST0 && m <= markRST7 }
