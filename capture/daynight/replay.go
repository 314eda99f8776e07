package daynight

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// input applies a line to the Input before it.
func (l *traceLine) input(in Input, pace time.Duration) Input {
	in.At += pace
	in.Fresh = l.Fresh
	if l.Clock != nil {
		in.Clock = time.Duration(*l.Clock) * time.Minute
		if *l.Clock < 0 {
			in.Clock = -1
		}
	}
	for _, f := range []struct {
		from *float64
		to   *float64
	}{
		{l.Mean, &in.Scene.Mean}, {l.Level, &in.Scene.Level}, {l.Low, &in.Scene.Low}, {l.Mid, &in.Scene.Mid},
		{l.High, &in.Scene.High}, {l.Glare, &in.Scene.Glare}, {l.Gain, &in.Exposure.Gain}, {l.Power, &in.Lamp},
	} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	if l.Exp != nil {
		in.Exposure.Time = time.Duration(math.Round(bounded(*l.Exp, 1e9) * 1e3))
	}
	if l.Amb != nil {
		in.Ambient, in.HasAmbient = max(0, *l.Amb), *l.Amb >= 0
	}
	return in
}

// action applies a line to the Action before it.
func (l *traceLine) action(act Action) Action {
	if l.Light != nil {
		act.Light = lightNamed(*l.Light)
	}
	if l.Lamp != nil {
		act.Lamp = *l.Lamp
	}
	if l.Filter != nil {
		act.Filter = 0
		for _, f := range []Filter{FilterDay, FilterNight} {
			if f.String() == *l.Filter {
				act.Filter = f
			}
		}
	}
	if l.Why != nil {
		act.Reason = *l.Why
	}
	return act
}

func lightNamed(name string) capture.Light {
	for l := capture.LightUnknown; l <= capture.LightSwitching; l++ {
		if l.String() == name {
			return l
		}
	}
	return capture.LightUnknown
}

// Limits of a trace that is read: it may come from anywhere.
const (
	maxTraceLine  = 64 << 10
	maxTraceSteps = 5_000_000 // two months at one a second
	maxTraceGap   = 24 * time.Hour
)

// Replayed is one Step of a trace, as it was and as it is decided now.
type Replayed struct {
	Line     int // of the trace, counted from 1
	Input    Input
	Recorded Action
	Now      Action
}

// Same says whether lamp, filter and light are what they were. The wording of a
// reason may differ.
func (r Replayed) Same() bool {
	return r.Now.Light == r.Recorded.Light && r.Now.Filter == r.Recorded.Filter && math.Abs(r.Now.Lamp-r.Recorded.Lamp) < 1e-9
}

// Replay reads a trace, lets a controller of today decide again, and calls
// visit for every Step. It returns the configuration of the trace. The pictures
// are what they were: from the first difference on they belong to a past that
// would have been another. Errors name the line.
func Replay(trace io.Reader, visit func(Replayed) error) (Config, error) {
	lines := bufio.NewScanner(trace)
	lines.Buffer(make([]byte, 0, 4096), maxTraceLine)
	if !lines.Scan() {
		return Config{}, fmt.Errorf("line 1: no trace: %w", errors.Join(lines.Err(), io.ErrUnexpectedEOF))
	}
	c, err := controllerOf(lines.Bytes())
	if err != nil {
		return Config{}, fmt.Errorf("line 1: %w", err)
	}
	var step Replayed
	step.Input.At = c.s.At
	var pace time.Duration
	steps := 0
	for step.Line = 2; lines.Scan(); step.Line++ {
		l, n, err := parseLine(lines.Bytes())
		if err != nil {
			return c.cfg, fmt.Errorf("line %d: %w", step.Line, err)
		}
		if steps += n; steps > maxTraceSteps {
			return c.cfg, fmt.Errorf("line %d: more than %d steps", step.Line, maxTraceSteps)
		}
		if l.Config != nil {
			if err := l.Config.Validate(); err != nil {
				return c.cfg, fmt.Errorf("line %d: %w", step.Line, err)
			}
			c.cfg = l.Config.withDefaults()
		}
		if l.DT != nil {
			pace = *l.DT * time.Millisecond
		}
		step.Recorded = l.action(step.Recorded)
		for range n {
			step.Input = l.input(step.Input, pace)
			step.Now = c.Step(step.Input)
			if err := visit(step); err != nil {
				return c.cfg, err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return c.cfg, fmt.Errorf("line %d: %w", step.Line, err)
	}
	return c.cfg, nil
}

func controllerOf(first []byte) (*Controller, error) {
	var head traceHead
	// Not strictly: what a controller remembers changes from version to version,
	// and a trace from the field should outlive that.
	if err := json.Unmarshal(first, &head); err != nil {
		return nil, err
	}
	if head.Version != traceVersion {
		return nil, fmt.Errorf("a trace of version %d: expected %d", head.Version, traceVersion)
	}
	c, err := NewController(head.Config)
	if err != nil {
		return nil, err
	}
	if err := head.State.check(); err != nil {
		return nil, err
	}
	c.s = head.State
	return c, nil
}

// check refuses a state that no controller was ever in and that would break one.
func (s *state) check() error {
	switch {
	case s.Phase > phaseVerify:
		return fmt.Errorf("state: phase %d: there are %d", s.Phase, phaseVerify+1)
	case s.Settle.N < 0 || s.Guard.Fails < 0:
		return errors.New("state: a count below 0")
	case s.Light > capture.LightSwitching || s.Filter > FilterNight:
		return errors.New("state: no such light or filter")
	case !(s.Lamp >= 0 && s.Lamp <= 1 && s.Dim.Power >= 0 && s.Dim.Power <= 1):
		return errors.New("state: a lamp power outside of 0..1")
	case s.At < 0 || s.At > 1<<61:
		return fmt.Errorf("state: a time of %v", s.At)
	}
	return nil
}

func parseLine(b []byte) (l traceLine, n int, err error) {
	if err := strictly(b, &l); err != nil {
		return l, 0, err
	}
	if l.DT != nil && (*l.DT < 0 || *l.DT > maxTraceGap/time.Millisecond) {
		return l, 0, fmt.Errorf("dt: expected 0 to %d ms, found %d", maxTraceGap/time.Millisecond, *l.DT)
	}
	if l.Clock != nil && *l.Clock >= 24*60 {
		return l, 0, fmt.Errorf("clock: expected minutes of a day, found %d", *l.Clock)
	}
	if l.N < 0 || l.N > maxTraceSteps {
		return l, 0, fmt.Errorf("n: expected at most %d, found %d", maxTraceSteps, l.N)
	}
	return l, max(1, l.N), nil
}

// strictly decodes one JSON value without unknown keys and with nothing after it.
func strictly(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if dec.More() {
		return errors.New("more than one value on the line")
	}
	return nil
}
