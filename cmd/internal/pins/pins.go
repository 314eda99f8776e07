// Package pins opens what a board's profile names: lamp, cut filter, status
// light, button and light sensor, by GPIO character devices, sysfs PWM and LED
// files, IIO and I2C. It is the one place where real hardware is touched, and
// the one that imports periph's host drivers.
//
// Everything is parked when it is opened, before anything is driven: lamp off,
// no current in a coil, status light off.
//
// What this package does not do: it decides nothing (capture/daynight does for
// lamp and filter, the agent for light and button), and opens no camera.
package pins

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"

	"github.com/sealcam/sealcam/boards"
	"github.com/sealcam/sealcam/capture/daynight"
)

// Host is the machine as far as pins go. Real hardware is System; tests have
// their own.
type Host interface {
	// Line returns a GPIO line that nobody else uses. The error says what
	// exists on this machine.
	Line(boards.Pin) (gpio.PinIO, error)
	// Bus opens an I2C bus such as "/dev/i2c-1".
	Bus(path string) (i2c.BusCloser, error)
	// Sys returns the directory where sysfs is mounted.
	Sys() string
}

// Board is an opened board. Fields are nil where the profile has nothing.
type Board struct {
	Actuator *daynight.Actuator
	Ambient  daynight.Ambient
	Status   *Light
	Button   *Button
	// Faults are parts that do not answer and that a camera can do without,
	// one sentence each, for status.
	Faults []string

	profile *boards.Profile
	host    Host
	closers []io.Closer
}

// Open opens and parks everything that p names. A pin of lamp or filter that is
// missing or busy is an error with file and line of the profile and what this
// machine has; a status light, button or light sensor that cannot be used is a
// fault. A board without pins needs no host.
func Open(p *boards.Profile, host Host, log *slog.Logger) (*Board, error) {
	b := &Board{profile: p, host: host}
	if !p.HasPins() {
		return b, nil
	}
	for _, open := range []func() error{b.openLamp, b.openFilter} {
		if err := open(); err != nil {
			return nil, errors.Join(err, b.Close())
		}
	}
	// A camera without its button or status light still takes pictures.
	b.tryOpen("status light", b.openStatus, log)
	b.tryOpen("button", b.openButton, log)
	if err := b.park(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if err := b.openAmbient(); err != nil {
		log.Warn("the light sensor does not answer: the picture decides alone", "err", err)
		b.Faults = append(b.Faults, fmt.Sprintf("the light sensor does not answer: %v", err))
	}
	return b, nil
}

// tryOpen opens what a camera can do without.
func (b *Board) tryOpen(name string, open func() error, log *slog.Logger) {
	if err := open(); err != nil {
		log.Warn("the board's "+name+" cannot be used", "err", err)
		b.Faults = append(b.Faults, fmt.Sprintf("the %s cannot be used: %v", name, err))
	}
}

// park puts everything into the state in which it may be left alone.
func (b *Board) park() error {
	err := b.Actuator.Park()
	if b.Status != nil {
		err = errors.Join(err, b.Status.Set(false))
	}
	return err
}

// Close parks everything and gives it back. The kernel leaves lines as they
// were last driven.
func (b *Board) Close() error {
	err := b.park()
	for _, c := range b.closers {
		err = errors.Join(err, c.Close())
	}
	b.closers = nil
	return err
}

func (b *Board) actuator() *daynight.Actuator {
	if b.Actuator == nil {
		b.Actuator = &daynight.Actuator{}
	}
	return b.Actuator
}

// line opens the pin of a key.
func (b *Board) line(key string, pin boards.Pin) (gpio.PinIO, error) {
	line, err := b.host.Line(pin)
	if err != nil {
		return nil, b.profile.At(key, err)
	}
	if c, ok := line.(interface{ Close() }); ok {
		b.closers = append(b.closers, closer(c.Close))
	}
	return line, nil
}

type closer func()

func (c closer) Close() error { c(); return nil }

func (b *Board) openLamp() error {
	l := b.profile.Lamp
	switch {
	case l == nil:
		return nil
	case l.Kind == "pwm":
		root, err := b.pwmChip(l.PWM)
		if err != nil {
			return b.profile.At("lamp.pwm", err)
		}
		b.closers = append(b.closers, root)
		b.actuator().Lamp = daynight.NewPWMLamp(root, l.PWM.Channel, l.Period.Duration, l.ActiveLow)
		return nil
	}
	pin, err := b.line("lamp.pin", l.Pin)
	if err != nil {
		return err
	}
	b.actuator().Lamp = &daynight.PinLamp{Pin: pin, On: gpio.Level(!l.ActiveLow)}
	return nil
}

func (b *Board) openFilter() error {
	f := b.profile.Filter
	if f == nil {
		return nil
	}
	pins := map[string]gpio.PinIO{}
	for key, pin := range map[string]boards.Pin{"pin": f.Pin, "day": f.Day, "night": f.Night, "direction": f.Direction, "enable": f.Enable} {
		if pin.IsZero() {
			continue
		}
		line, err := b.line("filter."+key, pin)
		if err != nil {
			return err
		}
		pins[key] = line
	}
	day, active := gpio.Level(f.DayHigh), gpio.Level(!f.ActiveLow)
	switch f.Kind {
	case "level":
		b.actuator().Filter = &daynight.LevelFilter{Pin: pins["pin"], Day: day}
	case "coil":
		b.actuator().Filter = &daynight.CoilFilter{Day: pins["day"], Night: pins["night"], Active: active, Pulse: f.Pulse.Duration, Sleep: time.Sleep}
	case "bridge":
		b.actuator().Filter = &daynight.BridgeFilter{Direction: pins["direction"], Enable: pins["enable"], Day: day, Active: active, Pulse: f.Pulse.Duration, Sleep: time.Sleep}
	}
	return nil
}

func (b *Board) openStatus() error {
	s := b.profile.Status
	switch {
	case s == nil:
		return nil
	case s.Kind == "led":
		light, err := openLED(filepath.Join(b.host.Sys(), "class", "leds"), s.LED)
		if err != nil {
			return b.profile.At("status.led", err)
		}
		b.closers = append(b.closers, light.root)
		b.Status = light
		return nil
	}
	pin, err := b.line("status.pin", s.Pin)
	if err != nil {
		return err
	}
	b.Status = &Light{pin: pin, on: gpio.Level(!s.ActiveLow)}
	return nil
}

func (b *Board) openButton() error {
	cfg := b.profile.Button
	if cfg == nil {
		return nil
	}
	pin, err := b.line("button.pin", cfg.Pin)
	if err != nil {
		return err
	}
	pull := map[string]gpio.Pull{"up": gpio.PullUp, "down": gpio.PullDown, "none": gpio.PullNoChange}[cfg.Pull]
	if err := pin.In(pull, gpio.NoEdge); err != nil {
		return b.profile.At("button.pin", err)
	}
	b.Button = &Button{pin: pin, Pressed: gpio.Level(!cfg.ActiveLow), Long: cfg.Long.Duration, Reset: cfg.Reset.Duration}
	return nil
}

func (b *Board) openAmbient() error {
	a := b.profile.Ambient
	if a == nil {
		return nil
	}
	devices := os.DirFS(filepath.Join(b.host.Sys(), "bus", "iio", "devices"))
	var err error
	switch a.Kind {
	case "iio":
		b.Ambient, err = noTyped(daynight.OpenIIO(devices, a.Device))
	case "adc":
		b.Ambient, err = noTyped(daynight.OpenADC(devices, a.Device, a.Channel, a.Dark))
	default:
		err = b.openI2C(a)
	}
	if err != nil {
		b.Ambient = nil
		return b.profile.At("ambient", err)
	}
	return nil
}

func (b *Board) openI2C(a *boards.Ambient) error {
	bus, err := b.host.Bus(a.Bus)
	if err != nil {
		return err
	}
	b.closers = append(b.closers, bus)
	addr := uint16(a.Address)
	switch a.Kind {
	case "bh1750":
		b.Ambient, err = noTyped(daynight.NewBH1750(bus, addr))
	case "tsl2561":
		b.Ambient, err = noTyped(daynight.NewTSL2561(bus, addr))
	case "tsl2591":
		b.Ambient, err = noTyped(daynight.NewTSL2591(bus, addr))
	case "veml7700":
		b.Ambient, err = noTyped(daynight.NewVEML7700(bus, addr))
	}
	return err
}

// noTyped keeps a nil sensor of some type from becoming an Ambient that is not nil.
func noTyped[T daynight.Ambient](s T, err error) (daynight.Ambient, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// pwmChip opens the directory of a PWM chip, which goes by its own name or by
// the device behind it.
func (b *Board) pwmChip(p boards.PWM) (*os.Root, error) {
	class := filepath.Join(b.host.Sys(), "class", "pwm")
	entries, err := os.ReadDir(class)
	if err != nil {
		return nil, fmt.Errorf("no PWM on this machine: %w", err)
	}
	var have []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "pwmchip") {
			continue
		}
		device, _ := os.Readlink(filepath.Join(class, e.Name(), "device"))
		device = filepath.Base(device)
		if p.Chip == e.Name() || p.Chip == device {
			return os.OpenRoot(filepath.Join(class, e.Name()))
		}
		have = append(have, fmt.Sprintf("%s (%s)", device, e.Name()))
	}
	if len(have) == 0 {
		return nil, errors.New("this machine has no PWM chip: is the overlay of the profile's setup loaded?")
	}
	return nil, fmt.Errorf("there is no PWM chip %q: this machine has %s", p.Chip, strings.Join(have, ", "))
}
