package motion_test

import (
	"flag"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
)

var long = flag.Bool("long", false, "show each enemy for ten minutes, at every rate")

// enemies are the scenes in which much moves and nobody comes.
var enemies = []string{
	"rain", "snow", "wind", "clouds", "shadows", "exposure", "insects", "spider",
	"headlights", "lamp", "dusk", "empty?noise=8", "empty?pixel=mjpeg&quality=20-45",
}

// TestEnemies wants no event at the usual sensitivity from anything but a body.
func TestEnemies(t *testing.T) {
	span, rates, enemies := 30*time.Second, []string{"10"}, enemies
	if testing.Short() { // an emulated processor shows that it computes the same, with two of them
		enemies = []string{"rain", "insects"}
	}
	if *long {
		span, rates = 10*time.Minute, []string{"5", "10", "15", "30"}
	}
	for _, name := range enemies {
		for i, rate := range rates {
			spec := with(name, "rate="+rate, "seed="+string(rune('1'+i)), "for="+span.String())
			if r := play(t, spec, motion.Config{}); r.Events > 0 {
				t.Errorf("%s: %d events", spec, r.Events)
			}
		}
	}
}

// TestThreadsHang wants no event from a thread before the lens, which hangs from the
// upper edge and sways across, and one from somebody who comes in there.
func TestThreadsHang(t *testing.T) {
	s := newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	if n := s.walk(body{x: 40, w: 4, h: 18, grey: 230}, 110); n > 0 {
		t.Errorf("a thread moves in %d frames", n)
	}
	s.rest(40 * time.Second) // until what comes down is not taken for snow any more
	moving := 0
	for y := -20; y < 60; y += 2 {
		if s.show(capture.LightDay, body{x: 75, y: y, w: 7, h: 20, grey: 40}).Moving {
			moving++
		}
	}
	if moving < 25 || len(s.ids) != 1 {
		t.Errorf("of somebody who comes from above 40 frames, %d move, in %d events", moving, len(s.ids))
	}
}

// TestInsectsTakenForOneAnother wants no event from what shows in one frame of three, as
// one insect after the other does at 30 frames a second.
func TestInsectsTakenForOneAnother(t *testing.T) {
	for each, want := range map[int]int{1: 1, 3: 0} {
		s := newStage(t, motion.Config{})
		s.step = 33 * time.Millisecond
		s.rest(5 * time.Second)
		for i := range 90 {
			if b := (body{x: 30 + i, y: 40, w: 9, h: 9, grey: 230}); i%each == 0 {
				s.show(capture.LightDay, b)
			} else {
				s.show(capture.LightDay)
			}
		}
		if len(s.ids) != want {
			t.Errorf("in view in one frame of %d: %d events, want %d", each, len(s.ids), want)
		}
	}
}
