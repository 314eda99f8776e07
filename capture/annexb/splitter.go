package annexb

import (
	"bytes"
	"io"
)

// firstBuffer is what a Splitter begins with; it grows as access units need it.
const firstBuffer = 64 << 10

// Splitter finds the access units in a byte stream: all that belongs to one
// picture. An access unit is known to be whole when the next one begins, so a
// stream comes one picture late. One goroutine uses it at a time.
type Splitter struct {
	r       io.Reader
	codec   Codec
	max     int
	buf     []byte
	start   int // buf[start:end] is read and not yet handed out
	end     int
	taken   int  // length of the access unit handed out last, at start
	at      int  // from start: the search for the next start code goes on here
	unit    int  // from start: behind the last start code found; 0 before the first
	picture bool // a slice has been seen in this access unit
	ended   bool
}

// NewSplitter returns a Splitter over r. No access unit is longer than max bytes,
// and no more memory than that is held.
func NewSplitter(r io.Reader, c Codec, max int) *Splitter {
	return &Splitter{r: r, codec: c, max: max, buf: make([]byte, min(firstBuffer, max))}
}

// Next returns the next access unit, valid until the next call. After
// ErrTooLarge the stream goes on behind what was lost. io.EOF is the end of the
// stream; other errors are the reader's, and Next may be called again after
// those that pass (a deadline): nothing is lost.
func (s *Splitter) Next() ([]byte, error) {
	s.start, s.taken = s.start+s.taken, 0
	for {
		if n := s.walk(); n > 0 {
			s.taken = n
			return s.buf[s.start : s.start+n : s.start+n], nil
		}
		if s.ended {
			if s.unit == 0 || s.end == s.start {
				return nil, io.EOF
			}
			s.taken = s.end - s.start
			s.begin(0)
			s.unit = 0
			return s.buf[s.start:s.end:s.end], nil
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// begin starts the search in an access unit of which so many bytes are known to
// hold no further start code.
func (s *Splitter) begin(at int) { s.at, s.picture = at, false }

// walk looks for the start of the next access unit and returns how long this one
// is, 0 when that is not known yet.
func (s *Splitter) walk() int {
	b := s.buf[s.start:s.end]
	for {
		i := bytes.Index(b[s.at:], startCode)
		if i < 0 {
			s.at = max(s.at, len(b)-2)
			if s.unit == 0 {
				s.start, s.at = s.start+max(0, len(b)-3), 0
			}
			return 0
		}
		code := s.at + i
		head := code + len(startCode)
		if len(b) < head+3 && !s.ended { // its header has not been read yet
			s.at = code
			return 0
		}
		if code > 0 && b[code-1] == 0 {
			code-- // the long form of a start code
		}
		if s.unit == 0 && code > 0 { // rubbish in front of the first start code
			s.start, s.at = s.start+code, 0
			b = b[code:]
			continue
		}
		opens := s.opens(b[head:])
		if s.unit > 0 && opens && s.picture {
			s.begin(head - code)
			s.unit = head - code
			s.note(b[head:])
			return code
		}
		s.unit, s.at = head, head
		s.note(b[head:])
	}
}

// note remembers whether the unit that b begins with is part of a picture.
func (s *Splitter) note(b []byte) {
	r, ok := RoleOf(s.codec, b)
	s.picture = s.picture || ok && (r == Slice || r == KeySlice)
}

// opens reports whether the unit that b begins with opens an access unit, when a
// picture stands in front of it (H.264, 7.4.1.2.3; H.265, 7.4.2.4.4).
func (s *Splitter) opens(b []byte) bool {
	r, ok := RoleOf(s.codec, b)
	if !ok {
		return false
	}
	switch r {
	case Slice, KeySlice:
		return first(s.codec, b)
	case VPS, SPS, PPS, AUD, Lead:
		return true
	}
	return false
}

// fill reads more, and makes room for it.
func (s *Splitter) fill() error {
	if s.end == len(s.buf) {
		switch {
		case s.start > 0:
			s.end = copy(s.buf, s.buf[s.start:s.end])
			s.start = 0
		case len(s.buf) < s.max:
			s.buf = append(make([]byte, 0, min(2*len(s.buf), s.max)), s.buf...)
			s.buf = s.buf[:cap(s.buf)]
		default:
			s.start = s.end
			s.begin(0)
			s.unit = 0
			return ErrTooLarge
		}
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		switch {
		case n > 0:
			return nil // an error that came along comes again
		case err == io.EOF:
			s.ended = true
			return nil
		case err != nil:
			return err
		}
	}
	return io.ErrNoProgress
}
