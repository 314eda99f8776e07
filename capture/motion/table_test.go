package motion_test

import (
	"io"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/capture/motion/score"
	"github.com/sealcam/sealcam/capture/scene"
)

// result is how a Detector judged a scene, against its truth.
type result struct {
	score.Result
	split int // visits that became no event or several, and events of several visits
}

// play shows a scene to a new Detector.
func play(tb testing.TB, spec string, cfg motion.Config) result {
	tb.Helper()
	s, err := scene.New(spec, scene.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	d, err := motion.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	var judge score.Judge
	var reader capture.LumaReader
	var f capture.Frame
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
		v := d.Observe(l, f.Mono, capture.LightUnknown)
		truth := s.Truth(f.Mono)
		judge.Frame(f.Mono, v.Moving, truth.Moving)
		if truth.Moving && visits[truth.Visit] == nil {
			visits[truth.Visit] = map[uint64]bool{}
		}
		if v.Started {
			events[v.Event.ID] = map[int]bool{}
		}
		if v.Moving && truth.Moving {
			visits[truth.Visit][v.Event.ID] = true
			events[v.Event.ID][truth.Visit] = true
		}
	}
	r := result{Result: judge.Result()}
	r.Visits, r.Events = len(visits), len(events)
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
		r := play(t, spec+"&pixel=grey", motion.Config{})
		t.Logf("%-42s %6d %6d %6d %7.3f %7d %6d %6d", c.spec, r.Hit, r.Miss, r.Wrong, r.F1(), r.Visits, r.Events, r.split)
		if r.F1() < c.f1 || r.Events != r.Visits || r.split > 0 {
			t.Errorf("%s: F1 %.3f, want %.2f; %d events for %d visits, %d of them torn or merged", c.spec, r.F1(), c.f1, r.Events, r.Visits, r.split)
		}
	}
}
