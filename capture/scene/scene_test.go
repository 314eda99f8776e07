package scene

import (
	"bytes"
	"context"
	"errors"
	"hash/fnv"
	"image/jpeg"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
)

func open(t testing.TB, spec string) *Scene {
	t.Helper()
	s, err := New(spec, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func next(t testing.TB, s *Scene) capture.Frame {
	t.Helper()
	var f capture.Frame
	if err := s.Next(t.Context(), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEveryScenePixelFormat(t *testing.T) {
	for _, name := range Names() {
		for pixel, size := range map[string]int{"mjpeg": 0, "yuyv": 128 * 72 * 2, "nv12": 128 * 72 * 3 / 2, "grey": 128 * 72} {
			s := open(t, name+"?size=128x72&pixel="+pixel)
			for range 3 {
				f := next(t, s)
				if f.Format != s.Format() || f.Format.Width != 128 || f.Format.Height != 72 || f.Format.Pixel.String() != pixel {
					t.Fatalf("%s %s: format %v", name, pixel, f.Format)
				}
				if size != 0 {
					if len(f.Data) != size {
						t.Fatalf("%s %s: %d bytes, want %d", name, pixel, len(f.Data), size)
					}
					continue
				}
				if m, err := jpeg.Decode(bytes.NewReader(f.Data)); err != nil || m.Bounds().Dx() != 128 || m.Bounds().Dy() != 72 {
					t.Fatalf("%s: not a JPEG of the size it says: %v", name, err)
				}
			}
		}
	}
}

func fingerprint(t *testing.T, spec string, frames int) uint64 {
	s := open(t, spec)
	h := fnv.New64a()
	for range frames {
		h.Write(next(t, s).Data)
	}
	return h.Sum64()
}

func TestTheSeedDecides(t *testing.T) {
	for _, name := range Names() {
		spec := name + "?size=128x72&pixel=yuyv&rate=2&seed="
		a, b, c := fingerprint(t, spec+"1", 20), fingerprint(t, spec+"1", 20), fingerprint(t, spec+"2", 20)
		if a != b {
			t.Errorf("%s: the same seed drew different frames", name)
		}
		if a == c {
			t.Errorf("%s: another seed drew the same frames", name)
		}
	}
}

// TestTruthIsWhatIsDrawn compares each frame of a noiseless scene with the
// first, which shows nobody: pixels differ within the box of the person and its
// shadow, many of them, and nowhere when nobody is there.
func TestTruthIsWhatIsDrawn(t *testing.T) {
	for _, name := range []string{"walk", "stand", "night"} {
		s := open(t, name+"?size=320x180&pixel=grey&rate=4&noise=0&seed=7")
		empty := bytes.Clone(next(t, s).Data)
		seen := map[int]int{}
		for range 110 * 4 {
			f := next(t, s)
			truth := s.Truth(f.Mono)
			inside, outside := 0, 0
			for i, p := range f.Data {
				if p == empty[i] {
					continue
				}
				x, y := i%320, i/320
				if b := truth.Box; x >= b.Min.X && x < b.Max.X && y >= b.Min.Y && y < b.Max.Y {
					inside++
				} else {
					outside++
				}
			}
			area := truth.Box.Dx() * truth.Box.Dy()
			if truth.Moving {
				seen[truth.Visit]++
			}
			if truth.Moving != (area > 0) || truth.Moving != (truth.Visit > 0) {
				t.Fatalf("%s at %v: truth contradicts itself: %+v", name, f.Mono, truth)
			}
			// A body that is wholly in view fills a good part of its box.
			if b := truth.Box; b.Min.X > 0 && b.Max.X < 320 && inside < area/5 {
				t.Fatalf("%s at %v: %d pixels differ in a box of %d", name, f.Mono, inside, area)
			}
			// Somebody just outside the view may throw a shadow into it.
			if who, _ := s.person(f.Mono); outside > 0 && who == nil {
				t.Fatalf("%s at %v: %d pixels differ, and nobody is there", name, f.Mono, outside)
			}
		}
		if len(seen) < 2 {
			t.Errorf("%s: %d visits in 110 s", name, len(seen))
		}
	}
}

func TestNobodyComesInTheOtherScenes(t *testing.T) {
	for _, name := range []string{"dusk", "rain", "snow", "wind", "clouds", "shadows", "exposure", "insects", "spider", "headlights", "lamp", "frozen", "empty"} {
		s := open(t, name+"?size=64x48")
		for at := time.Duration(0); at < 10*time.Minute; at += time.Second {
			if s.Truth(at).Moving {
				t.Fatalf("%s: somebody at %v", name, at)
			}
		}
	}
}

func TestSomebodyStandsStill(t *testing.T) {
	s := open(t, "stand?size=640x360&seed=3")
	longest, run := 0, 0
	var last Truth
	for at := time.Duration(0); at < 70*time.Second; at += time.Second {
		truth := s.Truth(at)
		if d := truth.Box.Min.Sub(last.Box.Min); truth.Moving && last.Moving && d.X*d.X < 9 {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
		last = truth
	}
	if longest < 30 {
		t.Errorf("stood for %d s, want 30", longest)
	}
}

func TestLightFallsAtDuskAndFlipsWithTheLamp(t *testing.T) {
	s := open(t, "dusk?size=64x48")
	before := s.Truth(0).Lux
	for at := time.Duration(0); at < 2*time.Minute; at += time.Second {
		lux := s.Truth(at).Lux
		if lux > before {
			t.Fatalf("it grows brighter at %v: %v after %v", at, lux, before)
		}
		before = lux
	}
	if before > 1 {
		t.Errorf("after two minutes of dusk there are still %v lux", before)
	}
	s = open(t, "lamp?size=64x48")
	flips := 0
	for at := time.Duration(0); at < time.Minute; at += 100 * time.Millisecond {
		if s.Truth(at).Lux != s.Truth(at+100*time.Millisecond).Lux {
			flips++
		}
	}
	if flips != 10 {
		t.Errorf("the lamp flipped %d times in a minute, want 10", flips)
	}
}

func TestFrozenRepeatsOneFrame(t *testing.T) {
	s := open(t, "frozen?size=64x48")
	first := bytes.Clone(next(t, s).Data)
	for i := range 5 {
		f := next(t, s)
		if !bytes.Equal(f.Data, first) || f.Seq != uint64(i+1) {
			t.Fatalf("frame %d differs", f.Seq)
		}
	}
}

func TestSceneEnds(t *testing.T) {
	s := open(t, "empty?size=64x48&rate=5&for=2s")
	for range 10 {
		next(t, s)
	}
	var f capture.Frame
	if err := s.Next(t.Context(), &f); err != io.EOF {
		t.Errorf("after its end: %v, want EOF", err)
	}
}

func TestPaceDropsWhatIsOverdue(t *testing.T) {
	now := time.Unix(0, 0)
	s, err := New("empty?size=64x48&rate=10", Options{
		Pace:  true,
		Now:   func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	var seqs []uint64
	for i := range 5 {
		seqs = append(seqs, next(t, s).Seq)
		if i == 2 {
			now = now.Add(time.Second) // the reader is busy
		}
	}
	if now.Sub(time.Unix(0, 0)) != 1300*time.Millisecond || seqs[2] != 2 || seqs[3] != 12 || seqs[4] != 13 {
		t.Errorf("frames %v until %v", seqs, now.Sub(time.Unix(0, 0)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var f capture.Frame
	if err := s.Next(ctx, &f); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A scene whose time goes faster gives the same frames, sooner.
func TestSpeed(t *testing.T) {
	now := time.Unix(0, 0)
	s, err := New("empty?size=64x48&rate=10&speed=20", Options{
		Pace:  true,
		Now:   func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	var f capture.Frame
	for range 201 {
		f = next(t, s)
	}
	if f.Seq != 200 || f.Mono != 20*time.Second || now.Sub(time.Unix(0, 0)) != time.Second {
		t.Errorf("frame %d of %v after %v, want 200 of 20s after 1s", f.Seq, f.Mono, now.Sub(time.Unix(0, 0)))
	}
}

func TestTheSleepEndsWithTheContext(t *testing.T) {
	s, err := New("empty?size=64x48&rate=1", Options{Pace: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var f capture.Frame
	if err := s.Next(ctx, &f); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.Next(ctx, &f); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestBadSpecsSayWhatIsWanted(t *testing.T) {
	for spec, want := range map[string]string{
		"":                     "walk",
		"wlak":                 "walk",
		"walk?size=8x8":        "64x48",
		"walk?size=65x49":      "even",
		"walk?size=9999x9999":  "4096x2304",
		"walk?size=64":         "WIDTHxHEIGHT",
		"walk?rate=0":          "1 to 60",
		"walk?rate=NaN":        "1 to 60",
		"walk?seed=-1":         "whole number",
		"walk?noise=99":        "0 to 20",
		"walk?for=-1s":         "30s",
		"walk?pixel=rgb":       "nv12",
		"walk?colour=blue":     "no such option",
		"walk?rate=1&rate=2":   "twice",
		"walk?rate=%zz":        "invalid",
		"walk?pixel=h264":      "mjpeg",
		"walk?size=64x48&for=": "30s",
	} {
		if _, err := Open(spec, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want a word about %q", spec, err, want)
		}
	}
	if s := open(t, "scene:lamp?size=64x48"); s.script.name != "lamp" {
		t.Errorf("scene:lamp opened %s", s.script.name)
	}
}

func BenchmarkScene(b *testing.B) {
	for _, spec := range []string{"walk", "walk?pixel=yuyv", "rain", "dusk"} {
		b.Run(spec, func(b *testing.B) {
			s := open(b, spec)
			s.next = 60
			b.ReportAllocs()
			for b.Loop() {
				next(b, s)
			}
		})
	}
}
