package motion

import "math/bits"

// mask is one bit for each pixel, in rows of whole words. Sixty-four pixels are
// handled at once, which makes what is done on masks nearly free.
type mask struct {
	w, h  int
	words int // in a row
	bits  []uint64
}

func (m *mask) resize(w, h int) {
	m.w, m.h, m.words = w, h, (w+63)/64
	m.bits = make([]uint64, m.words*h)
}

func (m *mask) reset() { clear(m.bits) }

func (m *mask) row(y int) []uint64 { return m.bits[y*m.words : (y+1)*m.words] }

func (m *mask) at(x, y int) bool { return m.bits[y*m.words+x>>6]>>(x&63)&1 != 0 }

// fill sets the pixels from x0, y0 to x1, y1, which are excluded.
func (m *mask) fill(x0, y0, x1, y1 int) {
	for y := max(y0, 0); y < min(y1, m.h); y++ {
		for x := max(x0, 0); x < min(x1, m.w); x++ {
			m.bits[y*m.words+x>>6] |= 1 << (x & 63)
		}
	}
}

// cut removes the pixels of a box.
func (m *mask) cut(b Box) {
	for y := max(b.Y, 0); y < min(b.Y+b.H, m.h); y++ {
		for x := max(b.X, 0); x < min(b.X+b.W, m.w); x++ {
			m.bits[y*m.words+x>>6] &^= 1 << (x & 63)
		}
	}
}

// clear removes the pixels of other.
func (m *mask) clear(other mask) {
	for i, b := range other.bits {
		m.bits[i] &^= b
	}
}

func (m *mask) count() int {
	n := 0
	for _, b := range m.bits {
		n += bits.OnesCount64(b)
	}
	return n
}

// despeckle writes to out the pixels of m that have at least least (1 to 4) pixels
// in the 3x3 around them, themselves among them, and the pixels of m next to those: a
// speck goes, a shape keeps its outline. spare is overwritten.
func (m *mask) despeckle(out, spare mask, least int) {
	for y := range m.h {
		for i := range m.words {
			spare.bits[y*m.words+i] = m.dense(y, i, least)
		}
	}
	for y := range m.h {
		for i := range m.words {
			near := uint64(0)
			for dy := -1; dy <= 1; dy++ {
				l, c, r := spare.around(y+dy, i)
				near |= l | c | r
			}
			out.bits[y*m.words+i] = near & m.bits[y*m.words+i]
		}
	}
}

// dense returns the pixels of one word that are set and have enough set around them.
func (m *mask) dense(y, i, least int) uint64 {
	self := m.bits[y*m.words+i]
	if self == 0 {
		return 0
	}
	// Counters of all 64 pixels at once, one word for each binary digit; four
	// and more stay four.
	var one, two, four uint64
	add := func(b uint64) {
		carry := one & b
		one ^= b
		four |= two & carry
		two ^= carry
	}
	for dy := -1; dy <= 1; dy++ {
		l, c, r := m.around(y+dy, i)
		add(l)
		add(c)
		add(r)
	}
	switch least {
	case 1:
		return self
	case 2:
		return self & (two | four)
	case 3:
		return self & (two&one | four)
	}
	return self & four
}

// around returns, for the pixels of a word, their left neighbours, themselves and
// their right neighbours. Outside the picture nothing is set.
func (m *mask) around(y, i int) (l, c, r uint64) {
	if y < 0 || y >= m.h {
		return 0, 0, 0
	}
	row := m.row(y)
	c = row[i]
	l, r = c<<1, c>>1
	if i > 0 {
		l |= row[i-1] >> 63
	}
	if i+1 < len(row) {
		r |= row[i+1] << 63
	}
	return l, c, r
}
