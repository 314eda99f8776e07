package agent

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/pins"
)

// What the status light says. boards/README.md has the table for people.
var (
	lightUnclaimed = pins.Pattern{time.Second, time.Second}
	lightRunning   = pins.Pattern{time.Second}
	lightOffline   = pins.Pattern{1800 * time.Millisecond, 200 * time.Millisecond}
	lightTrouble   = pins.Pattern{200 * time.Millisecond, 200 * time.Millisecond, 200 * time.Millisecond, 1400 * time.Millisecond}
	lightPrivacy   = pins.Pattern{100 * time.Millisecond, 3900 * time.Millisecond}
	lightReset     = pins.Pattern{100 * time.Millisecond, 100 * time.Millisecond} // the button is held towards a reset
)

// panel is what a person touches and sees on the camera itself: button and
// status light, either of which may be missing.
type panel struct {
	button *pins.Button
	light  *pins.Light
	log    *slog.Logger

	presses chan pins.Press       // short ones, for the agent
	agent   atomic.Pointer[Agent] // nil as long as the camera is nobody's
}

func newPanel(button *pins.Button, light *pins.Light, log *slog.Logger) *panel {
	return &panel{button: button, light: light, log: log, presses: make(chan pins.Press, 1)}
}

// run serves the panel until ctx ends, or with ErrReset once the button has been
// held for that long.
func (p *panel) run(ctx context.Context) error {
	if p.button == nil && p.light == nil {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(pins.PollEvery)
	defer tick.Stop()
	var shown lamp
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			held := false
			if p.button != nil {
				if p.press(p.button.Poll(now)) {
					return ErrReset
				}
				held = p.button.Held(now) >= p.button.Long
			}
			p.show(&shown, held, now)
		}
	}
}

// press acts on what was done, and reports whether it asks for a reset.
func (p *panel) press(press pins.Press) (reset bool) {
	switch press {
	case pins.NoPress:
		return false
	case pins.ShortPress:
		if p.agent.Load() != nil {
			select {
			case p.presses <- press:
			default: // one waits already
			}
		}
	case pins.ResetPress:
		p.log.Warn("the button was held for a reset")
		return true
	}
	p.log.Info("button", "press", press)
	return false
}

// lamp is what the light shows.
type lamp struct {
	pattern pins.Pattern
	since   time.Time
	known   bool // the light was set
	on      bool
	failed  bool // and it was told
}

func (p *panel) show(l *lamp, held bool, now time.Time) {
	if p.light == nil {
		return
	}
	next := p.agent.Load().pattern()
	if held {
		next = lightReset
	}
	if len(l.pattern) == 0 || &next[0] != &l.pattern[0] {
		l.pattern, l.since = next, now
	}
	on := l.pattern.At(now.Sub(l.since))
	if l.known && on == l.on {
		return
	}
	err := p.light.Set(on)
	l.known, l.on = err == nil, on
	if err != nil && !l.failed {
		p.log.Error("the status light cannot be set", "err", err)
	}
	l.failed = err != nil
}

// pattern returns what the light is to say; a nil Agent is a camera that is
// nobody's.
func (a *Agent) pattern() pins.Pattern {
	if a == nil {
		return lightUnclaimed
	}
	mood := a.mood.Load()
	if c := a.closure.Load(); c != nil && c.said.On {
		if c.stuck {
			return lightTrouble
		}
		return lightPrivacy
	}
	switch {
	case mood == nil:
		return lightOffline
	case mood.trouble:
		return lightTrouble
	case !mood.connected:
		return lightOffline
	}
	return lightRunning
}

// mood is what the light needs to know, as of the last second.
type mood struct{ trouble, connected bool }
