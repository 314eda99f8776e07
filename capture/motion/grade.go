package motion

import (
	"math"
	"time"
)

// grade is what one sensitivity asks of what moves.
type grade struct {
	floor      int32         // how many grey levels, Q8, a change must have over a pixel's noise
	area       int           // smallest area of something new, in pixels
	least      float64       // times its own size that a small body must go
	settle     time.Duration // after a start, until when nothing is raised
	start      weather       // what is assumed at a start, when nothing is known of leaves yet
	body       float64       // smallest area of a body
	neighbours int           // of 3x3 pixels that must stand out for the middle one to count
}

// gradeOf returns what a sensitivity asks in a luma of so many pixels.
func gradeOf(sensitivity, pixels int) grade {
	s := float64(sensitivity - 5)
	g := grade{floor: int32(256 * 9 * math.Exp2(-0.25*s)), neighbours: 4}
	g.area = max(2, int(0.0004*math.Exp2(-0.6*s)*float64(pixels)+0.5))
	g.body = 6 * math.Exp2(-0.6*s)
	g.settle = time.Duration(2500*math.Exp2(-0.7*max(s, 0))) * time.Millisecond
	g.least = 1.5 * math.Exp2(-0.8*max(s, 0))
	if s < 2 {
		g.start = weather{rate: 2 * rough, area: 3 * float64(g.area)}
	}
	switch {
	case sensitivity >= 9:
		g.neighbours = 2
	case sensitivity >= 7:
		g.neighbours = 3
	}
	return g
}

// survey lays zones and masks out on the pixels of the luma. Where zones overlap
// the most sensitive one holds.
func (d *Detector) survey() {
	n := d.w * d.h
	d.grades = append(d.grades[:0], gradeOf(d.cfg.Sensitivity, n))
	d.zone = make([]uint8, n)
	d.keen = d.grades[0]
	for i := range d.bg.floor {
		d.bg.floor[i] = uint16(d.grades[0].floor)
	}
	for i, z := range d.cfg.Zones {
		s := z.Sensitivity
		if s == 0 {
			s = d.cfg.Sensitivity
		}
		g := gradeOf(s, n)
		d.grades = append(d.grades, g)
		if g.floor < d.keen.floor {
			d.keen = g
		}
		d.spare.reset()
		z.Area.on(d.spare)
		for p := range d.zone {
			if d.spare.at(p%d.w, p/d.w) && (d.zone[p] == 0 || g.floor < d.grades[d.zone[p]].floor) {
				d.zone[p], d.bg.floor[p] = uint8(i+1), uint16(g.floor)
			}
		}
	}
	cover := d.cfg.Masks.Cover(8*d.w, 8*d.h)
	for p := range d.zone {
		if x, y := p%d.w, p/d.w; cover.Has(x, y) {
			d.masked.bits[y*d.masked.words+x>>6] |= 1 << (x & 63)
		}
	}
}

// gradeAt returns what is asked of something in b: what is asked where its feet are.
func (d *Detector) gradeAt(x0, x1, y1 int) *grade {
	x, y := min((x0+x1)/2, d.w-1), min(y1, d.h)-1
	return &d.grades[d.zone[y*d.w+x]]
}

func (d *Detector) gradeOf(b *blob) *grade { return d.gradeAt(b.x0, b.x1, b.y1) }
