package daynight

import (
	"time"
)

// start waits for the first settled picture: filter closed and lamp off, so it
// can be believed.
func (c *Controller) start(in Input) {
	if !c.s.Settle.done(in.At) {
		return
	}
	if c.dark(in) {
		c.toNight(in, "dark at power-on")
		return
	}
	c.enter(phaseDay, in.At, "light enough at power-on")
}

// dark says whether a day picture is of no use. The mean has to agree: in a
// room against its bright window most of the picture is dark, and yet exposure
// has more to give.
func (c *Controller) dark(in Input) bool {
	return c.s.Meter.light(in) < c.darkLight() && c.exhausted(in)
}

// exhausted says whether exposure is exhausted: the picture is darker than it aims at.
func (c *Controller) exhausted(in Input) bool { return in.Scene.Mean < 0.65*c.s.Meter.Target }

// day gathers evidence of darkness. Evidence leaks twice as fast as it grows:
// headlights that blind the exposure for seconds leave nothing behind.
func (c *Controller) day(in Input, dt time.Duration) {
	if c.s.Forced {
		return
	}
	if !c.dark(in) {
		c.s.Evidence = max(0, c.s.Evidence-2*dt)
		if c.s.Meter.light(in) >= c.dayLight() && c.s.Evidence == 0 {
			c.s.Meter.learnTarget(in, dt)
		}
		return
	}
	c.s.Evidence += dt
	if c.s.Evidence >= darkFor {
		c.s.Guard.dayEnded(c.s.DayFrom, in.At)
		c.toNight(in, "the day picture stayed dark")
	}
}

// toNight leaves the day. A camera with neither filter nor lamp changes nothing
// but the name of the light.
func (c *Controller) toNight(in Input, reason string) {
	c.s.Before = c.s.Meter.light(in)
	if !c.cfg.HasFilter && !c.cfg.HasLamp {
		c.enter(phaseUnlit, in.At, reason)
		return
	}
	c.enter(phaseOpening, in.At, reason)
}

// opening measures the light that comes through the open filter before the lamp
// adds its own: what the lamp does is known by this difference.
func (c *Controller) opening(in Input) {
	measured := c.s.Meter.measured(in) && c.s.Settle.seen() >= 3 && in.Scene.Level > blackLevel && in.Scene.Level < whiteLevel
	if !measured && !c.s.Settle.done(in.At) && in.At-c.s.Since < probeBlind {
		return
	}
	c.s.Open = c.s.Meter.light(in)
	if c.cfg.HasFilter && c.s.Before > 0 && !c.s.Forced {
		c.s.Trouble.filterMoved(c.s.Before, c.s.Open)
		c.s.Meter.learnRatio(c.s.Open, c.s.Before)
	}
	c.s.Before = 0
	if !c.cfg.HasLamp {
		c.enter(phaseUnlit, in.At, c.s.Reason)
		return
	}
	c.s.Dim.dark(c.s.Meter.flux(in), in.Scene)
	c.enter(phaseLighting, in.At, c.s.Reason)
}

// lighting waits for exposure to follow the lamp, and takes the lamp's measure.
func (c *Controller) lighting(in Input) {
	if !c.s.Settle.done(in.At) {
		return
	}
	if in.Lamp > 0 {
		c.s.Dim.lit(c.s.Meter.flux(in), in)
		c.s.Trouble.lampLit(c.s.Dim.Dark*c.s.Meter.full(in), c.s.Meter.light(in), c.darkLight(), c.s.Dim.DarkLevel, in.Scene.Level)
	}
	c.s.Guard.look(in.At, c.lookAgain(in))
	c.enter(phaseNight, in.At, c.s.Reason)
}

// verify asks the day picture itself, filter closed and lamp off, whether it is
// day. If not, the way back is the same as in the evening, and the next try has
// to wait longer.
func (c *Controller) verify(in Input) {
	if !c.s.Settle.done(in.At) {
		return
	}
	light := c.s.Meter.light(in)
	if c.cfg.HasFilter && c.s.Open > 0 {
		c.s.Trouble.filterMoved(light, c.s.Open)
	}
	if c.s.Forced || light >= 1.4*c.darkLight() || light >= c.darkLight() && !c.exhausted(in) {
		c.s.Guard.dayBegan()
		c.s.Sensor.dayBegan(c.cfg.AmbientDay)
		c.enter(phaseDay, in.At, c.s.Reason)
		return
	}
	if c.s.Open > 0 && light > 0 {
		c.s.Meter.Ratio = max(c.s.Meter.Ratio, min(maxRatio, 1.2*c.s.Open/light))
	}
	c.s.Guard.failed(in.At, c.s.Open)
	c.s.Sensor.failed(in)
	c.s.Before = 0
	c.enter(phaseOpening, in.At, "the day picture was dark: back to night")
}
