package daynight_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
)

// rig is the smallest closed loop: a scene of one brightness before a camera
// with automatic exposure, filter and lamp. Light is in shares of full scale at
// full exposure, the controller's own measure.
type rig struct {
	t   *testing.T
	c   *daynight.Controller
	at  time.Duration
	act daynight.Action

	visible, infrared float64 // ambient light
	echo              float64 // light that comes back of the lamp at full power
	ambient           float64 // of the sensor
	lux               float64 // > 0: the sensor sees visible light times this
	hasAmbient        bool
	hidden            bool    // the driver tells no exposure
	stuckExposure     float64 // > 0: what the driver tells whatever is true
	deadLamp          bool
	stuckFilter       daynight.Filter // not 0: where it is stuck
	glare             func(power float64) float64
	clock             time.Duration

	exposure float64 // share of full exposure
	clicks   int
	seen     []string // reasons, each new one
	inputs   []daynight.Input
}

func newRig(t *testing.T, cfg daynight.Config) *rig {
	t.Helper()
	c, err := daynight.NewController(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, c: c, exposure: 0.01, clock: -1, echo: 0.3}
}

var both = daynight.Config{HasFilter: true, HasLamp: true}

func (r *rig) light() float64 {
	light := r.visible
	side := r.act.Filter
	if r.stuckFilter != 0 {
		side = r.stuckFilter
	}
	if side == daynight.FilterNight {
		light += r.infrared
		if !r.deadLamp {
			light += r.act.Lamp * r.echo
		}
	}
	return light
}

// step lets one picture be taken and decided on.
func (r *rig) step() daynight.Action {
	r.t.Helper()
	level := 255 * math.Pow(min(1, r.light()*r.exposure), 1/2.2)
	in := daynight.Input{At: r.at, Clock: r.clock, Lamp: r.act.Lamp, Ambient: r.ambient, HasAmbient: r.hasAmbient}
	if r.lux > 0 {
		in.Ambient, in.HasAmbient = r.lux*r.visible, true
	}
	in.Scene = daynight.Scene{Mean: level, Level: level, Low: level / 2, Mid: level, High: min(255, level*1.2)}
	if r.glare != nil && r.act.Lamp > 0 {
		in.Scene.Glare = r.glare(r.act.Lamp)
	}
	switch {
	case r.stuckExposure > 0:
		in.Exposure = daynight.Exposure{Time: time.Duration(r.stuckExposure * 1e9), Gain: 4}
	case !r.hidden:
		in.Exposure = daynight.Exposure{Time: time.Duration(r.exposure * 4e7), Gain: 64}
	}
	r.inputs = append(r.inputs, in)
	before := r.act
	r.act = r.c.Step(in)
	if r.act.Filter != before.Filter {
		r.clicks++
	}
	if r.act.Reason != before.Reason {
		r.seen = append(r.seen, r.act.Reason)
	}
	dt := r.c.Period()
	doublings := 2.2 * math.Log2(110/max(2, level))
	r.exposure = max(2e-6, min(1, r.exposure*math.Exp2(doublings*(1-math.Exp(-dt.Seconds()/0.6)))))
	r.at += dt
	return r.act
}

// pass lets time pass.
func (r *rig) pass(d time.Duration) {
	r.t.Helper()
	for end := r.at + d; r.at < end; {
		r.step()
	}
}

// until lets time pass until the light is l, and fails when that takes longer than d.
func (r *rig) until(l capture.Light, d time.Duration) time.Duration {
	r.t.Helper()
	for from := r.at; r.at-from <= d; {
		if r.step().Light == l {
			return r.at - from
		}
	}
	r.t.Fatalf("light is %v after %v, expected %v; reasons:\n%s", r.act.Light, d, l, strings.Join(r.seen, "\n"))
	return 0
}

const (
	daylight = 50.0
	darkness = 1e-5
)

// atNight brings a rig through a day into a lit night.
func atNight(t *testing.T, cfg daynight.Config, change func(*rig)) *rig {
	t.Helper()
	r := newRig(t, cfg)
	r.visible, r.infrared = daylight, 1.5*daylight
	if change != nil {
		change(r)
	}
	r.until(capture.LightDay, 10*time.Second)
	for r.visible > darkness { // dusk: ten times less every 12 minutes
		r.visible *= math.Pow(10, -1.0/72)
		r.infrared = 1.5 * r.visible
		r.pass(10 * time.Second)
	}
	r.until(capture.LightNight, time.Minute)
	r.seen = nil
	return r
}

func (r *rig) hasReason(part string) bool { return strings.Contains(strings.Join(r.seen, "\n"), part) }
