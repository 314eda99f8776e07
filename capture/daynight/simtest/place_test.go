package simtest

import (
	"math"
	"math/rand/v2"
	"time"
)

// patch is a part of the view, of one distance and material.
type patch struct {
	area   float64 // share of the picture
	albedo float64 // of visible and infrared light alike
	sky    float64 // exposure to daylight relative to open ground
	house  float64 // share of the house's own light (room, porch) that falls here
	road   float64 // share of headlights' light that falls here
	lamp   float64 // light thrown back from the camera's lamp at full power, in lux on ground
}

// light is one thing that shines for a while.
type light struct {
	from, to time.Duration
	kind     int     // lightHouse, lightRoad, lightSpider, lightCar
	lux      float64 // at house or road; factor for spider and car
	infrared float64 // infrared over visible light
	patch    int     // which one a spider or car covers
	steady   bool    // long enough that a person would call it day
}

const (
	lightHouse = iota
	lightRoad
	lightSpider
	lightCar
)

// habits are the rates of a place, a night.
type habits struct {
	headlights   float64
	motionLights float64 // 60 to 120 s
	visits       float64 // someone switches the room light on for 3 to 8 minutes
	evenings     bool    // room light from 18:00 to about 23:00, and again in the morning
	incandescent bool
	street       float64 // lux by a street lamp from dusk to dawn
	spiders      float64
	cars         float64 // something near comes and stays for hours
}

// place is a camera's view and what happens there.
type place struct {
	name    string
	patches []patch
	habits  habits
	sky     sky

	hidden bool // the driver tells neither exposure nor gain
	dims   bool // the lamp's power can be set

	today  int
	lights []light // of today and of the night before
	rain   *rand.Rand
}

var places = []place{
	{name: "garden", dims: true, habits: habits{headlights: 6, motionLights: 0.7, spiders: 0.15, cars: 0.05}, patches: []patch{
		{.20, .9, 1.5, 0, 0, 0}, {.35, .20, 1, .3, .1, .5}, {.15, .45, .8, 1, .5, 1.2}, {.15, .12, .6, .2, .05, .8}, {.10, .3, .9, .5, 1, 4}, {.05, .35, .7, .3, .1, 20}}},
	{name: "porch wall", habits: habits{headlights: 10, motionLights: 1, spiders: 0.3, cars: 0.05}, patches: []patch{
		{.62, .55, .5, 1, .2, 6000}, {.18, .2, .9, .5, .4, 3}, {.10, .8, 1.5, 0, 0, 0}, {.10, .25, .9, .3, 1, 1}}},
	{name: "street", habits: habits{headlights: 80, street: 0.2, spiders: 0.1, cars: 0.3}, patches: []patch{
		{.15, .9, 1.5, 0, 0, 0}, {.45, .15, 1, .2, 1, .4}, {.25, .4, .8, .5, .6, .8}, {.15, .2, .8, .2, .5, 3}}},
	{name: "room", habits: habits{evenings: true, visits: 0.7, incandescent: true}, patches: []patch{
		{.12, .9, .25, .1, 0, 0}, {.40, .5, .015, 1, 0, 40}, {.28, .3, .01, .8, 0, 25}, {.20, .15, .006, .6, 0, 60}}},
	{name: "behind glass", habits: habits{headlights: 6, motionLights: 0.5}, patches: []patch{
		{.20, .9, 1.5, 0, 0, 300}, {.45, .20, 1, .3, .2, 350}, {.20, .4, .8, 1, .5, 400}, {.15, .25, .8, .5, 1, 900}}},
	{name: "webcam garden", hidden: true, habits: habits{headlights: 6, motionLights: 0.7, spiders: 0.1}, patches: []patch{
		{.20, .9, 1.5, 0, 0, 0}, {.35, .20, 1, .3, .1, .5}, {.15, .45, .8, 1, .5, 1.2}, {.15, .12, .6, .2, .05, .8}, {.10, .3, .9, .5, 1, 4}, {.05, .35, .7, .3, .1, 20}}},
	{name: "webcam wall", hidden: true, habits: habits{headlights: 10, motionLights: 1}, patches: []patch{
		{.62, .55, .5, 1, .2, 6000}, {.18, .2, .9, .5, .4, 3}, {.10, .8, 1.5, 0, 0, 0}, {.10, .25, .9, .3, 1, 1}}},
}

// at returns a fresh copy of a place, for one run.
func (p place) at(latitude float64, seed uint64) *place {
	p.sky = sky{latitude: latitude, seed: seed, today: -1}
	p.today = -1
	p.rain = rand.New(rand.NewPCG(seed, 99))
	return &p
}

// plan draws what happens on day n and in the night after it.
func (p *place) plan(n int) {
	kept := p.lights[:0]
	start := time.Duration(n) * day
	for _, l := range p.lights {
		if l.to > start {
			kept = append(kept, l)
		}
	}
	p.lights, p.today = kept, n
	r := rand.New(rand.NewPCG(p.sky.seed, uint64(n)*2))
	h := p.habits
	sometime := func(from, to float64) time.Duration {
		return start + time.Duration((from+(to-from)*r.Float64())*float64(time.Hour))
	}
	seconds := func(from, to float64) time.Duration {
		return time.Duration((from + (to-from)*r.Float64()) * float64(time.Second))
	}
	add := func(at, length time.Duration, l light) {
		l.from, l.to = at, at+length
		p.lights = append(p.lights, l)
	}
	times := func(rate float64) int {
		k := int(rate)
		if r.Float64() < rate-float64(k) {
			k++
		}
		return k
	}
	for range times(h.headlights) {
		add(sometime(15, 33), seconds(4, 14), light{kind: lightRoad, lux: math.Exp2(2 + 5*r.Float64()), infrared: 1.5})
	}
	for range times(h.motionLights) {
		add(sometime(17, 31), seconds(60, 120), light{kind: lightHouse, lux: 25, infrared: 0.1})
	}
	infrared := 0.1
	if h.incandescent {
		infrared = 6
	}
	for range times(h.visits) {
		add(sometime(23.5, 30), seconds(180, 480), light{kind: lightHouse, lux: 80, infrared: infrared})
	}
	if h.evenings {
		evening := sometime(17.5, 19)
		add(evening, start+22*time.Hour+seconds(0, 7200)-evening, light{kind: lightHouse, lux: 120, infrared: infrared, steady: true})
		if r.Float64() < 0.8 {
			add(sometime(5.8, 6.8)+day, seconds(2400, 4800), light{kind: lightHouse, lux: 120, infrared: infrared, steady: true})
		}
	}
	for range times(h.spiders) {
		add(sometime(19, 30), seconds(300, 5400), light{kind: lightSpider, lux: 8 + 40*r.Float64(), patch: r.IntN(len(p.patches))})
	}
	for range times(h.cars) {
		add(sometime(16, 30), seconds(3600, 40000), light{kind: lightCar, lux: math.Exp2(-1.5 + 4.5*r.Float64()), patch: r.IntN(len(p.patches))})
	}
}

// moment is all that shines at one time.
type moment struct {
	sun        float64
	house      [2]float64 // visible, infrared
	road       [2]float64
	steady     float64 // part of house that lasts, visible
	steadyRoad float64
	spider     [8]float64 // added lamp light by patch, in lux
	car        [8]float64 // factor on lamp light
	lampFactor float64    // fog, rain
	snow       bool
	passing    bool // a light of 60 s to 10 minutes is on: day and night are both right
	visit      bool // one of 3 minutes and more: whoever switches over and back is not to blame
	brief      bool // something shines or shone in the last 2 minutes that does not last
}

func (p *place) moment(at time.Duration, m *moment) {
	if n := int(at / day); n != p.today {
		p.plan(n)
	}
	sun, wx := p.sky.daylight(at)
	*m = moment{sun: sun, lampFactor: 1, snow: wx.snow}
	if wx.fog && sun < 50 {
		m.lampFactor = 3
	}
	if wx.rain && sun < 50 {
		m.lampFactor = 1 + 0.5*p.rain.Float64()*p.rain.Float64()
	}
	for i := range m.car {
		m.car[i] = 1
	}
	for _, l := range p.lights {
		if at < l.from || at >= l.to+2*time.Minute {
			continue
		}
		if at >= l.to {
			m.brief = m.brief || l.kind <= lightRoad
			continue
		}
		switch l.kind {
		case lightHouse:
			m.house[0] += l.lux
			m.house[1] += l.lux * l.infrared
			if l.steady {
				m.steady += l.lux
			} else {
				m.passing, m.brief = true, true
				m.visit = m.visit || l.to-l.from >= 3*time.Minute
			}
		case lightRoad:
			m.road[0] += l.lux
			m.road[1] += l.lux * l.infrared
			m.brief = true
		case lightSpider:
			m.spider[l.patch] += l.lux
		case lightCar:
			m.car[l.patch] *= l.lux
		}
	}
	if p.habits.street > 0 && sun < 20 {
		m.road[0] += p.habits.street
		m.road[1] += p.habits.street * 0.1
		m.steadyRoad += p.habits.street
	}
}
