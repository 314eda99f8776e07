package simtest

import (
	"math"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
)

// reading is what an algorithm may look at.
type reading struct {
	at         time.Duration
	scene      daynight.Scene
	time, gain float64 // of the exposure; 0 hidden
}

// exposure returns seconds times gain.
func (r reading) exposure() float64 { return r.time * r.gain }

// wish is what an algorithm wants.
type wish struct {
	light  capture.Light
	filter daynight.Filter
	lamp   float64
}

// algorithm is one way to decide. step is called once per period.
type algorithm interface {
	step(r reading) wish
	period() time.Duration
}

var (
	dayWish   = wish{capture.LightDay, daynight.FilterDay, 0}
	nightWish = wish{capture.LightNight, daynight.FilterNight, 1}
)

func wishFor(night bool) wish {
	if night {
		return nightWish
	}
	return dayWish
}

// every gives the others one decision a second.
type every struct{}

func (every) period() time.Duration { return time.Second }

// threshold is what most scripts do: mean brightness below 40 is night, above
// 60 is day, looked at every 5 seconds.
type threshold struct {
	every
	night bool
	tick  int
}

func (a *threshold) step(r reading) wish {
	if a.tick++; a.tick%5 == 0 {
		if r.scene.Mean < 40 {
			a.night = true
		} else if r.scene.Mean > 60 {
			a.night = false
		}
	}
	return wishFor(a.night)
}

// gains is the older OpenIPC way: raw sensor gain (1024 is 1x) above 10000 is
// night, below 2000 is day, looked at every 5 seconds.
type gains struct {
	every
	night bool
	tick  int
}

func (a *gains) step(r reading) wish {
	if a.tick++; a.tick%5 == 0 {
		g := 1024 * r.gain
		if g > 10000 {
			a.night = true
		} else if g < 2000 {
			a.night = false
		}
	}
	return wishFor(a.night)
}

// exhausted is the newer OpenIPC way: night when the sensor has run out of
// shutter and gain, day at twice the lowest gain, each for 5 seconds.
type exhausted struct {
	every
	night bool
	count int
}

func (a *exhausted) step(r reading) wish {
	hit := !a.night && r.exposure() > 0.97*full && r.scene.Mean < 0.8*usual.aim || a.night && r.gain <= 2
	if a.count++; !hit {
		a.count = 0
	}
	if a.count >= 5 {
		a.night, a.count = !a.night, 0
	}
	return wishFor(a.night)
}

// leaky is thingino's daynightd: exposure on a logarithmic scale from 100 %
// (200000) to 0 % (2000000, our full exposure), night below 25 %, day above
// 50 %, leaky counters of 6 and 4, no decision in the 30 seconds after a
// switch.
type leaky struct {
	every
	night        bool
	started      bool
	nights, days int
	quiet, first int
}

func (a *leaky) step(r reading) wish {
	ev := max(1, r.exposure()/full*2e6)
	percent := 100 * math.Log2(2e6/ev) / math.Log2(10)
	toNight, toDay := percent < 25, percent > 50
	if !a.started {
		a.first++
		switch {
		case toNight:
			a.nights++
		case toDay:
			a.days++
		}
		if a.nights >= 2 || a.days >= 2 || a.first >= 18 {
			a.started, a.night, a.quiet = true, a.days < 2, 15
			a.nights, a.days = 0, 0
		}
		return wishFor(a.started && a.night)
	}
	if a.quiet > 0 {
		a.quiet--
		return wishFor(a.night)
	}
	drip := func(n *int, hit bool) {
		if hit {
			*n++
		} else if *n > 0 {
			*n--
		}
	}
	drip(&a.nights, toNight && !a.night)
	drip(&a.days, toDay && a.night)
	if a.nights >= 6 || a.days >= 4 {
		a.night = a.nights >= 6
		a.nights, a.days, a.quiet = 0, 0, 30
	}
	return wishFor(a.night)
}

// ours is the controller under test, driven as the agent does.
type ours struct {
	c   *daynight.Controller
	act daynight.Action
}

func newOurs(p *place) *ours {
	c, err := daynight.NewController(daynight.Config{HasFilter: true, HasLamp: true, Dims: p.dims})
	if err != nil {
		panic(err)
	}
	return &ours{c: c}
}

func (o *ours) period() time.Duration { return o.c.Period() }

func (o *ours) input(r reading) daynight.Input {
	in := daynight.Input{At: r.at, Clock: -1, Scene: r.scene, Lamp: o.act.Lamp}
	in.Exposure = daynight.Exposure{Time: time.Duration(r.time * float64(time.Second)), Gain: r.gain}
	return in
}

func (o *ours) step(r reading) wish {
	o.act = o.c.Step(o.input(r))
	return wish{o.act.Light, o.act.Filter, o.act.Lamp}
}
