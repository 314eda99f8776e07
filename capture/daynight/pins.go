package daynight

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// LevelFilter is a cut filter that stays where one pin's level holds it.
type LevelFilter struct {
	Pin gpio.PinOut
	Day gpio.Level // level that holds the filter in front of the sensor
}

// Move sets the level.
func (f *LevelFilter) Move(to Filter) error {
	level := f.Day
	if to == FilterNight {
		level = !level
	}
	return f.Pin.Out(level)
}

// Park does nothing: the level is what holds the filter.
func (f *LevelFilter) Park() error { return nil }

// CoilFilter is a latching cut filter: a pulse on one pin drives it to the day
// side, a pulse on the other to the night side. Both are idle otherwise, or the
// coil burns.
type CoilFilter struct {
	Day, Night gpio.PinOut
	Active     gpio.Level    // level of a pulse, gpio.High almost always
	Pulse      time.Duration // at most MaxPulse
	Sleep      func(time.Duration)
}

// Move idles both pins, pulses one, and idles both again, whatever fails. It
// blocks for the length of the pulse: a pulse that somebody else had to end
// could last for ever.
func (f *CoilFilter) Move(to Filter) error {
	if f.Pulse <= 0 || f.Pulse > MaxPulse {
		return fmt.Errorf("pulse of %v: expected above 0 and at most %v", f.Pulse, MaxPulse)
	}
	if err := f.Park(); err != nil {
		return err
	}
	pin := f.Day
	if to == FilterNight {
		pin = f.Night
	}
	err := pin.Out(f.Active)
	if err == nil {
		f.Sleep(f.Pulse)
	}
	return errors.Join(err, f.Park())
}

// Park idles both pins.
func (f *CoilFilter) Park() error {
	return errors.Join(f.Day.Out(!f.Active), f.Night.Out(!f.Active))
}

// BridgeFilter is a latching cut filter behind a driver with a direction and an
// enable pin: a pulse on enable moves it to the side that direction names.
type BridgeFilter struct {
	Direction, Enable gpio.PinOut
	Day               gpio.Level    // level of Direction for the day side
	Active            gpio.Level    // level of a pulse on Enable
	Pulse             time.Duration // at most MaxPulse
	Sleep             func(time.Duration)
}

// Move sets the direction and pulses. Both pins are low or idle afterwards.
func (f *BridgeFilter) Move(to Filter) error {
	if f.Pulse <= 0 || f.Pulse > MaxPulse {
		return fmt.Errorf("pulse of %v: expected above 0 and at most %v", f.Pulse, MaxPulse)
	}
	level := f.Day
	if to == FilterNight {
		level = !level
	}
	if err := f.Enable.Out(!f.Active); err != nil {
		return err
	}
	err := f.Direction.Out(level)
	if err == nil {
		if err = f.Enable.Out(f.Active); err == nil {
			f.Sleep(f.Pulse)
		}
	}
	return errors.Join(err, f.Park())
}

// Park idles the enable pin first, then puts direction low.
func (f *BridgeFilter) Park() error {
	return errors.Join(f.Enable.Out(!f.Active), f.Direction.Out(gpio.Low))
}

// PinLamp is a lamp that one pin switches.
type PinLamp struct {
	Pin gpio.PinOut
	On  gpio.Level // level that lights the lamp
}

// Set lights the lamp for any power above 0.
func (l *PinLamp) Set(power float64) error {
	if power > 0 {
		return l.Pin.Out(l.On)
	}
	return l.Pin.Out(!l.On)
}

// Dims says no.
func (l *PinLamp) Dims() bool { return false }
