package v4l2

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sealcam/sealcam/capture"
)

// noise returns a frame of noise with pad bytes behind each row.
func noise(rng *rand.Rand, p capture.Pixel, w, h, pad int) *capture.Frame {
	row, rows := (w+1)/2*2, h
	switch p {
	case capture.YUYV:
		row *= 2
	case capture.NV12:
		rows += (h + 1) / 2
	}
	f := &capture.Frame{Format: capture.Format{Pixel: p, Width: w, Height: h, Stride: row + pad}, Data: make([]byte, (row+pad)*rows)}
	for i := range f.Data {
		f.Data[i] = byte(rng.Uint32())
	}
	return f
}

// at returns the three samples of a pixel.
func (s *samples) at(x, y int) [3]byte {
	out := [3]byte{s.y.pix[y*s.y.stride+x*s.y.step], noColour, noColour}
	if s.cb.pix != nil {
		if !s.tall {
			y /= 2
		}
		out[1], out[2] = s.cb.pix[y*s.cb.stride+x/2*s.cb.step], s.cr.pix[y*s.cr.stride+x/2*s.cr.step]
	}
	return out
}

// Every layout that cameras give becomes every one that encoders take: brightness is
// the same, and colours are the same or the mean of two rows. What lies around the
// picture is not written to.
func TestConvert(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range []capture.Pixel{capture.YUYV, capture.NV12, capture.Grey} {
		for _, l := range feedable {
			for _, size := range [][3]int{{64, 48, 0}, {33, 17, 7}, {2, 2, 0}, {1, 1, 3}, {18, 5, 0}} {
				w, h := size[0], size[1]
				f := noise(rng, p, w, h, size[2])
				src, err := from(f)
				if err != nil {
					t.Fatal(err)
				}
				high := (h + 15) / 16 * 16
				dst := samples{code: l.code}
				stride := strides(l.code, codecFormat{width: w, stride: [3]int{(2*w + 15) / 16 * 16, (w + 15) / 16 * 16, (w + 15) / 16 * 16}})
				var mem [3][]byte
				for i, n := range needs(l.code, stride, high) {
					mem[i] = bytes.Repeat([]byte{0xee}, int(n))
				}
				dst.place(mem, stride, high)
				convert(&dst, &src, w, h)
				for y := range h {
					for x := range w {
						want := src.at(x, y)
						if p == capture.YUYV && !dst.tall { // the mean of two rows
							a, b := src.at(x, y/2*2), src.at(x, min(y/2*2+1, h-1))
							for i := 1; i < 3; i++ {
								want[i] = uint8((int(a[i]) + int(b[i]) + 1) / 2)
							}
						}
						if got := dst.at(x, y); got != want {
							t.Fatalf("%s to %s, %v: at %d,%d is %v, want %v", p, l.code, size, x, y, got, want)
						}
					}
				}
				if w := dst.y.pix[(high-1)*dst.y.stride]; h < high && w != 0xee {
					t.Errorf("%s to %s, %v: wrote below the picture", p, l.code, size)
				}
			}
		}
	}
}

func TestConvertRefusesWhatIsNotThere(t *testing.T) {
	good := noise(rand.New(rand.NewPCG(1, 2)), capture.NV12, 32, 18, 0)
	for name, spoil := range map[string]func(f *capture.Frame){
		"short":       func(f *capture.Frame) { f.Data = f.Data[:len(f.Data)-1] },
		"no size":     func(f *capture.Frame) { f.Format.Width = 0 },
		"negative":    func(f *capture.Frame) { f.Format.Height = -1 },
		"huge":        func(f *capture.Frame) { f.Format.Width, f.Format.Height = 1<<30, 1<<30 },
		"thin stride": func(f *capture.Frame) { f.Format.Stride = 31 },
		"huge stride": func(f *capture.Frame) { f.Format.Stride = 1 << 30 },
	} {
		f := *good
		spoil(&f)
		var bad *capture.BadFrame
		if _, err := from(&f); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := from(&capture.Frame{Format: capture.Format{Pixel: capture.MJPEG}}); err == nil {
		t.Error("a JPEG was taken for a raw frame")
	}
}

func FuzzConvert(f *testing.F) {
	f.Add(uint8(0), uint8(0), 5, 3, 0, []byte{1, 2, 3})
	f.Add(uint8(1), uint8(3), 8, 8, 16, make([]byte, 300))
	f.Fuzz(func(t *testing.T, pixel, layout uint8, w, h, stride int, data []byte) {
		p := []capture.Pixel{capture.YUYV, capture.NV12, capture.Grey}[pixel%3]
		src, err := from(&capture.Frame{Format: capture.Format{Pixel: p, Width: w, Height: h, Stride: stride}, Data: data})
		if err != nil || w > 4096 || h > 4096 {
			return
		}
		dst := samples{code: feedable[int(layout)%len(feedable)].code}
		n := strides(dst.code, codecFormat{width: w})
		var mem [3][]byte
		for i, size := range needs(dst.code, n, h) {
			mem[i] = make([]byte, size)
		}
		dst.place(mem, n, h)
		convert(&dst, &src, w, h)
	})
}

func BenchmarkConvert(b *testing.B) {
	for _, how := range []struct {
		from capture.Pixel
		to   string
	}{{capture.YUYV, "NV12"}, {capture.YUYV, "YU12"}, {capture.NV12, "NV12"}, {capture.NV12, "YU12"}} {
		b.Run(fmt.Sprintf("%s-%s", how.from, how.to), func(b *testing.B) {
			src, err := from(noise(rand.New(rand.NewPCG(1, 2)), how.from, 1920, 1080, 0))
			if err != nil {
				b.Fatal(err)
			}
			dst := samples{code: how.to}
			n := strides(how.to, codecFormat{width: 1920})
			mem := [3][]byte{make([]byte, needs(how.to, n, 1080)[0])}
			b.SetBytes(1920 * 1080)
			b.ReportAllocs()
			for b.Loop() {
				dst.place(mem, n, 1080)
				convert(&dst, &src, 1920, 1080)
			}
		})
	}
}
