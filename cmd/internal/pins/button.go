package pins

import (
	"context"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// Press is what a person did with the button.
type Press uint8

// The presses. Long and Reset are told while the button is still held, so that
// the light can answer.
const (
	NoPress    Press = iota
	ShortPress       // released before Long
	LongPress        // held for Long
	ResetPress       // held for Reset, after a LongPress
)

// String names the press.
func (p Press) String() string {
	names := [...]string{"none", "short", "long", "reset"}
	if int(p) < len(names) {
		return names[p]
	}
	return fmt.Sprintf("press(%d)", uint8(p))
}

// Contacts bounce for some milliseconds, and what is shorter than debounce was
// no finger.
const (
	PollEvery = 20 * time.Millisecond // between two calls of Button.Poll
	debounce  = 50 * time.Millisecond
)

// Button tells short, long and reset presses from the level of a pin.
type Button struct {
	Pressed gpio.Level
	Long    time.Duration
	Reset   time.Duration

	pin     gpio.PinIn
	armed   bool // was seen released: a button that is stuck at start means nothing
	down    bool
	changed time.Time // since when the level differs from down
	since   time.Time // of the press
	told    Press
}

// Look takes note of the level at a time, and returns what has been done.
func (b *Button) Look(level gpio.Level, now time.Time) Press {
	pressed := level == b.Pressed
	if !b.armed {
		b.armed = !pressed
		return NoPress
	}
	if pressed == b.down {
		b.changed = time.Time{}
	} else if b.changed.IsZero() {
		b.changed = now
	}
	if pressed != b.down && now.Sub(b.changed) >= debounce {
		b.down, b.since, b.changed = pressed, b.changed, time.Time{}
		if !pressed {
			told := b.told
			b.told = NoPress
			if told == NoPress {
				return ShortPress
			}
			return NoPress
		}
	}
	if !b.down {
		return NoPress
	}
	held := now.Sub(b.since)
	switch {
	case b.told == NoPress && held >= b.Long:
		b.told = LongPress
		return LongPress
	case b.told == LongPress && held >= b.Reset:
		b.told = ResetPress
		return ResetPress
	}
	return NoPress
}

// Run polls the pin until ctx ends, and calls each for every press on the same
// goroutine.
func (b *Button) Run(ctx context.Context, each func(Press)) error {
	tick := time.NewTicker(PollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if p := b.Poll(now); p != NoPress {
				each(p)
			}
		}
	}
}

// Poll looks at the pin. Call it every PollEvery.
func (b *Button) Poll(now time.Time) Press { return b.Look(b.pin.Read(), now) }

// Held says for how long the button has been held down, 0 when it is not.
func (b *Button) Held(now time.Time) time.Duration {
	if !b.down {
		return 0
	}
	return now.Sub(b.since)
}
