package model

import (
	"bytes"
	"math"
	"testing"

	"github.com/sealcam/sealcam/capture"
)

// A network sees black, white and colours as the camera means them, whatever range
// its samples have.
func TestColoursOfEitherRange(t *testing.T) {
	for name, c := range map[string]struct {
		full      bool
		y, cb, cr byte
		want      [3]float64
	}{
		"black":              {false, 16, 128, 128, [3]float64{0, 0, 0}},
		"white":              {false, 235, 128, 128, [3]float64{255, 255, 255}},
		"red":                {false, 81, 90, 240, [3]float64{254, 0, 0}}, // BT.601's own
		"black, full range":  {true, 0, 128, 128, [3]float64{0, 0, 0}},
		"white, full range":  {true, 255, 128, 128, [3]float64{255, 255, 255}},
		"red, full range":    {true, 76, 85, 255, [3]float64{254, 0, 0}},
		"blacker than black": {false, 0, 128, 128, [3]float64{0, 0, 0}},
	} {
		f := &capture.Frame{
			Format: capture.Format{Pixel: capture.YUYV, Width: 8, Height: 8, FullRange: c.full},
			Data:   bytes.Repeat([]byte{c.y, c.cb, c.y, c.cr}, 32),
		}
		p, err := NewPicture(f)
		if err != nil {
			t.Fatal(err)
		}
		s := p.sampler(Area{W: 1, H: 1}, 4, 4)
		r, g, b := s.colour(1, 2)
		for i, got := range [3]float32{r, g, b} {
			if math.Abs(float64(got)-c.want[i]) > 1.5 {
				t.Errorf("%s is %v %v %v, want %v", name, r, g, b, c.want)
			}
		}
	}
}
