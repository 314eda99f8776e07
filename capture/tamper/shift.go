package tamper

// How far a picture is searched for, as shares of its width and height: who turns
// a camera further shows something else altogether.
const (
	reachX = 0.3
	reachY = 0.3
)

// elsewhere says whether e's edges match the view's clearly better at another
// place than where they were. It is asked only of pictures that look unlike.
func (v *view) elsewhere(e *eye) bool {
	gradients(v.fine[0], v.pix, e.w, e.h)
	gradients(v.fine[1], e.pix, e.w, e.h)
	hw, hh := e.w/2, e.h/2
	halve(v.half[0], v.fine[0], e.w, hw, hh)
	halve(v.half[1], v.fine[1], e.w, hw, hh)
	bx, by, best := 0, 0, float32(-1)
	for dy := -int(reachY * float32(hh)); dy <= int(reachY*float32(hh)); dy++ {
		for dx := -int(reachX * float32(hw)); dx <= int(reachX*float32(hw)); dx++ {
			if r := match(v.half[0], v.half[1], hw, hh, dx, dy); r > best {
				bx, by, best = dx, dy, r
			}
		}
	}
	here := match(v.fine[0], v.fine[1], e.w, e.h, 0, 0)
	best, fx, fy := float32(-1), 0, 0
	for dy := 2*by - 1; dy <= 2*by+1; dy++ {
		for dx := 2*bx - 1; dx <= 2*bx+1; dx++ {
			if r := match(v.fine[0], v.fine[1], e.w, e.h, dx, dy); r > best {
				fx, fy, best = dx, dy, r
			}
		}
	}
	return (fx != 0 || fy != 0) && best > 0.45 && best > here+0.25
}

// gradients writes how much each pixel differs from its neighbours.
func gradients(out, pix []float32, w, h int) {
	for y := range h {
		for x := range w {
			i := y*w + x
			var g float32
			if x+1 < w {
				g = abs32(pix[i+1] - pix[i])
			}
			if y+1 < h {
				g += abs32(pix[i+w] - pix[i])
			}
			out[i] = min(g, 40) // one bright edge is not the whole picture
		}
	}
}

// halve sums 2x2 of in, whose rows are w long.
func halve(out, in []float32, w, hw, hh int) {
	for y := range hh {
		for x := range hw {
			i := 2*y*w + 2*x
			out[y*hw+x] = in[i] + in[i+1] + in[i+w] + in[i+w+1]
		}
	}
}

// match correlates a with b, moved by dx, dy, where both overlap.
func match(a, b []float32, w, h, dx, dy int) float32 {
	x0, x1 := max(0, -dx), min(w, w-dx)
	y0, y1 := max(0, -dy), min(h, h-dy)
	var p, q, pp, qq, pq float32
	for y := y0; y < y1; y++ {
		u, v := a[y*w+x0:y*w+x1], b[(y+dy)*w+x0+dx:(y+dy)*w+x1+dx]
		for i, m := range u {
			p += m
			q += v[i]
			pp += m * m
			qq += v[i] * v[i]
			pq += m * v[i]
		}
	}
	n := float32((x1 - x0) * (y1 - y0))
	vp, vq := pp/n-p/n*(p/n), qq/n-q/n*(q/n)
	if n < 16 || vp < 0.25 || vq < 0.25 {
		return 0
	}
	return (pq/n - p/n*(q/n)) / sqrt32(vp*vq)
}
