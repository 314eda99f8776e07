package daynight

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"time"
)

// A trace is text, one JSON object a line. The first line holds the
// configuration and everything that the controller remembered; every other line
// one Step: of the Input what changed since the line before, and of the Action
// what changed. {"n":37} stands for 37 more Steps like the last, at the same
// pace. A step takes some 35 bytes, one in which nothing changed none.

// traceVersion is the number in the first line.
const traceVersion = 1

type traceHead struct {
	Version int    `json:"sealcam-daynight-trace"`
	Config  Config `json:"config"`
	State   state  `json:"state"`
}

// traceLine is one Step. Pointers tell "as before" from zero.
type traceLine struct {
	N      int            `json:"n,omitempty"`     // repetitions; nothing else is set then
	DT     *time.Duration `json:"dt,omitempty"`    // ms since the Step before; as before when left out
	Clock  *int           `json:"clock,omitempty"` // minutes after midnight, -1 not set
	Mean   *float64       `json:"mean,omitempty"`
	Level  *float64       `json:"level,omitempty"`
	Low    *float64       `json:"low,omitempty"`
	Mid    *float64       `json:"mid,omitempty"`
	High   *float64       `json:"high,omitempty"`
	Glare  *float64       `json:"glare,omitempty"`
	Exp    *float64       `json:"exp,omitempty"` // µs
	Gain   *float64       `json:"gain,omitempty"`
	Amb    *float64       `json:"ambient,omitempty"` // -1: did not answer
	Power  *float64       `json:"power,omitempty"`   // of the lamp, as applied
	Fresh  bool           `json:"fresh,omitempty"`   // this Step only
	Config *Config        `json:"config,omitempty"`  // someone changed the mode before this Step

	Light  *string  `json:"light,omitempty"`
	Lamp   *float64 `json:"lamp,omitempty"`
	Filter *string  `json:"filter,omitempty"`
	Why    *string  `json:"why,omitempty"`
}

// Recorder writes a trace of a Controller. It is not safe for concurrent use.
type Recorder struct {
	// Open returns where the trace goes. It is called for the first line, and
	// again whenever Max bytes are full: what it returns must replace the older
	// trace, or the one before that. An error ends the recording.
	Open func() (io.WriteCloser, error)
	Max  int64 // bytes of one trace; 0 means DefaultTraceSize

	out     io.WriteCloser
	buf     *bufio.Writer
	written int64
	head    bool // the first line is written
	cfg     Config
	last    Input
	pace    time.Duration
	act     Action
	repeats int
	err     error
}

// DefaultTraceSize holds more than a day and its night.
const DefaultTraceSize = 4 << 20

// Step lets c take a Step and writes it down. Trouble with writing is no
// trouble for c: it ends the recording and is returned once, by Err.
func (r *Recorder) Step(c *Controller, in Input) Action {
	in = in.rounded()
	if r.err == nil && (!r.head || r.written >= r.size()) {
		r.begin(c)
	}
	act := c.Step(in)
	if r.err == nil {
		r.step(c.cfg, in, act)
	}
	return act
}

// Err returns what ended the recording, once.
func (r *Recorder) Err() error {
	err := r.err
	if errors.Is(err, errEnded) {
		return nil
	}
	if err != nil {
		r.err = errEnded
	}
	return err
}

var errEnded = errors.New("recording has ended")

// Close writes what is left.
func (r *Recorder) Close() error {
	if r.out == nil {
		return nil
	}
	r.flushRepeats()
	err := errors.Join(r.buf.Flush(), r.out.Close())
	r.out, r.head, r.err = nil, false, errEnded
	return err
}

func (r *Recorder) size() int64 {
	if r.Max <= 0 {
		return DefaultTraceSize
	}
	return r.Max
}

func (r *Recorder) begin(c *Controller) {
	if r.out != nil {
		r.flushRepeats()
		r.err = errors.Join(r.buf.Flush(), r.out.Close())
		r.out = nil
	}
	if r.err == nil {
		r.out, r.err = r.Open()
	}
	if r.err != nil {
		return
	}
	r.buf = bufio.NewWriter(r.out)
	r.written, r.head, r.repeats = 0, true, 0
	r.last, r.act, r.pace = Input{At: c.s.At}, Action{}, -1
	r.cfg = c.cfg
	r.line(traceHead{traceVersion, c.cfg, c.s})
}

func (r *Recorder) step(cfg Config, in Input, act Action) {
	l, changed := difference(r.last, in, r.pace)
	if cfg != r.cfg {
		r.cfg, l.Config, changed = cfg, &cfg, true
	}
	decided := act.difference(r.act, &l)
	r.pace, r.last, r.act = in.At-r.last.At, in, act
	if !changed && !decided && r.written > 0 {
		r.repeats++
		return
	}
	r.flushRepeats()
	r.line(l)
	if decided { // a decision is what one looks for after a crash
		r.flush()
	}
}

func (r *Recorder) flushRepeats() {
	if r.repeats > 0 {
		n := r.repeats
		r.repeats = 0
		r.line(traceLine{N: n})
	}
}

func (r *Recorder) flush() {
	if err := r.buf.Flush(); err != nil && r.err == nil {
		r.err = err
	}
}

func (r *Recorder) line(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = r.buf.Write(append(b, '\n'))
		r.written += int64(len(b)) + 1
	}
	if err != nil && r.err == nil {
		r.err = err
	}
}

// difference writes what changed between two Inputs.
func difference(a, b Input, pace time.Duration) (l traceLine, changed bool) {
	if dt := b.At - a.At; dt != pace {
		ms := dt / time.Millisecond
		l.DT, changed = &ms, true
	}
	if a.Clock != b.Clock {
		minutes := int(b.Clock / time.Minute)
		if b.Clock < 0 {
			minutes = -1
		}
		l.Clock, changed = &minutes, true
	}
	number := func(to **float64, a, b float64) {
		if a != b {
			*to, changed = &b, true
		}
	}
	number(&l.Mean, a.Scene.Mean, b.Scene.Mean)
	number(&l.Level, a.Scene.Level, b.Scene.Level)
	number(&l.Low, a.Scene.Low, b.Scene.Low)
	number(&l.Mid, a.Scene.Mid, b.Scene.Mid)
	number(&l.High, a.Scene.High, b.Scene.High)
	number(&l.Glare, a.Scene.Glare, b.Scene.Glare)
	number(&l.Exp, float64(a.Exposure.Time)/1e3, float64(b.Exposure.Time)/1e3)
	number(&l.Gain, a.Exposure.Gain, b.Exposure.Gain)
	number(&l.Amb, a.traceAmbient(), b.traceAmbient())
	number(&l.Power, a.Lamp, b.Lamp)
	l.Fresh = b.Fresh
	changed = changed || b.Fresh || a.Fresh
	return l, changed
}

func (in Input) traceAmbient() float64 {
	if !in.HasAmbient {
		return -1
	}
	return in.Ambient
}

// difference writes into l what of act is new.
func (act Action) difference(before Action, l *traceLine) bool {
	if act == before {
		return false
	}
	light, filter := act.Light.String(), act.Filter.String()
	if act.Light != before.Light {
		l.Light = &light
	}
	if act.Lamp != before.Lamp {
		l.Lamp = &act.Lamp
	}
	if act.Filter != before.Filter {
		l.Filter = &filter
	}
	if act.Reason != before.Reason {
		l.Why = &act.Reason
	}
	return true
}
