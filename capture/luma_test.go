package capture

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"testing"
)

// rawFrame makes a frame of random samples and, beside it, its brightness alone.
func rawFrame(rng *rand.Rand, p Pixel, w, h, pad int) (*Frame, []uint8) {
	step, size := 1, 0
	if p == YUYV {
		step = 2
	}
	stride := w*step + pad
	size = stride * h
	if p == NV12 {
		size += stride * ((h + 1) / 2)
	}
	f := &Frame{Format: Format{Pixel: p, Width: w, Height: h, Stride: stride}, Data: make([]byte, size)}
	for i := range f.Data {
		f.Data[i] = uint8(rng.Uint32())
	}
	grey := make([]uint8, 0, w*h)
	for y := range h {
		for x := range w {
			grey = append(grey, f.Data[y*stride+x*step])
		}
	}
	return f, grey
}

// slowMean is the plain definition of what Read returns for one block.
func slowMean(pix []uint8, w, h, size, bx, by int) uint8 {
	sum, n := 0, 0
	for y := by * size; y < min(h, (by+1)*size); y++ {
		for x := bx * size; x < min(w, (bx+1)*size); x++ {
			sum += int(pix[y*w+x])
			n++
		}
	}
	return uint8((sum + n/2) / n)
}

func TestLumaIsTheMeanOfBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var r LumaReader
	for range 300 {
		w, h, pad := 1+rng.IntN(100), 1+rng.IntN(60), rng.IntN(3)*rng.IntN(20)
		for _, p := range []Pixel{YUYV, NV12, Grey} {
			f, grey := rawFrame(rng, p, w, h, pad)
			l, err := r.Read(f)
			if err != nil {
				t.Fatalf("%dx%d %s: %v", w, h, p, err)
			}
			if l.W != (w+7)/8 || l.H != (h+7)/8 || len(l.Pix) != l.W*l.H {
				t.Fatalf("%dx%d %s: luma is %dx%d with %d pixels", w, h, p, l.W, l.H, len(l.Pix))
			}
			if l.Limited != (p != Grey) {
				t.Fatalf("%s: a range limited to 16..235: %t", p, l.Limited)
			}
			for i, got := range l.Pix {
				if want := slowMean(grey, w, h, 8, i%l.W, i/l.W); got != want {
					t.Fatalf("%dx%d pad %d %s: pixel %d,%d is %d, want %d", w, h, pad, p, i%l.W, i/l.W, got, want)
				}
			}
		}
	}
}

func TestLumaOfWideFramesStaysNarrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var r LumaReader
	for _, c := range []struct{ w, h, lw, lh, n int }{
		{1920, 1080, 240, 135, 1}, {2560, 1440, 320, 180, 1}, {2568, 1448, 160, 90, 2}, {3840, 2160, 240, 135, 2}, {7680, 4320, 320, 180, 3}, {20000, 8, 312, 1, 8},
	} {
		f, grey := rawFrame(rng, Grey, c.w, c.h, 0)
		l, err := r.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		if l.W != c.lw || l.H != c.lh || len(l.Pix) != c.lw*c.lh {
			t.Fatalf("%dx%d gives %dx%d, want %dx%d", c.w, c.h, l.W, l.H, c.lw, c.lh)
		}
		for i, got := range l.Pix {
			want := slowMean(grey, c.w, c.h, 8*c.n, i%l.W, i/l.W)
			if d := int(got) - int(want); d < -1 || d > 1 {
				t.Fatalf("%dx%d: pixel %d,%d is %d, want %d", c.w, c.h, i%l.W, i/l.W, got, want)
			}
		}
	}
}

func TestLumaRefusesFramesThatLie(t *testing.T) {
	full := func(p Pixel, w, h, stride, size int) *Frame {
		return &Frame{Format: Format{Pixel: p, Width: w, Height: h, Stride: stride}, Data: make([]byte, size)}
	}
	for _, c := range []struct {
		name   string
		f      *Frame
		reason string
	}{
		{"no frame", &Frame{}, "unsupported"},
		{"H.264", full(H264, 64, 64, 0, 4096), "unsupported"},
		{"no size", full(Grey, 0, 64, 64, 4096), "header"},
		{"negative size", full(YUYV, 64, -1, 128, 8192), "header"},
		{"65535x65535", full(Grey, 65535, 65535, 65535, 4096), "header"},
		{"largest size", full(Grey, 1<<31-1, 1<<31-1, 1<<31-1, 4096), "header"},
		{"stride shorter than a row", full(YUYV, 64, 8, 64, 8192), "header"},
		{"negative stride", full(Grey, 64, 8, -64, 8192), "header"},
		{"stride that wraps", full(Grey, 8, 9, 1<<29, 4096), "truncated"},
		{"empty", full(YUYV, 64, 8, 128, 0), "truncated"},
		{"one byte short", full(Grey, 64, 8, 64, 64*8-1), "truncated"},
	} {
		var r LumaReader
		_, err := r.Read(c.f)
		var bad *BadFrame
		if !errors.As(err, &bad) || bad.Reason != c.reason {
			t.Errorf("%s: got %v, want a BadFrame %q", c.name, err, c.reason)
		}
	}
	// The last row's padding is often missing, and that is no lie.
	var r LumaReader
	if _, err := r.Read(full(Grey, 60, 8, 64, 64*7+60)); err != nil {
		t.Errorf("last row without padding: %v", err)
	}
}

func BenchmarkLuma(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, p := range []Pixel{YUYV, NV12, Grey} {
		b.Run(p.String(), func(b *testing.B) {
			f, _ := rawFrame(rng, p, 1920, 1080, 0)
			var r LumaReader
			b.ReportAllocs()
			b.SetBytes(int64(len(f.Data)))
			for b.Loop() {
				if _, err := r.Read(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestLumaOfJPEG reads JPEG and raw frames in turns through one reader.
func TestLumaOfJPEG(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 100, 60))
	for i := range m.Pix {
		m.Pix[i] = uint8(60 + i%100 + i/100)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	var r LumaReader
	raw, _ := rawFrame(rand.New(rand.NewPCG(7, 8)), YUYV, 64, 64, 0)
	for range 3 {
		if l, err := r.Read(raw); err != nil || l.W != 8 || l.H != 8 {
			t.Fatalf("raw: %v", err)
		}
		// What the format says is not asked: the JPEG knows its size.
		l, err := r.Read(&Frame{Format: Format{Pixel: MJPEG, Width: 5, Height: 5}, Data: whole})
		if err != nil || l.W != 13 || l.H != 8 || l.Limited {
			t.Fatalf("JPEG: %v, its range is limited: %t", err, l.Limited)
		}
		for i, got := range l.Pix {
			if i%13 == 12 || i/13 == 7 {
				continue // blocks over the edge hold what the encoder liked
			}
			want := slowMean(m.Pix, 100, 60, 8, i%13, i/13)
			if d := int(got) - int(want); d < -1 || d > 1 {
				t.Fatalf("JPEG: pixel %d,%d is %d, want %d", i%13, i/13, got, want)
			}
		}
	}
	for reason, data := range map[string][]byte{
		"empty": nil, "not-jpeg": make([]byte, 300), "truncated": whole[:len(whole)/2], "header": append(bytes.Clone(whole[:2]), 0xff, 0xd9),
	} {
		_, err := r.Read(&Frame{Format: Format{Pixel: MJPEG}, Data: data})
		var bad *BadFrame
		if !errors.As(err, &bad) || bad.Reason != reason {
			t.Errorf("%s: got %v", reason, err)
		}
	}
}
