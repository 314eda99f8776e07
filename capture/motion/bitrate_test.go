package motion

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// watched runs a film of frame sizes past a Bitrate, a key frame each 2 s, and
// returns its events.
func watched(b *Bitrate, seconds int, size func(at time.Duration) float64, light func(at time.Duration) capture.Light) (events []Event) {
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range seconds * 15 {
		at := time.Duration(i) * time.Second / 15
		n, key := size(at)*math.Exp(rng.NormFloat64()*0.25), i%30 == 0
		if key {
			n = 60000
		}
		l := capture.LightDay
		if light != nil {
			l = light(at)
		}
		if v := b.Observe(int(n), key, at, l); v.Ended {
			events = append(events, *v.Event)
		}
	}
	return events
}

func TestBitrate(t *testing.T) {
	quiet := func(time.Duration) float64 { return 3000 }
	visit := func(from, to time.Duration, times float64) func(time.Duration) float64 {
		return func(at time.Duration) float64 {
			if at >= from && at < to {
				return 3000 * times
			}
			return 3000
		}
	}
	for _, c := range []struct {
		name  string
		size  func(time.Duration) float64
		light func(time.Duration) capture.Light
		want  int
	}{
		{"nobody", quiet, nil, 0},
		{"somebody", visit(30*time.Second, 36*time.Second, 4), nil, 1},
		{"dusk", func(at time.Duration) float64 { return 3000 * math.Exp2(at.Seconds()/60) }, nil, 0},
		{"one frame", visit(30*time.Second, 30*time.Second+70*time.Millisecond, 20), nil, 0},
		{"a switch of light", visit(30*time.Second, time.Hour, 3), func(at time.Duration) capture.Light {
			if at >= 30*time.Second && at < 33*time.Second {
				return capture.LightSwitching
			}
			return capture.LightDay
		}, 0},
		{"rain that begins and stays", visit(30*time.Second, time.Hour, 3), nil, 1},
	} {
		events := watched(NewBitrate(5), 400, c.size, c.light)
		if len(events) != c.want {
			t.Errorf("%s: events %v, want %d", c.name, events, c.want)
			continue
		}
		if c.name == "somebody" {
			if e := events[0]; e.ID != 1 || e.Start < 30*time.Second || e.Start > 31*time.Second || e.End < 35*time.Second || e.End > 38*time.Second {
				t.Errorf("somebody from 30 to 36 s: %+v", e)
			}
		}
	}
	twice := func(at time.Duration) float64 {
		return visit(30*time.Second, 34*time.Second, 4)(at) + visit(60*time.Second, 64*time.Second, 4)(at)
	}
	if events := watched(NewBitrate(5), 90, twice, nil); len(events) != 2 || events[1].ID != 2 {
		t.Errorf("two visits: %v", events)
	}
	faint := visit(30*time.Second, 36*time.Second, 1.7)
	if dull, keen := watched(NewBitrate(1), 90, faint, nil), watched(NewBitrate(10), 90, faint, nil); len(dull) != 0 || len(keen) != 1 {
		t.Errorf("a faint visit: %d events at sensitivity 1, %d at 10", len(dull), len(keen))
	}
	b, at := NewBitrate(5), time.Duration(0)
	if n := testing.AllocsPerRun(1000, func() { at += time.Second / 15; b.Observe(3000, false, at, capture.LightDay) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
