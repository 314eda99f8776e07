package motion_test

import (
	"flag"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture/motion"
)

var long = flag.Bool("long", false, "show each enemy for ten minutes, at every rate")

// enemies are the scenes in which much moves and nobody comes.
var enemies = []string{
	"rain", "snow", "wind", "clouds", "shadows", "exposure", "insects", "spider",
	"headlights", "lamp", "dusk", "empty?noise=8", "empty?pixel=mjpeg&quality=20-45",
}

// known is how many events in ten minutes a scene still may cause: a spider that walks over
// the lens moves as a body does, and from where it has sat for long it leaves a hole in the
// background; and at 30 frames a second one insect in some hundreds flies like somebody who walks.
var known = map[string]int{"spider": 6, "insects": 1}

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
			if r := play(t, spec, motion.Config{}); r.Events > 0 && (!*long || r.Events > known[name]) {
				t.Errorf("%s: %d events", spec, r.Events)
			}
		}
	}
}
