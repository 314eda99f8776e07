package scene

import (
	"image"
	"math"
	"math/rand/v2"
)

// canvas is a frame being drawn: brightness in full size, colour differences in
// half size, all full range. Width and height are even.
type canvas struct {
	w, h   int
	y      []uint8 // w*h
	cb, cr []uint8 // w/2*h/2
}

func newCanvas(w, h int) *canvas {
	return &canvas{w: w, h: h, y: make([]uint8, w*h), cb: make([]uint8, w*h/4), cr: make([]uint8, w*h/4)}
}

func (c *canvas) bounds() image.Rectangle { return image.Rect(0, 0, c.w, c.h) }

// evenly grows r to whole 2x2 blocks within the canvas.
func (c *canvas) evenly(r image.Rectangle) image.Rectangle {
	r = r.Intersect(c.bounds())
	r.Min.X &^= 1
	r.Min.Y &^= 1
	r.Max.X = (r.Max.X + 1) &^ 1
	r.Max.Y = (r.Max.Y + 1) &^ 1
	return r
}

// copyFrom copies the area r of src, which has the same size.
func (c *canvas) copyFrom(src *canvas, r image.Rectangle) {
	r = c.evenly(r)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		copy(c.y[y*c.w+r.Min.X:y*c.w+r.Max.X], src.y[y*c.w+r.Min.X:])
	}
	half := c.w / 2
	for y := r.Min.Y / 2; y < r.Max.Y/2; y++ {
		a, b := y*half+r.Min.X/2, y*half+r.Max.X/2
		copy(c.cb[a:b], src.cb[a:])
		copy(c.cr[a:b], src.cr[a:])
	}
}

// drawGarden draws the garden as v sees it, and returns beside it how much of the
// lamps' light falls on each pixel.
//
// A first sample in the middle of each pixel tells where edges are; only there
// three more are taken, which is what makes the drawing quick.
func drawGarden(v view, w, h int) (*canvas, []uint8) {
	c, lamp := newCanvas(w, h), make([]uint8, w*h)
	rows := [3][]sample{make([]sample, w), make([]sample, w), make([]sample, w)}
	colours := make([]rgb, w/2)
	v.sampleRow(rows[1], 0)
	for y := range h {
		if y+1 < h {
			v.sampleRow(rows[2], y+1)
		} else {
			rows[2] = rows[1]
		}
		if y == 0 {
			copy(rows[0], rows[1])
		}
		for x, s := range rows[1] {
			if edgeAt(rows, x) {
				s = v.finer(s, float32(x), float32(y))
			}
			c.y[y*w+x], _, _ = s.c.ycc()
			lamp[y*w+x] = clamp8(255 * s.lamp)
			colours[x/2] = colours[x/2].plus(s.c)
		}
		if y&1 == 1 {
			for i, sum := range colours {
				_, c.cb[y/2*(w/2)+i], c.cr[y/2*(w/2)+i] = sum.times(0.25).ycc()
			}
			clear(colours)
		}
		rows[0], rows[1], rows[2] = rows[1], rows[2], rows[0]
	}
	return c, lamp
}

// sample is what is seen at one point.
type sample struct {
	c    rgb
	lamp float32
}

func (v view) sampleRow(row []sample, y int) {
	for x := range row {
		row[x].c, row[x].lamp = v.garden(float32(x)+0.5, float32(y)+0.5)
	}
}

// edgeAt says whether pixel x of the middle row differs from a neighbour by more
// than the eye lets pass.
func edgeAt(rows [3][]sample, x int) bool {
	const most = 0.06
	g := rows[1][x].c.g
	far := func(o sample) bool { return abs32(o.c.g-g) > most }
	return x > 0 && far(rows[1][x-1]) || x+1 < len(rows[1]) && far(rows[1][x+1]) || far(rows[0][x]) || far(rows[2][x])
}

// finer adds three samples to the one in the middle of a pixel.
func (v view) finer(s sample, x, y float32) sample {
	for _, o := range [3][2]float32{{0.15, 0.3}, {0.85, 0.4}, {0.4, 0.85}} {
		c, lamp := v.garden(x+o[0], y+o[1])
		s.c, s.lamp = s.c.plus(c), s.lamp+lamp
	}
	return sample{s.c.times(0.25), s.lamp / 4}
}

// paint blends a colour into the area r, by alpha, which gives 0..1 for the
// middle of a pixel, and shade, which multiplies the colour's brightness.
func (c *canvas) paint(r image.Rectangle, col rgb, alpha func(x, y float32) (a, shade float32)) {
	r = c.evenly(r)
	cy, cb, cr := col.ycc()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := c.y[y*c.w : (y+1)*c.w]
		for x := r.Min.X; x < r.Max.X; x++ {
			a, shade := alpha(float32(x)+0.5, float32(y)+0.5)
			if a <= 0 {
				continue
			}
			row[x] = clamp8(float32(row[x])*(1-a) + float32(cy)*shade*a)
			if x&1 == 0 && y&1 == 0 {
				i := y/2*(c.w/2) + x/2
				c.cb[i] = clamp8(float32(c.cb[i])*(1-a) + float32(cb)*a)
				c.cr[i] = clamp8(float32(c.cr[i])*(1-a) + float32(cr)*a)
			}
		}
	}
}

// darken multiplies brightness in the area r by what keep returns.
func (c *canvas) darken(r image.Rectangle, keep func(x, y float32) float32) {
	r = c.evenly(r)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := c.y[y*c.w : (y+1)*c.w]
		for x := r.Min.X; x < r.Max.X; x++ {
			row[x] = clamp8(float32(row[x]) * keep(float32(x)+0.5, float32(y)+0.5))
		}
	}
}

// light is what falls on the scene, as the camera's exposure renders it: 1 is a
// day well exposed.
type light struct {
	ambient float64 // on everything
	lamp    float64 // of porch lamp and windows, times how much falls on a pixel
	beam    *beam   // headlights, or nil
}

func (l light) isDay() bool { return l.ambient == 1 && l.lamp == 0 && l.beam == nil }

// lit writes src, lit by l, into c. lamp is what drawGarden returned.
func (c *canvas) lit(src *canvas, l light, lamp []uint8) {
	ambient, lamps := int32(256*l.ambient), int32(256*l.lamp)
	var gain [256]int32 // by lamp, 8 bits of fraction
	for i := range gain {
		gain[i] = ambient + lamps*int32(i)/255
	}
	for i, y := range src.y {
		c.y[i] = uint8(min(int32(y)*gain[lamp[i]]>>8, 255))
	}
	// Weak light has weak colour, the sky's is blue and the lamps' is warm.
	cool := int32(6 * (1 - min(l.ambient, 1)))
	for y := range c.h / 2 {
		for x := range c.w / 2 {
			i := y*(c.w/2) + x
			near := int32(lamp[2*y*c.w+2*x])
			k := min(gain[near], 256)
			warm := lamps * near >> 12
			c.cb[i] = uint8(min(max(128+(int32(src.cb[i])-128)*k>>8+cool-warm*3/2, 0), 255))
			c.cr[i] = uint8(min(max(128+(int32(src.cr[i])-128)*k>>8-cool/2+warm, 0), 255))
		}
	}
	if l.beam != nil {
		l.beam.shine(c, src)
	}
}

// grain is a sensor's noise, drawn once and used from another place in each row
// of each frame.
type grain [1 << 14]int8

func newGrain(rng *rand.Rand, sigma float64) *grain {
	var g grain
	for i := range g {
		g[i] = int8(min(max(math.Round(sigma*rng.NormFloat64()), -100), 100))
	}
	return &g
}

// addTo adds the grain to brightness.
func (g *grain) addTo(c *canvas, rng *rand.Rand) {
	for y := range c.h {
		row := c.y[y*c.w : (y+1)*c.w]
		for len(row) > 0 {
			n := min(len(row), len(g)/2)
			from := int(rng.Uint32()) & (len(g)/2 - 1)
			for i, d := range g[from : from+n] {
				v := int32(row[i]) + int32(d)
				row[i] = uint8(min(max(v, 0), 255))
			}
			row = row[n:]
		}
	}
}
