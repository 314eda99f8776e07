package encode

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"testing"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/mjpeg"
)

// colour is the test card: smooth, so that compression changes little, and
// different in every plane and direction.
func colour(x, y int) (Y, cb, cr uint8) {
	return uint8(128 + 60*math.Sin(float64(x)/17)*math.Cos(float64(y)/13)), uint8(90 + x%256/4), uint8(170 - y%256/4)
}

// card returns the test card as a frame. pad bytes of rubbish follow each row.
func card(p capture.Pixel, w, h, pad int) *capture.Frame {
	even := (w + 1) / 2 * 2
	row, rows := w, h
	switch p {
	case capture.YUYV:
		row = 2 * even
	case capture.NV12:
		row, rows = even, h+(h+1)/2
	}
	stride := row + pad
	data := bytes.Repeat([]byte{0xa5}, stride*rows)
	for y := range h {
		for x := range w {
			Y, cb, cr := colour(x, y)
			switch p {
			case capture.Grey:
				data[y*stride+x] = Y
			case capture.YUYV:
				data[y*stride+2*x] = Y
				data[y*stride+x/2*4+1], data[y*stride+x/2*4+3] = cb, cr
			case capture.NV12:
				data[y*stride+x] = Y
				at := (h+y/2)*stride + x/2*2
				data[at], data[at+1] = cb, cr
			}
		}
	}
	return &capture.Frame{Format: capture.Format{Pixel: p, Width: w, Height: h, Stride: stride, FullRange: true}, Data: data}
}

// What a camera means by black, white and full colour is what a viewer sees, in
// either range.
func TestSnapshotsAreNotPale(t *testing.T) {
	for _, p := range []capture.Pixel{capture.YUYV, capture.NV12} {
		for _, full := range []bool{false, true} {
			f := card(p, 64, 32, 0)
			f.Format.FullRange = full
			black, white := byte(16), byte(235)
			if full {
				black, white = 0, 255
			}
			for i := range f.Data {
				switch {
				case p == capture.YUYV && i%2 == 1, p == capture.NV12 && i >= 64*32:
					f.Data[i] = 128
				case i%f.Format.Stride < f.Format.Stride/2:
					f.Data[i] = black
				default:
					f.Data[i] = white
				}
			}
			var e JPEG
			data, _, _, err := e.Snapshot(f)
			m := decoded(t, data, err)
			if a, z := levels(m, 5, 5), levels(m, 60, 20); a != [3]uint8{0, 128, 128} || z != [3]uint8{255, 128, 128} {
				t.Errorf("%s, full range %t: black is %v, white %v", p, full, a, z)
			}
		}
	}
}

func TestSnapshotOfRawFrames(t *testing.T) {
	var e JPEG
	for _, p := range []capture.Pixel{capture.YUYV, capture.NV12, capture.Grey} {
		for _, size := range [][3]int{{64, 48, 0}, {64, 48, 13}, {1, 1, 0}, {2, 2, 0}, {17, 33, 5}, {33, 17, 0}, {320, 240, 64}} {
			f := card(p, size[0], size[1], size[2])
			before := bytes.Clone(f.Data)
			b, w, h, err := e.Snapshot(f)
			if err != nil || w != size[0] || h != size[1] {
				t.Fatalf("%s %v: %dx%d, %v", p, size, w, h, err)
			}
			if !bytes.Equal(f.Data, before) {
				t.Fatalf("%s %v: the frame was written to", p, size)
			}
			m, err := jpeg.Decode(bytes.NewReader(b))
			if err != nil || m.Bounds() != image.Rect(0, 0, w, h) {
				t.Fatalf("%s %v: %v", p, size, err)
			}
			for i := range w * h {
				x, y := i%w, i/w
				Y, cb, cr := colour(x, y)
				if g, ok := m.(*image.Gray); ok {
					if d := int(g.GrayAt(x, y).Y) - int(Y); d < -6 || d > 6 {
						t.Fatalf("%s %v: brightness at %d,%d is off by %d", p, size, x, y, d)
					}
					continue
				}
				got := m.(*image.YCbCr).YCbCrAt(x, y)
				if far(got, color.YCbCr{Y: Y, Cb: cb, Cr: cr}) {
					t.Fatalf("%s %v: colour at %d,%d is %v, want %d %d %d", p, size, x, y, got, Y, cb, cr)
				}
			}
			if _, grey := m.(*image.Gray); grey != (p == capture.Grey) {
				t.Fatalf("%s: became %T", p, m)
			}
		}
	}
}

func far(a, b color.YCbCr) bool {
	off := func(p, q uint8, most int) bool { return int(p)-int(q) > most || int(q)-int(p) > most }
	return off(a.Y, b.Y, 8) || off(a.Cb, b.Cb, 10) || off(a.Cr, b.Cr, 10)
}

// TestSnapshotsAreTheCallers holds on to one snapshot while others are made.
func TestSnapshotsAreTheCallers(t *testing.T) {
	var e JPEG
	first, _, _, err := e.Snapshot(card(capture.YUYV, 64, 48, 0))
	if err != nil {
		t.Fatal(err)
	}
	kept := bytes.Clone(first)
	for _, p := range []capture.Pixel{capture.NV12, capture.Grey, capture.YUYV} {
		if _, _, _, err := e.Snapshot(card(p, 80, 60, 3)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first, kept) {
		t.Error("a later snapshot wrote over the first")
	}
}

func TestQuality(t *testing.T) {
	small, large := JPEG{Quality: 30}, JPEG{Quality: 95}
	normal := JPEG{}
	size := func(e *JPEG) int {
		b, _, _, err := e.Snapshot(card(capture.NV12, 320, 240, 0))
		if err != nil {
			t.Fatal(err)
		}
		return len(b)
	}
	if a, b, c := size(&small), size(&normal), size(&large); a >= b || b >= c {
		t.Errorf("quality 30, %d, 95: %d, %d, %d bytes", DefaultQuality, a, b, c)
	}
}

func TestSnapshotPassesMotionJPEGOn(t *testing.T) {
	var whole bytes.Buffer
	m := image.NewYCbCr(image.Rect(0, 0, 48, 32), image.YCbCrSubsampleRatio420)
	if err := jpeg.Encode(&whole, m, nil); err != nil {
		t.Fatal(err)
	}
	var e JPEG
	shot := func(b []byte) ([]byte, error) {
		data, w, h, err := e.Snapshot(&capture.Frame{Format: capture.Format{Pixel: capture.MJPEG, Width: 999, Height: 999}, Data: b})
		if err == nil && (w != 48 || h != 32) {
			t.Fatalf("size %dx%d, the JPEG says 48x32", w, h)
		}
		return data, err
	}
	got, err := shot(append(bytes.Clone(whole.Bytes()), make([]byte, 500)...))
	if err != nil || !bytes.Equal(got, whole.Bytes()) {
		t.Errorf("a whole JPEG with padding: %v, or other bytes", err)
	}
	at := bytes.Index(whole.Bytes(), []byte{0xff, 0xc4})
	end := bytes.Index(whole.Bytes(), []byte{0xff, 0xda})
	bare := append(bytes.Clone(whole.Bytes()[:at]), whole.Bytes()[end:]...)
	if _, err := jpeg.Decode(bytes.NewReader(bare)); err == nil {
		t.Fatal("the tables are still there")
	}
	if got, err = shot(bare); err != nil {
		t.Fatal(err)
	}
	if _, err := jpeg.Decode(bytes.NewReader(got)); err != nil {
		t.Errorf("without tables: %v", err)
	}
	for reason, b := range map[mjpeg.Error][]byte{mjpeg.ErrEmpty: nil, mjpeg.ErrNotJPEG: make([]byte, 100), mjpeg.ErrTruncated: bare[:len(bare)/2]} {
		var bad *capture.BadFrame
		if data, err := shot(b); !errors.As(err, &bad) || bad.Reason != string(reason) || data != nil {
			t.Errorf("%v: got %v", reason, err)
		}
	}
}

func TestSnapshotRefusesFramesThatLie(t *testing.T) {
	for _, c := range []struct {
		name   string
		format capture.Format
		size   int
		reason string
	}{
		{"no size", capture.Format{Pixel: capture.YUYV}, 100, "header"},
		{"negative", capture.Format{Pixel: capture.Grey, Width: -8, Height: 8, Stride: 8}, 100, "header"},
		{"65535x65535", capture.Format{Pixel: capture.NV12, Width: 65535, Height: 65535}, 100, "header"},
		{"wider than JPEG", capture.Format{Pixel: capture.Grey, Width: 70000, Height: 1}, 70000, "header"},
		{"stride too short", capture.Format{Pixel: capture.YUYV, Width: 64, Height: 8, Stride: 127}, 8192, "header"},
		{"negative stride", capture.Format{Pixel: capture.NV12, Width: 64, Height: 8, Stride: -64}, 8192, "header"},
		{"stride that wraps", capture.Format{Pixel: capture.NV12, Width: 8, Height: 8, Stride: 1<<31 - 1}, 8192, "truncated"},
		{"empty", capture.Format{Pixel: capture.NV12, Width: 64, Height: 8}, 0, "truncated"},
		{"colours missing", capture.Format{Pixel: capture.NV12, Width: 64, Height: 8}, 64 * 8, "truncated"},
		{"one byte short", capture.Format{Pixel: capture.YUYV, Width: 64, Height: 8}, 1023, "truncated"},
	} {
		var e JPEG
		var bad *capture.BadFrame
		_, _, _, err := e.Snapshot(&capture.Frame{Format: c.format, Data: make([]byte, c.size)})
		if !errors.As(err, &bad) || bad.Reason != c.reason {
			t.Errorf("%s: got %v, want %q", c.name, err, c.reason)
		}
	}
	var e JPEG
	for _, p := range []capture.Pixel{0, capture.H264, capture.H265} {
		if _, _, _, err := e.Snapshot(&capture.Frame{Format: capture.Format{Pixel: p, Width: 8, Height: 8}, Data: make([]byte, 99)}); !errors.Is(err, ErrNoSnapshot) {
			t.Errorf("%s: %v, want ErrNoSnapshot", p, err)
		}
	}
}

func FuzzSnapshot(f *testing.F) {
	for _, p := range []capture.Pixel{capture.YUYV, capture.NV12, capture.Grey} {
		c := card(p, 6, 5, 1)
		f.Add(uint8(p), 6, 5, c.Format.Stride, c.Data)
	}
	f.Fuzz(func(t *testing.T, p uint8, w, h, stride int, data []byte) {
		var e JPEG
		frame := &capture.Frame{Format: capture.Format{Pixel: capture.Pixel(p), Width: w, Height: h, Stride: stride}, Data: data}
		b, gw, gh, err := e.Snapshot(frame)
		if err != nil {
			return
		}
		hd, err := mjpeg.Scan(b)
		if err != nil || hd.Width != gw || hd.Height != gh || !hd.HasDHT {
			t.Fatalf("%dx%d: %+v, %v", gw, gh, hd, err)
		}
	})
}

func BenchmarkSnapshot(b *testing.B) {
	for _, p := range []capture.Pixel{capture.YUYV, capture.NV12, capture.Grey} {
		b.Run(p.String(), func(b *testing.B) {
			f := card(p, 1920, 1080, 0)
			var e JPEG
			b.SetBytes(int64(len(f.Data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, _, err := e.Snapshot(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
