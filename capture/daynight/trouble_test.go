package daynight_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
)

func TestAmbientSensor(t *testing.T) {
	t.Run("spares looks", func(t *testing.T) {
		looks := func(sensor bool) int {
			r := atNight(t, both, func(r *rig) {
				if r.echo = 500; sensor {
					r.lux = 100
				}
			})
			r.pass(6 * time.Hour)
			n := 0
			for _, why := range r.seen {
				if strings.Contains(why, "look with the lamp off") {
					n++
				}
			}
			return n
		}
		if with, without := looks(true), looks(false); with*3 > without {
			t.Errorf("%d looks with a sensor, %d without", with, without)
		}
	})
	t.Run("sees dawn before a wall", func(t *testing.T) {
		r := atNight(t, both, func(r *rig) { r.echo, r.lux = 500, 100 })
		r.pass(25 * time.Minute)
		r.visible, r.infrared = 1, 1
		r.until(capture.LightDay, 4*time.Minute)
	})
	t.Run("lies", func(t *testing.T) {
		r := atNight(t, both, func(r *rig) { r.hasAmbient, r.ambient = true, 1000 })
		clicks := r.clicks
		for hour := range 6 { // ever brighter, and wavering so that it does not look dead
			for range 3600 {
				r.ambient = (900 + 100*math.Sin(r.at.Seconds())) * math.Exp2(float64(hour))
				r.step()
			}
		}
		if r.clicks != clicks {
			t.Errorf("a lying sensor moved the filter %d times", r.clicks-clicks)
		}
		if h := r.c.Health().Ambient; !strings.Contains(h, "believed less") {
			t.Errorf("health says %q", h)
		}
	})
	t.Run("falls silent", func(t *testing.T) {
		r := atNight(t, both, func(r *rig) { r.hasAmbient, r.ambient = true, 1000 })
		r.hasAmbient = false
		r.pass(time.Minute)
		if h := r.c.Health().Ambient; !strings.Contains(h, "silent") {
			t.Errorf("health says %q", h)
		}
		r.visible, r.infrared = daylight, daylight
		r.until(capture.LightDay, 10*time.Minute)
		r.hasAmbient = true
		r.pass(5 * time.Second)
		if h := r.c.Health().Ambient; h != "" {
			t.Errorf("health says %q of a sensor that is back", h)
		}
	})
	t.Run("reads the same for ever", func(t *testing.T) {
		r := atNight(t, both, func(r *rig) { r.hasAmbient, r.ambient = true, 0 })
		r.pass(15 * time.Hour)
		if h := r.c.Health().Ambient; !strings.Contains(h, "always reads the same") {
			t.Errorf("health says %q", h)
		}
		r.visible, r.infrared = daylight, daylight
		r.until(capture.LightDay, 45*time.Minute)
	})
}

func TestExposureThatNeverChanges(t *testing.T) {
	r := atNight(t, both, func(r *rig) { r.stuckExposure = 0.0333 })
	clicks := r.clicks
	r.pass(15 * time.Hour)
	if r.clicks != clicks {
		t.Errorf("the filter moved %d times by night", r.clicks-clicks)
	}
	if h := r.c.Health().Exposure; !strings.Contains(h, "never changes") {
		t.Errorf("health says %q", h)
	}
	r.visible, r.infrared = daylight, daylight
	r.until(capture.LightDay, 45*time.Minute)

	// Before a wall a first look at the dark says nothing, whatever the driver tells.
	r = atNight(t, both, func(r *rig) { r.stuckExposure, r.echo = 0.0333, 2000 })
	r.visible, r.infrared = 0.15, 0.2
	r.until(capture.LightDay, 90*time.Minute)
}

func TestHealthOfActuators(t *testing.T) {
	r := atNight(t, both, func(r *rig) { r.deadLamp = true })
	if h := r.c.Health(); !strings.Contains(h.Lamp, "does not brighten") || len(h.Faults()) != 1 {
		t.Errorf("a dead lamp: %+v", h)
	}
	r.deadLamp = false
	r.pass(time.Hour) // a look with the lamp off lights it again
	if h := r.c.Health(); h.Lamp != "" {
		t.Errorf("a lamp that shines again: %q", h.Lamp)
	}

	r = newRig(t, both)
	r.stuckFilter = daynight.FilterNight
	for range 4 {
		r.visible, r.infrared = daylight, daylight
		r.pass(2 * time.Hour)
		for r.visible > darkness {
			r.visible /= 1.5
			r.infrared = r.visible
			r.pass(20 * time.Second)
		}
	}
	if h := r.c.Health().Filter; !strings.Contains(h, "does not change the picture") {
		t.Errorf("a stuck filter: %q", h)
	}

	r = atNight(t, both, nil)
	if f := r.c.Health().Faults(); len(f) != 0 {
		t.Errorf("a healthy camera: %q", f)
	}
}

func TestGlare(t *testing.T) {
	cfg := both
	cfg.Dims = true
	t.Run("near object", func(t *testing.T) {
		near := false
		r := atNight(t, cfg, func(r *rig) {
			r.glare = func(p float64) float64 {
				if near && p > 0.5 {
					return 0.2 * (p - 0.4)
				}
				return 0
			}
		})
		if r.act.Lamp != 1 {
			t.Fatalf("lamp at %g before", r.act.Lamp)
		}
		near = true
		r.pass(time.Minute)
		if r.act.Lamp > 0.65 || r.act.Lamp < 0.25 {
			t.Errorf("lamp at %g before a near object", r.act.Lamp)
		}
		if r.act.Light != capture.LightNight {
			t.Errorf("light is %v", r.act.Light)
		}
		near = false
		r.pass(20 * time.Minute)
		if r.act.Lamp < 0.99 {
			t.Errorf("lamp at %g after it has gone", r.act.Lamp)
		}
	})
	t.Run("exposure makes up for it", func(t *testing.T) {
		r := atNight(t, cfg, func(r *rig) { r.glare = func(float64) float64 { return 0.2 } })
		low := 0
		for range 3600 {
			if r.step(); r.act.Lamp > 0 && r.act.Lamp < 0.99 {
				low++
			}
		}
		if low > 400 {
			t.Errorf("lamp lowered for %d of 3600 s although it does not help", low)
		}
	})
	t.Run("no dimmer", func(t *testing.T) {
		r := atNight(t, both, func(r *rig) { r.glare = func(float64) float64 { return 0.5 } })
		r.pass(time.Minute)
		if r.act.Lamp != 1 {
			t.Errorf("lamp at %g without a dimmer", r.act.Lamp)
		}
	})
}
