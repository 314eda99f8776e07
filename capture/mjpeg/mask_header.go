package mjpeg

// header appends what stands in front of the coded data: sizes and tables, as
// the frame has them, and nothing else.
func (m *Masker) header(out []byte, h *Header, sos []byte) []byte {
	out = append(out, "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"...)
	wrote := uint8(0)
	for _, c := range h.Component[:h.Components] {
		if wrote>>c.Tq&1 == 0 {
			wrote |= 1 << c.Tq
			out = segment(out, markDQT, m.tables.dqt[c.Tq])
		}
	}
	sof := byte(markSOF0)
	if h.Extended {
		sof = markSOF1
	}
	out = append(out, 0xff, sof, 0, byte(8+3*h.Components), 8, byte(h.Height>>8), byte(h.Height), byte(h.Width>>8), byte(h.Width), byte(h.Components))
	for _, c := range h.Component[:h.Components] {
		out = append(out, c.ID, c.H<<4|c.V, c.Tq)
	}
	out = m.huffman(out, sos)
	if each := h.RestartInterval; each > 0 {
		out = append(out, 0xff, markDRI, 0, 4, byte(each>>8), byte(each))
	}
	n := 1 + 2*int(sos[0])
	out = append(out, 0xff, markSOS, 0, byte(2+n+3))
	return append(append(out, sos[:n]...), 0, 63, 0)
}

// huffman appends the tables that a scan uses, each in a segment of its own.
func (m *Masker) huffman(out, sos []byte) []byte {
	wrote := uint8(0)
	for i := range int(sos[0]) {
		for _, id := range [2]uint8{sos[2+2*i] >> 4, 4 + sos[2+2*i]&15} {
			if wrote>>id&1 == 1 {
				continue
			}
			wrote |= 1 << id
			if id < 4 && m.dc[id].own {
				out = append(out, 0xff, markDHT, 0, byte(2+len(dcLuma)), id)
				out = append(out, dcLuma[1:]...)
				continue
			}
			def := m.tables.dht[id].used()
			n := 2 + 1 + len(def)
			out = append(out, 0xff, markDHT, byte(n>>8), byte(n), id>>2<<4|id&3)
			out = append(out, def...)
		}
	}
	return out
}

// segment appends a segment with its marker and length.
func segment(out []byte, marker byte, content []byte) []byte {
	n := 2 + len(content)
	return append(append(out, 0xff, marker, byte(n>>8), byte(n)), content...)
}
