package daynight

import "time"

// night watches for hints that it has become light, and for the time to look
// without any.
func (c *Controller) night(in Input, dt time.Duration) {
	if c.cfg.Dims {
		c.s.Lamp = c.s.Dim.steer(in, c.cfg.LampMax)
	}
	if c.s.Forced {
		return
	}
	hint := c.s.Dim.watch(&c.s.Meter, in, dt, c.need(in))
	if c.s.Sensor.day(in) {
		hint = "the ambient sensor sees light"
	}
	if hint == "" {
		c.s.Evidence = max(0, c.s.Evidence-2*dt)
	} else if in.At >= c.s.Guard.HintsFrom {
		c.s.Evidence += dt
	}
	switch {
	case c.s.Evidence >= hintFor:
		c.s.Guard.Hinted = true
		c.enter(phaseProbe, in.At, hint+": a look with the lamp off")
	case in.At >= c.s.Guard.LookAt:
		c.s.Guard.Hinted = false
		c.enter(phaseProbe, in.At, "time for a look with the lamp off")
	}
}

// lookAgain returns when to look next without a hint: seldom while something
// else would tell, often while the lamp outshines any hint and dawn may be due.
func (c *Controller) lookAgain(in Input) time.Duration {
	switch {
	case c.s.Sensor.trusted() && in.HasAmbient:
		return time.Hour
	case c.s.Meter.measured(in) && c.s.Dim.Lamp*c.s.Lamp*c.s.Meter.full(in)*significantShare < c.need(in):
		return 30 * time.Minute
	case !c.s.Guard.nearDawn(in.At):
		return 40 * time.Minute
	}
	return 10 * time.Minute
}

// probe looks with the lamp off: the one moment of the night in which the
// picture can be believed.
func (c *Controller) probe(in Input) {
	if c.s.Settle.seen() < 2 {
		return
	}
	m := &c.s.Meter
	light, need := m.light(in), c.need(in)
	settled := c.s.Settle.done(in.At)
	certain := settled && (m.measured(in) || in.At-c.s.Since >= c.blind(in))
	if m.measured(in) && in.Scene.Level < whiteLevel {
		// One exposure tells what a longer one would show. Black tells
		// an upper bound, which may be enough.
		bound := light
		if in.Scene.Level < blackLevel {
			bound = linear(blackLevel) / in.Exposure.total() * m.Full
		}
		certain = certain || bound < need
	}
	switch {
	case light >= need && settled:
		c.s.Open = light
		c.enter(phaseUnlit, in.At, "light without the lamp: will it stay?")
	case light < need && certain:
		c.s.Open = light
		c.s.Dim.dark(m.flux(in), in.Scene)
		if c.s.Guard.Hinted {
			c.s.Guard.hintFailed(in.At)
			c.s.Sensor.failed(in)
		}
		c.enter(phaseLighting, in.At, "still dark without the lamp")
	}
}

// blind returns how long an unknown exposure gets to show what it can make of
// the dark. A black picture does not tell whether exposure still rises.
func (c *Controller) blind(in Input) time.Duration {
	if in.Scene.Level < blackLevel {
		return probeBlack
	}
	return probeBlind
}

// unlit waits, filter open and lamp off, to see whether the light stays. The
// picture is good meanwhile, and nothing clicks.
func (c *Controller) unlit(in Input, dt time.Duration) {
	if c.s.Forced {
		if c.cfg.HasLamp {
			c.enter(phaseLighting, in.At, "ordered")
		}
		return
	}
	light, need := c.s.Meter.light(in), c.need(in)
	stay := c.s.Guard.Patience
	switch {
	case light >= need:
		c.s.Evidence += dt
		c.s.Open = light
	case light < need/3:
		c.s.Evidence -= 4 * dt
	case light < need/2:
		c.s.Evidence = max(0, c.s.Evidence-dt)
	}
	gone := c.s.Evidence < 0 || light < need && in.At-c.s.Since > stay+5*time.Minute
	switch {
	case c.s.Evidence >= stay && c.s.Guard.mayTry(in.At, light):
		if !c.cfg.HasFilter && !c.cfg.HasLamp {
			c.s.Guard.dayBegan()
			c.enter(phaseDay, in.At, "light enough, and it stayed")
			return
		}
		c.enter(phaseVerify, in.At, "light enough without the lamp, and it stayed")
	case gone && c.cfg.HasLamp:
		c.s.Guard.hintFailed(in.At)
		c.s.Dim.dark(c.s.Meter.flux(in), in.Scene)
		c.enter(phaseLighting, in.At, "the light did not stay")
	case c.s.Evidence < 0:
		c.s.Evidence = 0
	}
}
