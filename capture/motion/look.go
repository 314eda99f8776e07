package motion

import "math"

// logs maps a grey level to 256 times its natural logarithm. A little is added
// first, so that the noise of the dark stays small.
var logs = func() (t [256]int32) {
	for i := range t {
		t[i] = int32(256 * math.Log(float64(i)+10))
	}
	return t
}()

// looks are what tells bodies from light.
type looks struct {
	changed int     // pixels of it that changed since the frame before
	crept   int     // pixels of it that changed in the last 150 to 300 ms
	sharp   float64 // how sharp its edges are: 1 for those of a body, near 0 for light
	ghost   float64 // edges along its outline in the background against those in the frame
}

// inspect looks closely at b, in pix.
func (d *Detector) inspect(b *blob, pix []uint8) looks {
	var l looks
	var steps, squares, height, inFrame, inMean int64
	drift := (d.bg.shift + 128) >> 8
	still := d.floor * 5 / 8 >> 8
	edge := func(i, j int, inside, outside bool) {
		if !inside && !outside {
			return
		}
		e := int64(d.ratio(pix, i) - d.ratio(pix, j))
		e = max(e, -e)
		steps, squares = steps+e, squares+e*e
		if inside != outside {
			f := int64(pix[i]) - int64(pix[j])
			m := (int64(d.bg.mean[i]) - int64(d.bg.mean[j])) >> 8
			inFrame, inMean = inFrame+max(f, -f), inMean+max(m, -m)
		}
	}
	for y := max(b.y0-1, 0); y < min(b.y1+1, d.h); y++ {
		for x := max(b.x0-1, 0); x < min(b.x1+1, d.w); x++ {
			i := y*d.w + x
			in := d.found.at(x, y)
			if in {
				r := int64(d.ratio(pix, i))
				height += max(r, -r)
				if c := int32(pix[i]) - int32(d.prev[i]) - drift; c > still || c < -still {
					l.changed++
				}
				if c := int32(pix[i]) - int32(d.past[0][i]); c > 2*still || c < -2*still {
					l.crept++
				}
			}
			if x+1 < d.w {
				edge(i, i+1, in, d.found.at(x+1, y))
			}
			if y+1 < d.h {
				edge(i, i+d.w, in, d.found.at(x, y+1))
			}
		}
	}
	if steps > 0 && height > 0 {
		// The typical step between neighbours, against the typical height.
		l.sharp = float64(squares) / float64(steps) / (float64(height) / float64(b.area))
	}
	l.ghost = float64(inMean+1) / float64(inFrame+1)
	return l
}

// ratio is 256 times the logarithm of how much brighter pixel i is than its
// background. Light changes it smoothly, whatever it falls on.
func (d *Detector) ratio(pix []uint8, i int) int32 {
	return logs[pix[i]] - logs[d.bg.mean[i]>>8]
}
