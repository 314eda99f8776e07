package scene

import (
	"image"
	"math/rand/v2"
	"time"
)

// lens is what happens to the camera itself, or before it, at one moment. The
// zero value is nothing.
type lens struct {
	what lensKind
	k    float32    // how far it has come, 0..1
	rng  *rand.Rand // the same for all moments of one occurrence
}

type lensKind uint8

// What may happen. Those before fog are tampering.
const (
	nothing lensKind = iota
	hidden
	dazzled
	blurred
	turned
	foggy
	parked
)

var tampering = [...]string{hidden: "covered", dazzled: "blinded", blurred: "defocused", turned: "moved"}

// tamper returns the word for what somebody has done to the camera, "" for nothing.
func (l lens) tamper() string {
	if int(l.what) < len(tampering) && l.k > 0 {
		return tampering[l.what]
	}
	return ""
}

// happens returns a lens to which something happens once in each cycle: it
// takes come to be there, and is gone after stay.
func happens(what lensKind, come, stay time.Duration) func(seed uint64, t time.Duration) lens {
	const cycle = 100 * time.Second
	return func(seed uint64, t time.Duration) lens {
		n := int(t / cycle)
		rng := dice(seed, 20, n)
		start := time.Duration(n)*cycle + time.Duration((24+8*rng.Float64())*float64(time.Second))
		l := lens{what: what, rng: rng}
		switch since := t - start; {
		case since < 0 || since >= stay:
		case since < come:
			l.k = max(float32(since)/float32(come), 0.01)
		default:
			l.k = min(1, float32(stay-since)/float32(come)+0.01)
		}
		return l
	}
}

// bySeed is day for even seeds and night for odd ones.
func bySeed(seed uint64, t time.Duration, width float32) (light, float64) {
	if seed%2 == 1 {
		return night(seed, t, width)
	}
	return day(seed, t, width)
}

// blackout is a room whose lamps go out: nothing is seen until they are lit again.
func blackout(seed uint64, t time.Duration, _ float32) (light, float64) {
	const cycle = 100 * time.Second
	n := int(t / cycle)
	out := time.Duration(n)*cycle + time.Duration((24+8*dice(seed, 21, n).Float64())*float64(time.Second))
	if t >= out && t < out+45*time.Second {
		return light{ambient: 0.015}, 0.01
	}
	return light{ambient: 0.9}, 150
}

// apply draws what happens over c, which holds the picture without it.
func (l lens) apply(c *canvas) {
	if l.k <= 0 {
		return
	}
	switch l.what {
	case hidden:
		l.hide(c)
	case dazzled:
		l.dazzle(c)
	case blurred:
		r := l.k * (0.018 + 0.022*l.rng.Float32()) * float32(c.w)
		blur(c.y, c.w, c.h, int(r))
		blur(c.cb, c.w/2, c.h/2, int(r/2))
		blur(c.cr, c.w/2, c.h/2, int(r/2))
	case foggy:
		l.fog(c)
	case parked:
		l.truck(c)
	}
}

// hide draws a hand, a cloth or paint before the lens.
func (l lens) hide(c *canvas) {
	how, side := l.rng.IntN(3), l.rng.IntN(4)
	level := 6 + 24*l.rng.Float32() // a hand lets no light in
	if how == 1 {
		level = 35 + 90*l.rng.Float32() // a thin cloth does
	}
	if how == 2 {
		l.spray(c, level)
		return
	}
	const soft = 0.25
	w, h := float32(c.w), float32(c.h)
	front := l.k*(1+soft) - soft
	c.paint(c.bounds(), rgb{1, 1, 1}, func(x, y float32) (float32, float32) {
		s := [4]float32{x / w, 1 - x/w, y / h, 1 - y/h}[side]
		fold := 1 + 0.05*(x/w-0.5) - 0.04*(y/h-0.5)
		return 1 - smooth(front, front+soft, s), level / 255 * fold
	})
}

// spray covers the lens blob by blob.
func (l lens) spray(c *canvas, level float32) {
	const blobs = 90
	type blob struct{ x, y, r float32 }
	var all [blobs]blob
	for i := range all {
		// On a grid, shuffled by the dice, so that no hole stays open.
		all[i] = blob{(float32(i%10) + l.rng.Float32()) / 10 * float32(c.w), (float32(i/10) + l.rng.Float32()) / 9 * float32(c.h), (0.11 + 0.05*l.rng.Float32()) * float32(c.w)}
	}
	l.rng.Shuffle(blobs, func(i, j int) { all[i], all[j] = all[j], all[i] })
	paint := rgb{1, 1, 1}
	for _, b := range all[:int(l.k*blobs)] {
		c.paint(image.Rect(int(b.x-b.r), int(b.y-b.r), int(b.x+b.r)+1, int(b.y+b.r)+1), paint, func(x, y float32) (float32, float32) {
			d := sqrt32((x-b.x)*(x-b.x)+(y-b.y)*(y-b.y)) / b.r
			return 1 - smooth(0.7, 1, d), level / 255
		})
	}
}

// dazzle is a torch that shines into the lens: a white disc with a halo, and the
// rest as dark as exposure makes it.
func (l lens) dazzle(c *canvas) {
	x0, y0 := (0.35+0.3*l.rng.Float32())*float32(c.w), (0.3+0.4*l.rng.Float32())*float32(c.h)
	r := l.k * (0.28 + 0.15*l.rng.Float32()) * float32(c.w)
	keep := 1 - 0.85*l.k
	c.darken(c.bounds(), func(float32, float32) float32 { return keep })
	c.paint(c.bounds(), rgb{1, 1, 1}, func(x, y float32) (float32, float32) {
		d := sqrt32((x-x0)*(x-x0)+(y-y0)*(y-y0)) / r
		return min(1, 1.4*smooth(2.4, 0.9, d)), 1
	})
}

// fog lies thicker the farther away something is, which is the higher in the picture.
func (l lens) fog(c *canvas) {
	most := l.k * (0.75 + 0.15*l.rng.Float32())
	c.paint(c.bounds(), rgb{0.74, 0.75, 0.76}, func(_, y float32) (float32, float32) {
		return most * (1 - 0.35*smooth(0.5, 1, y/float32(c.h))), 1
	})
}

// truck comes in from the side and is parked before half of the view.
func (l lens) truck(c *canvas) {
	w, h := float32(c.w), float32(c.h)
	colour := hex(coats[l.rng.IntN(len(coats))])
	wide := 0.45 + 0.13*l.rng.Float32()
	left := int(w * (smooth(0, 1, l.k)*wide - wide))
	body := image.Rect(left, int(0.12*h), left+int(wide*w), int(0.86*h))
	c.paint(body, colour, func(x, y float32) (float32, float32) {
		shade := 0.95 - 0.1*y/h
		if fract((x-float32(left))/(0.07*w)) < 0.08 || y < 0.16*h {
			shade *= 0.7 // ribs and roof
		}
		return 1, shade
	})
	wheels := rgb{0.08, 0.08, 0.08}
	for _, at := range [2]float32{0.2, 0.8} {
		x0, y0, r := float32(left)+at*wide*w, 0.86*h, 0.09*h
		c.paint(image.Rect(int(x0-r), int(y0-r), int(x0+r), int(y0+r)), wheels, func(x, y float32) (float32, float32) {
			return smooth(1, 0.9, sqrt32((x-x0)*(x-x0)+(y-y0)*(y-y0))/r), 1
		})
	}
}

// blur takes the mean over 2r+1 pixels, along rows and then along columns.
func blur(pix []uint8, w, h, r int) {
	if r < 1 {
		return
	}
	line := make([]uint8, max(w, h))
	run := func(start, step, n int) {
		for i := range n {
			line[i] = pix[start+i*step]
		}
		sum := 0
		at := func(i int) int { return int(line[min(max(i, 0), n-1)]) }
		for i := -r; i <= r; i++ {
			sum += at(i)
		}
		for i := range n {
			pix[start+i*step] = uint8(sum / (2*r + 1))
			sum += at(i+r+1) - at(i-r)
		}
	}
	for y := range h {
		run(y*w, 1, w)
	}
	for x := range w {
		run(x, w, h)
	}
}

// turnedView is what v sees after somebody has turned the camera.
func turnedView(v view, seed uint64, w, h int) view {
	rng := dice(seed, 22, 0)
	dx := (0.07 + 0.3*rng.Float32()) * float32(w)
	if rng.IntN(2) == 0 {
		dx = -dx
	}
	v.cx += dx
	v.cy += (rng.Float32() - 0.5) * 0.12 * float32(h)
	return v
}
