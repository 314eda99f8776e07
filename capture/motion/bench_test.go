package motion_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/capture/scene"
)

// BenchmarkFrame is the whole steady way of a frame that causes no picture: luma and
// Observe, at 1080p, while somebody walks by.
func BenchmarkFrame(b *testing.B) {
	for _, pixel := range []string{"mjpeg", "yuyv", "nv12"} {
		b.Run(pixel, func(b *testing.B) {
			frames := film(b, "walk?size=1920x1080&seed=1&for=6s&rate=5&pixel="+pixel)
			var reader capture.LumaReader
			d, _ := motion.New(motion.Config{})
			at, n := time.Duration(0), 0
			b.ReportAllocs()
			for b.Loop() {
				l, err := reader.Read(&frames[n%len(frames)])
				if err != nil {
					b.Fatal(err)
				}
				d.Observe(l, at, capture.LightDay)
				at += 200 * time.Millisecond
				n++
			}
		})
	}
}

// BenchmarkObserve is the Detector alone, at 240x135, while somebody walks by and
// while nobody does.
func BenchmarkObserve(b *testing.B) {
	for _, name := range []string{"walk", "empty", "rain"} {
		b.Run(name, func(b *testing.B) {
			var lumas []capture.Luma
			for _, f := range film(b, name+"?size=1920x1080&seed=1&for=8s&rate=5&pixel=grey") {
				var reader capture.LumaReader
				l, err := reader.Read(&f)
				if err != nil {
					b.Fatal(err)
				}
				lumas = append(lumas, *l)
			}
			d, _ := motion.New(motion.Config{})
			at, n := time.Duration(0), 0
			b.ReportAllocs()
			for b.Loop() {
				d.Observe(&lumas[n%len(lumas)], at, capture.LightDay)
				at += 200 * time.Millisecond
				n++
			}
		})
	}
}

// film returns copies of a scene's frames.
func film(b *testing.B, spec string) []capture.Frame {
	b.Helper()
	s, err := scene.New(spec, scene.Options{})
	if err != nil {
		b.Fatal(err)
	}
	var frames []capture.Frame
	for {
		var f capture.Frame
		if s.Next(b.Context(), &f) != nil {
			return frames
		}
		f.Data = bytes.Clone(f.Data)
		frames = append(frames, f)
	}
}
