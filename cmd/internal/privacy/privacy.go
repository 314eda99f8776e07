// Package privacy decides when a camera is closed: by its button, by its owner's
// command, or by the clock. What a person said is kept over restarts and power
// cuts, and whatever is in doubt closes the camera.
//
// What this package does not do: it closes nothing (the agent does), reads no
// button and checks no signature. It has no clock: time is what it is told.
package privacy

import (
	"errors"
	"fmt"
	"time"

	"github.com/sealcam/sealcam/capture/daynight"
)

// By says who closed the camera.
type By string

// Who can close a camera.
const (
	ByButton   By = "button"
	ByOwner    By = "owner"    // a signed command
	BySchedule By = "schedule" // the settings
	ByClock    By = "clock"    // there is a schedule, and nobody knows the time
	ByDoubt    By = "doubt"    // what was said last cannot be read
	BySettings By = "settings" // they cannot be read in what they say about privacy
)

// State says whether the camera is closed.
type State struct {
	On    bool
	Since time.Time // when it was closed; zero when the clock was not known then
	Until time.Time // when it will open by itself; zero if it will not, or not by the clock
	By    By
}

// order is what a person said last, as long as it holds.
type order struct {
	On    bool      `json:"on"`
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	By    By        `json:"by"`
}

// MaxSchedule is how many spans a schedule may have.
const MaxSchedule = 16

// Keeper knows what holds. It is not safe for concurrent use.
type Keeper struct {
	schedule []daynight.Span
	file     string // "" keeps nothing
	order    *order
	locked   bool // closed, whatever anybody says
}

// Load returns the Keeper of a camera whose state is kept in file; "" keeps it in
// memory alone. A file that cannot be read closes the camera: the Keeper is
// usable then too, and the error is for the log.
func Load(file string, schedule []daynight.Span) (*Keeper, error) {
	k := &Keeper{schedule: schedule, file: file}
	if file == "" {
		return k, nil
	}
	var err error
	if k.order, err = load(file); err != nil {
		k.order = &order{On: true, By: ByDoubt}
		return k, fmt.Errorf("the camera stays closed until somebody opens it: %w", err)
	}
	return k, nil
}

// ValidateSchedule says what is wrong with a schedule.
func ValidateSchedule(schedule []daynight.Span) error {
	if len(schedule) > MaxSchedule {
		return fmt.Errorf("expected at most %d spans, found %d", MaxSchedule, len(schedule))
	}
	for _, s := range schedule {
		if s.From == s.To {
			return fmt.Errorf("expected spans that end at another time than they begin, found %s", s)
		}
	}
	return nil
}

// Lock keeps the camera closed, whatever is said or was, as long as the Keeper
// lives. What is said meanwhile holds from the next one on.
func (k *Keeper) Lock() { k.locked = true }

// At returns what holds at a wall clock time, in the camera's own time zone;
// zero when the clock is not known.
func (k *Keeper) At(now time.Time) State {
	if k.locked {
		return State{On: true, By: BySettings}
	}
	if o := k.order; o != nil {
		switch {
		case o.On && (o.Until.IsZero() || now.Before(o.Until)): // an unknown time is before all
			return State(*o)
		case !o.On && (now.IsZero() && o.Until.IsZero() || !now.IsZero() && now.Before(o.Until)):
			return State{}
		}
	}
	if len(k.schedule) == 0 {
		return State{}
	}
	if now.IsZero() {
		return State{On: true, By: ByClock}
	}
	return k.scheduled(now)
}

// scheduled returns what the schedule says.
func (k *Keeper) scheduled(now time.Time) State {
	var st State
	for _, s := range k.schedule {
		if from, to, in := around(s, now); in {
			if !st.On || from.Before(st.Since) {
				st.Since = from
			}
			if !st.On || to.After(st.Until) {
				st.Until = to
			}
			st.On, st.By = true, BySchedule
		}
	}
	// Spans that overlap are one.
	for range k.schedule {
		for _, s := range k.schedule {
			if _, to, in := around(s, st.Until); st.On && in && st.Until.Sub(st.Since) < 24*time.Hour {
				st.Until = to
			}
		}
	}
	return st
}

// around returns the span of s that now lies in.
func around(s daynight.Span, now time.Time) (from, to time.Time, in bool) {
	for _, day := range []int{-1, 0} {
		y, m, d := now.Date()
		from = time.Date(y, m, d+day, 0, 0, int(s.From.Seconds()), 0, now.Location())
		end := d + day
		if s.To <= s.From {
			end++
		}
		to = time.Date(y, m, end, 0, 0, int(s.To.Seconds()), 0, now.Location())
		if !now.Before(from) && now.Before(to) {
			return from, to, true
		}
	}
	return from, to, false
}

// ErrNotKept says that an order would not survive a power cut.
var ErrNotKept = errors.New("the camera's memory cannot be written")

// Close closes the camera, at once and over restarts, until a time or, if that is
// zero, until somebody opens it. It is closed even if the error, which wraps
// ErrNotKept, says that a power cut would open it.
func (k *Keeper) Close(by By, now, until time.Time) error {
	o := &order{On: true, Since: now, Until: until, By: by}
	if st := k.At(now); st.On && !st.Since.IsZero() {
		o.Since = st.Since // it was closed already
	}
	k.order = o
	return k.store()
}

// Open opens the camera: for good, or, within a span of its schedule, until that
// ends. If that cannot be kept it stays closed, and the error wraps ErrNotKept.
func (k *Keeper) Open(by By, now time.Time) error {
	before := k.order
	k.order = nil
	if st := k.At(now); st.On {
		k.order = &order{Since: now, Until: st.Until, By: by}
	}
	if err := k.store(); err != nil {
		k.order = before
		return err
	}
	return nil
}

// Toggle opens what is closed, and closes what is open.
func (k *Keeper) Toggle(by By, now time.Time) error {
	if k.At(now).On {
		return k.Open(by, now)
	}
	return k.Close(by, now, time.Time{})
}
