package simtest

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/sealcam/sealcam/capture/daynight"
)

// The camera: exposure up to 40 ms, gain up to 64.
const (
	longest    = 0.04
	highest    = 64.0
	full       = longest * highest
	shortest   = 5e-5
	perLux     = 0.0077 / 0.2 // ground (albedo 0.2) at 1 lux shows at brightness 28 at full exposure
	daylightIR = 1.5          // infrared over visible light, by silicon
	leak       = 0.02         // of infrared through the closed filter
)

// habit is how a camera's automatic exposure behaves.
type habit struct {
	aim  float64       // mean brightness
	slow float64       // seconds for most of the way
	wait time.Duration // it looks at the picture only so often
	step float64       // and moves by whole steps of so many doublings; 0 smoothly
	told float64       // the driver tells: 1 exposure and gain, 0.5 exposure time only, 0 nothing
}

// usual aims at a mean of 110 and takes most of a second.
var usual = habit{aim: 110, slow: 0.7, told: 1}

// camera is the sensor in its place, with filter and lamp as they are driven.
type camera struct {
	p        *place
	h        habit
	rest     time.Duration // until exposure looks again
	exposure float64       // seconds times gain
	filter   daynight.Filter
	lamp     float64
	noise    *rand.Rand

	codes  [24]uint8
	areas  [24]float64
	sorted [24]uint8 // indices by brightness; kept, as it hardly changes
	n      int
	m      moment

	judged  [4]float64 // what the truth was last computed from
	verdict int
}

func newCamera(p *place, h habit, seed uint64) *camera {
	if p.hidden {
		h.told = 0
	}
	return &camera{p: p, h: h, exposure: 0.01, filter: daynight.FilterDay, noise: rand.New(rand.NewPCG(seed, 7))}
}

// gamma codes linear light, by table over its square root.
var gamma = func() (t [1025]uint8) {
	for i := range t {
		v := float64(i) / 1024
		t[i] = uint8(math.Round(255 * math.Pow(v*v, 1/2.2)))
	}
	return t
}()

func code(light float64) uint8 {
	return gamma[int(min(1, math.Sqrt(max(0, light)))*1024)]
}

// shades are the brightnesses within one patch, relative to its mean.
var shades = [3]float64{0.6, 1, 1.4}

// expose computes the picture at one time.
func (c *camera) expose(at time.Duration) {
	c.p.moment(at, &c.m)
	c.n = 0
	grain := 3 * min(1, c.exposure/full) // rectified noise lifts black at full gain
	for i := range c.p.patches {
		p := &c.p.patches[i]
		albedo := p.albedo
		if c.m.snow && albedo < 0.5 {
			albedo *= 2.5
		}
		visible := albedo * (c.m.sun*p.sky + c.m.house[0]*p.house + c.m.road[0]*p.road)
		infrared := albedo * (c.m.sun*p.sky*daylightIR + c.m.house[1]*p.house + c.m.road[1]*p.road)
		if c.lamp > 0 {
			own := p.lamp * c.m.car[i] * 0.2
			if c.m.snow {
				own *= 1.5
			}
			if c.m.lampFactor > 1 {
				own = own*(1+(c.m.lampFactor-1)*0.3) + (c.m.lampFactor-1)*0.3
			}
			infrared += c.lamp * (own + 0.2*c.m.spider[i])
		}
		light := visible + infrared*leak
		if c.filter == daynight.FilterNight {
			light = visible + infrared
		}
		light *= perLux * c.exposure / full
		for _, shade := range shades {
			c.codes[c.n] = uint8(min(255, float64(code(light*shade))+grain))
			c.areas[c.n] = p.area / 3
			c.n++
		}
	}
}

// follow lets automatic exposure act on the picture.
func (c *camera) follow(dt time.Duration) {
	var mean float64
	for i := range c.n {
		mean += float64(c.codes[i]) * c.areas[i]
	}
	if c.rest -= dt; c.rest > 0 {
		return
	}
	c.rest = c.h.wait
	err := 2.2 * math.Log2(c.h.aim/max(2, mean))
	if math.Abs(err) < 0.12 {
		return
	}
	move := err * (1 - math.Exp(-max(dt, c.h.wait).Seconds()/c.h.slow))
	if c.h.step > 0 {
		move = math.Copysign(max(1, math.Round(math.Abs(move)/c.h.step))*c.h.step, move)
		if math.Abs(err) < c.h.step {
			return
		}
	}
	c.exposure *= math.Exp2(move)
	c.exposure = max(shortest, min(full, c.exposure))
}

// read returns what a decision may be made on.
func (c *camera) read(at time.Duration) reading {
	r := reading{at: at, scene: c.scene()}
	if c.h.told > 0 {
		r.time = min(longest, c.exposure)
		r.gain = c.exposure / r.time
	}
	if c.h.told < 1 {
		r.gain = 0
	}
	return r
}

// scene returns what a histogram of the picture says.
func (c *camera) scene() daynight.Scene {
	var s daynight.Scene
	order := c.sorted[:c.n]
	if c.n > 1 && order[0] == order[1] { // first use
		for i := range order {
			order[i] = uint8(i)
		}
	}
	for i := 1; i < len(order); i++ {
		v := order[i]
		j := i
		for ; j > 0 && c.codes[order[j-1]] > c.codes[v]; j-- {
			order[j] = order[j-1]
		}
		order[j] = v
	}
	seen, level := 0.0, 0.0
	for _, i := range order {
		v, area := float64(c.codes[i]), c.areas[i]
		s.Mean += v * area
		if v >= 250 {
			s.Glare += area
		}
		if first, last := max(seen, 0.10), min(seen+area, 0.75); last > first {
			level += (last - first) * v
		}
		end := seen + area
		if seen <= 0.1 && end > 0.1 {
			s.Low = v
		}
		if seen <= 0.5 && end > 0.5 {
			s.Mid = v
		}
		if seen <= 0.9 && end > 0.9 {
			s.High = v
		}
		seen = end
	}
	s.Level = level / 0.65
	wobble := c.noise.NormFloat64() * 0.4
	s.Level, s.Mean = max(0, s.Level+wobble), max(0, s.Mean+wobble)
	return s
}

// truth says what it is, by what a closed-filter picture without lamp and
// without passing lights would show at full exposure: 1 day, -1 night, 0 where
// both are right.
func (c *camera) truth() int {
	if c.m.passing {
		return 0
	}
	from := [4]float64{c.m.sun, c.m.steady, c.m.steadyRoad, 0}
	if c.m.snow {
		from[3] = 1
	}
	if from != c.judged {
		c.judged, c.verdict = from, c.judge()
	}
	return c.verdict
}

func (c *camera) judge() int {
	var values [8]struct{ light, area float64 }
	n := 0
	for i := range c.p.patches {
		p := &c.p.patches[i]
		albedo := p.albedo
		if c.m.snow && albedo < 0.5 {
			albedo *= 2.5
		}
		light := perLux * albedo * (c.m.sun*p.sky + c.m.steady*p.house + c.m.steadyRoad*p.road)
		j := n
		for ; j > 0 && values[j-1].light > light; j-- {
			values[j] = values[j-1]
		}
		values[j].light, values[j].area = light, p.area
		n++
	}
	seen, level := 0.0, 0.0
	for _, v := range values[:n] {
		if first, last := max(seen, 0.10), min(seen+v.area, 0.75); last > first {
			level += (last - first) * 255 * math.Pow(min(1, v.light), 1/2.2)
		}
		seen += v.area
	}
	switch level /= 0.65; {
	case level < 22:
		return -1
	case level > 63: // ten times the light
		return 1
	}
	return 0
}
