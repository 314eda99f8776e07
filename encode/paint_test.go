package encode

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sealcam/sealcam/capture"
)

// What the masks touch is flat in every component, and no sample of any other block
// is changed, at odd sizes too and with padding between the rows.
func TestPaint(t *testing.T) {
	masks := capture.Masks{capture.Rectangle(0, 0, 300, 500), {{X: 500, Y: 200}, {X: 1000, Y: 300}, {X: 1000, Y: 1000}}}
	for _, pixel := range []capture.Pixel{capture.YUYV, capture.NV12, capture.Grey} {
		for _, size := range [][3]int{{64, 48, 0}, {67, 53, 5}, {33, 17, 0}, {8, 8, 3}, {1, 1, 0}} {
			f := card(pixel, size[0], size[1], size[2])
			before := *f
			before.Data = bytes.Clone(f.Data)
			p := Painter{Masks: masks}
			for range 2 {
				if err := p.Paint(f); err != nil {
					t.Fatal(err)
				}
			}
			l, err := layOut(f)
			if err != nil {
				t.Fatal(err)
			}
			hidden := masks.Cover(l.w, l.h)
			of := func(f *capture.Frame, x, y int) (s [3]byte) {
				r := l.planes(f.Data)
				s[0] = r.Y.Pix[y*r.Y.Stride+x*r.Y.Step]
				if r.Cb.Pix != nil {
					row := y
					if !r.FullColour {
						row /= 2
					}
					s[1], s[2] = r.Cb.Pix[row*r.Cb.Stride+x/2*r.Cb.Step], r.Cr.Pix[row*r.Cr.Stride+x/2*r.Cr.Step]
				}
				return s
			}
			flat := [3]byte{128, 128, 128}
			if pixel == capture.Grey {
				flat = [3]byte{128}
			}
			for y := range l.h {
				for x := range l.w {
					want := of(&before, x, y)
					if hidden.Has(x/8, y/8) {
						want = flat
					}
					if got := of(f, x, y); got != want {
						t.Fatalf("%s %v: at %d,%d is %v, want %v", pixel, size, x, y, got, want)
					}
				}
			}
		}
	}
}

// A frame that cannot be painted is an error, and so is one that is no raw frame.
func TestPaintFailsClosed(t *testing.T) {
	p := Painter{Masks: capture.Masks{capture.Rectangle(0, 0, 10, 10)}}
	short := card(capture.NV12, 64, 48, 0)
	short.Data = short.Data[:len(short.Data)-1]
	for _, f := range []*capture.Frame{short, {Format: capture.Format{Pixel: capture.H264, Width: 8, Height: 8}}, {Format: capture.Format{Pixel: capture.MJPEG}}, {}} {
		if err := p.Paint(f); !errors.Is(err, ErrUnmasked) {
			t.Errorf("%s: %v", f.Format, err)
		}
	}
	var none Painter
	if err := none.Paint(short); err != nil {
		t.Error(err)
	}
}
