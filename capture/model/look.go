package model

import (
	"cmp"
	"context"
	"slices"
)

// Found is one thing that a look found.
type Found struct {
	Class int     // the number of its label
	Score float64 // 0 to 1
	Box   Area    // where, in the whole picture
}

// Range is what reals a float32 network takes for black and white. Integers need
// none: their scale says it.
type Range struct{ Black, White float32 }

// defaultRange is what networks of the MobileNet class are trained on.
var defaultRange = Range{-1, 1}

// Look shows the model a part of a picture and returns what it finds there with at
// least the score least, the best first, and at most 32. A classifier finds its
// classes in the whole part. Range is of no use to models on integers; its zero
// value is what the model's first QUANTIZE says, else -1 to 1.
func (m *Model) Look(ctx context.Context, p *Picture, part Area, r Range, least float64) ([]Found, error) {
	if r == (Range{}) {
		r = m.takes
	}
	m.show(p, part, r)
	if err := m.Run(ctx); err != nil {
		return nil, err
	}
	var found []Found
	if m.info.Detector {
		found = m.detected(part, least)
	} else {
		for i := range m.read.scores.n {
			if s := hold(m.read.scores.real(i)); s >= least {
				found = append(found, Found{i, s, part})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Found) int { return cmp.Compare(b.Score, a.Score) })
	return found[:min(len(found), 32)], nil
}

// hold brings what a model says to 0 to 1; what is no number is 0.
func hold(v float32) float64 {
	if v > 0 {
		return float64(min(v, 1))
	}
	return 0
}

// detected returns what a detector found in part.
func (m *Model) detected(part Area, least float64) []Found {
	var found []Found
	n := min(int(m.read.many.real(0)), m.read.values.n)
	for i := range max(0, n) {
		s := hold(m.read.values.real(i))
		if s < least {
			continue
		}
		y0, x0 := hold(m.read.boxes.real(4*i)), hold(m.read.boxes.real(4*i+1))
		y1, x1 := hold(m.read.boxes.real(4*i+2)), hold(m.read.boxes.real(4*i+3))
		if x1 <= x0 || y1 <= y0 {
			continue
		}
		box := Area{part.X + x0*part.W, part.Y + y0*part.H, (x1 - x0) * part.W, (y1 - y0) * part.H}
		found = append(found, Found{int(m.read.classes.real(i)), s, box})
	}
	return found
}

// show sets the input to part of p. An integer network takes black for the least
// of its numbers and white for the largest, whatever reals it calls them.
func (m *Model) show(p *Picture, part Area, r Range) {
	w, h := m.info.Width, m.info.Height
	s := p.sampler(part, w, h)
	i := 0
	put := func(v float32) {
		if m.in.kind == Float32 {
			m.in.f[i] = r.Black + float32(v*((r.White-r.Black)/255))
		} else {
			m.in.q[i] = int8(int32(v+0.5) - 128)
		}
		i++
	}
	for y := range h {
		for x := range w {
			if m.info.Channels == 1 {
				put(s.mean(&p.y, x, y))
				continue
			}
			red, green, blue := s.colour(x, y)
			put(red)
			put(green)
			put(blue)
		}
	}
}
