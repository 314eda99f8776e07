package mjpeg

// readSOF takes in a frame header (ITU T.81, B.2.2).
func (s *scanner) readSOF(seg []byte) error {
	if s.h.Components != 0 || len(seg) < 6 {
		return ErrHeader
	}
	n := int(seg[5])
	s.h.Height = int(seg[1])<<8 | int(seg[2])
	s.h.Width = int(seg[3])<<8 | int(seg[4])
	if int64(s.h.Width)*int64(s.h.Height) > MaxPixels { // 65535x65535 does not fit 32 bits
		return ErrTooLarge
	}
	if s.h.Width == 0 || len(seg) != 6+3*n {
		return ErrHeader
	}
	// Height 0 means that it follows the first scan (DNL): nobody writes that.
	if seg[0] != 8 || s.h.Height == 0 || n != 1 && n != 3 && n != 4 {
		return ErrUnsupported
	}
	s.h.Components = n
	for i := range n {
		c := Component{ID: seg[6+3*i], H: seg[7+3*i] >> 4, V: seg[7+3*i] & 15, Tq: seg[8+3*i]}
		if c.H < 1 || c.H > 4 || c.V < 1 || c.V > 4 || c.Tq > 3 {
			return ErrHeader
		}
		for _, other := range s.h.Component[:i] {
			if other.ID == c.ID {
				return ErrHeader
			}
		}
		s.h.Component[i] = c
	}
	return nil
}

// readDHT notes which Huffman tables a segment defines (B.2.4.2).
func (s *scanner) readDHT(seg []byte) error {
	for len(seg) > 0 {
		if len(seg) < 17 || seg[0]>>4 > 1 || seg[0]&15 > 3 {
			return ErrHeader
		}
		codes := 0
		for _, n := range seg[1:17] {
			codes += int(n)
		}
		if codes == 0 || codes > 256 || 17+codes > len(seg) {
			return ErrHeader
		}
		s.dht |= 1 << (seg[0]>>4*4 + seg[0]&3)
		seg = seg[17+codes:]
	}
	return nil
}

// readDQT notes which quantization tables a segment defines (B.2.4.1).
func (s *scanner) readDQT(seg []byte) error {
	for len(seg) > 0 {
		n := 1 + 64
		if seg[0]>>4 == 1 {
			n = 1 + 2*64
		}
		if seg[0]>>4 > 1 || seg[0]&15 > 3 || len(seg) < n && len(seg) > 1 {
			return ErrHeader
		}
		if len(seg) == 1 {
			return nil // a number without a table defines nothing; image/jpeg lets it pass
		}
		s.dqt |= 1 << (seg[0] & 3)
		seg = seg[n:]
	}
	return nil
}

// readSOS checks a scan header (B.2.3) and that the tables it uses have been
// defined. Missing Huffman tables 0 and 1 are only noted: AppendComplete knows
// them.
func (s *scanner) readSOS(seg []byte) error {
	if s.h.Components == 0 || len(seg) < 1 {
		return ErrHeader
	}
	n := int(seg[0])
	if n < 1 || n > s.h.Components || len(seg) != 4+2*n {
		return ErrHeader
	}
	first, approx := seg[1+2*n], seg[3+2*n] // spectral selection start, bit position
	for i := range n {
		c, ok := s.component(seg[1+2*i])
		if !ok || s.dqt>>c.Tq&1 == 0 {
			return ErrHeader
		}
		for j := range i {
			if seg[1+2*j] == c.ID {
				return ErrHeader // named twice
			}
		}
		dc, ac := seg[2+2*i]>>4, seg[2+2*i]&15
		if dc > 3 || ac > 3 {
			return ErrHeader
		}
		// A progressive scan holds either DC or AC coefficients, and the
		// refinement of DC uses no table at all.
		if !s.h.Progressive || first == 0 && approx>>4 == 0 {
			if err := s.need(dc, 0); err != nil {
				return err
			}
		}
		if !s.h.Progressive || first != 0 {
			if err := s.need(ac, 4); err != nil {
				return err
			}
		}
	}
	return nil
}

// component returns the component that scans call id.
func (s *scanner) component(id uint8) (Component, bool) {
	for _, c := range s.h.Component[:s.h.Components] {
		if c.ID == id {
			return c, true
		}
	}
	return Component{}, false
}

// need notes that a scan uses Huffman table id of the class whose bits begin at
// shift. Tables 2 and 3 have no standard form, so without them a frame is lost.
func (s *scanner) need(id uint8, shift int) error {
	if s.dht>>(int(id)+shift)&1 == 1 {
		return nil
	}
	if id > 1 {
		return ErrHeader
	}
	s.missing = true
	return nil
}
