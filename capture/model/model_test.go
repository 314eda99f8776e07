package model_test

import (
	"testing"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/model"
	"github.com/sealcam/sealcam/capture/model/modeltest"
)

func BenchmarkMobileNet(b *testing.B) {
	for _, c := range []struct {
		name            string
		kind, size, rgb int
		width           float64
	}{
		{"int8-96-0.25", modeltest.Int8, 96, 1, 0.25},
		{"uint8-96-0.25", modeltest.Uint8, 96, 1, 0.25},
		{"float32-96-0.25", modeltest.Float32, 96, 1, 0.25},
		{"int8-224-1", modeltest.Int8, 224, 3, 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			m, err := model.New(modeltest.MobileNet(c.kind, c.size, c.rgb, c.width, 2))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := m.Run(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(m.Info().Adds)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Madd/s")
			b.ReportMetric(float64(m.Info().Adds)/1e6, "Madd")
		})
	}
}

// BenchmarkLook is what an event costs once its picture is decoded: a part of a
// 1080p frame, made small, and looked at.
func BenchmarkLook(b *testing.B) {
	const w, h = 1920, 1080
	p, err := model.NewPicture(&capture.Frame{Format: capture.Format{Pixel: capture.NV12, Width: w, Height: h}, Data: make([]byte, w*h*3/2)})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name        string
		size, rgb   int
		width, part float64
	}{{"grey-96", 96, 1, 0.25, 0.5}, {"colour-224", 224, 3, 0.25, 0.5}} {
		b.Run(c.name, func(b *testing.B) {
			m, err := model.New(modeltest.MobileNet(modeltest.Int8, c.size, c.rgb, c.width, 2))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Look(b.Context(), p, p.Around(model.Area{X: 0.2, Y: 0.2, W: c.part, H: c.part}, c.size), model.Range{}, 0.99); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
