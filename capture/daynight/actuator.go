package daynight

import (
	"errors"
	"fmt"
	"time"
)

// FilterDriver moves an infrared cut filter.
type FilterDriver interface {
	// Move drives the filter to a side and returns when it is there. It drives
	// even when it believes to be there already.
	Move(to Filter) error
	// Park leaves the filter where it is and takes current off it.
	Park() error
}

// LampDriver sets the power of an infrared lamp.
type LampDriver interface {
	// Set sets the power, 0 (off) to 1. A lamp that can only be switched is lit
	// by any power above 0.
	Set(power float64) error
	// Dims says whether power between 0 and 1 makes a difference.
	Dims() bool
}

// Actuator carries out Actions. It moves the filter only when the wanted side
// changes, because its click is heard and its coil wears; and it does so only
// with the lamp off, because both together may be more than a board's supply
// gives. It is not safe for concurrent use.
type Actuator struct {
	Filter FilterDriver // nil: none
	Lamp   LampDriver   // nil: none

	known bool // both were driven since the start or the last failure
	side  Filter
	power float64
}

// HasFilter, HasLamp and Dims say what there is to drive. They are fit for a nil Actuator.
func (a *Actuator) HasFilter() bool { return a != nil && a.Filter != nil }
func (a *Actuator) HasLamp() bool   { return a != nil && a.Lamp != nil }
func (a *Actuator) Dims() bool      { return a.HasLamp() && a.Lamp.Dims() }

// Power returns the lamp's power as it was last set with success.
func (a *Actuator) Power() float64 {
	if a == nil {
		return 0
	}
	return a.power
}

// Apply carries out act. When it fails it is tried again with the next Apply,
// and the lamp is put off: nothing is worse than a lamp that nobody watches.
func (a *Actuator) Apply(act Action) error {
	if a == nil {
		return nil
	}
	if err := a.apply(act); err != nil {
		a.known = false
		if off := a.setLamp(0); off != nil {
			err = errors.Join(err, off)
		}
		return err
	}
	a.known = true
	return nil
}

func (a *Actuator) apply(act Action) error {
	if a.Filter != nil && (!a.known || act.Filter != a.side) {
		if err := a.setLamp(0); err != nil {
			return err
		}
		if err := a.Filter.Move(act.Filter); err != nil {
			return fmt.Errorf("infrared cut filter: %w", err)
		}
		a.side = act.Filter
	}
	if !a.known || act.Lamp != a.power {
		return a.setLamp(act.Lamp)
	}
	return nil
}

func (a *Actuator) setLamp(power float64) error {
	if a.Lamp == nil {
		return nil
	}
	if err := a.Lamp.Set(power); err != nil {
		return fmt.Errorf("infrared lamp: %w", err)
	}
	a.power = power
	return nil
}

// Off puts the lamp off and forgets what was driven, so that the next Apply
// drives everything again. For a camera that is gone.
func (a *Actuator) Off() error {
	if a == nil {
		return nil
	}
	a.known = false
	return a.setLamp(0)
}

// Park puts the lamp off and takes current off the filter, which stays where it
// is. Call it first of all, before pins are used, and last of all.
func (a *Actuator) Park() error {
	if a == nil {
		return nil
	}
	a.known = false
	err := a.setLamp(0)
	if a.Filter != nil {
		if perr := a.Filter.Park(); perr != nil {
			err = errors.Join(err, fmt.Errorf("infrared cut filter: %w", perr))
		}
	}
	return err
}

// MaxPulse bounds the time for which a coil is energised. Coils of cut filters
// need 10 to 100 ms and burn when they are left on.
const MaxPulse = 500 * time.Millisecond
