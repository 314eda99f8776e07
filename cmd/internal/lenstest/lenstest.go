// Package lenstest draws what a camera sees when somebody holds a code before
// it: tilted, small, dark, noisy, out of focus.
//
// What this package does not do: it is for tests alone, and no model of a lens
// or a sensor. It leaves out what has not been a trouble yet: glare, moiré,
// rolling shutters.
package lenstest

import (
	"image"
	"math"
	"math/rand/v2"
)

// Code is what is held up: *qr.Code is one.
type Code interface {
	Size() int
	Dark(x, y int) bool
}

// View says how the camera sees the code.
type View struct {
	Width, Height int     // of the frame, pixels
	Share         float64 // of the frame's height that the code takes, without its margin
	Tilt          float64 // degrees, in the plane of the picture
	Lean          float64 // degrees, away from the camera around the upright axis
	Bright        float64 // 1 is well lit
	Noise         float64 // standard deviation, of 255
	Blur          int     // radius in pixels
	Seed          uint64
}

// Film is a scene that stands still before a sensor that does not.
type Film struct {
	view  View
	light []float64
	rng   *rand.Rand
}

// NewFilm shows c as v says. The code is on a telephone's light screen, before
// a darker room with some structure.
func NewFilm(c Code, v View) *Film {
	f := &Film{view: v, light: make([]float64, v.Width*v.Height), rng: rand.New(rand.NewPCG(v.Seed, 1))}
	at := project(c, v)
	const grid = 2 // samples per pixel and direction
	for y := range v.Height {
		for x := range v.Width {
			var sum float64
			for i := range grid * grid {
				sum += at(float64(x)+(float64(i%grid)+.5)/grid, float64(y)+(float64(i/grid)+.5)/grid)
			}
			f.light[y*v.Width+x] = sum / (grid * grid)
		}
	}
	if v.Blur > 0 {
		for range 2 { // two boxes are nearly a Gaussian
			f.light = blur(f.light, v.Width, v.Height, v.Blur)
		}
	}
	return f
}

// Next returns the next frame, with noise of its own.
func (f *Film) Next() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, f.view.Width, f.view.Height))
	for i, l := range f.light {
		img.Pix[i] = uint8(max(0, min(255, l*f.view.Bright+f.rng.NormFloat64()*f.view.Noise)))
	}
	return img
}

// project returns what light comes from a point of the frame.
func project(c Code, v View) func(x, y float64) float64 {
	n := float64(c.Size())
	module := v.Share * float64(v.Height) / n
	sin, cos := math.Sincos(v.Tilt * math.Pi / 180)
	leanSin, leanCos := math.Sincos(v.Lean * math.Pi / 180)
	far := 3 * n // distance of the eye, in modules
	cx, cy := float64(v.Width)*.52, float64(v.Height)*.48
	return func(px, py float64) float64 {
		x, y := (px-cx)/module, (py-cy)/module
		x, y = x*cos+y*sin, y*cos-x*sin
		// Where the ray through x, y meets the leaning plane.
		t := far / (far*leanCos - x*leanSin)
		x, y = x*t, y*t*leanCos
		mx, my := x+n/2, y+n/2
		switch {
		case mx >= 0 && my >= 0 && mx < n && my < n && c.Dark(int(mx), int(my)):
			return 28
		case mx >= -4 && my >= -4 && mx < n+4 && my < n+4:
			return 225
		case mx >= -7 && my >= -12 && mx < n+7 && my < n+12:
			return 12 // the telephone
		}
		return 90 + 35*math.Sin(px/37)*math.Cos(py/23) + 30*math.Sin(py/90+px/150)
	}
}

// blur averages over a square of 2r+1 pixels.
func blur(in []float64, w, h, r int) []float64 {
	out := make([]float64, len(in))
	line := func(start, step, n int, src, dst []float64) {
		for i := range n {
			sum, m := 0.0, 0
			for j := max(0, i-r); j <= min(n-1, i+r); j++ {
				sum, m = sum+src[start+j*step], m+1
			}
			dst[start+i*step] = sum / float64(m)
		}
	}
	for y := range h {
		line(y*w, 1, w, in, out)
	}
	again := make([]float64, len(in))
	for x := range w {
		line(x, w, h, out, again)
	}
	return again
}
