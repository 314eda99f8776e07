package tamper

// score is how a picture compares with the learnt one.
type score struct {
	textured float32 // share of the cells of the learnt picture that hold a shape
	kept     float32 // share of those whose shape is still there, in whatever light
	same     float32 // share of those that are as bright as they were, too
	usual    float32 // same, as it usually is
	coarse   float32 // correlation of the coarse pictures, -1..1
	softness float32 // sharpness as a share of the usual
	contrast float32 // contrast as a share of the usual
	edges    float32 // edges as a share of the usual
	glare    float32 // share of pixels at full scale beyond the usual
	moved    bool    // the shapes are there, at another place
}

// Limits of the shares above.
const (
	lost      = 0.25 // a camera that keeps less shapes does not see what it did
	flatShare = 0.3  // of the usual edges: nothing to be seen
	dazzle    = 0.35 // of the picture burnt out
	darkLevel = 40   // a picture below this may want a lamp
	softShare = 0.66 // of the usual sharpness
	enough    = 0.12 // of the cells must hold a shape, for any verdict on shapes
)

// cell is the width and height of the pieces that are compared.
const cell = 5

// Of a cell: the contrast from which it holds a shape, in levels, and the
// correlation from which two hold the same one.
const (
	shapely = 2.5
	alike   = 0.5
)

// compare measures e against v.
func (v *view) compare(e *eye) score {
	s := score{usual: v.same, glare: e.glare - v.glare, softness: 1, contrast: 1, edges: 1}
	if v.learnt == 0 {
		return s
	}
	if v.edges > 0 {
		s.edges = e.edges / v.edges
	}
	if v.sharp > 0 {
		s.softness = e.sharp / v.sharp
		s.contrast = e.contrast / v.contrast
	}
	cells, textured, kept, same := 0, 0, 0, 0
	for y := 0; y+cell <= e.h; y += cell {
		for x := 0; x+cell <= e.w; x += cell {
			cells++
			shape, r, level := v.piece(e, x, y)
			if !shape {
				continue
			}
			textured++
			if r > alike {
				kept++
				if level {
					same++
				}
			}
		}
	}
	s.textured = float32(textured) / float32(max(cells, 1))
	s.kept = float32(kept) / float32(max(textured, 1))
	s.same = float32(same) / float32(max(textured, 1))
	s.coarse = correlation(v.coarse, e.coarse)
	if s.textured >= enough && s.kept < 0.6 && e.steady() {
		if v.asked != e.looks { // once a look: it costs as much as a hundred others
			v.asked, v.moved = e.looks, v.elsewhere(e)
		}
		s.moved = v.moved
	}
	return s
}

// piece compares one cell: whether the learnt one holds a shape, how much the
// one of now correlates with it, and whether it is as bright.
func (v *view) piece(e *eye, x, y int) (shape bool, r float32, level bool) {
	const n = cell * cell
	var a, b, aa, bb, ab float32
	for j := y; j < y+cell; j++ {
		p, q := v.pix[j*e.w+x:][:cell], e.pix[j*e.w+x:][:cell]
		for i, u := range p {
			a += u
			b += q[i]
			aa += u * u
			bb += q[i] * q[i]
			ab += u * q[i]
		}
	}
	va, vb := aa/n-a/n*(a/n), bb/n-b/n*(b/n)
	if va < shapely*shapely {
		return false, 0, false
	}
	if vb > 0.25 { // less is not a shape but rounding
		r = (ab/n - a/n*(b/n)) / sqrt32(va*vb)
	}
	return true, r, abs32(a-b)/n < 3+0.2*a/n
}

// judge says what a picture with this score looks like. uneven says that it went
// bit by bit.
func (s score) judge(e *eye, uneven bool) Kind {
	hidden := s.textured >= enough && s.kept < lost
	switch {
	case s.glare > dazzle && s.kept < 0.6, hidden && s.glare > 0.04:
		return Blinded
	case hidden && s.edges < flatShare:
		if e.mean < darkLevel && (!uneven || s.same > 0.05) {
			return None // the light has gone, not the sight
		}
		return Covered
	case s.textured >= enough && s.softness < softShare && s.coarse > 0.9 && s.contrast > 0.7: // dusk and fog take contrast, too
		return Defocused
	case s.moved, hidden && e.steady() && s.coarse < 0.5:
		return Moved
	}
	return None
}

// kind says whether a picture still looks like the open event k.
func (s score) kind(e *eye, k Kind) bool {
	switch k {
	case Blinded:
		return s.glare > dazzle/2 || s.textured >= enough && s.kept < 0.4
	case Defocused:
		return s.softness < softShare+0.1
	}
	return s.textured < enough || s.kept < 0.4
}

// correlation returns that of two pictures of one size, -1..1; 0 when one is flat.
func correlation(p, q []float32) float32 {
	var a, b, aa, bb, ab float32
	for i, u := range p {
		a += u
		b += q[i]
		aa += u * u
		bb += q[i] * q[i]
		ab += u * q[i]
	}
	n := float32(len(p))
	va, vb := aa/n-a/n*(a/n), bb/n-b/n*(b/n)
	if va < 0.25 || vb < 0.25 {
		return 0
	}
	return (ab/n - a/n*(b/n)) / sqrt32(va*vb)
}
