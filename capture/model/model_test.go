package model_test

import (
	"testing"

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
