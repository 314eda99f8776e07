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

// drawGarden draws the garden as v sees it with 2x2 samples a pixel, and returns beside it
// how much of the lamps' light falls on each pixel.
func drawGarden(v view, w, h int) (*canvas, []uint8) {
	c, lamp := newCanvas(w, h), make([]uint8, w*h)
	for by := 0; by < h; by += 2 {
		for bx := 0; bx < w; bx += 2 {
			var block rgb
			for i := range 4 {
				x, y := bx+i&1, by+i>>1
				var sum rgb
				var light float32
				for j := range 4 {
					s, l := v.garden(float32(x)+0.25+0.5*float32(j&1), float32(y)+0.25+0.5*float32(j>>1))
					sum, light = sum.plus(s), light+l
				}
				sum = sum.times(0.25)
				c.y[y*w+x], _, _ = sum.ycc()
				lamp[y*w+x] = clamp8(255 * light / 4)
				block = block.plus(sum)
			}
			_, cb, cr := block.times(0.25).ycc()
			c.cb[by/2*(w/2)+bx/2], c.cr[by/2*(w/2)+bx/2] = cb, cr
		}
	}
	return c, lamp
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
