package simtest

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
)

// spring is the week in which cameras and seeds are tried; a day in short mode.
func spring() span {
	if testing.Short() {
		return stretches(false, true)[0]
	}
	return span{80*day + 12*time.Hour, 87*day + 12*time.Hour}
}

// TestCameras holds the controller to its figures with cameras that behave
// otherwise, in the easiest and in the hardest place.
func TestCameras(t *testing.T) {
	for _, tt := range []struct {
		name string
		h    habit
	}{
		{"slow exposure", habit{aim: 110, slow: 3, told: 1}},
		{"slow exposure, hidden", habit{aim: 110, slow: 2}},
		{"coarse exposure", habit{aim: 110, slow: 0.5, wait: 400 * time.Millisecond, step: 0.25, told: 1}},
		{"coarse exposure, hidden", habit{aim: 110, slow: 0.5, wait: 400 * time.Millisecond, step: 0.25}},
		{"dark pictures", habit{aim: 75, slow: 0.7, told: 1}},
		{"dark pictures, hidden", habit{aim: 75, slow: 0.7}},
		{"bright pictures", habit{aim: 140, slow: 0.7, told: 1}},
		{"exposure time told, gain not", habit{aim: 110, slow: 0.7, told: 0.5}},
	} {
		for _, at := range []int{0, 1} {
			if testing.Short() && (at == 0 || tt.h.told == 1) {
				continue
			}
			t.Run(tt.name+", "+places[at].name, func(t *testing.T) {
				t.Parallel()
				p := places[at]
				s := run(p, tt.h, func(p *place) algorithm { return newOurs(p) }, []span{spring()}, 3)
				t.Log(header)
				t.Log(s.row())
				hold(t, p.name, s)
			})
		}
	}
}

// TestSeeds tries other weather, other headlights, other latitudes of luck.
func TestSeeds(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		for _, p := range places {
			if testing.Short() && !p.hidden {
				continue
			}
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				s := run(p, usual, func(p *place) algorithm { return newOurs(p) }, []span{spring()}, 100+seed)
				hold(t, p.name, s)
			})
		}
	}
}

var update = flag.Bool("update", false, "write the traces in ../testdata anew")

// TestTraces records short stretches that are worth keeping. With -update they
// become the committed ones.
func TestTraces(t *testing.T) {
	at := func(n int, hour, minute int) time.Duration {
		return time.Duration(n)*day + time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
	}
	for _, tt := range []struct {
		name     string
		place    int
		from, to time.Duration
		must     []capture.Light // that follow each other, switching left out
	}{
		{"garden-dusk", 0, at(120, 19, 0), at(120, 20, 30), []capture.Light{capture.LightDay, capture.LightNight}},
		{"garden-dawn", 0, at(121, 3, 0), at(121, 5, 0), []capture.Light{capture.LightNight, capture.LightDay}},
		{"wall-dawn", 1, at(200, 2, 0), at(200, 4, 30), []capture.Light{capture.LightNight, capture.LightDay}},
		{"street-headlights", 2, at(30, 19, 0), at(30, 20, 30), []capture.Light{capture.LightNight}},
		{"room-evening", 3, at(100, 23, 0), at(101, 0, 30), []capture.Light{capture.LightDay, capture.LightNight}},
		{"webcam-wall-dawn", 6, at(281, 5, 0), at(281, 7, 0), []capture.Light{capture.LightNight, capture.LightDay}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var trace bytes.Buffer
			here := places[tt.place].at(50, 1)
			here.plan(int(tt.from/day) - 1)
			a := &recorded{ours: newOurs(here), rec: &daynight.Recorder{Open: func() (io.WriteCloser, error) { return nopCloser{&trace}, nil }}}
			drive(newCamera(here, usual, 5), a, span{tt.from, tt.to})
			if err := a.rec.Close(); err != nil {
				t.Fatal(err)
			}
			var lights []capture.Light
			if _, err := daynight.Replay(bytes.NewReader(trace.Bytes()), func(s daynight.Replayed) error {
				if !s.Same() {
					t.Errorf("line %d: now %+v, was %+v", s.Line, s.Now, s.Recorded)
				}
				if l := s.Now.Light; l != capture.LightSwitching && (len(lights) == 0 || lights[len(lights)-1] != l) {
					lights = append(lights, l)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if len(lights) != len(tt.must) || !equal(lights, tt.must) {
				t.Errorf("lights %v, expected %v", lights, tt.must)
			}
			t.Logf("%d bytes for %v", trace.Len(), tt.to-tt.from)
			if *update {
				if err := os.WriteFile(filepath.Join("..", "testdata", tt.name+".jsonl"), trace.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func equal(a, b []capture.Light) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// recorded is ours with its trace.
type recorded struct {
	*ours
	rec *daynight.Recorder
}

func (r *recorded) step(in reading) wish {
	r.act = r.rec.Step(r.c, r.input(in))
	return wish{r.act.Light, r.act.Filter, r.act.Lamp}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
