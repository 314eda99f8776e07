package mjpeg

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"
)

// frame1080 is a 1080p frame as cameras send them, 4:2:2 with the standard tables:
// soft light, some edges and texture, and the noise of a small sensor.
func frame1080(tb testing.TB) []byte {
	tb.Helper()
	const w, h = 1920, 1080
	rng := rand.New(rand.NewPCG(1, 1))
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio422)
	for y := range h {
		for x := range w {
			v := 120 + 60*math.Sin(float64(x)/190)*math.Cos(float64(y)/140) + 3*rng.NormFloat64()
			if (x/120+y/90)%5 == 0 {
				v += 30 * math.Sin(float64(x)/3) * math.Sin(float64(y)/4)
			}
			m.Y[m.YOffset(x, y)] = uint8(min(max(v, 0), 255))
		}
	}
	for i := range m.Cb {
		m.Cb[i] = uint8(128 + 20*math.Sin(float64(i%960)/90))
		m.Cr[i] = uint8(128 + 20*math.Cos(float64(i/960)/70))
	}
	return encodeYCbCr(m, 4, 0)
}

func BenchmarkDC(b *testing.B) {
	frame := frame1080(b)
	if h, err := Scan(frame); err != nil || h.String() != "1920x1080 4:2:2" {
		b.Fatal(h, err)
	}
	b.Run("dc", func(b *testing.B) {
		var d DC
		b.SetBytes(int64(len(frame)))
		b.ReportAllocs()
		for b.Loop() {
			if _, _, _, err := d.Read(frame); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("without-lanes", func(b *testing.B) {
		d := alone()
		b.SetBytes(int64(len(frame)))
		b.ReportAllocs()
		for b.Loop() {
			if _, _, _, err := d.Read(frame); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("image-jpeg", func(b *testing.B) {
		b.SetBytes(int64(len(frame)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := jpeg.Decode(bytes.NewReader(frame)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
