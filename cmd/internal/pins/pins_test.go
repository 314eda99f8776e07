package pins

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/sealcam/sealcam/boards"
	"github.com/sealcam/sealcam/capture/daynight"
)

// machine is a Host of gpiotest pins, a played back bus and a sysfs in a
// temporary directory.
type machine struct {
	lines map[string]*line
	bus   *i2ctest.Playback
	sys   string
}

type line struct {
	gpiotest.Pin
	outs   []gpio.Level
	closed bool
}

func (l *line) Out(level gpio.Level) error { l.outs = append(l.outs, level); return l.Pin.Out(level) }
func (l *line) Close()                     { l.closed = true }

func (m *machine) Line(p boards.Pin) (gpio.PinIO, error) {
	if l, ok := m.lines[p.String()]; ok {
		return l, nil
	}
	return nil, fmt.Errorf("there is no chip %q: this machine has pio (gpiochip0, 8 lines)", p.Chip)
}

type closingBus struct{ *i2ctest.Playback }

func (m *machine) Bus(path string) (i2c.BusCloser, error) {
	if m.bus == nil {
		return nil, fmt.Errorf("bus %s: no such bus", path)
	}
	return closingBus{m.bus}, nil
}

func (m *machine) Sys() string { return m.sys }

func newMachine(t *testing.T, names ...string) *machine {
	t.Helper()
	m := &machine{lines: map[string]*line{}, sys: t.TempDir()}
	for _, n := range names {
		m.lines[n] = &line{Pin: gpiotest.Pin{N: n}}
	}
	return m
}

func (m *machine) write(t *testing.T, name, content string) {
	t.Helper()
	file := filepath.Join(m.sys, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(m.sys, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func profile(t *testing.T, text string) *boards.Profile {
	t.Helper()
	p, err := boards.Parse("test.toml", []byte("title = \"Test\"\ntried = \"nothing\"\nwiring = \"fixed\"\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const coilBoard = `
[filter]
kind = "coil"
day = "pio:0"
night = "pio:1"
pulse = "10ms"
[lamp]
kind = "pin"
pin = "pio:2"
active_low = true
[status]
kind = "pin"
pin = "pio:3"
[button]
pin = "pio:4"
active_low = true
pull = "up"
`

var quiet = slog.New(slog.DiscardHandler)

func TestOpenParks(t *testing.T) {
	m := newMachine(t, "pio:0", "pio:1", "pio:2", "pio:3", "pio:4")
	b, err := Open(profile(t, coilBoard), m, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Faults) != 0 || b.Ambient != nil || b.Button == nil || !b.Actuator.HasFilter() || !b.Actuator.HasLamp() || b.Actuator.Dims() {
		t.Errorf("%+v", b)
	}
	parked := map[string]gpio.Level{"pio:0": gpio.Low, "pio:1": gpio.Low, "pio:2": gpio.High, "pio:3": gpio.Low}
	check := func(when string) {
		t.Helper()
		for name, want := range parked {
			if l := m.lines[name]; len(l.outs) == 0 || l.L != want {
				t.Errorf("%s: %s is %v after %v, expected %v", when, name, l.L, l.outs, want)
			}
		}
	}
	check("opened")
	if m.lines["pio:4"].P != gpio.PullUp {
		t.Error("the button has no pull-up")
	}
	if err := errors.Join(b.Actuator.Apply(daynight.Action{Filter: daynight.FilterNight, Lamp: 1}), b.Status.Set(true)); err != nil {
		t.Fatal(err)
	}
	if m.lines["pio:2"].L != gpio.Low || m.lines["pio:3"].L != gpio.High {
		t.Error("the lamp or the status light is not lit")
	}
	if got := fmt.Sprint(m.lines["pio:1"].outs[len(m.lines["pio:1"].outs)-3:]); got != "[Low High Low]" {
		t.Errorf("the coil saw %s", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	check("closed")
	for name, l := range m.lines {
		if !l.closed {
			t.Errorf("%s was not given back", name)
		}
	}
}

func TestOpenNothing(t *testing.T) {
	p, err := boards.Named(boards.None)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(p, nil, quiet)
	if err != nil || b.Actuator != nil || b.Button != nil {
		t.Errorf("%+v, %v", b, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// A pin that is not there is told with its line in the profile, and what was
// opened before is parked and given back.
func TestOpenRefuses(t *testing.T) {
	m := newMachine(t, "pio:0", "pio:2")
	_, err := Open(profile(t, coilBoard), m, quiet)
	if err == nil || !strings.Contains(err.Error(), `test.toml:8:1: filter.night: there is no chip "pio": this machine has pio (gpiochip0, 8 lines)`) {
		t.Errorf("a missing pin: %v", err)
	}
	if l := m.lines["pio:2"]; !l.closed || l.L != gpio.High {
		t.Errorf("the lamp was left at %v, given back %v", l.L, l.closed)
	}
}

func TestPWMAndLED(t *testing.T) {
	m := newMachine(t)
	m.write(t, "class/pwm/pwmchip2/npwm", "2\n")
	for _, f := range []string{"period", "duty_cycle", "enable"} {
		m.write(t, "class/pwm/pwmchip2/pwm0/"+f, "")
	}
	if err := os.Symlink("../../../devices/platform/fe20c000.pwm", filepath.Join(m.sys, "class/pwm/pwmchip2/device")); err != nil {
		t.Fatal(err)
	}
	m.write(t, "class/leds/ACT/trigger", "mmc0")
	m.write(t, "class/leds/ACT/brightness", "   ")
	m.write(t, "class/leds/ACT/max_brightness", "255\n")
	const text = "[lamp]\nkind = \"pwm\"\npwm = \"%s:0\"\nperiod = \"40us\"\n[status]\nkind = \"led\"\nled = \"%s\"\n"
	b, err := Open(profile(t, fmt.Sprintf(text, "fe20c000.pwm", "ACT")), m, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.read(t, "class/leds/ACT/trigger"); got != "none" {
		t.Errorf("trigger %q", got)
	}
	if err := errors.Join(b.Actuator.Apply(daynight.Action{Filter: daynight.FilterNight, Lamp: 0.5}), b.Status.Set(true)); err != nil {
		t.Fatal(err)
	}
	if got := m.read(t, "class/pwm/pwmchip2/pwm0/duty_cycle"); got != "20000" {
		t.Errorf("duty %q", got)
	}
	if got := m.read(t, "class/leds/ACT/brightness"); got != "255" {
		t.Errorf("brightness %q", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := m.read(t, "class/leds/ACT/brightness"); got != "055" { // no truncation in this fake: "0" over "255"
		t.Errorf("brightness %q after Close", got)
	}
	for _, tt := range []struct{ pwm, led, want string }{
		{"3f20c000.pwm", "ACT", `lamp.pwm: there is no PWM chip "3f20c000.pwm": this machine has fe20c000.pwm (pwmchip2)`},
	} {
		if _, err := Open(profile(t, fmt.Sprintf(text, tt.pwm, tt.led)), m, quiet); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, expected %q", err, tt.want)
		}
	}
	// A camera without its status light takes pictures, and says what is missing.
	dark, err := Open(profile(t, fmt.Sprintf(text, "pwmchip2", "PWR")), m, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if want := `status.led: there is no light "PWR": this machine has ACT`; len(dark.Faults) != 1 || !strings.Contains(dark.Faults[0], want) {
		t.Errorf("faults %q, expected %q", dark.Faults, want)
	}
	if err := dark.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(profile(t, fmt.Sprintf(text, "pwmchip0", "ACT")), newMachine(t), quiet); err == nil || !strings.Contains(err.Error(), "no PWM on this machine") {
		t.Errorf("no PWM at all: %v", err)
	}
}

// A light sensor that is missing is a fault, and no reason not to run.
func TestAmbient(t *testing.T) {
	m := newMachine(t)
	m.write(t, "bus/iio/devices/iio:device0/name", "veml7700\n")
	m.write(t, "bus/iio/devices/iio:device0/in_illuminance_input", "17\n")
	m.write(t, "bus/iio/devices/iio:device0/in_voltage1_raw", "900\n")
	m.bus = &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
		{Addr: 0x23, W: []byte{1}}, {Addr: 0x23, W: []byte{0x11}}, {Addr: 0x23, R: []byte{0, 24}},
	}}
	for text, want := range map[string]float64{
		"kind = \"iio\"": 17,
		"kind = \"adc\"\ndevice = \"veml7700\"\nchannel = 1\nday = 5": 900,
		"kind = \"bh1750\"\nbus = \"/dev/i2c-1\"":                     10,
	} {
		b, err := Open(profile(t, "[ambient]\n"+text), m, quiet)
		if err != nil || b.Ambient == nil {
			t.Errorf("%s: %v, faults %q", text, err, b.Faults)
			continue
		}
		if v, err := b.Ambient.Read(); err != nil || v != want {
			t.Errorf("%s reads %g, %v", text, v, err)
		}
	}
	for _, kind := range []string{"tsl2561", "tsl2591", "veml7700", "bh1750"} {
		var log bytes.Buffer
		b, err := Open(profile(t, "[ambient]\nkind = \""+kind+"\"\nbus = \"/dev/i2c-1\""), m, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil || b.Ambient != nil || len(b.Faults) != 1 || !strings.Contains(b.Faults[0], "does not answer") || !strings.Contains(log.String(), "does not answer") {
			t.Errorf("%s on a dead bus: %+v, %v", kind, b, err)
		}
	}
	m.bus = nil
	if b, err := Open(profile(t, "[ambient]\nkind = \"bh1750\"\nbus = \"/dev/i2c-1\""), m, quiet); err != nil || len(b.Faults) != 1 || !strings.Contains(b.Faults[0], "no such bus") {
		t.Errorf("no bus: %+v, %v", b, err)
	}
}

// press plays levels at 20 ms each and returns what was told.
func press(b *Button, levels string) (told []Press) {
	now := time.Unix(1000, 0)
	for _, c := range levels {
		if p := b.Look(c == '1', now); p != NoPress {
			told = append(told, p)
		}
		now = now.Add(20 * time.Millisecond)
	}
	return told
}

func TestButton(t *testing.T) {
	for _, tt := range []struct {
		name, levels string
		want         []Press
	}{
		{"nothing", strings.Repeat("0", 50), nil},
		{"short", "0" + strings.Repeat("1", 10) + "00000", []Press{ShortPress}},
		{"bouncing", "0101101" + strings.Repeat("1", 10) + "0101000000", []Press{ShortPress}},
		{"a spike", "0000011000000", nil},
		{"long", "0" + strings.Repeat("1", 60) + "00000", []Press{LongPress}},
		{"long, still held", "0" + strings.Repeat("1", 60), []Press{LongPress}},
		{"reset", "0" + strings.Repeat("1", 250) + "00000", []Press{LongPress, ResetPress}},
		{"twice", "0" + strings.Repeat("1", 10) + "00000" + strings.Repeat("1", 10) + "00000", []Press{ShortPress, ShortPress}},
		{"stuck since power-on", strings.Repeat("1", 500), nil},
		{"stuck, then used", strings.Repeat("1", 500) + "00000" + strings.Repeat("1", 10) + "00000", []Press{ShortPress}},
	} {
		b := &Button{Pressed: gpio.High, Long: time.Second, Reset: 4 * time.Second}
		if got := press(b, tt.levels); fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %v, expected %v", tt.name, got, tt.want)
		}
	}
}

func TestButtonRun(t *testing.T) {
	pin := &gpiotest.Pin{N: "b"}
	b := &Button{pin: pin, Pressed: gpio.High, Long: 100 * time.Millisecond, Reset: time.Hour}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	presses := make(chan Press)
	done := make(chan error)
	go func() {
		done <- b.Run(ctx, func(p Press) {
			select {
			case presses <- p:
			case <-ctx.Done():
			}
		})
	}()
	// The button has to be seen released before it counts.
	for p := NoPress; p == NoPress; {
		pin.Out(gpio.Low)
		time.Sleep(2 * PollEvery)
		pin.Out(gpio.High)
		select {
		case p = <-presses:
		case <-time.After(time.Second):
		case <-ctx.Done():
			t.Fatal("no press was told")
		}
		if p != NoPress && p != LongPress {
			t.Fatalf("told %v", p)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// System works on a machine with no pins, and standard input survives it.
func TestSystem(t *testing.T) {
	h, err := System(quiet)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Line(boards.Pin{Chip: "no-such-chip", Line: 1}); err == nil {
		t.Error("a line of a chip that does not exist")
	}
	if _, err := h.Line(boards.Pin{Name: "no-such-line"}); err == nil {
		t.Error("a line of no name")
	}
	if _, err := h.Bus("/dev/i2c-99"); err == nil || !strings.Contains(err.Error(), "/dev/i2c-99") {
		t.Errorf("a bus that does not exist: %v", err)
	}
	if h.Sys() != "/sys" {
		t.Error(h.Sys())
	}
	if _, err := os.Stdin.Stat(); err != nil {
		t.Errorf("standard input: %v", err)
	}
}
