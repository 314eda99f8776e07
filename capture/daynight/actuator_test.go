package daynight_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"github.com/sealcam/sealcam/capture/daynight"
)

// journal is what happened at pins, in order.
type journal struct{ lines []string }

func (j *journal) add(format string, a ...any) { j.lines = append(j.lines, fmt.Sprintf(format, a...)) }

func (j *journal) take() string {
	s := strings.Join(j.lines, " ")
	j.lines = nil
	return s
}

// pin is a gpiotest pin that tells the journal, and fails when it is told to.
type pin struct {
	gpiotest.Pin
	j    *journal
	fail error
}

func newPin(j *journal, name string) *pin { return &pin{Pin: gpiotest.Pin{N: name}, j: j} }

func (p *pin) Out(l gpio.Level) error {
	if p.fail != nil {
		p.j.add("%s!", p.N)
		return p.fail
	}
	p.j.add("%s=%d", p.N, map[gpio.Level]int{gpio.Low: 0, gpio.High: 1}[l])
	return p.Pin.Out(l)
}

func (j *journal) sleep(d time.Duration) { j.add("%v", d) }

func TestLevelFilter(t *testing.T) {
	var j journal
	f := &daynight.LevelFilter{Pin: newPin(&j, "f"), Day: gpio.High}
	for _, to := range []daynight.Filter{daynight.FilterDay, daynight.FilterNight, daynight.FilterNight} {
		if err := f.Move(to); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := j.take(), "f=1 f=0 f=0"; got != want {
		t.Errorf("pin saw %q, expected %q", got, want)
	}
}

func TestCoilFilter(t *testing.T) {
	var j journal
	a, b := newPin(&j, "a"), newPin(&j, "b")
	f := &daynight.CoilFilter{Day: a, Night: b, Active: gpio.High, Pulse: 60 * time.Millisecond, Sleep: j.sleep}
	if err := f.Move(daynight.FilterNight); err != nil {
		t.Fatal(err)
	}
	if got, want := j.take(), "a=0 b=0 b=1 60ms a=0 b=0"; got != want {
		t.Errorf("to night: %q, expected %q", got, want)
	}
	if err := f.Move(daynight.FilterDay); err != nil {
		t.Fatal(err)
	}
	if got, want := j.take(), "a=0 b=0 a=1 60ms a=0 b=0"; got != want {
		t.Errorf("to day: %q, expected %q", got, want)
	}
	f.Active = gpio.Low
	if err := f.Move(daynight.FilterDay); err != nil {
		t.Fatal(err)
	}
	if got, want := j.take(), "a=1 b=1 a=0 60ms a=1 b=1"; got != want {
		t.Errorf("active low: %q, expected %q", got, want)
	}
	f.Active = gpio.High
	b.fail = errors.New("busy")
	if err := f.Move(daynight.FilterDay); !errors.Is(err, b.fail) {
		t.Errorf("a pin that fails: %v", err)
	}
	if got := j.take(); strings.Contains(got, "a=1") {
		t.Errorf("pulsed although the other pin could not be idled: %q", got)
	}
	b.fail = nil
	for _, pulse := range []time.Duration{0, -1, time.Second} {
		f.Pulse = pulse
		if err := f.Move(daynight.FilterDay); err == nil || !strings.Contains(err.Error(), "at most 500ms") {
			t.Errorf("pulse of %v: %v", pulse, err)
		}
		if got := j.take(); got != "" {
			t.Errorf("pulse of %v: %q", pulse, got)
		}
	}
}

func TestBridgeFilter(t *testing.T) {
	var j journal
	f := &daynight.BridgeFilter{Direction: newPin(&j, "d"), Enable: newPin(&j, "e"), Day: gpio.High, Active: gpio.High, Pulse: 20 * time.Millisecond, Sleep: j.sleep}
	for _, tt := range []struct {
		to   daynight.Filter
		want string
	}{
		{daynight.FilterDay, "e=0 d=1 e=1 20ms e=0 d=0"},
		{daynight.FilterNight, "e=0 d=0 e=1 20ms e=0 d=0"},
	} {
		if err := f.Move(tt.to); err != nil {
			t.Fatal(err)
		}
		if got := j.take(); got != tt.want {
			t.Errorf("to %v: %q, expected %q", tt.to, got, tt.want)
		}
	}
}

func TestActuator(t *testing.T) {
	var j journal
	lamp := newPin(&j, "l")
	coilA, coilB := newPin(&j, "a"), newPin(&j, "b")
	a := &daynight.Actuator{
		Filter: &daynight.CoilFilter{Day: coilA, Night: coilB, Active: gpio.High, Pulse: 50 * time.Millisecond, Sleep: j.sleep},
		Lamp:   &daynight.PinLamp{Pin: lamp, On: gpio.High},
	}
	if !a.HasFilter() || !a.HasLamp() || a.Dims() {
		t.Errorf("filter %v, lamp %v, dims %v", a.HasFilter(), a.HasLamp(), a.Dims())
	}
	day := daynight.Action{Filter: daynight.FilterDay}
	night := daynight.Action{Filter: daynight.FilterNight, Lamp: 1}
	steps := []struct {
		name string
		do   func() error
		want string
	}{
		{"park", a.Park, "l=0 a=0 b=0"},
		{"first day", func() error { return a.Apply(day) }, "l=0 a=0 b=0 a=1 50ms a=0 b=0 l=0"},
		{"still day", func() error { return a.Apply(day) }, ""},
		{"night", func() error { return a.Apply(night) }, "l=0 a=0 b=0 b=1 50ms a=0 b=0 l=1"},
		{"still night", func() error { return a.Apply(night) }, ""},
		{"probe", func() error { return a.Apply(daynight.Action{Filter: daynight.FilterNight}) }, "l=0"},
		{"lit again", func() error { return a.Apply(night) }, "l=1"},
		{"camera gone", a.Off, "l=0"},
		{"camera back", func() error { return a.Apply(night) }, "l=0 a=0 b=0 b=1 50ms a=0 b=0 l=1"},
		{"exit", a.Park, "l=0 a=0 b=0"},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if got := j.take(); got != s.want {
			t.Errorf("%s: %q, expected %q", s.name, got, s.want)
		}
	}

	// A coil that cannot be driven leaves the lamp off, and is tried again.
	broken := errors.New("line is busy")
	coilB.fail = broken
	if err := a.Apply(night); !errors.Is(err, broken) || !strings.Contains(err.Error(), "infrared cut filter") {
		t.Errorf("a broken coil: %v", err)
	}
	if lamp.L != gpio.Low || a.Power() != 0 {
		t.Error("the lamp is lit although the filter could not be moved")
	}
	coilB.fail = nil
	j.take()
	if err := a.Apply(night); err != nil {
		t.Fatal(err)
	}
	if got := j.take(); !strings.HasSuffix(got, "b=1 50ms a=0 b=0 l=1") {
		t.Errorf("after the coil works again: %q", got)
	}

	// A lamp that cannot be driven is told apart.
	lamp.fail = errors.New("no")
	if err := a.Apply(daynight.Action{Filter: daynight.FilterNight}); err == nil || !strings.Contains(err.Error(), "infrared lamp") {
		t.Errorf("a broken lamp: %v", err)
	}

	// Nor is a lamp left half lit that failed while it was put on.
	half := &failing{on: errors.New("duty refused")}
	b := &daynight.Actuator{Lamp: half}
	if err := b.Apply(night); !errors.Is(err, half.on) || half.last != 0 || half.calls != 2 {
		t.Errorf("%v, last power %g after %d calls", err, half.last, half.calls)
	}

	// A camera with nothing to drive.
	var none *daynight.Actuator
	if err := errors.Join(none.Apply(night), none.Off(), none.Park()); err != nil || none.HasFilter() || none.HasLamp() || none.Dims() || none.Power() != 0 {
		t.Errorf("a nil actuator: %v", err)
	}
}

// failing is a lamp that can only be put off.
type failing struct {
	on    error
	last  float64
	calls int
}

func (f *failing) Set(power float64) error {
	f.last = power
	if f.calls++; power > 0 {
		return f.on
	}
	return nil
}

func (*failing) Dims() bool { return false }

// pwmTree is a pwmchip directory with one exported channel.
func pwmTree(t *testing.T) (dir string, root *os.Root) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "pwm1"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"export", "pwm1/period", "pwm1/duty_cycle", "pwm1/enable"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "npwm"), []byte("4\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return dir, root
}

// last returns the last n bytes of a file: the fake does not forget what a
// value before was, as sysfs would.
func value(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	// The files are written from their start without truncation, like sysfs, so
	// a shorter value leaves a tail: clear them between steps.
	if err := os.Truncate(filepath.Join(dir, name), 0); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPWMLamp(t *testing.T) {
	dir, root := pwmTree(t)
	l := daynight.NewPWMLamp(root, 1, 50*time.Microsecond, false)
	if !l.Dims() {
		t.Error("a PWM lamp does not dim")
	}
	if err := l.Set(0); err != nil {
		t.Fatal(err)
	}
	if p, d, e := value(t, dir, "pwm1/period"), value(t, dir, "pwm1/duty_cycle"), value(t, dir, "pwm1/enable"); p != "50000" || d != "0" || e != "1" {
		t.Errorf("after 0: period %q, duty %q, enable %q", p, d, e)
	}
	for _, tt := range []struct {
		power float64
		want  string
	}{{1, "50000"}, {0.3, "15000"}, {7, "50000"}, {-1, "0"}} {
		if err := l.Set(tt.power); err != nil {
			t.Fatal(err)
		}
		if d := value(t, dir, "pwm1/duty_cycle"); d != tt.want {
			t.Errorf("after %g: duty %q, expected %q", tt.power, d, tt.want)
		}
	}
	if e := value(t, dir, "pwm1/enable"); e != "" {
		t.Errorf("enable was written again: %q", e)
	}

	inverted := daynight.NewPWMLamp(root, 1, 50*time.Microsecond, true)
	if err := inverted.Set(0); err != nil {
		t.Fatal(err)
	}
	if d := value(t, dir, "pwm1/duty_cycle"); d != "50000" {
		t.Errorf("an inverted lamp at 0: duty %q, expected the whole period", d)
	}

	missing := daynight.NewPWMLamp(root, 3, 50*time.Microsecond, false)
	if err := missing.Set(1); err == nil || !strings.Contains(err.Error(), "pwm3") {
		t.Errorf("a channel that export does not bring: %v", err)
	}
	if x := value(t, dir, "export"); x != "3" {
		t.Errorf("export saw %q", x)
	}
	for _, period := range []time.Duration{0, time.Minute} {
		if err := daynight.NewPWMLamp(root, 1, period, false).Set(1); err == nil || !strings.Contains(err.Error(), "expected 1 µs to 1 s") {
			t.Errorf("period of %v: %v", period, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "export")); err != nil {
		t.Fatal(err)
	}
	if err := missing.Set(1); err == nil || !strings.Contains(err.Error(), "4 channels") {
		t.Errorf("no export: %v", err)
	}
}

func TestPinLamp(t *testing.T) {
	var j journal
	l := &daynight.PinLamp{Pin: newPin(&j, "l"), On: gpio.Low}
	for _, p := range []float64{0, 0.1, 1, 0} {
		if err := l.Set(p); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := j.lines, []string{"l=1", "l=0", "l=0", "l=1"}; !slices.Equal(got, want) {
		t.Errorf("an active-low lamp saw %q, expected %q", got, want)
	}
}
