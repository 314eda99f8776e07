package mjpeg

import (
	"bytes"
	"image"
	"math/rand/v2"
	"testing"
)

// Frames as large as those of cameras read as they do by the letter of the standard:
// stretches of coded data far beyond 16 KB, with stuffed zeros and without any, of
// coarse and of fine pictures, with one reader for all of them.
func TestDCOfLargeFrames(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	kept, least := new(DC), 1<<30
	check := func(name string, b []byte) {
		t.Helper()
		s := scanner{cursor: cursor{b: b, i: 2}}
		for {
			m, _ := s.marker()
			if seg, ok := s.segment(); !ok || s.read(m, s.i, seg) != nil {
				t.Fatalf("%s: no scan", name)
			}
			if m == markSOS {
				break
			}
		}
		data, _ := unstuff(nil, b[s.i:])
		least = min(least, len(data))
		w, h, got, err := kept.Read(b)
		sw, sh, want, ok, slowErr := readSlowly(b)
		if !ok || err != nil || slowErr != nil || w != sw || h != sh || !bytes.Equal(got, want) {
			t.Errorf("%s, %d bytes of data: %dx%d, %v; slowly %dx%d, %v", name, len(data), w, h, err, sw, sh, slowErr)
		}
	}
	noisy := func(sub image.YCbCrSubsampleRatio) *image.YCbCr {
		m := soft(rng, 488, 328, sub)
		for i := range m.Y {
			m.Y[i] += uint8(rng.IntN(64))
		}
		return m
	}
	for _, q := range []int{60, 90, 100} {
		check("image/jpeg", encode(t, noisy(image.YCbCrSubsampleRatio420), q))
	}
	for _, sub := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio444} {
		for _, step := range []int{1, 12} {
			check(sub.String(), encodeYCbCr(noisy(sub), step, 0))
		}
	}
	// Steps of brightness alone: no byte of the data is 0xff.
	steps := image.NewGray(image.Rect(0, 0, 2048, 1536))
	for y := 0; y < 1536; y++ {
		for x := range 2048 {
			steps.Pix[y*2048+x] = uint8(64 + (x/8+y/8)%3*16)
		}
	}
	b := encode(t, steps, 50)
	if n := bytes.Count(b, []byte{0xff, 0}); n > 2 {
		t.Errorf("%d stuffed zeros", n)
	}
	check("steps", b)
	if least < 20<<10 {
		t.Errorf("a frame has %d bytes of data only", least)
	}
}
