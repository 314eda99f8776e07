package scene

import (
	"math"
	"math/rand/v2"
	"time"
)

// air draws on a lit frame what is between the garden and the lens, or on it, at t.
// rng is the frame's own; what goes on from frame to frame is a function of seed and t.
type air func(c *canvas, seed uint64, t time.Duration, rng *rand.Rand)

func rainFalls(c *canvas, _ uint64, _ time.Duration, rng *rand.Rand) { rain(c, rng) }

// blot brightens, or darkens, a round soft patch, as what is too near to be sharp
// looks: by strength grey levels in its middle.
func blot(c *canvas, x, y, r, strength float32) {
	if r <= 0 {
		return
	}
	for py := max(int(y-2*r), 0); py < min(int(y+2*r)+1, c.h); py++ {
		dy := (float32(py) + 0.5 - y) / r
		row := c.y[py*c.w : (py+1)*c.w]
		for px := max(int(x-2*r), 0); px < min(int(x+2*r)+1, c.w); px++ {
			dx := (float32(px) + 0.5 - x) / r
			if d := dx*dx + dy*dy; d < 4 {
				k := 1 - d/4
				row[px] = clamp8(float32(row[px]) + strength*k*k)
			}
		}
	}
}

// insects fly about in the light of an infrared lamp beside the lens: a new one every
// two seconds, white, out of focus, and faster than anything that walks.
func insects(c *canvas, seed uint64, t time.Duration, _ *rand.Rand) {
	const each, reach = 2 * time.Second, 3 // how often one comes, and how many may be there
	for n := max(int(t/each)-reach, 0); n <= int(t/each); n++ {
		rng := dice(seed, 6, n)
		start := time.Duration(n)*each + time.Duration(rng.Float64()*float64(each))
		life := 0.4 + 5*rng.Float64()*rng.Float64()
		near := rng.Float32()
		m := moth{
			x: rng.Float32(), y: rng.Float32(), vx: 0.7 * (rng.Float32() - 0.5), vy: 0.5 * (rng.Float32() - 0.5),
			loop: 0.03 + 0.12*rng.Float32(), turns: 3 + 8*rng.Float64(), phase: 6 * rng.Float64(),
		}
		age := (t - start).Seconds()
		if age < 0 || age > life {
			continue
		}
		// It moves while one frame is exposed: three blots make the streak.
		for _, ago := range [3]float64{0, 0.012, 0.024} {
			x, y := m.at(age - ago)
			blot(c, x*float32(c.w), y*float32(c.h), (0.006+0.04*near*near)*float32(c.h), 60-25*near)
		}
	}
}

// moth is the way of one insect: straight on, and round in loops of its own.
type moth struct {
	x, y, vx, vy, loop float32 // in parts of the picture, and of it per second
	turns, phase       float64 // radians a second
}

func (m moth) at(age float64) (x, y float32) {
	sin, cos := math.Sincos(m.turns*age + m.phase)
	wobble := math.Sin(2.7*m.turns*age + 2*m.phase)
	return m.x + m.vx*float32(age) + m.loop*float32(cos+0.5*wobble), m.y + m.vy*float32(age) + m.loop*float32(sin-0.4*wobble)
}

// spider lives before the lens: it hangs on its thread, large and out of focus, sways,
// and every half minute crosses the picture at leisure; its threads glisten in the wind.
func spider(c *canvas, seed uint64, t time.Duration, _ *rand.Rand) {
	const cycle = 30 * time.Second
	n := int(t / cycle)
	from, to := dice(seed, 7, n), dice(seed, 7, n+1)
	x0, y0 := 0.15+0.7*from.Float32(), 0.15+0.5*from.Float32()
	x1, y1 := 0.15+0.7*to.Float32(), 0.15+0.5*to.Float32()
	sec := (t - time.Duration(n)*cycle).Seconds()
	k := smooth(18, 28, float32(sec)) // walks for ten seconds
	swing := 0.01 * float32(math.Sin(2.1*t.Seconds())+0.6*math.Sin(3.3*t.Seconds()))
	w, h := float32(c.w), float32(c.h)
	x, y := (x0+(x1-x0)*k+swing)*w, (y0+(y1-y0)*k)*h
	step := float32(math.Sin(14*t.Seconds())) * smooth(0, 0.05, k) * smooth(1, 0.95, k)
	blot(c, x, y, 0.10*h, 90)
	for i := range 8 { // legs, more blurred still
		sin, cos := math.Sincos(float64(i)*math.Pi/4 + 0.3 + 0.1*float64(step)*float64(i%2*2-1))
		for _, r := range [2]float32{0.12, 0.17} {
			blot(c, x+r*h*float32(cos), y+r*h*float32(sin), 0.045*h, 30)
		}
	}
	for i := range 24 { // one thread, from the upper edge
		fy := y * float32(i) / 24
		blot(c, x+(w*0.05-swing*w)*(1-float32(i)/24), fy, 0.012*h, 18+14*float32(math.Sin(5*t.Seconds()+float64(i))))
	}
}

// snow falls: most flakes far away and small, a few close to the lens, large and soft.
func snow(c *canvas, seed uint64, t time.Duration, _ *rand.Rand) {
	w, h := float32(c.w), float32(c.h)
	for i := range 140 {
		rng := dice(seed, 8, i)
		near := rng.Float32()
		near *= near * near
		speed := 0.16 + 0.5*near // picture heights a second
		drift := 0.05 + 0.06*rng.Float32()
		fall := rng.Float32() + speed*float32(t.Seconds())
		turn := floor32(fall)
		again := dice(seed, 9, i<<16+int(turn)&0xffff) // elsewhere next time
		x := again.Float32() + (drift+0.1*near)*(fall-turn) + 0.012*float32(math.Sin(1.9*t.Seconds()+float64(i)))
		blot(c, (x-0.05)*w, (1.1*(fall-turn)-0.05)*h, (0.0022+0.016*near)*h, 95-55*near)
	}
}

// clouds draw their shadows over garden and house.
func clouds(c *canvas, seed uint64, t time.Duration, _ *rand.Rand) {
	at := 0.11*float32(t.Seconds()) + float32(seed%1000)
	c.shade(func(x, y float32) float32 { return 1 - 0.42*smooth(0.42, 0.62, cloudy(1.4*x-at, 1.1*y, 3)) })
}

// branches throw moving shadows on the lawn, and every twelve seconds somebody who is
// not in the picture throws one of his own across it.
func branches(c *canvas, seed uint64, t time.Duration, _ *rand.Rand) {
	sec := float32(t.Seconds())
	gust := 0.3 + 0.7*noise(0.25*sec, 3)
	sway := 0.05 * gust * float32(math.Sin(2.2*float64(sec))+0.6*math.Sin(3.7*float64(sec)+1))
	const cycle = 12 * time.Second
	n := int(t / cycle)
	passing := (t - time.Duration(n)*cycle).Seconds() - 2
	across := float32(-0.2 + 0.28*passing)
	if dice(seed, 10, n).IntN(2) == 0 {
		across = 1 - across
	}
	c.shade(func(x, y float32) float32 {
		if y < 0.62 {
			return 1
		}
		dapple := smooth(0.5, 0.62, cloudy(7*(x+sway*(1.4-y)), 11*y+sway, 3))
		keep := 1 - 0.35*dapple*smooth(0.62, 0.72, y)
		d := (x - across + 0.3*(y-0.8)) / 0.07
		return keep * (1 - 0.45*float32(math.Exp(-float64(d*d)))*smooth(0.66, 0.9, y))
	})
}

// shade multiplies brightness by keep, a soft function of the place in parts of the
// picture, which is asked once in 8x8 pixels and drawn straight between.
func (c *canvas) shade(keep func(x, y float32) float32) {
	const cell = 8
	cols := (c.w+cell-1)/cell + 1
	above, below := make([]int32, cols), make([]int32, cols)
	row := func(dst []int32, y int) {
		for i := range dst {
			dst[i] = int32(256 * keep(float32(i*cell)/float32(c.w), float32(y)/float32(c.h)))
		}
	}
	row(below, 0)
	for y := range c.h {
		if y%cell == 0 {
			above, below = below, above
			row(below, y+cell)
		}
		k := int32(y % cell)
		pix := c.y[y*c.w : (y+1)*c.w]
		for i := range cols - 1 {
			l, r := above[i]*(cell-k)+below[i]*k, above[i+1]*(cell-k)+below[i+1]*k
			for j := range min(cell, c.w-i*cell) {
				x := i*cell + j
				pix[x] = uint8(min(int32(pix[x])*(l*int32(cell-j)+r*int32(j))>>14, 255))
			}
		}
	}
}

// wind moves the leaves of tree, hedge and shrubs: it takes their pixels from beside
// where they are in still air.
func wind(c, still *canvas, t time.Duration) {
	sec := t.Seconds()
	gust := 0.25 + 0.75*float64(noise(0.3*float32(sec), 7))
	v := viewOf(c.w, c.h)
	for _, g := range [3]struct{ x, y, z, rx, ry, swing float32 }{
		{-6.3, 4.4, 11, 2.6, 2.3, 0.16},          // the tree's crown
		{0.7, 0.45, facade - 0.35, 4, 0.5, 0.05}, // shrubs
		{6.6, 1.7, 13, 2.2, 0.9, 0.06},           // hedge
	} {
		px, py, scale := v.at(g.x, g.y, g.z)
		rx, ry := g.rx*scale, g.ry*scale
		for y := max(int(py-ry), 0); y < min(int(py+ry), c.h); y++ {
			dy := (float32(y) - py) / ry
			side := sqrt32(max(1-dy*dy, 0))
			from, to := still.y[y*c.w:(y+1)*c.w], c.y[y*c.w:(y+1)*c.w]
			flow := math.Sin(2*math.Pi*0.7*sec+0.03*float64(y)) + 0.5*math.Sin(2*math.Pi*1.9*sec+0.2*float64(y))
			for x := max(int(px-rx*side), 0); x < min(int(px+rx*side), c.w); x++ {
				dx := (float32(x) - px) / rx
				k := g.swing * scale * float32(gust) * (1 - dx*dx - dy*dy) * 1.4
				flutter := 0.4 * math.Sin(2*math.Pi*3.1*sec+0.35*float64(x)+0.5*float64(y))
				shift := int(math.Round(float64(k) * (flow + flutter)))
				to[x] = from[min(max(x+shift, 0), c.w-1)]
			}
		}
	}
}

// hunts is an automatic exposure that finds no rest: up and down in steps.
func hunts(seed uint64, t time.Duration, _ float32) (light, float64) {
	const cycle = 4 * time.Second
	level := func(n int) float64 { return 0.62 + 0.5*dice(seed, 11, n).Float64() }
	n := int(t / cycle)
	from, to := level(n), level(n+1)
	k := min((t-time.Duration(n)*cycle).Seconds()/1.2, 1)
	return light{ambient: from + (to-from)*math.Floor(6*k)/6}, 3000
}
