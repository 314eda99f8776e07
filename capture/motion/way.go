package motion

import (
	"math"
	"time"
)

// way is how something has moved since it was first seen. Bodies go somewhere;
// flags, leaves and flames move about and stay. It is sampled at a steady pace, so that
// a trembling outline does not make a long way of a short one at a high frame rate.
type way struct {
	side   int8 // -1 came in at the left edge, 1 at the right, 0 at neither
	x0, y0 float64
	x, y   float64
	length float64 // along the samples
	steps  int
	at     time.Duration
}

const paceOfWay = 90 * time.Millisecond

// begin starts the way of what was first seen as b, with its middle at cx, cy, in a
// picture w wide.
func (p *way) begin(b *blob, cx, cy float64, w int, now time.Duration) {
	*p = way{at: now}
	if b.x0 == 0 {
		p.side = -1
	} else if b.x1 == w {
		p.side = 1
	}
	p.x0, p.y0 = p.place(b.box(), cx, cy)
	p.x, p.y = p.x0, p.y0
}

// place is the point whose way it is: of what came in at an edge, and grows at
// first, its front; of anything else its middle.
func (p *way) place(b Box, cx, cy float64) (x, y float64) {
	switch p.side {
	case -1:
		return float64(b.X + b.W), cy
	case 1:
		return float64(b.X), cy
	}
	return cx, cy
}

// on goes on to where it is now.
func (p *way) on(b Box, cx, cy float64, now time.Duration) {
	if now-p.at < paceOfWay {
		return
	}
	x, y := p.place(b, cx, cy)
	p.length += math.Hypot(x-p.x, y-p.y)
	p.x, p.y, p.at = x, y, now
	p.steps++
}

// leads says whether the way leads somewhere: over least pixels, and over a
// part of size, the body's own; the more of it, the fewer steps suffice.
func (p *way) leads(least, size float64) bool {
	net := math.Hypot(p.x-p.x0, p.y-p.y0)
	straight := net / max(p.length, 1e-9)
	switch {
	case net < least:
		return false
	case p.steps >= 4 && straight > 0.65 && net > 0.25*size:
		return true
	}
	return net > 0.5*size && (p.steps >= 3 && straight > 0.6 || p.steps >= 2 && straight > 0.8 && p.side != 0)
}
