package tamper

import (
	"math"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// viewWidth is the most pixels a row of the compared picture has. Shapes of this
// size outlast noise, rain and compression, and cost little.
const viewWidth = 80

// eye holds one luma, reduced, and what is measured in it.
type eye struct {
	lw, lh, step int // size of the luma, and how many of its pixels become one
	w, h         int // size of pix
	pix          []float32
	sums         []int32   // of one row of pix while it is read
	cw, ch       int       // size of coarse
	coarse       []float32 // means of 4x4 of pix
	before       []float32 // coarse at the last look
	looked       time.Duration
	still        int // how many looks in a row the coarse picture stayed the same
	looks        int // counted

	mean     float32 // 0 to 255 of full range
	glare    float32 // share of pixels at full scale
	contrast float32 // standard deviation of coarse
	edges    float32 // how much neighbours differ, on average
	sharp    float32 // edges for each unit of contrast
}

// resize prepares for lumas of w x h, and reports whether anything had to change.
func (e *eye) resize(w, h int) bool {
	if w == e.lw && h == e.lh {
		return false
	}
	e.lw, e.lh = w, h
	e.step = (w + viewWidth - 1) / viewWidth
	e.w, e.h = w/e.step, max(1, h/e.step)
	e.cw, e.ch = max(1, e.w/4), max(1, e.h/4)
	e.pix, e.sums = make([]float32, e.w*e.h), make([]int32, e.w)
	e.coarse, e.before = make([]float32, e.cw*e.ch), make([]float32, e.cw*e.ch)
	e.still, e.looks = 0, 0
	return true
}

// read measures l, taken at the given time, which has the size of resize.
func (e *eye) read(l *capture.Luma, at time.Duration) {
	black, scale := float32(0), float32(1)
	if l.Limited {
		black, scale = 16, 255.0/219
	}
	var sum float32
	burnt := 0
	per := scale / float32(e.step*e.step)
	for y := range e.h {
		clear(e.sums)
		for j := range min(e.step, e.lh-y*e.step) {
			row := l.Pix[(y*e.step+j)*e.lw:][:e.w*e.step]
			if e.step == 3 { // of 1080p and 720p
				for x := range e.sums {
					e.sums[x] += int32(row[3*x]) + int32(row[3*x+1]) + int32(row[3*x+2])
				}
				continue
			}
			for x := range e.sums {
				for _, p := range row[x*e.step:][:e.step] {
					e.sums[x] += int32(p)
				}
			}
		}
		for x, s := range e.sums {
			v := float32(s)*per - black*scale
			if v >= white {
				burnt++
			}
			e.pix[y*e.w+x] = v
			sum += v
		}
	}
	n := float32(e.w * e.h)
	e.mean = sum / n
	e.glare = float32(burnt) / n
	e.measure()
	if at < e.looked || at-e.looked >= lookEach {
		e.looked = at
		e.look()
	}
}

// lookEach is how often it is seen whether the picture changes.
const lookEach = 900 * time.Millisecond

// white is a pixel at full scale. JPEG rarely reaches 255 exactly.
const white = 249

// noiseStep is a difference between neighbours that noise makes too.
const noiseStep = 2

// measure finds how rich in edges the picture is, and how steady.
func (e *eye) measure() {
	var edges float32
	for y := range e.h - 1 {
		row, below := e.pix[y*e.w:(y+1)*e.w], e.pix[(y+1)*e.w:(y+2)*e.w]
		for x := range e.w - 1 {
			edges += max(abs32(row[x+1]-row[x])-noiseStep, 0) + max(abs32(below[x]-row[x])-noiseStep, 0)
		}
	}
	e.edges = edges / float32(e.w*e.h)
	var sum, squares float32
	for y := range e.ch {
		for x := range e.cw {
			var s float32
			for j := range min(4, e.h) {
				for _, v := range e.pix[(4*y+j)*e.w+4*x:][:min(4, e.w)] {
					s += v
				}
			}
			s /= 16
			e.coarse[y*e.cw+x] = s
			sum += s
			squares += s * s
		}
	}
	n := float32(len(e.coarse))
	e.contrast = sqrt32(max(squares/n-sum/n*(sum/n), 0))
	e.sharp = e.edges / (e.contrast + 1)
}

// look notes whether the coarse picture changes.
func (e *eye) look() {
	e.looks++
	var diff float32
	for i, v := range e.coarse {
		diff += abs32(v - e.before[i])
	}
	if diff < (2+0.03*e.mean)*float32(len(e.coarse)) {
		e.still++
	} else {
		e.still = 0
	}
	copy(e.before, e.coarse)
}

// steady says that the picture has not changed much for a few looks.
func (e *eye) steady() bool { return e.still >= 2 }

// view is what a camera shows, as it was learnt.
type view struct {
	learnt time.Duration // for how long; 0 is not at all
	pix    []float32
	coarse []float32
	asked  int          // the look at which was searched, and what was found
	moved  bool         //
	half   [2][]float32 // gradients at half size, of the view and of the eye, for the search
	fine   [2][]float32 // the same at full size

	edges, sharp, contrast, glare float32 // as they usually are
	same                          float32 // of score, as it usually is
}

func (v *view) resize(e *eye) {
	v.learnt = 0
	v.pix, v.coarse = make([]float32, len(e.pix)), make([]float32, len(e.coarse))
	for i := range v.half {
		v.half[i], v.fine[i] = make([]float32, (e.w/2)*(e.h/2)), make([]float32, e.w*e.h)
	}
}

// seed takes the picture of now.
func (v *view) seed(e *eye) {
	copy(v.pix, e.pix)
	copy(v.coarse, e.coarse)
	v.edges, v.sharp, v.contrast, v.glare, v.same = e.edges, e.sharp, e.contrast, e.glare, 1
}

// Time constants of what is learnt. What takes longer to come is followed.
const (
	followWell = 25 * time.Second
	followHalf = 80 * time.Second // with much of the picture hidden
)

// follow lets the view follow slow changes.
func (v *view) follow(e *eye, s score, dt time.Duration) {
	pace := followWell
	if s.kept < 0.6 {
		pace = followHalf
	}
	v.blend(e, pace, dt)
	k := float32(min(dt.Seconds()/pace.Seconds(), 1))
	v.same += (s.same - v.same) * k
}

// blend moves the view towards the picture of now.
func (v *view) blend(e *eye, pace, dt time.Duration) {
	k := float32(min(dt.Seconds()/pace.Seconds(), 1))
	for i, p := range e.pix {
		v.pix[i] += (p - v.pix[i]) * k
	}
	for i, p := range e.coarse {
		v.coarse[i] += (p - v.coarse[i]) * k
	}
	v.edges += (e.edges - v.edges) * k
	v.sharp += (e.sharp - v.sharp) * k
	v.contrast += (e.contrast - v.contrast) * k
	v.glare += (e.glare - v.glare) * k
}

// abs32 has no branch: which sign a difference has is a matter of chance.
func abs32(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }

func sqrt32(v float32) float32 { return float32(math.Sqrt(float64(v))) }
