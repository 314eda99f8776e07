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
	kept    float64 // how much of the background's texture shows within: 1 for all of it, as under a shadow
	ghost   float64 // edges along its outline in the background against those in the frame
}

// What a shape must have to be a body: edges of its own, and not the background's
// texture. Measured on drawn scenes, people keep 0.4 of it at most, clouds' shadows 0.85 at least.
const (
	minSharp = 0.6
	maxKept  = 0.6
	haste    = 0.75           // what hurries must have sharper ones: what is near is fast, and out of focus
	softest  = 0.8 * minSharp // of a body, on a single frame
)

// solid says whether it looks like a body.
func (l *looks) solid() bool { return l.sharp > minSharp && l.kept < maxKept }

// plausible says whether it may be a body, though its edges are soft for one: nothing is
// believed on a frame that shows it otherwise, whatever it looked like before.
func (l *looks) plausible() bool { return l.sharp > softest && l.kept < maxKept }

// inspect looks closely at b, in pix.
func (d *Detector) inspect(b *blob, pix []uint8) looks {
	var l looks
	var steps, squares, height, inFrame, inMean int64
	var halves [2]texture // a body's shadow lies at its feet: one half that is a body's is enough
	middle := (b.y0 + b.y1) / 2
	drift := (d.bg.shift + 128) >> 8
	still := d.gradeOf(b).floor * 5 / 8 >> 8
	edge := func(i, j int, inside, outside bool) {
		if !inside && !outside {
			return
		}
		e := int64(d.ratio(pix, i) - d.ratio(pix, j))
		e = max(e, -e)
		steps, squares = steps+e, squares+e*e
		f := int64(pix[i]) - int64(pix[j])
		m := (int64(d.bg.mean[i]) - int64(d.bg.mean[j])) >> 4
		if inside != outside {
			m >>= 4
			inFrame, inMean = inFrame+max(f, -f), inMean+max(m, -m)
			return
		}
		t := &halves[0]
		if i >= middle*d.w {
			t = &halves[1]
		}
		t.n, t.ff, t.fm, t.mm = t.n+1, t.ff+f*f<<8, t.fm+f*m<<4, t.mm+m*m
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
	l.kept = min(halves[0].kept(1), halves[1].kept(1))
	if l.kept == 1 {
		l.kept = 0
	}
	l.ghost = float64(inMean+1) / float64(inFrame+1)
	return l
}

// ratio is 256 times the logarithm of how much brighter pixel i is than its
// background. Light changes it smoothly, whatever it falls on.
func (d *Detector) ratio(pix []uint8, i int) int32 {
	return logs[pix[i]] - logs[d.bg.mean[i]>>8]
}

// texture sums up how neighbouring pixels differ in the frame (f) and in the
// background (m), in squares of a 16th of a grey level.
type texture struct{ n, ff, fm, mm int64 }

// kept is how well the two agree, from -1 to 1, or unknown where the background is too
// smooth, or the shape too small, to tell.
func (t texture) kept(unknown float64) float64 {
	if t.n < 8 || t.mm < t.n<<10 || t.ff == 0 {
		return unknown
	}
	return float64(t.fm) / math.Sqrt(float64(t.ff)*float64(t.mm))
}
