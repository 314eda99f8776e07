package motion

import (
	"errors"
	"fmt"
)

// Point is a place in the picture: x to the right and y down, in thousandths of its
// width and height, so that it means the same at every resolution.
type Point [2]int

// Polygon is an area of the picture by its corners, in order. The last is joined
// to the first.
type Polygon []Point

// Bounds of what an owner may draw.
const (
	mostCorners = 32
	leastArea   = 500 // square thousandths: a twentieth of a percent of the picture
)

// Validate reports what is wrong with p: corners outside of the picture, sides that
// cross, nothing within.
func (p Polygon) Validate() error {
	if len(p) < 3 || len(p) > mostCorners {
		return fmt.Errorf("expected 3 to %d corners, found %d", mostCorners, len(p))
	}
	for _, c := range p {
		if err := c.validate(); err != nil {
			return err
		}
	}
	for i := range p {
		for j := i + 1; j < len(p); j++ {
			if p.clash(i, j) {
				return fmt.Errorf("its sides cross or touch: from %v to %v, and from %v to %v", p[i], p.after(i), p[j], p.after(j))
			}
		}
	}
	if a := p.area(); a < leastArea {
		return fmt.Errorf("it is empty: %d of 1000000 parts of the picture, expected %d", a, leastArea)
	}
	return nil
}

func (c Point) validate() error {
	if c[0] < 0 || c[0] > 1000 || c[1] < 0 || c[1] > 1000 {
		return fmt.Errorf("the point %v lies outside of the picture, which is 1000 wide and 1000 high", c)
	}
	return nil
}

func (p Polygon) after(i int) Point { return p[(i+1)%len(p)] }

// clash says whether sides i and j meet other than at the corner that neighbours share.
func (p Polygon) clash(i, j int) bool {
	a, b, c, d := p[i], p.after(i), p[j], p.after(j)
	switch {
	case a == b || c == d:
		return true
	case j == i+1: // b is c: only a side that goes back over the other one clashes
		return side(a, b, d) == 0 && between(a, b, d) || side(a, b, d) == 0 && between(b, d, a)
	case i == 0 && j == len(p)-1: // a is d
		return side(a, b, c) == 0 && (between(a, b, c) || between(a, c, b))
	}
	return meet(a, b, c, d)
}

// side is above 0 when c lies to the right of the way from a to b, as seen in a picture
// whose y grows downwards, below 0 to its left, and 0 on it.
func side(a, b, c Point) int { return (b[0]-a[0])*(c[1]-a[1]) - (b[1]-a[1])*(c[0]-a[0]) }

// between says whether c, on the line through a and b, lies from a to b.
func between(a, b, c Point) bool {
	return min(a[0], b[0]) <= c[0] && c[0] <= max(a[0], b[0]) && min(a[1], b[1]) <= c[1] && c[1] <= max(a[1], b[1])
}

// meet says whether the stretches from a to b and from c to d have a point in common.
func meet(a, b, c, d Point) bool {
	p, q, r, s := side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)
	if (p > 0) != (q > 0) && (r > 0) != (s > 0) && p != 0 && q != 0 && r != 0 && s != 0 {
		return true
	}
	return p == 0 && between(a, b, c) || q == 0 && between(a, b, d) || r == 0 && between(c, d, a) || s == 0 && between(c, d, b)
}

// area is in square thousandths.
func (p Polygon) area() int {
	twice := 0
	for i, a := range p {
		b := p.after(i)
		twice += a[0]*b[1] - b[0]*a[1]
	}
	return max(twice, -twice) / 2
}

// contains says whether x, y in thousandths lies within p.
func (p Polygon) contains(x, y float64) bool {
	in := false
	for i, a := range p {
		b := p.after(i)
		ax, ay, bx, by := float64(a[0]), float64(a[1]), float64(b[0]), float64(b[1])
		if (ay > y) != (by > y) && x < ax+(bx-ax)*(y-ay)/(by-ay) {
			in = !in
		}
	}
	return in
}

// rows returns the y of the upper and the lower end.
func (p Polygon) rows() (top, bottom int) {
	top, bottom = p[0][1], p[0][1]
	for _, c := range p {
		top, bottom = min(top, c[1]), max(bottom, c[1])
	}
	return top, bottom
}

// on sets in m what lies in p, by the middle of each pixel.
func (p Polygon) on(m mask) {
	for y := range m.h {
		for x := range m.w {
			if p.contains((float64(x)+0.5)*1000/float64(m.w), (float64(y)+0.5)*1000/float64(m.h)) {
				m.bits[y*m.words+x>>6] |= 1 << (x & 63)
			}
		}
	}
}

// Line is a line that is watched for who crosses it.
type Line struct {
	Name string
	From Point
	To   Point
	// Way is the side to which it must be crossed, as seen by somebody who walks from
	// From to To: "left", "right", or "" for either.
	Way string
}

func (l Line) validate() error {
	for _, p := range [2]Point{l.From, l.To} {
		if err := p.validate(); err != nil {
			return err
		}
	}
	switch l.Way {
	case "", "left", "right":
	default:
		return fmt.Errorf(`way: expected "left", "right" or "" for either, found %q`, l.Way)
	}
	if dx, dy := l.To[0]-l.From[0], l.To[1]-l.From[1]; dx*dx+dy*dy < 20*20 {
		return errors.New("it is shorter than 20 thousandths of the picture")
	}
	return nil
}

// crossed says whether a step from a to b crosses l: to its right (1), to its left
// (-1), or not at all (0). What stands on the line is to its right.
func (l Line) crossed(a, b Point) int {
	before, after := side(l.From, l.To, a) >= 0, side(l.From, l.To, b) >= 0
	switch {
	case before == after || (side(a, b, l.From) >= 0) == (side(a, b, l.To) >= 0):
		return 0
	case after:
		return 1
	}
	return -1
}

// wants says whether l is watched for who crosses it that way.
func (l Line) wants(way int) bool {
	return l.Way == "" || (l.Way == "right") == (way > 0)
}
