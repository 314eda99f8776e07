package encode

import (
	"bytes"
	"image/jpeg"
	"testing"

	"github.com/sealcam/sealcam/capture"
)

// forms are the test card in every form of frame that becomes a JPEG.
func forms(t testing.TB, w, h int) []*capture.Frame {
	t.Helper()
	all := []*capture.Frame{card(capture.YUYV, w, h, 0), card(capture.NV12, w, h, 6), card(capture.Grey, w, h, 0)}
	var e JPEG
	for _, f := range all[1:] { // in colour and grey
		data, _, _, err := e.Snapshot(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &capture.Frame{Format: capture.Format{Pixel: capture.MJPEG, Width: w, Height: h}, Data: data})
	}
	return all
}

// A halved picture shows the same in a quarter of the pixels.
func TestHalved(t *testing.T) {
	for _, f := range forms(t, 652, 366) {
		var e JPEG
		whole, _, _, err := e.Snapshot(f)
		before := decoded(t, whole, err)
		for n, want := range [][2]int{{652, 366}, {326, 183}, {163, 91}, {163, 91}} { // not below 160
			data, w, h, err := e.AppendHalved([]byte("front"), f, n)
			if !bytes.HasPrefix(data, []byte("front")) {
				t.Fatalf("%s, %d times: what was there is gone", f.Format, n)
			}
			after := decoded(t, data[5:], err)
			if b := after.Bounds(); w != want[0] || h != want[1] || b.Dx() != w || b.Dy() != h {
				t.Fatalf("%s, %d times: %dx%d, and says %dx%d; want %v", f.Format, n, b.Dx(), b.Dy(), w, h, want)
			}
			if n > 0 && len(data) > len(whole)/2 {
				t.Errorf("%s, %d times: %d bytes of %d", f.Format, n, len(data), len(whole))
			}
			for y := 2; y < h-2; y += 7 {
				for x := 2; x < w-2; x += 7 {
					atX, atY := x*652/w+652/w/2, y*366/h+366/h/2
					if (atX+16)%256 < 32 || (atY+16)%256 < 32 {
						continue // the card's colours begin anew
					}
					a, b := levels(after, x, y), levels(before, atX, atY)
					for i := range a {
						if d := int(a[i]) - int(b[i]); d < -12 || d > 12 {
							t.Fatalf("%s, %d times: at %d,%d is %v, want about %v", f.Format, n, x, y, a, b)
						}
					}
				}
			}
		}
	}
}

// Masks hide as much of a halved picture as of a whole one.
func TestHalvedIsMasked(t *testing.T) {
	for _, f := range forms(t, 640, 360) {
		e := JPEG{Masks: capture.Masks{capture.Rectangle(0, 0, 500, 1000)}}
		data, w, h, err := e.AppendHalved(nil, f, 1)
		m := decoded(t, data, err)
		if w != 320 || h != 180 {
			t.Fatalf("%s: %dx%d", f.Format, w, h)
		}
		for y := range h {
			for x := range w/2 - 8 { // the block at the edge holds some of what is beside it
				for i, v := range levels(m, x, y) {
					if v < 126 || v > 130 {
						t.Fatalf("%s: at %d,%d within a mask plane %d is %d", f.Format, x, y, i, v)
					}
				}
			}
		}
	}
}

// FuzzHalved: what a camera calls a JPEG becomes a smaller one, or an error.
func FuzzHalved(f *testing.F) {
	for _, frame := range forms(f, 330, 170)[3:] {
		f.Add(frame.Data, uint8(1))
		f.Add(frame.Data[:len(frame.Data)/2], uint8(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, n uint8) {
		var e JPEG
		out, w, h, err := e.AppendHalved(nil, &capture.Frame{Format: capture.Format{Pixel: capture.MJPEG}, Data: data}, int(n%5))
		if err != nil {
			if out != nil {
				t.Fatalf("%v, and %d bytes", err, len(out))
			}
			return
		}
		_, whole, _, err := e.Append(nil, &capture.Frame{Format: capture.Format{Pixel: capture.MJPEG}, Data: data})
		if want := whole >> (n % 5); err != nil || want >= leastHalved && w != want {
			t.Fatalf("%d pixels of %d, %d times halved: %v", w, whole, n%5, err)
		}
		if c, err := jpeg.DecodeConfig(bytes.NewReader(out)); err == nil && (c.Width != w || c.Height != h) {
			t.Fatalf("%dx%d, and says %dx%d", c.Width, c.Height, w, h)
		}
	})
}
