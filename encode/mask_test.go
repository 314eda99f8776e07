package encode

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// levels returns the brightness and colours of a decoded JPEG at a place.
func levels(m image.Image, x, y int) [3]uint8 {
	if g, ok := m.(*image.Gray); ok {
		return [3]uint8{g.GrayAt(x, y).Y, 128, 128}
	}
	c := m.(*image.YCbCr).YCbCrAt(x, y)
	return [3]uint8{c.Y, c.Cb, c.Cr}
}

func decoded(t *testing.T, data []byte, err error) image.Image {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	m, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What the masks cover is flat grey in every form of frame, and all that lies a
// block away from them is as it would be without.
func TestSnapshotsAreMasked(t *testing.T) {
	masks := capture.Masks{capture.Rectangle(0, 0, 300, 1000), {{X: 500}, {X: 1000}, {X: 1000, Y: 700}}}
	for _, p := range []capture.Pixel{capture.MJPEG, capture.YUYV, capture.NV12, capture.Grey} {
		f := card(p, 200, 120, 0)
		if p == capture.MJPEG {
			raw := card(capture.NV12, 200, 120, 0)
			var e JPEG
			data, _, _, err := e.Snapshot(raw)
			if err != nil {
				t.Fatal(err)
			}
			f = &capture.Frame{Format: capture.Format{Pixel: capture.MJPEG, Width: 200, Height: 120}, Data: data}
		}
		var plain JPEG
		open, _, _, err := plain.Snapshot(f)
		before := decoded(t, open, err)
		masked := JPEG{Masks: masks}
		for range 2 { // the second time with what was worked out for the first
			data, w, h, err := masked.Snapshot(f)
			after := decoded(t, data, err)
			if w != 200 || h != 120 {
				t.Fatalf("%s: %dx%d", p, w, h)
			}
			cover := masks.Cover(w, h)
			hidden, kept := 0, 0
			for y := range h {
				for x := range w {
					got := levels(after, x, y)
					switch {
					case cover.Has(x/8, y/8):
						hidden++
						if got != [3]uint8{128, 128, 128} {
							t.Fatalf("%s: at %d,%d within a mask is %v", p, x, y, got)
						}
					case !cover.Any(x/16*2, y/16*2, 2, 2):
						kept++
						if want := levels(before, x, y); got != want {
							t.Fatalf("%s: at %d,%d outside of the masks is %v, was %v", p, x, y, got, want)
						}
					}
				}
			}
			if hidden < w*h/3 || kept < w*h/4 {
				t.Fatalf("%s: %d pixels hidden, %d kept", p, hidden, kept)
			}
		}
	}
}

// A frame that cannot be masked gives an error and no picture.
func TestUnmaskable(t *testing.T) {
	f := card(capture.NV12, 64, 48, 0)
	var plain JPEG
	data, _, _, err := plain.Snapshot(f)
	if err != nil {
		t.Fatal(err)
	}
	cut := append(bytes.Clone(data[:len(data)-40]), 0xff, 0xd9)
	broken := &capture.Frame{Format: capture.Format{Pixel: capture.MJPEG, Width: 64, Height: 48}, Data: cut}
	if _, _, _, err := plain.Snapshot(broken); err != nil {
		t.Fatalf("without masks the structure is enough: %v", err)
	}
	e := JPEG{Masks: capture.Masks{capture.Rectangle(0, 0, 10, 10)}}
	out, _, _, err := e.Snapshot(broken)
	var frame *capture.BadFrame
	if out != nil || !errors.Is(err, ErrUnmasked) || !errors.As(err, &frame) || frame.Reason != "truncated" {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

// Every frame of a clip is masked, and one that cannot be is left out and counted.
func TestClipsAreMasked(t *testing.T) {
	masks := capture.Masks{capture.Rectangle(0, 0, 500, 1000)}
	c := ofFive(t)
	c.c.part.jpeg.Masks = masks
	c.event(1, 0)
	frames := jpegs(t, 40, 100*time.Millisecond)
	cut := *frames[20]
	cut.Data = append(bytes.Clone(cut.Data[:len(cut.Data)-40]), 0xff, 0xd9)
	frames[20] = &cut
	for _, f := range frames {
		c.frame(f, true)
	}
	c.c.Close(EndStopped)
	c.take()
	pictures := 0
	for _, p := range c.parts {
		for data := p.Data; ; {
			i := bytes.Index(data, []byte{0xff, 0xd8, 0xff})
			if i < 0 {
				break
			}
			m, err := jpeg.Decode(bytes.NewReader(data[i:]))
			if err != nil {
				t.Fatal(err)
			}
			for y := range m.Bounds().Dy() {
				for x := range m.Bounds().Dx() / 2 {
					if got := levels(m, x, y); got != [3]uint8{128, 128, 128} {
						t.Fatalf("picture %d: at %d,%d within a mask is %v", pictures, x, y, got)
					}
				}
			}
			pictures++
			data = data[i+2:]
		}
	}
	if pictures != len(frames)-1 || c.c.Stats().Bad != 1 {
		t.Errorf("%d pictures in the clip of %d frames, %d left out", pictures, len(frames), c.c.Stats().Bad)
	}
}
