package daynight_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
)

// ambient is a sensor with public fields.
type ambient struct {
	v   float64
	err error
	n   int
}

func (a *ambient) Read() (float64, error) { a.n++; return a.v, a.err }

// stage is a Part on fakes: a lamp, a level filter, a scene at 10 frames a second.
type stage struct {
	part   *daynight.Part
	j      journal
	lamp   *pin
	filter *pin
	sensor ambient
	level  uint8
	frame  capture.Frame
	trace  keep
	log    bytes.Buffer
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{}
	s.lamp, s.filter = newPin(&s.j, "l"), newPin(&s.j, "f")
	part, err := daynight.NewPart(daynight.PartConfig{
		Actuator: &daynight.Actuator{Lamp: &daynight.PinLamp{Pin: s.lamp, On: gpio.High}, Filter: &daynight.LevelFilter{Pin: s.filter, Day: gpio.High}},
		Ambient:  &s.sensor,
		Trace:    &daynight.Recorder{Open: s.trace.open},
		Log:      slog.New(slog.NewTextHandler(&s.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.part = part
	return s
}

var noon = time.Date(2026, 6, 21, 12, 0, 0, 0, time.UTC)

func (s *stage) pass(d time.Duration) (lights []capture.Light) {
	for end := s.frame.Mono + d; s.frame.Mono < end; s.frame.Mono += 100 * time.Millisecond {
		l := s.part.Step(s.frame.Mono, noon, luma(32, 18, func(int, int) uint8 { return s.level }))
		if len(lights) == 0 || lights[len(lights)-1] != l {
			lights = append(lights, l)
		}
	}
	return lights
}

func TestPart(t *testing.T) {
	s := newStage(t)
	if got := s.j.take(); got != "l=0" {
		t.Errorf("before the first frame: %q, expected the lamp off", got)
	}
	s.level = 120
	if lights := s.pass(20 * time.Second); len(lights) != 2 || lights[0] != capture.LightSwitching || lights[1] != capture.LightDay {
		t.Errorf("a bright scene: %v", lights)
	}
	if got := s.j.take(); got != "l=0 f=1 l=0" {
		t.Errorf("a bright scene: %q", got)
	}
	s.level = 3
	lights := s.pass(60 * time.Second)
	if len(lights) != 3 || lights[1] != capture.LightSwitching || lights[2] != capture.LightNight {
		t.Errorf("a dark scene: %v", lights)
	}
	if got := s.j.take(); got != "l=0 f=0 l=1" {
		t.Errorf("a dark scene: %q", got)
	}
	if n := s.sensor.n; n < 60 || n > 120 {
		t.Errorf("the sensor was read %d times in 80 s, expected about once a second", n)
	}
	if act := s.part.Action(); act.Reason == "" || s.part.Light() != capture.LightNight {
		t.Errorf("%+v", act)
	}
	// This lamp lights nothing, which status has to say.
	if f := s.part.Faults(); len(f) != 1 || !strings.Contains(f[0], "does not brighten") {
		t.Errorf("faults: %q", f)
	}

	// The camera is gone: no lamp burns. It comes back counting from 0.
	s.part.Lost()
	if got := s.j.take(); got != "l=0" {
		t.Errorf("a camera that is gone: %q", got)
	}
	s.frame.Mono = 0
	if lights := s.pass(time.Minute); lights[0] != capture.LightSwitching || lights[len(lights)-1] != capture.LightNight {
		t.Errorf("a camera that is back: %v", lights)
	}
	if got := s.j.take(); got != "l=0 f=0 l=0 l=1" {
		t.Errorf("a camera that is back: %q", got)
	}

	// A pin that fails is told, once in the log, and the lamp is off.
	s.filter.fail = errors.New("line is busy")
	if err := s.part.SetMode(daynight.Day, daynight.Span{}); err != nil {
		t.Fatal(err)
	}
	s.log.Reset()
	s.pass(10 * time.Second)
	if s.lamp.L != gpio.Low {
		t.Error("the lamp is lit")
	}
	if f := strings.Join(s.part.Faults(), "\n"); !strings.Contains(f, "infrared cut filter: line is busy") {
		t.Errorf("faults: %q", f)
	}
	if n := strings.Count(s.log.String(), "line is busy"); n != 1 {
		t.Errorf("told %d times in the log", n)
	}
	s.filter.fail = nil
	s.j.take()
	s.pass(5 * time.Second)
	if f := strings.Join(s.part.Faults(), "\n"); strings.Contains(f, "busy") || s.filter.L != gpio.High {
		t.Errorf("after the pin works again: %q, filter %v", f, s.filter.L)
	}

	s.lamp.L = gpio.High
	if err := s.part.Close(); err != nil {
		t.Fatal(err)
	}
	if s.lamp.L != gpio.Low {
		t.Error("the lamp is lit after Close")
	}

	// The trace of all this replays.
	n := 0
	if _, err := daynight.Replay(bytes.NewReader(s.trace.files[0].Bytes()), func(r daynight.Replayed) error {
		if n++; !r.Same() {
			return errors.New("a step is decided differently: " + r.Now.Reason + ", was " + r.Recorded.Reason)
		}
		return nil
	}); err != nil || n < 100 {
		t.Errorf("replay: %d steps, %v", n, err)
	}
}

// A camera on a desk: nothing to drive, no sensor, no exposure.
func TestPartOfUSBWebcam(t *testing.T) {
	part, err := daynight.NewPart(daynight.PartConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	var mono time.Duration
	step := func(level uint8, d time.Duration) (l capture.Light) {
		for end := mono + d; mono < end; mono += 50 * time.Millisecond {
			raw := luma(32, 18, func(int, int) uint8 { return level })
			raw.Limited = true
			l = part.Step(mono, time.Unix(0, 0), raw)
		}
		return l
	}
	if l := step(130, 10*time.Second); l != capture.LightDay {
		t.Errorf("bright: %v", l)
	}
	if l := step(20, 20*time.Second); l != capture.LightNight { // 20 is almost black where black is 16
		t.Errorf("dark: %v", l)
	}
	if l := step(130, 5*time.Minute); l != capture.LightDay {
		t.Errorf("bright again: %v", l)
	}
	if f := part.Faults(); len(f) != 0 {
		t.Errorf("faults: %q", f)
	}
}

func TestPartRefusesConfig(t *testing.T) {
	if _, err := daynight.NewPart(daynight.PartConfig{Controller: daynight.Config{Dark: 300}}); err == nil {
		t.Error("a wrong configuration was taken")
	}
	stuck := newPin(&journal{}, "l")
	stuck.fail = errors.New("no such line")
	if _, err := daynight.NewPart(daynight.PartConfig{Actuator: &daynight.Actuator{Lamp: &daynight.PinLamp{Pin: stuck}}}); err == nil || !strings.Contains(err.Error(), "no such line") {
		t.Errorf("a lamp that cannot be parked: %v", err)
	}
}

// A step allocates nothing, whether it is due or not.
func TestPartAllocatesNothing(t *testing.T) {
	part, err := daynight.NewPart(daynight.PartConfig{Exposure: func() daynight.Exposure { return daynight.Exposure{Time: time.Millisecond, Gain: 2} }})
	if err != nil {
		t.Fatal(err)
	}
	l := luma(240, 135, func(x, _ int) uint8 { return uint8(x) })
	mono := time.Duration(0)
	for range 200 {
		part.Step(mono, noon, l)
		mono += 100 * time.Millisecond
	}
	if n := testing.AllocsPerRun(100, func() {
		mono += 500 * time.Millisecond
		part.Step(mono, noon, l)
	}); n != 0 {
		t.Errorf("%g allocations a step", n)
	}
}
