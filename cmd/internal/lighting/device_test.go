package lighting

import (
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/v4l2"
)

// driver is a camera's controls with public fields.
type driver struct {
	Ranges map[v4l2.Control]v4l2.Range
	Values map[v4l2.Control]int
	Stuck  map[v4l2.Control]bool // takes values and keeps its own
	Opened int
	Closed int
}

func (d *driver) Range(c v4l2.Control) (v4l2.Range, error) {
	r, ok := d.Ranges[c]
	if !ok {
		return r, fmt.Errorf("fake: %s: %w", c, v4l2.ErrNoControl)
	}
	return r, nil
}

func (d *driver) Get(c v4l2.Control) (int, error) {
	_, err := d.Range(c)
	return d.Values[c], err
}

func (d *driver) Set(c v4l2.Control, v int) (int, error) {
	if _, err := d.Range(c); err != nil {
		return 0, err
	}
	if !d.Stuck[c] {
		d.Values[c] = v
	}
	return v, nil
}

func (d *driver) Close() error { d.Closed++; return nil }

// webcam is a driver as a good USB camera has it.
func webcam() *driver {
	return &driver{
		Ranges: map[v4l2.Control]v4l2.Range{
			v4l2.PowerLine: {Max: 2, Default: 2}, v4l2.Saturation: {Min: 0, Max: 255, Default: 100},
			v4l2.AutoExposure: {Max: 3, Default: 3}, v4l2.ExposureTime: {Min: 3, Max: 2047}, v4l2.AutoGain: {Max: 1, Default: 1},
			v4l2.ExposureMayDropRate: {Max: 1},
		},
		Values: map[v4l2.Control]int{v4l2.PowerLine: 2, v4l2.Saturation: 120, v4l2.AutoExposure: 1, v4l2.ExposureTime: 300},
	}
}

// on opens a Lighting whose camera has these controls.
func on(t *testing.T, d *driver, s CameraSettings) *Lighting {
	t.Helper()
	l, _ := open(t, Config{Board: "auto", Root: virt, Dir: t.TempDir(), Device: "/dev/video0", Camera: s, controls: func(string) (controls, error) {
		if d == nil {
			return nil, fs.ErrNotExist
		}
		d.Opened++
		return d, nil
	}})
	return l
}

// A camera is told what holds for good when it is opened, and loses its colours
// for the night.
func TestCameraIsTold(t *testing.T) {
	d := webcam()
	l := on(t, d, CameraSettings{PowerLine: "50", Slow: true})
	var mono time.Duration
	if got := pass(l, &mono, 120, 20*time.Second); got != capture.LightDay {
		t.Fatalf("bright: %v", got)
	}
	for c, want := range map[v4l2.Control]int{
		v4l2.PowerLine: 1, v4l2.AutoExposure: 3, v4l2.AutoGain: 1, v4l2.ExposureMayDropRate: 1, v4l2.Saturation: 120,
	} {
		if d.Values[c] != want {
			t.Errorf("by day %s is %d, want %d", c, d.Values[c], want)
		}
	}
	if len(l.Limits()) != 0 {
		t.Errorf("limits %q", l.Limits())
	}
	if got := pass(l, &mono, 3, time.Minute); got != capture.LightNight || d.Values[v4l2.Saturation] != 0 {
		t.Errorf("%v with a saturation of %d", got, d.Values[v4l2.Saturation])
	}

	// It is unplugged, and comes back with what it was made with.
	l.Lost()
	if d.Opened != 1 || d.Closed != 1 {
		t.Errorf("opened %d times, closed %d times", d.Opened, d.Closed)
	}
	d.Values[v4l2.PowerLine], d.Values[v4l2.Saturation] = 2, 100
	pass(l, &mono, 3, 30*time.Second)
	if d.Values[v4l2.PowerLine] != 1 || d.Values[v4l2.Saturation] != 0 {
		t.Errorf("after it came back: %v", d.Values)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if d.Values[v4l2.Saturation] != 100 || d.Opened != d.Closed {
		t.Errorf("after the end: %v, opened %d times, closed %d times", d.Values, d.Opened, d.Closed)
	}
}

// A process that died by night left no colours: they come back by day.
func TestColoursAfterACrash(t *testing.T) {
	d := webcam()
	d.Values[v4l2.Saturation] = 0
	l := on(t, d, CameraSettings{PowerLine: "auto"})
	var mono time.Duration
	if pass(l, &mono, 120, 20*time.Second); d.Values[v4l2.Saturation] != 100 {
		t.Errorf("saturation %d, want the default", d.Values[v4l2.Saturation])
	}
	if d.Values[v4l2.PowerLine] != 2 || len(l.Limits()) != 0 {
		t.Errorf("a camera that cannot find out: power line %d, limits %q", d.Values[v4l2.PowerLine], l.Limits())
	}
}

// What a driver does not offer is said, and nothing else changes.
func TestDriverWithoutControls(t *testing.T) {
	stuck := webcam()
	stuck.Stuck = map[v4l2.Control]bool{v4l2.PowerLine: true, v4l2.Saturation: true}
	for name, tc := range map[string]struct {
		driver *driver
		limits []string
	}{
		"cannot be opened": {nil, []string{"cannot be reached"}},
		"has none":         {&driver{}, []string{`does not take power_line = "60"`, "does not tell the exposure", "are tinted"}},
		"does not obey":    {stuck, []string{"does not take power_line", "colour cannot be changed"}},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.driver == stuck {
				stuck.Values[v4l2.PowerLine] = 1
			}
			l := on(t, tc.driver, CameraSettings{PowerLine: "60", Slow: true})
			var mono time.Duration
			if got := pass(l, &mono, 120, 20*time.Second); got != capture.LightDay {
				t.Errorf("bright: %v", got)
			}
			if got := pass(l, &mono, 3, time.Minute); got != capture.LightNight {
				t.Errorf("dark: %v", got)
			}
			if !slices.EqualFunc(l.Limits(), tc.limits, strings.Contains) {
				t.Errorf("limits %q, want %q", l.Limits(), tc.limits)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A board without a filter keeps colours by night: what it sees is visible light.
func TestColoursWithoutAFilter(t *testing.T) {
	d := webcam()
	l, err := Open(Config{Board: "usb-webcam", Root: virt, Log: slog.New(slog.DiscardHandler), Device: "/dev/video0", controls: func(string) (controls, error) { return d, nil }})
	if err != nil {
		t.Fatal(err)
	}
	var mono time.Duration
	if got := pass(l, &mono, 3, time.Minute); got != capture.LightNight || d.Values[v4l2.Saturation] != 120 {
		t.Errorf("%v with a saturation of %d", got, d.Values[v4l2.Saturation])
	}
}

func TestCameraSettings(t *testing.T) {
	for _, line := range []string{"50", "60", "auto", "off"} {
		if err := (CameraSettings{PowerLine: line}).Validate(); err != nil {
			t.Error(err)
		}
	}
	if err := (CameraSettings{PowerLine: "55"}).Validate(); err == nil || !strings.Contains(err.Error(), `"50", "60", "auto" or "off", found "55"`) {
		t.Error(err)
	}
}
