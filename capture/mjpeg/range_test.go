package mjpeg

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"testing"
)

// Black and white of a frame in limited range come out of a decoder as JPEG has
// them, and so do all levels between and the colours, at any quality that keeps
// them: nothing is pale.
func TestLimitedRangeIsStretched(t *testing.T) {
	const w, h = 16 * 220, 16
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio422)
	for y := range h {
		for x := range w {
			m.Y[m.YOffset(x, y)] = uint8(16 + x/16)
			m.Cb[m.COffset(x, y)] = uint8(min(240, 16+x/16))
			m.Cr[m.COffset(x, y)] = uint8(max(16, 240-x/16))
		}
	}
	for layout, raw := range layouts(m, 3) {
		raw.Limited = true
		for q, most := range map[int]float64{100: 1, 95: 1.5} {
			var e Encoder
			b, err := e.Append(nil, raw, q)
			if err != nil {
				t.Fatal(err)
			}
			d, err := jpeg.Decode(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			got := d.(*image.YCbCr)
			for x := range w {
				g, w := got.YCbCrAt(x, h/2), m.YCbCrAt(x, h/2)
				for name, c := range map[string][2]float64{
					"brightness": {float64(g.Y), (float64(w.Y) - 16) * 255 / 219},
					"blue":       {float64(g.Cb), min(255, 128+(float64(w.Cb)-128)*255/224)},
					"red":        {float64(g.Cr), min(255, 128+(float64(w.Cr)-128)*255/224)},
				} {
					if math.Abs(c[0]-c[1]) > most {
						t.Fatalf("%s, quality %d: %s of %v became %v, want %.1f", layout, q, name, w, c[0], c[1])
					}
				}
			}
			if a, z := got.YCbCrAt(4, 8).Y, got.YCbCrAt(w-4, 8).Y; a != 0 || z != 255 {
				t.Errorf("%s, quality %d: from %d to %d", layout, q, a, z)
			}
		}
	}
}

// Samples beyond black and white, which video may have, become black and white: at
// the best quality the stretched ones would need codes that JPEG does not have.
func TestBlackerThanBlack(t *testing.T) {
	raw := &Raw{Width: 64, Height: 16, Limited: true, Y: Plane{make([]uint8, 64*16), 64, 1}}
	for i := range raw.Y.Pix {
		if i%16 >= 8 {
			raw.Y.Pix[i] = 255
		}
	}
	var e Encoder
	b, err := e.Append(nil, raw, 100)
	if err != nil {
		t.Fatal(err)
	}
	d, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for x := range 64 {
		if got, want := d.(*image.Gray).GrayAt(x, 8).Y, raw.Y.Pix[x]; got != want {
			t.Fatalf("%d at %d, want %d", got, x, want)
		}
	}
}

// One encoder takes frames of both ranges, and hidden blocks are the same grey in both.
func TestRangesTakeTurns(t *testing.T) {
	hide := NewBlocks(32, 16)
	hide.Add(0, 0)
	var e Encoder
	for i := range 4 {
		raw := &Raw{Width: 32, Height: 16, Limited: i%2 == 1, Y: Plane{bytes.Repeat([]uint8{16}, 32*16), 32, 1}}
		e.Hide = hide
		b, err := e.Append(nil, raw, 90)
		if err != nil {
			t.Fatal(err)
		}
		d, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		want := uint8(16)
		if raw.Limited {
			want = 0
		}
		if hidden, open := d.(*image.Gray).GrayAt(4, 4).Y, d.(*image.Gray).GrayAt(20, 4).Y; hidden != 128 || off(open, want) > 1 {
			t.Errorf("limited %t: %d hidden, %d open", raw.Limited, hidden, open)
		}
	}
}
