package daynight_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
)

func TestPowerOn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		light  float64
		hidden bool
		want   capture.Light
		within time.Duration
	}{
		{"noon", daylight, false, capture.LightDay, 8 * time.Second},
		{"midnight", darkness, false, capture.LightNight, 12 * time.Second},
		{"noon, exposure hidden", daylight, true, capture.LightDay, 8 * time.Second},
		{"midnight, exposure hidden", darkness, true, capture.LightNight, 12 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, both)
			r.visible, r.infrared, r.hidden = tt.light, tt.light, tt.hidden
			first := r.step()
			if first.Filter != daynight.FilterDay || first.Lamp != 0 || first.Light != capture.LightSwitching {
				t.Errorf("first action is %+v, expected the filter driven to day and the lamp off", first)
			}
			r.until(tt.want, tt.within)
			if r.clicks > 2 {
				t.Errorf("%d moves of the filter, expected at most 2", r.clicks)
			}
		})
	}
}

func TestOwnLampNeverMakesDay(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		for _, echo := range []float64{0.02, 0.3, 5, 500} { // far garden to a wall at arm's length
			r := atNight(t, both, func(r *rig) { r.echo, r.hidden = echo, hidden })
			clicks := r.clicks
			r.pass(8 * time.Hour)
			if r.clicks != clicks {
				t.Errorf("echo %g, hidden %v: the filter moved %d times by night; reasons:\n%s", echo, hidden, r.clicks-clicks, strings.Join(r.seen, "\n"))
			}
		}
	}
}

func TestDawn(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		for _, echo := range []float64{0.3, 500} {
			r := atNight(t, both, func(r *rig) { r.echo, r.hidden = echo, hidden })
			clicks := r.clicks
			for r.act.Light != capture.LightDay && r.visible < daylight {
				r.visible *= math.Pow(10, 1.0/72)
				r.infrared = 1.5 * r.visible
				r.pass(10 * time.Second)
			}
			// 0.0077 is of no use, 0.077 (brightness 80) is a good picture; ten
			// times more is 12 minutes later.
			if r.act.Light != capture.LightDay || r.visible > 0.77 {
				t.Errorf("echo %g, hidden %v: light is %v when a day picture would have %.2g of full scale", echo, hidden, r.act.Light, r.visible)
			}
			if r.clicks != clicks+1 {
				t.Errorf("echo %g, hidden %v: %d moves of the filter at dawn, expected 1; reasons:\n%s", echo, hidden, r.clicks-clicks, strings.Join(r.seen, "\n"))
			}
		}
	}
}

func TestHeadlightsDoNotClick(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		r := atNight(t, both, func(r *rig) { r.hidden = hidden })
		clicks := r.clicks
		for range 40 {
			r.pass(3 * time.Minute)
			r.visible, r.infrared = 2, 3
			r.pass(15 * time.Second)
			r.visible, r.infrared = darkness, darkness
		}
		if r.clicks != clicks {
			t.Errorf("hidden %v: headlights moved the filter %d times", hidden, r.clicks-clicks)
		}
		r.until(capture.LightNight, 10*time.Second)
		r.pass(10 * time.Second)
		if r.act.Lamp == 0 {
			t.Errorf("hidden %v: the lamp stayed off", hidden)
		}
	}
}

func TestRoomLight(t *testing.T) {
	r := atNight(t, both, nil)
	r.visible, r.infrared = 1, 0.1
	for end := r.at + 20*time.Second; r.at < end; {
		r.step()
	}
	if r.act.Lamp != 0 {
		t.Error("the lamp is lit 20 s after the room light was switched on")
	}
	if took := r.until(capture.LightDay, 4*time.Minute); took < time.Minute {
		t.Errorf("day after %v: expected patience", took)
	}
	r.visible, r.infrared = darkness, darkness
	r.until(capture.LightNight, 30*time.Second)
}

// Dawn that comes at once, while hints are not listened to because of
// headlights just before, is not forgotten: a camera whose exposure is exhausted
// or fixed shows it as long as it lasts.
func TestDawnWithinHoldoff(t *testing.T) {
	r := atNight(t, both, func(r *rig) { r.hidden, r.echo = true, 0.005 })
	r.visible, r.infrared = 0.15, 0.2
	r.pass(8 * time.Second)
	r.visible, r.infrared = darkness, darkness
	r.until(capture.LightNight, 20*time.Second)
	r.pass(3 * time.Second)
	r.visible, r.infrared = 0.06, 0.1
	r.until(capture.LightDay, 5*time.Minute)
}

// A light that is switched on and off again and again fools the controller
// less and less.
func TestPatienceGrows(t *testing.T) {
	r := atNight(t, both, nil)
	days := 0
	for range 20 {
		r.pass(20 * time.Minute)
		r.visible = 1
		for end := r.at + 4*time.Minute; r.at < end; {
			if before := r.act.Light; r.step().Light == capture.LightDay && before != capture.LightDay {
				days++
			}
		}
		r.visible = darkness
	}
	if days > 2 {
		t.Errorf("a light of 4 minutes made it day %d times of 20", days)
	}
}

// An infrared floodlight of somebody else passes every probe, and the day
// picture is black. Tries have to become rare.
func TestVerificationAndLockout(t *testing.T) {
	r := atNight(t, both, nil)
	r.infrared = 0.6
	clicks := r.clicks
	r.pass(8 * time.Hour)
	tries := (r.clicks - clicks) / 2
	if tries == 0 || !r.hasReason("the day picture was dark") {
		t.Errorf("no try of the day was verified and taken back; reasons:\n%s", strings.Join(r.seen, "\n"))
	}
	if tries > 4 {
		t.Errorf("%d tries in 8 hours, expected them to become rare", tries)
	}
	if r.act.Light == capture.LightDay {
		t.Error("it is day in the dark")
	}
}

// A floodlight so strong that no experience with the filter explains it: only
// the lockout is left, and true day has to get through all the same.
func TestLockoutGrows(t *testing.T) {
	r := atNight(t, both, nil)
	r.infrared = 5
	clicks := r.clicks
	r.pass(8 * time.Hour)
	if tries := (r.clicks - clicks) / 2; tries < 3 || tries > 14 {
		t.Errorf("%d tries in 8 hours, expected the wait between them to grow to an hour", tries)
	}
	r.visible = 30
	r.until(capture.LightDay, 10*time.Minute)
}

func TestForced(t *testing.T) {
	cfg := both
	cfg.Mode = daynight.Night
	r := newRig(t, cfg)
	r.visible, r.infrared = daylight, daylight
	if first := r.step(); first.Filter != daynight.FilterNight {
		t.Errorf("the first action of mode night drives the filter to %v", first.Filter)
	}
	r.until(capture.LightNight, 20*time.Second)
	r.pass(3 * time.Hour)
	if r.act.Light != capture.LightNight || r.act.Lamp != 1 || r.clicks > 1 {
		t.Errorf("after 3 hours of mode night: %+v, %d moves", r.act, r.clicks)
	}

	if err := r.c.SetMode(daynight.Day, daynight.Span{}); err != nil {
		t.Fatal(err)
	}
	r.visible, r.infrared = darkness, darkness
	r.until(capture.LightDay, 20*time.Second)
	r.pass(3 * time.Hour)
	if r.act.Light != capture.LightDay || r.act.Lamp != 0 || r.act.Filter != daynight.FilterDay {
		t.Errorf("after 3 hours of mode day in the dark: %+v", r.act)
	}

	if err := r.c.SetMode(daynight.Auto, daynight.Span{}); err != nil {
		t.Fatal(err)
	}
	r.until(capture.LightNight, 30*time.Second)
}

func TestScheduled(t *testing.T) {
	cfg := both
	cfg.Mode = daynight.Scheduled
	if err := cfg.Schedule.UnmarshalText([]byte("20:00-06:30")); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, cfg)
	r.visible, r.infrared = daylight, daylight
	r.clock = 19*time.Hour + 59*time.Minute
	r.until(capture.LightDay, 20*time.Second)
	r.clock = 20 * time.Hour
	r.until(capture.LightNight, 20*time.Second)
	r.clock = 6*time.Hour + 29*time.Minute
	r.pass(time.Minute)
	if r.act.Light != capture.LightNight {
		t.Errorf("at 06:29 it is %v", r.act.Light)
	}
	r.clock = 6*time.Hour + 30*time.Minute
	r.until(capture.LightDay, 20*time.Second)
	// Without a clock the picture decides, at what would be midnight and always.
	r.clock = -1
	r.pass(time.Minute)
	if r.act.Light != capture.LightDay {
		t.Errorf("without a clock bright daylight is %v", r.act.Light)
	}
	r.visible, r.infrared = darkness, darkness
	r.until(capture.LightNight, 30*time.Second)
}

// A camera with nothing to drive names the light and never says switching once
// it has started.
func TestPlainCamera(t *testing.T) {
	r := newRig(t, daynight.Config{})
	r.visible, r.hidden = daylight, true
	r.until(capture.LightDay, 10*time.Second)
	for range 3 {
		r.visible = darkness
		r.until(capture.LightNight, 20*time.Second)
		r.pass(20 * time.Minute)
		r.visible = daylight
		for from := r.at; r.act.Light != capture.LightDay; {
			if r.step(); r.act.Light == capture.LightSwitching {
				t.Fatal("a camera that switches nothing says switching")
			}
			if r.at-from > 10*time.Minute {
				t.Fatal("it does not become day")
			}
		}
	}
	if r.act.Lamp != 0 {
		t.Error("a lamp is asked for where there is none")
	}
}

// The camera is unplugged by night and comes back: lamp and filter are driven
// and measured anew, and motion is told.
func TestCameraComesBack(t *testing.T) {
	r := atNight(t, both, nil)
	r.at += time.Minute
	if act := r.step(); act.Light != capture.LightSwitching {
		t.Errorf("light is %v after a gap of a minute", act.Light)
	}
	r.until(capture.LightNight, 15*time.Second)
	r.visible, r.infrared = daylight, daylight
	r.until(capture.LightDay, 10*time.Minute)
	clicks := r.clicks
	r.at += time.Hour
	r.step()
	r.until(capture.LightDay, 15*time.Second)
	if r.clicks != clicks {
		t.Error("a gap by day moved the filter")
	}
}

// Whatever it is fed, the controller keeps its promises: the lamp is lit by
// night only, a day picture has the filter, and every action has a reason.
func TestPromises(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		cfg := daynight.Config{HasFilter: seed%2 == 0, HasLamp: seed%3 != 0, Dims: seed%5 == 0, LampMax: 0.8, Mode: daynight.Mode(seed % 4),
			Schedule: daynight.Span{From: 20 * time.Hour, To: 6 * time.Hour}}
		c, err := daynight.NewController(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var in daynight.Input
		wild := func(top float64) float64 {
			switch r.IntN(20) {
			case 0:
				return math.NaN()
			case 1:
				return math.Inf(1)
			case 2:
				return -top
			case 3:
				return 1e300
			}
			return r.Float64() * top
		}
		for range 4000 {
			if r.IntN(40) == 0 {
				in.Scene = daynight.Scene{Mean: wild(255), Level: wild(255), Low: wild(255), Mid: wild(255), High: wild(255), Glare: wild(1)}
			}
			if r.IntN(10) == 0 {
				in.Exposure = daynight.Exposure{Time: time.Duration(r.Int64N(4e7)), Gain: wild(64)}
			}
			in.Ambient, in.HasAmbient = wild(1e4), r.IntN(3) > 0
			in.Clock = time.Duration(r.Int64N(int64(25*time.Hour))) - time.Hour
			in.At += time.Duration(r.Int64N(int64(2 * time.Second)))
			in.Fresh = r.IntN(500) == 0
			if r.IntN(400) == 0 {
				in.At -= time.Hour
			}
			act := c.Step(in)
			in.Lamp = act.Lamp
			switch {
			case !(act.Lamp >= 0 && act.Lamp <= 0.8):
				t.Fatalf("seed %d: lamp at %g", seed, act.Lamp)
			case act.Lamp > 0 && (act.Filter != daynight.FilterNight || !cfg.HasLamp):
				t.Fatalf("seed %d: lamp lit: %+v", seed, act)
			case act.Light == capture.LightDay && act.Filter != daynight.FilterDay:
				t.Fatalf("seed %d: %+v", seed, act)
			case act.Filter != daynight.FilterDay && act.Filter != daynight.FilterNight:
				t.Fatalf("seed %d: filter at no side: %+v", seed, act)
			case act.Light == capture.LightUnknown || act.Reason == "":
				t.Fatalf("seed %d: %+v", seed, act)
			}
		}
	}
}

// The same Inputs give the same Actions, and more frequent Steps than asked for
// give the same day.
func TestPure(t *testing.T) {
	r := atNight(t, both, nil)
	c, err := daynight.NewController(both)
	if err != nil {
		t.Fatal(err)
	}
	var last daynight.Action
	for _, in := range r.inputs {
		last = c.Step(in)
	}
	if diff := cmp.Diff(r.act, last); diff != "" {
		t.Errorf("replayed inputs: (-was +is)\n%s", diff)
	}
}

func TestConfig(t *testing.T) {
	bad := []struct {
		change func(*daynight.Config)
		want   string
	}{
		{func(c *daynight.Config) { c.Mode = 9 }, "mode: expected one of auto, day, night, scheduled"},
		{func(c *daynight.Config) { c.Mode = daynight.Scheduled }, "two different times"},
		{func(c *daynight.Config) { c.Schedule.From = 25 * time.Hour }, "times within a day"},
		{func(c *daynight.Config) { c.Dark = 200 }, "dark: expected 8..80, found 200"},
		{func(c *daynight.Config) { c.Dark = math.NaN() }, "dark: expected"},
		{func(c *daynight.Config) { c.LampMax = 1.5 }, "lamp_max: expected"},
		{func(c *daynight.Config) { c.AmbientDay = -1 }, "ambient_day: expected"},
		{func(c *daynight.Config) { c.FullExposure = math.Inf(1) }, "full_exposure: expected"},
	}
	for _, tt := range bad {
		c := both
		tt.change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, expected %q", c, err, tt.want)
		}
		if _, err := daynight.NewController(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	if err := both.Validate(); err != nil {
		t.Error(err)
	}
	var m daynight.Mode
	if err := m.UnmarshalText([]byte("dusk")); err == nil || !strings.Contains(err.Error(), "auto, day, night, scheduled") {
		t.Errorf("mode dusk: %v", err)
	}
	for _, text := range []string{"20:00", "20:00-25:00", "a-b", ""} {
		var s daynight.Span
		if err := s.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), "like 20:00-06:30") {
			t.Errorf("span %q: %v", text, err)
		}
	}
}
