package mjpeg

import (
	"bytes"
	"io"
)

// firstBuffer is what a Splitter begins with; it grows as frames need it.
const firstBuffer = 64 << 10

// Splitter finds the frames in a stream of JPEGs put one behind the other, with
// anything between them: multipart headers, padding, garbage. It goes by the
// structure of JPEG, so a thumbnail within a frame is not taken for a frame, and
// it finds its way back after damage. One goroutine uses it at a time.
type Splitter struct {
	r       io.Reader
	max     int
	buf     []byte
	start   int // buf[start:end] is read and not yet handed out
	end     int
	taken   int  // length of the frame handed out last, at start
	inFrame bool // a start marker stands at start
	at      int  // in a frame: where the search for its end goes on, from start
	hunted  int  // bytes skipped since the last frame or error
	skipped uint64
}

// NewSplitter returns a Splitter over r. No frame is longer than max bytes, and
// no more memory than that is held.
func NewSplitter(r io.Reader, max int) *Splitter {
	return &Splitter{r: r, max: max, buf: make([]byte, min(firstBuffer, max))}
}

// Next returns the next frame, from start to end marker. It is valid until the
// next call. After an Error, which stands for one frame that is lost or for max
// bytes without a frame, the stream goes on. io.EOF is the end of the stream;
// other errors are the reader's, and Next may be called again after those that
// pass (a deadline): nothing is lost.
func (s *Splitter) Next() ([]byte, error) {
	s.start, s.taken = s.start+s.taken, 0
	for {
		if s.inFrame || s.hunt() {
			n, err := s.walk()
			if err != nil {
				return nil, err
			}
			if n > 0 {
				s.taken, s.inFrame, s.at, s.hunted = n, false, 0, 0
				return s.buf[s.start : s.start+n : s.start+n], nil
			}
		} else if s.hunted >= s.max {
			s.hunted = 0
			return nil, ErrNotJPEG
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// Skipped returns how many bytes outside of whole frames were passed over.
func (s *Splitter) Skipped() uint64 { return s.skipped }

// hunt moves to the next start marker, if there is one.
func (s *Splitter) hunt() bool {
	b := s.buf[s.start:s.end]
	if i := bytes.Index(b, []byte{0xff, markSOI, 0xff}); i >= 0 {
		s.skip(i)
		s.inFrame, s.at = true, 2
		return true
	}
	s.skip(max(0, len(b)-2)) // a start marker may have arrived in part
	return false
}

// skip passes over n bytes.
func (s *Splitter) skip(n int) {
	s.start += n
	s.hunted += n
	s.skipped += uint64(n)
}

// lose gives up the frame at start: n bytes from there the hunt goes on.
func (s *Splitter) lose(n int, why Error) (int, error) {
	s.skip(n)
	s.inFrame, s.hunted = false, 0
	return 0, why
}

// walk returns the length of the frame at start, 0 when its end has not been
// read yet.
func (s *Splitter) walk() (int, error) {
	c := cursor{b: s.buf[s.start:s.end], i: s.at}
	for {
		m, ok := c.marker()
		switch {
		case !ok:
			s.at = c.i
			return 0, nil
		case m == markEOI:
			return c.i, nil
		case m == markSOI:
			return s.lose(c.i-2, ErrTruncated)
		case isRST(m):
			continue
		case m < markSOF0:
			return s.lose(c.i, ErrCorrupt)
		}
		seg, ok := c.segment()
		if !ok {
			s.at = c.i - 2
			return 0, nil
		}
		if seg == nil {
			return s.lose(c.i, ErrHeader)
		}
	}
}

// fill reads more, and makes room for it.
func (s *Splitter) fill() error {
	if s.end == len(s.buf) {
		if s.start > 0 {
			s.end = copy(s.buf, s.buf[s.start:s.end])
			s.start = 0
		} else if len(s.buf) < s.max {
			s.buf = append(make([]byte, 0, min(2*len(s.buf), s.max)), s.buf...)
			s.buf = s.buf[:cap(s.buf)]
		} else {
			_, err := s.lose(s.end-s.start, ErrTooLarge)
			return err
		}
	}
	n, err := s.read()
	s.end += n
	if n > 0 {
		return nil // an error that came along comes again
	}
	if err == io.EOF && s.inFrame {
		_, err = s.lose(s.end-s.start, ErrTruncated)
	}
	return err
}

// read reads once, or a few times if the reader gives nothing without a reason.
func (s *Splitter) read() (n int, err error) {
	for range 100 {
		if n, err = s.r.Read(s.buf[s.end:]); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}
