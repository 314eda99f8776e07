package mjpeg

import "bytes"

// The second bytes of the markers that are told apart (ITU T.81, table B.1).
const (
	markSOF0  = 0xc0 // baseline
	markSOF1  = 0xc1 // extended sequential
	markSOF2  = 0xc2 // progressive
	markDHT   = 0xc4
	markRST0  = 0xd0
	markRST7  = 0xd7
	markSOI   = 0xd8
	markEOI   = 0xd9
	markSOS   = 0xda
	markDQT   = 0xdb
	markDRI   = 0xdd
	markAPP0  = 0xe0
	markAPP15 = 0xef
	markCOM   = 0xfe
)

// nearby is how far behind the end of a frame Scan looks for a second one.
// Drivers that report the whole buffer as used leave megabytes of padding there.
const nearby = 4096

// Scan walks the markers of the first JPEG in b, once, and tells where it
// begins and ends, its size, and whether it brings its Huffman tables. It
// steps over bytes in front of the start marker and ignores those behind the
// end. It does not decode: a nil error says that the structure is whole and
// within MaxPixels, not that the coded data is sound.
//
// The error is always an Error. The Header then holds what was read until
// there, for a message to a person. b is only read. Scan allocates nothing.
func Scan(b []byte) (Header, error) {
	s := scanner{cursor: cursor{b: b}}
	err := s.scan()
	return s.h, err
}

type scanner struct {
	cursor
	h       Header
	dht     uint8 // Huffman tables seen: bit id for DC, bit 4+id for AC
	dqt     uint8 // quantization tables seen: bit id
	missing bool  // a scan uses a table that was not seen before it
}

func (s *scanner) scan() error {
	if len(s.b) == 0 {
		return ErrEmpty
	}
	start := findSOI(s.b)
	if start < 0 {
		return ErrNotJPEG
	}
	s.h.Start, s.i = start, start+2
	for {
		m, ok := s.marker()
		switch {
		case !ok || m == markSOI:
			return ErrTruncated
		case isRST(m):
			continue
		case m == markEOI:
			return s.finish()
		case m < markSOF0:
			if s.h.Data == 0 {
				return ErrHeader
			}
			return ErrCorrupt
		}
		at := s.i - 2
		seg, ok := s.segment()
		if !ok {
			return ErrTruncated
		}
		if s.h.Tables == 0 && !(m >= markAPP0 && m <= markAPP15) && m != markCOM {
			s.h.Tables = at
		}
		if err := s.read(m, at, seg); err != nil {
			return err
		}
	}
}

// finish is called behind the end marker.
func (s *scanner) finish() error {
	if s.h.Data == 0 {
		return ErrHeader
	}
	s.h.End = s.i
	s.h.HasDHT = !s.missing
	rest := s.b[s.i:]
	s.h.Doubled = bytes.Contains(rest[:min(len(rest), nearby)], []byte{0xff, markSOI, 0xff})
	return nil
}

// findSOI returns the offset of the first start of a JPEG in b, or -1. Only at
// offset 0 do two bytes suffice: elsewhere the next marker must follow.
func findSOI(b []byte) int {
	if len(b) >= 2 && b[0] == 0xff && b[1] == markSOI {
		return 0
	}
	return bytes.Index(b, []byte{0xff, markSOI, 0xff})
}

// read takes in the segment of marker m, which stands at offset at. A nil seg
// is one whose length field is impossible.
func (s *scanner) read(m byte, at int, seg []byte) error {
	if seg == nil {
		return ErrHeader
	}
	switch m {
	case markSOF0, markSOF1, markSOF2:
		s.h.Progressive, s.h.Extended = m == markSOF2, m == markSOF1
		return s.readSOF(seg)
	case markDHT:
		return s.readDHT(seg)
	case markDQT:
		return s.readDQT(seg)
	case markDRI:
		if len(seg) != 2 {
			return ErrHeader
		}
		if s.h.Data == 0 {
			s.h.RestartInterval = int(seg[0])<<8 | int(seg[1])
		}
		return nil
	case markSOS:
		if err := s.readSOS(seg); err != nil {
			return err
		}
		if s.h.Data == 0 {
			s.h.SOS, s.h.Data = at, s.i
		}
		return nil
	}
	if m >= markAPP0 && m <= markAPP15 || m == markCOM {
		return nil
	}
	return ErrUnsupported
}
