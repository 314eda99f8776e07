package daynight

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"
)

// PWMLamp is a lamp behind a PWM channel of the kernel: the five files of
// https://docs.kernel.org/driver-api/pwm.html below one pwmchip directory.
type PWMLamp struct {
	chip     *os.Root
	channel  int
	period   time.Duration
	inverted bool
	ready    bool
}

// NewPWMLamp takes the directory of a chip, as /sys/class/pwm/pwmchip0, a
// channel of it and the period. Inverted is for lamps that a low level lights. The lamp
// belongs to the caller until the first Set; closing chip stays the caller's.
func NewPWMLamp(chip *os.Root, channel int, period time.Duration, inverted bool) *PWMLamp {
	return &PWMLamp{chip: chip, channel: channel, period: period, inverted: inverted}
}

// Dims says yes.
func (l *PWMLamp) Dims() bool { return true }

// Set sets the share of the period for which the lamp is lit. The channel stays
// enabled at power 0: what a disabled channel does to its pin is the driver's
// choice, and might be a lit lamp.
func (l *PWMLamp) Set(power float64) error {
	if !l.ready {
		if err := l.prepare(); err != nil {
			return err
		}
		l.ready = true
	}
	lit := time.Duration(bounded(power, 1) * float64(l.period))
	if l.inverted {
		lit = l.period - lit
	}
	if err := l.write("duty_cycle", strconv.FormatInt(lit.Nanoseconds(), 10)); err != nil {
		l.ready = false
		return err
	}
	return nil
}

// prepare exports the channel if it is not, and enables it dark. Inversion is
// done with the duty, because not every driver knows polarity.
func (l *PWMLamp) prepare() error {
	if l.period < time.Microsecond || l.period > time.Second {
		return fmt.Errorf("pwm period of %v: expected 1 µs to 1 s", l.period)
	}
	if _, err := l.chip.Stat(l.file("period")); errors.Is(err, fs.ErrNotExist) {
		if err := l.store("export", strconv.Itoa(l.channel)); err != nil {
			return fmt.Errorf("%w (the chip has %s)", err, l.channels())
		}
	}
	period := strconv.FormatInt(l.period.Nanoseconds(), 10)
	dark := "0"
	if l.inverted {
		dark = period
	}
	// A duty longer than the period is refused, so an old one goes first.
	if err := l.write("duty_cycle", "0"); err != nil && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	for _, w := range [][2]string{{"period", period}, {"duty_cycle", dark}, {"enable", "1"}} {
		if err := l.write(w[0], w[1]); err != nil {
			return err
		}
	}
	return nil
}

// channels says for an error what the chip offers.
func (l *PWMLamp) channels() string {
	n, err := l.chip.ReadFile("npwm")
	if err != nil {
		return "no readable number of channels"
	}
	return string(bytes.TrimSpace(n)) + " channels, counted from 0"
}

func (l *PWMLamp) file(name string) string { return fmt.Sprintf("pwm%d/%s", l.channel, name) }

func (l *PWMLamp) write(name, value string) error { return l.store(l.file(name), value) }

// store writes one value into an existing file. Sysfs wants a single write and
// no truncation.
func (l *PWMLamp) store(path, value string) error {
	f, err := l.chip.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("pwm: %w", err)
	}
	_, err = f.WriteString(value)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("pwm: writing %s: %w", value, err)
	}
	return nil
}
