package scene

import (
	"image"
	"math"
)

// figure is a person as drawn: clothes, size and gait.
type figure struct {
	height            float32 // metres
	coat, trousers    rgb
	hair, skin, shoes rgb
}

// pose is where a figure is and how far it has walked.
type pose struct {
	x, z    float32 // on the ground
	heading float32 // radians; 0 walks away from the camera, +pi/2 to the right
	walked  float32 // metres so far, drives the steps
	stride  float32 // 0 standing .. 1 walking
	still   float32 // seconds standing, drives a slight sway
}

// limb is one rounded part of a figure, from a to b in pixels.
type limb struct {
	ax, ay, ra float32
	bx, by, rb float32
	depth      float32 // distance from the camera, for the order of drawing
	col        rgb
}

type skeleton struct {
	limbs [17]limb
	n     int
	v     view
	p     pose
	f     *figure
	sin   float32
	cos   float32
}

// joint is a point of the body: forward, to its right and up, in metres of a
// figure 1.75 m tall.
type joint struct{ f, r, u float32 }

func (s *skeleton) project(j joint) (px, py, scale, z float32) {
	k := s.f.height / 1.75
	x := s.p.x + k*(j.f*s.sin+j.r*s.cos)
	z = s.p.z + k*(j.f*s.cos-j.r*s.sin)
	px, py, scale = s.v.at(x, k*j.u, z)
	return px, py, scale * k, z
}

func (s *skeleton) add(a, b joint, ra, rb float32, col rgb) {
	ax, ay, as, az := s.project(a)
	bx, by, bs, bz := s.project(b)
	s.limbs[s.n] = limb{ax, ay, ra * as, bx, by, rb * bs, (az + bz) / 2, col}
	s.n++
}

// build poses the body. The phase of the walk goes round once in two steps.
func (s *skeleton) build() {
	phase := float64(s.p.walked) * 2 * math.Pi / 1.42
	bob := 0.02 * s.p.stride * float32(math.Cos(2*phase))
	sway := 0.012 * (1 - s.p.stride) * float32(math.Sin(1.7*float64(s.p.still)))
	for _, side := range [2]float32{-1, 1} {
		ph := phase
		if side > 0 {
			ph += math.Pi
		}
		s.leg(ph, side, bob)
		s.arm(ph, side, bob, sway)
	}
	hip, chest, neck := joint{0, 0, 0.95 + bob}, joint{0.02, sway, 1.36 + bob}, joint{0.03, sway, 1.5 + bob}
	for _, side := range [2]float32{-1, 1} {
		h, c := hip, chest
		h.r += 0.05 * side
		c.r += 0.08 * side
		s.add(h, c, 0.135, 0.125, s.f.coat)
	}
	s.add(neck, joint{0.04, sway, 1.56 + bob}, 0.055, 0.055, s.f.skin)
	head := joint{0.05, sway, 1.645 + bob}
	s.add(head, joint{0.06, sway, 1.62 + bob}, 0.095, 0.085, s.f.skin)
	s.add(joint{0.0, sway, 1.69 + bob}, joint{0.05, sway, 1.70 + bob}, 0.09, 0.085, s.f.hair)
}

func (s *skeleton) leg(phase float64, side, bob float32) {
	thigh := 0.48 * s.p.stride * float32(math.Sin(phase))
	bend := 0.06 + s.p.stride*(0.12+0.75*float32(math.Pow(math.Max(0, math.Cos(phase-0.35)), 2)))
	shin := thigh - bend
	hip := joint{0, 0.085 * side, 0.92 + bob}
	knee := joint{hip.f + 0.43*sin32(thigh), hip.r, hip.u - 0.43*cos32(thigh)}
	foot := joint{knee.f + 0.42*sin32(shin), hip.r, max(knee.u-0.42*cos32(shin), 0.07)}
	s.add(hip, knee, 0.095, 0.07, s.f.trousers)
	s.add(knee, foot, 0.068, 0.052, s.f.trousers)
	s.add(joint{foot.f - 0.03, foot.r, foot.u - 0.03}, joint{foot.f + 0.15, foot.r, foot.u - 0.035}, 0.045, 0.035, s.f.shoes)
}

func (s *skeleton) arm(phase float64, side, bob, sway float32) {
	upper := -0.42 * s.p.stride * float32(math.Sin(phase))
	lower := upper + 0.12 + 0.3*s.p.stride
	shoulder := joint{0.01, 0.185*side + sway, 1.4 + bob}
	elbow := joint{shoulder.f + 0.29*sin32(upper), shoulder.r + 0.03*side, shoulder.u - 0.29*cos32(upper)}
	hand := joint{elbow.f + 0.25*sin32(lower), elbow.r, elbow.u - 0.25*cos32(lower)}
	s.add(shoulder, elbow, 0.062, 0.05, s.f.coat)
	s.add(elbow, hand, 0.048, 0.036, s.f.coat)
	s.add(hand, joint{hand.f + 0.05*sin32(lower), hand.r, hand.u - 0.07}, 0.036, 0.03, s.f.skin)
}

func (f *figure) skeleton(v view, p pose) *skeleton {
	s := &skeleton{v: v, p: p, f: f, sin: sin32(p.heading), cos: cos32(p.heading)}
	s.build()
	limbs := s.limbs[:s.n]
	for i := range limbs { // insertion sort, far limbs first; stable and without a closure
		for j := i; j > 0 && limbs[j].depth > limbs[j-1].depth+1e-4; j-- {
			limbs[j], limbs[j-1] = limbs[j-1], limbs[j]
		}
	}
	return s
}

// box is the area that the figure covers, without its shadow, unclipped.
func (s *skeleton) box() image.Rectangle {
	var r image.Rectangle
	for _, l := range s.limbs[:s.n] {
		r = r.Union(l.box(0))
	}
	return r
}

func (l *limb) box(grow float32) image.Rectangle {
	return image.Rect(
		int(floor32(min(l.ax-l.ra, l.bx-l.rb)-grow)), int(floor32(min(l.ay-l.ra, l.by-l.rb)-grow)),
		int(floor32(max(l.ax+l.ra, l.bx+l.rb)+grow))+1, int(floor32(max(l.ay+l.ra, l.by+l.rb)+grow))+1)
}

// draw paints the figure and, by sunlight, its shadow. It returns the area touched.
func (s *skeleton) draw(c *canvas, sun float32) image.Rectangle {
	touched := s.shadow(c, sun)
	for i := range s.limbs[:s.n] {
		l := &s.limbs[i]
		r := l.box(1)
		c.paint(r, l.col, l.cover)
		touched = touched.Union(r)
	}
	return touched.Intersect(c.bounds())
}

// cover says how much of a pixel the limb covers, and how the light falls: from
// the left and above.
func (l *limb) cover(x, y float32) (a, shade float32) {
	dx, dy := l.bx-l.ax, l.by-l.ay
	k := float32(0)
	if n := dx*dx + dy*dy; n > 0 {
		k = min(max(((x-l.ax)*dx+(y-l.ay)*dy)/n, 0), 1)
	}
	ox, oy := x-l.ax-k*dx, y-l.ay-k*dy
	r := l.ra + (l.rb-l.ra)*k
	d := dist(ox, oy)
	a = min(max(r-d+0.5, 0), 1)
	if a == 0 {
		return 0, 0
	}
	return a, 0.86 - 0.26*ox/r - 0.10*oy/r
}

// shadow darkens the ground beside the figure: a long soft one in sunlight,
// and the dark under its feet in any light.
func (s *skeleton) shadow(c *canvas, sun float32) image.Rectangle {
	const long, across = 1.5, 0.5 // where the shadow of the head falls, from the feet
	px, py, scale := s.v.at(s.p.x, 0, s.p.z)
	qx, qy, far := s.v.at(s.p.x+long, 0, s.p.z+across)
	r := image.Rect(int(px-0.8*scale), int(qy-0.6*far), int(qx+0.8*far), int(py+0.35*scale))
	r = r.Intersect(image.Rect(0, int(s.v.cy)+2, c.w, c.h))
	c.darken(r, func(x, y float32) float32 {
		gx, gz := s.v.ground(x, y)
		gx, gz = gx-s.p.x, gz-s.p.z
		k := min(max((gx*long+gz*across)/(long*long+across*across), 0), 1)
		d := dist(gx-k*long, gz-k*across)
		keep := 1 - 0.5*sun*(1-0.4*k)*smooth(0.3+0.1*k, 0.14-0.06*k, d)
		return keep * (1 - 0.35*smooth(0.42, 0.05, dist(gx, gz)))
	})
	return r
}

func sin32(x float32) float32 { return float32(math.Sin(float64(x))) }
func cos32(x float32) float32 { return float32(math.Cos(float64(x))) }
