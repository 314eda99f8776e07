package daynight

import (
	"time"

	"github.com/sealcam/sealcam/capture"
)

// phase is where the controller stands; the package's documentation has the drawing.
type phase uint8

const (
	phaseStart    phase = iota // filter driven to the day side, lamp off: what is it?
	phaseDay                   // the picture is believed
	phaseOpening               // filter open, lamp still off: how much light is there without it?
	phaseLighting              // lamp lit, exposure follows
	phaseNight                 // lit: the picture is not believed
	phaseProbe                 // lamp off for a look
	phaseUnlit                 // filter open, lamp off, and light enough: will it stay?
	phaseVerify                // filter back: does the day picture confirm?
)

var phaseNames = [...]string{"start", "day", "opening", "lighting", "night", "probe", "unlit", "verify"}

func (p phase) String() string { return phaseNames[p] }

// Controller decides in which light the camera sees. It is a pure state
// machine: the same Inputs give the same Actions, everywhere and at any speed.
// It is not safe for concurrent use.
type Controller struct {
	cfg Config
	s   state
}

// state is all that a Controller remembers. A trace begins with one, so that it
// can be replayed from its middle; the names are short for that reason.
type state struct {
	Phase   phase         `json:"phase"`
	Began   bool          `json:"began"` // a first Input was seen
	At      time.Duration `json:"at"`    // of the last Input
	Since   time.Duration `json:"since"` // Phase was entered
	Light   capture.Light `json:"light"`
	Lamp    float64       `json:"lamp"`
	Filter  Filter        `json:"side"`
	Reason  string        `json:"reason"`
	Settle  settle        `json:"settle"`
	Meter   meter         `json:"meter"`
	Sensor  sensor        `json:"sensor"`
	Guard   guard         `json:"guard"`
	Dim     dim           `json:"dim"`
	Trouble trouble       `json:"trouble"`

	Evidence time.Duration `json:"evidence"` // for leaving Phase, grows and leaks
	Before   float64       `json:"before"`   // light in the last day picture before the filter opened
	Open     float64       `json:"open"`     // light through the open filter, lamp off
	DayFrom  time.Duration `json:"day_from"` // phaseDay was entered
	Forced   bool          `json:"forced"`   // the present side was ordered, not found
}

// NewController returns a controller that has seen nothing yet. Its first Step
// drives filter and lamp.
func NewController(cfg Config) (*Controller, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	c := &Controller{cfg: cfg}
	c.s.Meter = meter{Ratio: firstRatio, Target: 90, Usual: 65}
	c.s.Guard = guard{Patience: firstPatience, Holdoff: firstHoldoff}
	c.s.Dim.Power = cfg.LampMax
	c.s.Sensor.Need = cfg.AmbientDay
	return c, nil
}

// Config returns the configuration with its defaults filled in.
func (c *Controller) Config() Config { return c.cfg }

// SetMode changes who decides, from the next Step on.
func (c *Controller) SetMode(m Mode, schedule Span) error {
	cfg := c.cfg
	cfg.Mode, cfg.Schedule = m, schedule
	if err := cfg.Validate(); err != nil {
		return err
	}
	c.cfg = cfg
	return nil
}

// Health says what does not work.
func (c *Controller) Health() Health { return c.s.Trouble.Health }

// Period is how long the caller may wait until the next Step: shorter while
// something is under way. Steps in between do no harm.
func (c *Controller) Period() time.Duration {
	switch c.s.Phase {
	case phaseDay, phaseNight, phaseUnlit:
		return time.Second
	}
	return 200 * time.Millisecond
}

// Step takes one look and returns what is wanted now.
func (c *Controller) Step(in Input) Action {
	in = in.rounded()
	dt := c.advance(&in)
	c.s.Meter.learn(in, c.cfg.FullExposure)
	c.s.Sensor.learn(in)
	c.s.Settle.add(in)
	c.checkInputs()
	if !c.order(in) {
		c.decide(in, dt)
	}
	return Action{Light: c.s.Light, Lamp: c.s.Lamp, Filter: c.s.Filter, Reason: c.s.Reason}
}

// advance moves time on and returns how much evidence this Input may count for.
func (c *Controller) advance(in *Input) time.Duration {
	if !c.s.Began {
		c.s.Began, c.s.At = true, in.At
		c.enter(phaseStart, in.At, "power-on: filter driven to the day side, lamp off")
	}
	in.At = max(in.At, c.s.At)
	dt := in.At - c.s.At
	c.s.At = in.At
	if dt > maxGap || in.Fresh {
		c.again(in.At)
	}
	return min(dt, 2*time.Second)
}

// again begins anew on the present side: the camera was away, its exposure
// starts from nowhere, and lamp and filter may have been touched.
func (c *Controller) again(at time.Duration) {
	const reason = "the camera was away: looking anew"
	if c.nightSide() {
		c.s.Before = 0
		c.enter(phaseOpening, at, reason)
		return
	}
	c.enter(phaseStart, at, reason)
}

// order carries out a forced mode or a schedule. It returns false when the
// picture is to decide.
func (c *Controller) order(in Input) bool {
	want, why := c.cfg.Mode, "ordered"
	if want == Scheduled {
		if in.Clock < 0 {
			want = Auto
		} else if want, why = Day, "schedule says day"; c.cfg.Schedule.contains(in.Clock) {
			want, why = Night, "schedule says night"
		}
	}
	switch {
	case want == Auto:
		c.s.Forced = false
		return false
	case want == Day && c.s.Phase != phaseDay && c.s.Phase != phaseVerify:
		c.s.Forced = true
		c.enter(phaseVerify, in.At, why)
		return true
	case want == Night && !c.nightSide():
		c.s.Forced = true
		c.enter(phaseOpening, in.At, why)
		return true
	}
	c.s.Forced = true
	return false
}

// nightSide says whether the present phase belongs to the night.
func (c *Controller) nightSide() bool {
	switch c.s.Phase {
	case phaseOpening, phaseLighting, phaseNight, phaseProbe, phaseUnlit:
		return true
	}
	return false
}

// decide lets the present phase look at the picture.
func (c *Controller) decide(in Input, dt time.Duration) {
	switch c.s.Phase {
	case phaseStart:
		c.start(in)
	case phaseDay:
		c.day(in, dt)
	case phaseOpening:
		c.opening(in)
	case phaseLighting:
		c.lighting(in)
	case phaseNight:
		c.night(in, dt)
	case phaseProbe:
		c.probe(in)
	case phaseUnlit:
		c.unlit(in, dt)
	case phaseVerify:
		c.verify(in)
	}
}

// enter moves to another phase and sets what it wants of lamp, filter and light.
func (c *Controller) enter(p phase, at time.Duration, reason string) {
	c.s.Phase, c.s.Since, c.s.Reason = p, at, reason
	c.s.Evidence = 0
	c.s.Settle = settle{From: at}
	c.s.Light = capture.LightSwitching
	switch p {
	case phaseStart, phaseVerify:
		c.s.Filter, c.s.Lamp = FilterDay, 0
	case phaseDay:
		c.s.Light, c.s.DayFrom = capture.LightDay, at
	case phaseOpening:
		c.s.Filter, c.s.Lamp = FilterNight, 0
	case phaseLighting:
		c.s.Filter, c.s.Lamp = FilterNight, c.s.Dim.Power
		if !c.cfg.HasLamp {
			c.s.Lamp = 0
		}
	case phaseNight:
		c.s.Light = capture.LightNight
		c.s.Dim.begin(at)
	case phaseProbe:
		c.s.Lamp = 0
	case phaseUnlit:
		c.s.Light, c.s.Lamp = capture.LightNight, 0
	}
}
