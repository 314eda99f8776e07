package daynight_test

import (
	"math"
	"testing"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
)

func luma(w, h int, at func(x, y int) uint8) *capture.Luma {
	l := &capture.Luma{W: w, H: h, Pix: make([]uint8, w*h)}
	for i := range l.Pix {
		l.Pix[i] = at(i%w, i/w)
	}
	return l
}

func TestLook(t *testing.T) {
	var k daynight.Looker
	ramp := luma(100, 10, func(x, _ int) uint8 { return uint8(2 * x) }) // 0, 2 .. 198
	s := k.Look(ramp)
	want := daynight.Scene{Mean: 99, Level: 84, Low: 20, Mid: 100, High: 178}
	for _, v := range []struct {
		name      string
		got, want float64
	}{{"mean", s.Mean, want.Mean}, {"level", s.Level, want.Level}, {"low", s.Low, want.Low}, {"mid", s.Mid, want.Mid}, {"high", s.High, want.High}, {"glare", s.Glare, 0}} {
		if math.Abs(v.got-v.want) > 2 {
			t.Errorf("%s of a ramp: %g, expected about %g", v.name, v.got, v.want)
		}
	}
	// A fifth of the picture burnt out moves the mean, and not the level.
	lampInView := luma(100, 10, func(x, _ int) uint8 {
		if x < 20 {
			return 255
		}
		return 30
	})
	s = k.Look(lampInView)
	if s.Level != 30 || s.Mean < 70 || math.Abs(s.Glare-0.2) > 1e-9 || s.High != 255 {
		t.Errorf("a lamp in view: %+v", s)
	}
	if s := k.Look(&capture.Luma{}); s != (daynight.Scene{}) {
		t.Errorf("an empty luma: %+v", s)
	}
	if s := k.Look(luma(1, 1, func(int, int) uint8 { return 77 })); s.Mean != 77 || s.Level != 77 || s.Low != 77 || s.High != 77 {
		t.Errorf("one pixel: %+v", s)
	}
	// Raw cameras code black as 16 and white as 235.
	raw := func(level uint8) *capture.Luma {
		l := luma(10, 10, func(int, int) uint8 { return level })
		l.Limited = true
		return l
	}
	if s := k.Look(raw(16)); s.Mean != 0 || s.Level != 0 {
		t.Errorf("raw black: %+v", s)
	}
	if s := k.Look(raw(235)); math.Abs(s.Mean-255) > 1e-9 || s.Glare != 1 {
		t.Errorf("raw white: %+v", s)
	}
}

// BenchmarkStep is one whole step at the size that 1080p gives: looking at the
// small grey picture and deciding. It must stay below 0.1 ms and allocate nothing.
func BenchmarkStep(b *testing.B) {
	l := luma(240, 135, func(x, y int) uint8 { return uint8(x ^ y) })
	c, err := daynight.NewController(daynight.Config{HasFilter: true, HasLamp: true, Dims: true})
	if err != nil {
		b.Fatal(err)
	}
	var k daynight.Looker
	in := daynight.Input{Clock: -1, Exposure: daynight.Exposure{Time: 1e7, Gain: 2}}
	b.ReportAllocs()
	for b.Loop() {
		in.Scene = k.Look(l)
		in.At += 2e8
		c.Step(in)
	}
}
