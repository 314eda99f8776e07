package daynight

import (
	"errors"
	"log/slog"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// PartConfig is what a Part is made of.
type PartConfig struct {
	// Controller is the configuration. HasFilter, HasLamp and Dims are taken
	// from Actuator.
	Controller Config
	// Actuator drives filter and lamp. Nil for a camera without: the light is
	// then told by the picture alone, and nothing moves.
	Actuator *Actuator
	// Exposure reads what the driver tells of the exposure now. Nil where it
	// tells nothing. It is called on the goroutine of Step, at most 5 times a second.
	Exposure func() Exposure
	// Ambient is the sensor of ambient light, nil where there is none. It is
	// read at most once a second.
	Ambient Ambient
	// Trace records what is seen and decided. Nil: nothing is recorded.
	Trace *Recorder
	Log   *slog.Logger
}

// Part is day and night as the agent uses it: a Controller with its eyes and
// hands. It is not safe for concurrent use.
type Part struct {
	cfg  PartConfig
	c    *Controller
	look Looker

	at       time.Duration // own monotonic time, which survives a camera that starts counting anew
	mono     time.Duration // of the last frame
	due      time.Duration
	started  bool
	act      Action
	faults   []string // of the hands: what could not be driven
	ambient  float64
	answered bool
	readAt   time.Duration
	fresh    bool
}

// NewPart parks the actuators, so that everything is off and known before the
// first picture.
func NewPart(cfg PartConfig) (*Part, error) {
	cfg.Controller.HasFilter = cfg.Actuator.HasFilter()
	cfg.Controller.HasLamp = cfg.Actuator.HasLamp()
	cfg.Controller.Dims = cfg.Actuator.Dims()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c, err := NewController(cfg.Controller)
	if err != nil {
		return nil, err
	}
	p := &Part{cfg: cfg, c: c}
	return p, cfg.Actuator.Park()
}

// maxFrameGap is how much time one frame may move Part's clock on. More means
// that the source counts anew, or was away.
const maxFrameGap = time.Minute

// Step is called for every analysed frame with its Luma l, its monotonic time
// mono, and the local time now. It decides when it is due, drives what has to be
// driven, and returns the light in which the frame was taken. A step that is not
// due costs nothing; none allocates, but for a trace. With a coil filter a step
// that switches blocks for the pulse.
func (p *Part) Step(mono time.Duration, now time.Time, l *capture.Luma) capture.Light {
	if p.started {
		switch d := mono - p.mono; {
		case d > 0:
			p.at += min(d, maxFrameGap)
		case d < 0: // another camera, or the same that counts anew
			p.fresh, p.due = true, 0
		}
	}
	p.mono = mono
	if p.started && p.at < p.due {
		return p.act.Light
	}
	p.started = true
	in := Input{
		At: p.at, Clock: clockOf(now), Scene: p.look.Look(l),
		Lamp: p.cfg.Actuator.Power(), Fresh: p.fresh,
	}
	p.fresh = false
	if p.cfg.Exposure != nil {
		in.Exposure = p.cfg.Exposure()
	}
	in.Ambient, in.HasAmbient = p.readAmbient()
	before := p.act
	if p.cfg.Trace != nil {
		p.act = p.cfg.Trace.Step(p.c, in)
		if err := p.cfg.Trace.Err(); err != nil {
			p.cfg.Log.Warn("the day/night trace has ended", "err", err)
		}
	} else {
		p.act = p.c.Step(in)
	}
	p.due = p.at + p.c.Period()
	if p.act.Reason != before.Reason || p.act.Light != before.Light {
		p.cfg.Log.Info("light", "light", p.act.Light, "lamp", p.act.Lamp, "filter", p.act.Filter, "why", p.act.Reason)
	}
	p.drive()
	return p.act.Light
}

// drive carries the action out and keeps its trouble for Faults.
func (p *Part) drive() {
	if err := p.cfg.Actuator.Apply(p.act); err != nil {
		if len(p.faults) == 0 || p.faults[0] != err.Error() {
			p.cfg.Log.Error("lamp or filter cannot be driven", "err", err)
		}
		p.faults = []string{err.Error()}
		return
	}
	p.faults = nil
}

func (p *Part) readAmbient() (float64, bool) {
	if p.cfg.Ambient == nil {
		return 0, false
	}
	if p.answered && p.at-p.readAt < time.Second {
		return p.ambient, true
	}
	v, err := p.cfg.Ambient.Read()
	if err != nil && p.answered {
		p.cfg.Log.Warn("ambient light sensor", "err", err)
	}
	p.ambient, p.answered, p.readAt = v, err == nil, p.at
	return v, err == nil
}

// Light returns the light now, for pictures that Step is not called for.
func (p *Part) Light() capture.Light { return p.act.Light }

// Action returns what was last decided, and why.
func (p *Part) Action() Action { return p.act }

// Faults returns what does not work, one sentence each, for status.
func (p *Part) Faults() []string { return append(p.c.Health().Faults(), p.faults...) }

// SetMode changes who decides.
func (p *Part) SetMode(m Mode, schedule Span) error { return p.c.SetMode(m, schedule) }

// Lost says that there are no pictures, or that the camera is opened anew: the
// lamp goes off. The next Step drives lamp and filter again, because nobody knows
// what happened meanwhile. Call it from the goroutine of Step.
func (p *Part) Lost() {
	p.fresh, p.due = p.started, 0
	if err := p.cfg.Actuator.Off(); err != nil {
		p.cfg.Log.Error("lamp cannot be put off", "err", err)
	}
}

// Close puts the lamp off, parks the filter and ends the trace.
func (p *Part) Close() error {
	err := p.cfg.Actuator.Park()
	if p.cfg.Trace != nil {
		err = errors.Join(err, p.cfg.Trace.Close())
	}
	return err
}

// clockOf returns the time of day, or -1 for a clock that was never set: boards
// without one start in 1970.
func clockOf(now time.Time) time.Duration {
	if now.Year() < 2024 {
		return -1
	}
	h, m, s := now.Clock()
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
}
