package daynight

import (
	"math"
	"time"
)

const (
	hintFor          = 3 * time.Second // a hint must last
	significantShare = 0.12            // of the lamp's own light: less may be rain, leaves or the exposure's last step
	jump             = 1.6             // a picture that brightens by this factor at once was lit by something
	reshaped         = 0.3             // relative change of the scene's shape that hints at another light
)

// dim is the lamp: its power, what it does to the picture, and what it cannot
// explain. Flux is what meter.flux returns.
type dim struct {
	Power     float64 `json:"power"`      // at which the lamp is lit next
	Lamp      float64 `json:"lamp"`       // flux per unit of power that the scene throws back
	Dark      float64 `json:"dark"`       // flux without the lamp when it was last off
	DarkLevel float64 `json:"dark_level"` // and the brightness of that picture
	Mean      float64 `json:"mean"`       // linear brightness, slowly followed
	ShapeLow  float64 `json:"shape_low"`  // the lit scene's shape
	ShapeMid  float64 `json:"shape_mid"`

	Changed   time.Duration `json:"changed"`     // power was last changed
	FirstGlar float64       `json:"first_glare"` // glare when power began to fall
	Ceiling   float64       `json:"ceiling"`     // power above which glare began
	HoldUntil time.Duration `json:"hold"`        // power is left alone
}

// dark takes note of the scene without the lamp.
func (d *dim) dark(flux float64, s Scene) { d.Dark, d.DarkLevel = flux, s.Level }

// lit takes note of the settled scene with the lamp.
func (d *dim) lit(flux float64, in Input) {
	d.Lamp = max(0, flux-d.Dark) / in.Lamp
	d.Mean = linear(in.Scene.Mean)
	d.ShapeLow, d.ShapeMid = in.Scene.shape()
}

// begin starts a time of lamp light.
func (d *dim) begin(at time.Duration) { d.Changed = at }

// watch follows a lit scene and returns a hint that something else lights it
// too, or "".
func (d *dim) watch(m *meter, in Input, dt time.Duration, need float64) string {
	if in.Scene.Level >= whiteLevel {
		return ""
	}
	if !m.measured(in) {
		return d.watchPicture(in, dt)
	}
	flux := m.flux(in)
	own := d.Lamp * in.Lamp
	rest := flux - own
	if rest < 0 && in.Lamp > 0 {
		// The lamp cannot give more than all there is: the scene moved away.
		d.Lamp += (flux/in.Lamp - d.Lamp) * min(1, dt.Seconds()/10)
		rest = 0
	}
	light := rest * m.Full
	if light >= need && rest >= significantShare*own {
		return "the picture is brighter than the lamp makes it"
	}
	return ""
}

// watchPicture does what can be done when exposure is not known: a light that
// is switched on shows before exposure has followed, and another light draws
// the scene differently.
func (d *dim) watchPicture(in Input, dt time.Duration) string {
	mean := linear(in.Scene.Mean)
	low, mid := in.Scene.shape()
	differs := func(a, b float64) bool { return math.Abs(a-b) > reshaped*max(a, b) && math.Abs(a-b) > 0.02 }
	switch {
	case mean > jump*d.Mean: // and stays a hint, should it last, until a look has judged it
		return "the picture became brighter at once"
	case differs(low, d.ShapeLow) || differs(mid, d.ShapeMid):
		return "the scene is lit differently"
	}
	d.Mean += (mean - d.Mean) * min(1, dt.Seconds()/20)
	d.ShapeLow += (low - d.ShapeLow) * min(1, dt.Seconds()/600)
	d.ShapeMid += (mid - d.ShapeMid) * min(1, dt.Seconds()/600)
	return ""
}

const (
	glareLimit = 0.04            // share of the picture that may be burnt out
	dimStep    = 0.93            // one step of power; small, so that exposure follows unseen
	dimFloor   = 0.25            // of the highest power: less is noise
	dimEvery   = 2 * time.Second // between steps
	dimHold    = 10 * time.Minute
)

// steer returns the lamp's power: less while something near is burnt out, more
// again when it has gone. Automatic exposure may make up for all of it, so that
// less light only means more noise; then power is given back and left alone.
func (d *dim) steer(in Input, most float64) float64 {
	if in.At-d.Changed < dimEvery || in.At < d.HoldUntil {
		return d.Power
	}
	switch {
	case in.Scene.Glare > glareLimit && d.Power > dimFloor*most:
		if d.FirstGlar == 0 {
			d.FirstGlar = in.Scene.Glare
		}
		if d.Power < 0.6*most && in.Scene.Glare > 0.8*d.FirstGlar {
			d.HoldUntil, d.FirstGlar, d.Power = in.At+dimHold, 0, most
			break
		}
		d.Ceiling = d.Power * dimStep
		d.Power = max(dimFloor*most, d.Power*dimStep)
	case in.Scene.Glare < glareLimit/4 && d.Power < most:
		d.FirstGlar = 0
		if d.Power/dimStep > d.Ceiling && d.Ceiling > 0 {
			d.HoldUntil, d.Ceiling = in.At+dimHold, 0
			break
		}
		d.Power = min(most, d.Power/dimStep)
	default:
		return d.Power
	}
	d.Changed = in.At
	return d.Power
}
