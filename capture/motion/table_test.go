package motion_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/capture/scene"
)

// result is how a Detector judged a scene, against its truth.
type result struct {
	hit, miss, wrong int // seconds: found, overlooked, invented
	events, visits   int
	split            int // visits that became no event or several, events of several visits
	latency          time.Duration
}

func (r result) f1() float64 {
	if r.hit+r.miss+r.wrong == 0 {
		return 1
	}
	return 2 * float64(r.hit) / float64(2*r.hit+r.miss+r.wrong)
}

// play shows a scene to a new Detector, and compares second by second: a second is
// moving when half of its frames are.
func play(tb testing.TB, spec string, cfg motion.Config, trace io.Writer) result {
	tb.Helper()
	s, err := scene.New(spec, scene.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	d, err := motion.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	var r result
	var reader capture.LumaReader
	var f capture.Frame
	var frames, told, real int
	second := time.Duration(0)
	turn := func() {
		switch got, want := told*2 >= frames, real*2 >= frames; {
		case frames == 0:
		case got && want:
			r.hit++
		case got:
			r.wrong++
		case want:
			r.miss++
		}
		frames, told, real = 0, 0, 0
	}
	visits := map[int]map[uint64]bool{}
	events := map[uint64]map[int]bool{}
	for {
		if err := s.Next(tb.Context(), &f); err == io.EOF {
			break
		} else if err != nil {
			tb.Fatal(err)
		}
		l, err := reader.Read(&f)
		if err != nil {
			tb.Fatal(err)
		}
		for f.Mono >= second+time.Second {
			turn()
			second += time.Second
		}
		v := d.Observe(l, f.Mono, capture.LightUnknown)
		truth := s.Truth(f.Mono)
		frames++
		if v.Moving {
			told++
		}
		if truth.Moving {
			real++
			if visits[truth.Visit] == nil {
				visits[truth.Visit] = map[uint64]bool{}
			}
		}
		if v.Started {
			r.events++
			events[v.Event.ID] = map[int]bool{}
		}
		if v.Moving && truth.Moving {
			visits[truth.Visit][v.Event.ID] = true
			events[v.Event.ID][truth.Visit] = true
		}
		if trace != nil {
			fmt.Fprintf(trace, "%.1f truth %v %v verdict %v %.2f %v started %v ended %v\n", f.Mono.Seconds(), truth.Moving, truth.Box, v.Moving, v.Score, v.Boxes, v.Started, v.Ended)
		}
	}
	turn()
	r.visits = len(visits)
	for _, e := range visits {
		if len(e) != 1 {
			r.split++
		}
	}
	for _, n := range events {
		if len(n) > 1 {
			r.split++
		}
	}
	return r
}

// TestTable judges the detector on scenes with known truth and prints what came
// out: go test ./capture/motion/... -run Table -v
func TestTable(t *testing.T) {
	t.Logf("%-42s %6s %6s %6s %6s %7s %6s %6s", "scene", "hit s", "miss s", "wrong s", "F1", "visits", "events", "split")
	for _, c := range []struct {
		spec string // 640x360 if it does not say
		f1   float64
	}{
		{"walk?for=110s&seed=1", 0.95},
		{"walk?for=110s&seed=2&rate=5", 0.93},
		{"walk?for=60s&seed=3&rate=30", 0.95},
		{"walk?for=58s&seed=4&size=1280x720", 0.95},
		{"walk?for=60s&seed=5&noise=6", 0.95},
		{"night?for=110s&seed=6", 0.95},
		{"stand?for=76s&seed=7", 0.95},
		{"stand?for=76s&seed=8", 0.95},
		{"dusk?for=120s", 1},
		{"rain?for=60s", 1},
		{"headlights?for=90s&seed=1", 1},
		{"headlights?for=90s&seed=2&rate=25", 1},
		{"lamp?for=60s", 1},
		{"frozen?for=20s", 1},
		{"empty?for=60s", 1},
		{"empty?for=60s&noise=8", 1},
	} {
		spec := c.spec
		if !strings.Contains(spec, "size=") {
			spec += "&size=640x360"
		}
		r := play(t, spec+"&pixel=grey", motion.Config{}, nil)
		t.Logf("%-42s %6d %6d %6d %7.3f %7d %6d %6d", c.spec, r.hit, r.miss, r.wrong, r.f1(), r.visits, r.events, r.split)
		if r.f1() < c.f1 || r.events != r.visits || r.split > 0 {
			t.Errorf("%s: F1 %.3f, want %.2f; %d events for %d visits, %d of them torn or merged", c.spec, r.f1(), c.f1, r.events, r.visits, r.split)
		}
	}
}
