package tamper_test

import (
	"flag"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/capture/tamper"
)

// found is one event: of what kind, from when to when.
type found struct {
	kind       tamper.Kind
	start, end time.Duration
}

func (f found) String() string { return fmt.Sprintf("%v %v-%v", f.kind, f.start, f.end) }

// play shows a scene to a new Detector. truth holds what was done, and from when
// to when.
func play(tb testing.TB, spec string) (events, truth []found) {
	tb.Helper()
	s, err := scene.New(spec, scene.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	var d tamper.Detector
	var reader capture.LumaReader
	var f capture.Frame
	for {
		if err := s.Next(tb.Context(), &f); err == io.EOF {
			return events, truth
		} else if err != nil {
			tb.Fatal(err)
		}
		l, err := reader.Read(&f)
		if err != nil {
			tb.Fatal(err)
		}
		v := d.Observe(l, f.Mono, capture.LightUnknown)
		if v.Started {
			events = append(events, found{kind: v.Kind, start: f.Mono})
		}
		if v.Ended {
			events[len(events)-1].end = f.Mono
		}
		if was := s.Truth(f.Mono).Tamper; was != "" {
			if n := len(truth); n == 0 || truth[n-1].end < f.Mono-time.Second {
				truth = append(truth, found{kind: named(tb, was), start: f.Mono})
			}
			truth[len(truth)-1].end = f.Mono
		}
	}
}

func named(tb testing.TB, word string) tamper.Kind {
	tb.Helper()
	for k := tamper.Covered; k <= tamper.Moved; k++ {
		if k.String() == word {
			return k
		}
	}
	tb.Fatalf("a scene tells of %q", word)
	return tamper.None
}

// Thresholds were chosen on seeds 0 to 5; others are for judging them.
var (
	seeds = flag.Int("seeds", 2, "how many times TestTable plays each scene; even seeds are day, odd ones night")
	first = flag.Int("first", 0, "the first seed")
)

// TestTable judges the detector on scenes with known truth, and prints what came
// out: go test ./capture/tamper -run Table -v
func TestTable(t *testing.T) {
	names, seeds := scene.Names(), *seeds
	if testing.Short() { // on an emulated processor a scene takes minutes
		names, seeds = []string{"covered", "defocused", "moved"}, 1
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			size := "640x360"
			if seeds <= 2 && name != "defocused" && name != "moved" {
				size = "320x180" // drawing is what costs, and only fine detail needs more
			}
			for seed := *first; seed < *first+seeds; seed++ {
				how := []string{"rate=5&pixel=grey", "rate=5&pixel=nv12", "rate=10&pixel=grey&noise=4", "rate=6&pixel=mjpeg"}[seed%4]
				spec := fmt.Sprintf("%s?for=75s&size=%s&seed=%d&%s", name, size, seed, how)
				events, truth := play(t, spec)
				t.Logf("%-70s done %v, found %v", spec, truth, events)
				if len(events) != len(truth) {
					t.Errorf("%s: %d events, %d were done", spec, len(events), len(truth))
					continue
				}
				for i, e := range events {
					if was := truth[i]; e.kind != was.kind {
						t.Errorf("%s: found %v, done %v", spec, e, was)
					} else if late := e.start - was.start; late < 0 || late > 18*time.Second {
						t.Errorf("%s: found after %v", spec, late)
					} else if late := e.end - was.end; late < 0 || late > 8*time.Second {
						t.Errorf("%s: over after %v", spec, late)
					}
				}
			}
		})
	}
}
