package scene

import (
	"math"
	"math/rand/v2"
	"time"
)

// script is what happens in a scene, as functions of time alone: a scene can
// be asked about any moment, in any order.
type script struct {
	name   string
	people func(rng *rand.Rand, n int) visit // the n-th visit; nil when nobody comes
	cycle  time.Duration                     // a new visit in each
	light  func(seed uint64, t time.Duration, size float32) (l light, lux float64)
	air    air  // what is drawn over the lit garden, or nil
	grey   bool // the sky is overcast
	windy  bool
	lens   func(seed uint64, t time.Duration) lens // what happens to the camera; nil for nothing
	frozen bool
}

var scripts = [...]script{
	{name: "walk", people: passOrCall, cycle: 26 * time.Second, light: day},
	{name: "stand", people: standStill, cycle: 75 * time.Second, light: day},
	{name: "night", people: passOrCall, cycle: 26 * time.Second, light: night},
	{name: "dusk", light: dusk},
	{name: "rain", light: overcast, grey: true, air: rainFalls},
	{name: "snow", light: overcast, grey: true, air: snow},
	{name: "wind", light: day, windy: true},
	{name: "clouds", light: day, air: clouds},
	{name: "shadows", light: day, air: branches},
	{name: "exposure", light: hunts},
	{name: "insects", light: infrared, air: insects},
	{name: "spider", light: infrared, air: spider},
	{name: "headlights", light: headlights},
	{name: "lamp", light: lampFlips},
	{name: "frozen", light: day, frozen: true},
	{name: "empty", light: day},
	{name: "covered", light: bySeed, lens: happens(hidden, 900*time.Millisecond, 26*time.Second)},
	{name: "blinded", light: bySeed, lens: happens(dazzled, 400*time.Millisecond, 20*time.Second)},
	{name: "defocused", light: bySeed, lens: happens(blurred, time.Second, 26*time.Second)},
	{name: "moved", light: bySeed, lens: happens(turned, 300*time.Millisecond, 26*time.Second)},
	{name: "fog", light: overcast, grey: true, lens: happens(foggy, 34*time.Second, 68*time.Second)},
	{name: "truck", light: bySeed, lens: happens(parked, 3*time.Second, 60*time.Second)},
	{name: "blackout", light: blackout},
}

// dice returns the random numbers of the n-th occurrence of something in a scene.
func dice(seed uint64, what, n int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(what)<<32|uint64(uint32(n))))
}

func day(uint64, time.Duration, float32) (light, float64) { return light{ambient: 1}, 12000 }

func overcast(uint64, time.Duration, float32) (light, float64) { return light{ambient: 0.82}, 2500 }

func night(uint64, time.Duration, float32) (light, float64) {
	return light{ambient: 0.2, lamp: 1.1}, 1.5
}

// infrared is the night by the light of the camera's own lamp.
func infrared(uint64, time.Duration, float32) (light, float64) {
	return light{ambient: 0.45, lamp: 0.2}, 1
}

// dusk falls once, over a minute and a half, and stays. The camera's exposure
// answers in steps, as they do, until it has no more to give.
func dusk(_ uint64, t time.Duration, _ float32) (light, float64) {
	const noon, dark = 400, 0.4
	k := min(max((t.Seconds()-5)/90, 0), 1)
	lux := noon * math.Pow(dark/noon, k)
	const floorLux = 30 // below this the exposure is at its end
	seen := lux
	if seen > floorLux {
		// A step of the exposure each time the light has fallen by an eighth.
		seen = math.Pow(8.0/7, math.Mod(math.Log(lux/floorLux)/math.Log(8.0/7), 1))
	} else {
		seen = math.Pow(lux/floorLux, 0.45)
	}
	return light{ambient: min(seen, 1.14), lamp: min(1.1, 2/lux)}, lux
}

// headlights sweep over the house front about every ten seconds, at night.
func headlights(seed uint64, t time.Duration, width float32) (light, float64) {
	const cycle, sweep = 10 * time.Second, 2600 * time.Millisecond
	n := int(t / cycle)
	rng := dice(seed, 2, n)
	start := time.Duration(n)*cycle + time.Duration((1+5*rng.Float64())*float64(time.Second))
	l := light{ambient: 0.17, lamp: 0.5}
	if k := (t - start).Seconds() / sweep.Seconds(); k > 0 && k < 1 {
		if rng.IntN(2) == 0 {
			k = 1 - k
		}
		x := float32(k*k*1.7-0.35) * width
		l.beam = &beam{x: x, gap: 0.13 * width, rx: 0.10 * width, ry: 0.07 * width, strength: 0.85}
	}
	return l, 0.8
}

// lampFlips is the night with somebody indoors using the switch.
func lampFlips(seed uint64, t time.Duration, _ float32) (light, float64) {
	const cycle = 12 * time.Second
	n := int(t / cycle)
	on := time.Duration(n)*cycle + time.Duration((2+3*dice(seed, 3, n).Float64())*float64(time.Second))
	if t >= on && t < on+5*time.Second {
		return light{ambient: 0.24, lamp: 1.3}, 9
	}
	return light{ambient: 0.24}, 1.2
}

// visit is one person's way through the garden.
type visit struct {
	start, end time.Duration // from the beginning of the cycle
	way        []spot
	speed      float32 // metres a second
	stopAt     float32 // metres along the way; the person stands there
	stopFor    float32 // seconds
	who        figure
}

type spot struct{ x, z float32 }

// edge is where the garden leaves the view at distance z, and a body with it.
func edge(z float32) float32 { return 0.81*z + 0.9 }

var (
	coats    = [...]uint32{0xb3392f, 0x2f4f86, 0x3d3f45, 0xc79a3a, 0x55734c, 0x7b3f63, 0xd7d3c8, 0x1f6e79}
	trousers = [...]uint32{0x2c3850, 0x33312f, 0x7a6a52, 0x565c66}
	hairs    = [...]uint32{0x2a1d14, 0x6b4524, 0xb8935a, 0x8f8c88}
	skins    = [...]uint32{0xe8b998, 0xc98d65, 0x8a5a3c, 0xf0c9ac}
)

func somebody(rng *rand.Rand) figure {
	return figure{
		height:   1.6 + 0.25*rng.Float32(),
		coat:     hex(coats[rng.IntN(len(coats))]),
		trousers: hex(trousers[rng.IntN(len(trousers))]),
		hair:     hex(hairs[rng.IntN(len(hairs))]),
		skin:     hex(skins[rng.IntN(len(skins))]),
		shoes:    hex(0x26221f),
	}
}

// passOrCall is, in turns, somebody who walks by and somebody who comes to the door.
func passOrCall(rng *rand.Rand, n int) visit {
	v := visit{who: somebody(rng), speed: 1.2 + 0.35*rng.Float32()}
	z := 3.8 + 2.4*rng.Float32()
	if n%2 == 0 {
		v.way = []spot{{-edge(z), z}, {0, z + 0.5 - rng.Float32()}, {edge(z), z}}
	} else {
		away := 3.6 + 1.6*rng.Float32()
		v.way = []spot{{-edge(z), z}, {pathX(z) - 0.3, z}, {pathX(7), 7}, {doorX, 8.1}, {pathX(6.5), 6.5}, {pathX(away), away}, {edge(away), away}}
		v.stopAt, v.stopFor = wayLength(v.way[:4]), 2+2*rng.Float32()
	}
	return v.leave(rng)
}

// passFarAway is somebody who walks by so far away that he is 3 % of the picture high.
func passFarAway(rng *rand.Rand, _ int) visit {
	const z = 62
	v := visit{who: somebody(rng), speed: 1.4}
	v.who.height = 1.75
	from := -12 + 8*rng.Float32()
	v.way = []spot{{from, z}, {from + 14, z}}
	return v.leave(rng)
}

// standStill is somebody who stands on the lawn for 35 seconds and goes on.
func standStill(rng *rand.Rand, _ int) visit {
	v := visit{who: somebody(rng), speed: 1.3}
	z := 4.2 + 1.5*rng.Float32()
	v.way = []spot{{-edge(z), z}, {-1 + 2*rng.Float32(), z}, {edge(z), z}}
	v.stopAt, v.stopFor = wayLength(v.way[:2]), 35
	return v.leave(rng)
}

// leave turns the way round half of the time, and reckons the times.
func (v visit) leave(rng *rand.Rand) visit {
	if rng.IntN(2) == 0 {
		for i, j := 0, len(v.way)-1; i < j; i, j = i+1, j-1 {
			v.way[i], v.way[j] = v.way[j], v.way[i]
		}
		v.stopAt = wayLength(v.way) - v.stopAt
	}
	v.start = time.Duration((1.5 + 2*rng.Float64()) * float64(time.Second))
	v.end = v.start + time.Duration(float64(wayLength(v.way)/v.speed+v.stopFor)*float64(time.Second))
	return v
}

func wayLength(way []spot) float32 {
	var sum float32
	for i := 1; i < len(way); i++ {
		sum += dist(way[i].x-way[i-1].x, way[i].z-way[i-1].z)
	}
	return sum
}

// along returns how far the person has walked, and stood, sec after the start.
func (v *visit) along(sec float32) (walked, stood float32) {
	walked = max(sec, 0) * v.speed
	if v.stopFor > 0 && walked > v.stopAt {
		stood = min(sec-v.stopAt/v.speed, v.stopFor)
		walked = max(v.stopAt, walked-v.stopFor*v.speed)
	}
	return walked, stood
}

// at returns the place s metres along the way.
func (v *visit) at(s float32) spot {
	for i := 1; i < len(v.way); i++ {
		a, b := v.way[i-1], v.way[i]
		n := dist(b.x-a.x, b.z-a.z)
		if s <= n || i == len(v.way)-1 {
			k := s / n
			return spot{a.x + (b.x-a.x)*k, a.z + (b.z-a.z)*k}
		}
		s -= n
	}
	return v.way[0]
}

// pose returns how the person stands or walks sec after the start.
func (v *visit) pose(sec float32) pose {
	s, stood := v.along(sec)
	before, _ := v.along(sec - 0.2)
	after, _ := v.along(sec + 0.2)
	a, b := v.at(s-0.35), v.at(s+0.35) // corners are taken round
	return pose{
		x: (a.x + b.x) / 2, z: (a.z + b.z) / 2,
		heading: float32(math.Atan2(float64(b.x-a.x), float64(b.z-a.z))),
		walked:  s,
		stride:  min(max((after-before)/0.4/v.speed, 0), 1),
		still:   stood,
	}
}
