package capture

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/sealcam/sealcam/capture/mjpeg"
)

// Masks are the parts of the picture that never leave the camera. Every block of
// 8x8 pixels that one of them touches is hidden, so what is hidden is never less
// than what was asked for, at any resolution.
type Masks []Mask

// Mask is the inside of a polygon, by the rule of even and odd where it crosses
// itself. It has its last corner joined to its first.
type Mask []Corner

// Corner is a place in thousandths of the picture's width and height, from its
// upper left corner.
type Corner struct{ X, Y int }

// Bounds of masks.
const (
	MaxMasks   = 16
	MaxCorners = 32
)

// Rectangle returns the mask that is w wide and h high, in thousandths.
func Rectangle(x, y, w, h int) Mask {
	return Mask{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}}
}

// Validate reports what is wrong with m, in words for the owner.
func (m Masks) Validate() error {
	if len(m) > MaxMasks {
		return fmt.Errorf("%d masks, at most %d", len(m), MaxMasks)
	}
	for i, one := range m {
		if err := one.Validate(); err != nil {
			return fmt.Errorf("mask %d: %w", i+1, err)
		}
	}
	return nil
}

// Validate reports what is wrong with m, in words for the owner.
func (m Mask) Validate() error {
	if len(m) < 3 || len(m) > MaxCorners {
		return fmt.Errorf("%d corners, expected 3 to %d", len(m), MaxCorners)
	}
	flat := true
	for i, c := range m {
		if c.X < 0 || c.X > 1000 || c.Y < 0 || c.Y > 1000 {
			return fmt.Errorf("corner %d, %d lies outside of the picture, which is 1000 wide and 1000 high", c.X, c.Y)
		}
		a, b := m[(i+1)%len(m)], m[(i+2)%len(m)]
		flat = flat && cross(c, a, b) == 0
	}
	if flat {
		return errors.New("it has no area")
	}
	return nil
}

// Hash returns what a seal says about the masks in force: the SHA-256 of one line
// for each, its corners in their order as "x,y" with a space between; nil if
// there are none.
func (m Masks) Hash() []byte {
	if len(m) == 0 {
		return nil
	}
	h := sha256.New()
	for _, one := range m {
		for i, c := range one {
			if i > 0 {
				fmt.Fprint(h, " ")
			}
			fmt.Fprintf(h, "%d,%d", c.X, c.Y)
		}
		fmt.Fprintln(h)
	}
	return h.Sum(nil)
}

// Cover returns the blocks of a frame of width x height pixels that have a part of
// their inside within the masks.
func (m Masks) Cover(width, height int) *mjpeg.Blocks {
	b := mjpeg.NewBlocks(width, height)
	bw, bh := b.Size()
	for _, one := range m {
		for y := range bh {
			for x := range bw {
				// Corners are scaled to thousandths of a pixel, and blocks too.
				r := box{int64(x) * 8000, int64(y) * 8000, int64(x+1) * 8000, int64(y+1) * 8000}
				if !b.Has(x, y) && one.touches(r, int64(width), int64(height)) {
					b.Add(x, y)
				}
			}
		}
	}
	return b
}

// box is a rectangle without its edges.
type box struct{ x0, y0, x1, y1 int64 }

// touches says whether the polygon, scaled by w and h, shares a point with r: an
// edge goes through r, or all of r lies inside.
func (m Mask) touches(r box, w, h int64) bool {
	inside := false
	mx, my := (r.x0+r.x1)/2, (r.y0+r.y1)/2
	for i, c := range m {
		d := m[(i+1)%len(m)]
		ax, ay, bx, by := int64(c.X)*w, int64(c.Y)*h, int64(d.X)*w, int64(d.Y)*h
		if through(r, ax, ay, bx, by) {
			return true
		}
		if (ay > my) != (by > my) {
			// The edge crosses the line of the middle, to its right or not.
			side := (bx-ax)*(my-ay) - (by-ay)*(mx-ax)
			inside = inside != (side > 0 == (by > ay) && side != 0)
		}
	}
	return inside
}

// through says whether the line from a to b has a point within r.
func through(r box, ax, ay, bx, by int64) bool {
	if max(ax, bx) <= r.x0 || min(ax, bx) >= r.x1 || max(ay, by) <= r.y0 || min(ay, by) >= r.y1 {
		return false
	}
	var left, right bool
	for _, c := range [4][2]int64{{r.x0, r.y0}, {r.x1, r.y0}, {r.x1, r.y1}, {r.x0, r.y1}} {
		side := (bx-ax)*(c[1]-ay) - (by-ay)*(c[0]-ax)
		left, right = left || side > 0, right || side < 0
	}
	return left && right
}

func cross(a, b, c Corner) int { return (b.X-a.X)*(c.Y-a.Y) - (b.Y-a.Y)*(c.X-a.X) }
