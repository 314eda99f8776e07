package motion

import (
	"math"
	"time"
)

// way is how something has moved of late. Bodies go somewhere; flags, leaves and
// flames move about and stay. It is sampled at a steady pace, so that a trembling
// outline does not make a long way of a short one at a high frame rate.
type way struct {
	side   int8    // -1 came in at the left edge, 1 at the right, 0 at neither
	x1, y1 float64 // the middle, where it began
	spots  [16]spot
	steps  int // since the beginning
}

// spot is where something was: its middle and, of what came in at an edge, its front.
type spot struct {
	x, y, front float64
	at          time.Duration
}

const paceOfWay = 90 * time.Millisecond

// begin starts the way of what was first seen as b, with its middle at cx, cy, in a
// picture w wide.
func (p *way) begin(b *blob, cx, cy float64, w int, now time.Duration) {
	*p = way{x1: cx, y1: cy}
	if b.x0 == 0 {
		p.side = -1
	} else if b.x1 == w {
		p.side = 1
	}
	p.spots[0] = p.place(b.box(), cx, cy, now)
}

func (p *way) place(b Box, cx, cy float64, now time.Duration) spot {
	switch p.side {
	case -1:
		return spot{cx, cy, float64(b.X + b.W), now}
	case 1:
		return spot{cx, cy, float64(b.X), now}
	}
	return spot{cx, cy, cx, now}
}

// on goes on to where it is now.
func (p *way) on(b Box, cx, cy float64, now time.Duration) {
	if now-p.last(0).at < paceOfWay {
		return
	}
	p.steps++
	p.spots[p.steps%len(p.spots)] = p.place(b, cx, cy, now)
}

// last returns the n-th spot before the newest.
func (p *way) last(n int) *spot { return &p.spots[(p.steps-n)%len(p.spots)] }

// known is how many steps are still known, a second and a half at most.
func (p *way) known() int { return min(p.steps, len(p.spots)-1) }

// of returns how far the steps of late lead, and how long the way was: of the front, or of the
// middle. What comes in at an edge grows at first, so that its middle falls behind; the front
// of somebody trembles, who walks after his shadow.
func (p *way) of(front bool) (net, length float64) {
	n := p.known()
	for i := range n {
		length += p.last(i).from(p.last(i+1), front)
	}
	return p.last(0).from(p.last(n), front), length
}

// from returns how far it is from o.
func (s *spot) from(o *spot, front bool) float64 {
	if front {
		return math.Hypot(s.front-o.front, s.y-o.y)
	}
	return math.Hypot(s.x-o.x, s.y-o.y)
}

// leads says whether the way leads somewhere: over least pixels, and over a
// part of size, the body's own; the more of it, the fewer steps suffice.
func (p *way) leads(least, size float64) bool {
	return p.goes(least, size, false) || p.side != 0 && p.goes(least, size, true)
}

func (p *way) goes(least, size float64, front bool) bool {
	net, length := p.of(front)
	straight := net / max(length, 1e-9)
	switch {
	case net < least:
		return false
	case p.steps >= 4 && straight > 0.65 && net > 0.25*size:
		return true
	case p.steps >= 4 && size > 5.5 && straight > 0.6 && net > 1.2*size:
		return true // its outline trembles, as that of somebody who walks into his shadow
	}
	return net > 0.5*size && (p.steps >= 3 && straight > 0.6 || p.steps >= 2 && straight > 0.8 && front)
}

// flies says whether something of this size moves as nothing does that walks or
// drives: so many times its own size in a second, or nearly so and not straight on.
func (p *way) flies(size float64) bool {
	return p.rushes(size, false) && (p.side == 0 || p.rushes(size, true))
}

func (p *way) rushes(size float64, front bool) bool {
	n := p.known()
	if n < 2 {
		return false
	}
	net, length := p.of(front)
	sec := (p.last(0).at - p.last(n).at).Seconds()
	speed, straight := length/sec/max(size, 1), net/max(length, 1e-9)
	return speed > 8 || speed > 4 && (straight < 0.95 || sec < 0.8) || speed > 2.5 && straight < 0.75
}

// hurries says whether something of this size goes farther than twice that in a second.
func (p *way) hurries(size float64) bool {
	net, _ := p.of(false)
	return net > 2*size*(p.last(0).at-p.last(p.known()).at).Seconds()
}

// falls says whether the way leads down, as that of a flake does.
func (p *way) falls() bool {
	a, b := p.last(p.known()), p.last(0)
	return b.y-a.y > 1.5*math.Abs(b.x-a.x)
}
