package lens_test

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/cmd/internal/lens"
	"github.com/sealcam/sealcam/cmd/internal/lenstest"
	"github.com/sealcam/sealcam/cmd/internal/qr"
)

// looks is how many looks 3 s of video get at least.
const looks = 6

// someText is a text of n characters such as a pairing code has.
func someText(n int, seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 7))
	b := []byte("SEALCAM-PAIR-1")
	for len(b) < n {
		b = append(b, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[rng.IntN(32)])
	}
	return string(b)
}

func drawn(t testing.TB, text string) *qr.Code {
	t.Helper()
	c, err := qr.Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func frame(img *image.Gray) *capture.Frame {
	b := img.Bounds()
	return &capture.Frame{Format: capture.Format{Pixel: capture.Grey, Width: b.Dx(), Height: b.Dy(), Stride: img.Stride}, Data: img.Pix}
}

// TestFind is the table of what a person may do with a telephone. Characters:
// 330 is a code without Wi-Fi settings, 420 one with, 600 one with all that a
// code can hold.
func TestFind(t *testing.T) {
	small, large := [2]int{640, 480}, [2]int{1920, 1080}
	for _, tc := range []struct {
		size [2]int
		n    int
		v    lenstest.View
	}{
		{small, 330, lenstest.View{Share: .8, Bright: 1}},
		{small, 330, lenstest.View{Share: .6, Bright: 1, Tilt: 15}},
		{small, 330, lenstest.View{Share: .6, Bright: .5, Tilt: 15, Noise: 8}},
		{small, 330, lenstest.View{Share: .6, Bright: .5, Tilt: -15, Noise: 8, Blur: 1}},
		{small, 330, lenstest.View{Share: .45, Bright: .5, Tilt: 15, Noise: 8}},
		{small, 330, lenstest.View{Share: .6, Bright: .5, Tilt: 15, Lean: 15, Noise: 8}},
		{small, 330, lenstest.View{Share: .6, Bright: .3, Tilt: 100, Noise: 6}},
		{small, 420, lenstest.View{Share: .7, Bright: .5, Tilt: 15, Noise: 8}},
		{small, 420, lenstest.View{Share: .7, Bright: .5, Tilt: 15, Noise: 8, Blur: 1}},
		{small, 600, lenstest.View{Share: .8, Bright: 1, Tilt: 5}},
		{small, 600, lenstest.View{Share: .7, Bright: .5, Tilt: 15, Noise: 8}},
		{large, 330, lenstest.View{Share: .8, Bright: .5, Tilt: 15, Noise: 8}},
		{large, 330, lenstest.View{Share: .5, Bright: .5, Tilt: 15, Noise: 8, Blur: 2}},
		{large, 420, lenstest.View{Share: .6, Bright: .5, Tilt: 15, Lean: 15, Noise: 8}},
		{large, 420, lenstest.View{Share: .3, Bright: 1, Tilt: 15, Noise: 4}},
		{large, 600, lenstest.View{Share: .6, Bright: .5, Tilt: 15, Noise: 8}},
	} {
		tc.v.Width, tc.v.Height = tc.size[0], tc.size[1]
		t.Run(fmt.Sprintf("%dx%d/%d/%+v", tc.size[0], tc.size[1], tc.n, tc.v), func(t *testing.T) {
			t.Parallel()
			const codes = 3
			for seed := range uint64(codes) {
				tc.v.Seed = seed
				text := someText(tc.n, seed)
				film := lenstest.NewFilm(drawn(t, text), tc.v)
				var f lens.Finder
				n := 1
				for ; n <= looks; n++ {
					got, err := f.Find(frame(film.Next()))
					if err != nil || got != "" && got != text {
						t.Fatalf("found %q, %v", got, err)
					}
					if got != "" {
						break
					}
				}
				if n > looks {
					t.Errorf("code %d is not found in %d looks", seed, looks)
				} else {
					t.Logf("code %d found at look %d", seed, n)
				}
			}
		})
	}
}

// TestFormats shows one scene in every layout that a camera may send.
func TestFormats(t *testing.T) {
	text := someText(330, 1)
	img := lenstest.NewFilm(drawn(t, text), lenstest.View{Width: 641, Height: 479, Share: .7, Bright: 1, Tilt: 8}).Next()
	w, h := 641, 479
	var whole bytes.Buffer
	if err := jpeg.Encode(&whole, img, nil); err != nil {
		t.Fatal(err)
	}
	colour := image.NewYCbCr(img.Rect, image.YCbCrSubsampleRatio420)
	for y := range h {
		copy(colour.Y[y*colour.YStride:], img.Pix[y*w:(y+1)*w])
	}
	var colourJPEG bytes.Buffer
	if err := jpeg.Encode(&colourJPEG, colour, &jpeg.Options{Quality: 60}); err != nil {
		t.Fatal(err)
	}
	const stride = 660
	planar, packed := make([]byte, stride*h*3/2), make([]byte, 2*stride*h)
	for y := range h {
		copy(planar[y*stride:], img.Pix[y*w:(y+1)*w])
		for x := range w {
			packed[y*2*stride+2*x] = img.Pix[y*w+x]
		}
	}
	for name, f := range map[string]*capture.Frame{
		"grey":        frame(img),
		"mjpeg":       {Format: capture.Format{Pixel: capture.MJPEG, Width: w, Height: h}, Data: whole.Bytes()},
		"colour":      {Format: capture.Format{Pixel: capture.MJPEG, Width: w, Height: h}, Data: colourJPEG.Bytes()},
		"nv12":        {Format: capture.Format{Pixel: capture.NV12, Width: w, Height: h, Stride: stride}, Data: planar},
		"yuyv padded": {Format: capture.Format{Pixel: capture.YUYV, Width: w, Height: h, Stride: 2 * stride}, Data: packed},
	} {
		var find lens.Finder
		if got, err := find.Find(f); got != text {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		short := *f
		short.Data = short.Data[:len(short.Data)/3]
		if got, err := find.Find(&short); got != "" || err == nil {
			t.Errorf("%s, a third of it: %q, %v", name, got, err)
		}
	}
	var find lens.Finder
	if _, err := find.Find(&capture.Frame{Format: capture.Format{Pixel: capture.H264, Width: w, Height: h}}); err == nil {
		t.Error("H.264 is looked at")
	}
}

// TestCrowd: thousands of finder patterns cost no more than a look.
func TestCrowd(t *testing.T) {
	const w, h = 1920, 1080
	img := image.NewGray(image.Rect(0, 0, w, h))
	c := drawn(t, "SEALCAM")
	for y := range h {
		for x := range w {
			if !c.Dark(x/2%9, y/2%9) {
				img.Pix[y*w+x] = 255
			}
		}
	}
	var f lens.Finder
	if got, err := f.Find(frame(img)); got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzFind asserts that no picture ends the program.
func FuzzFind(f *testing.F) {
	img := lenstest.NewFilm(drawn(f, someText(60, 1)), lenstest.View{Width: 120, Height: 90, Share: .8, Bright: 1}).Next()
	f.Add(uint16(120), img.Pix)
	f.Add(uint16(7), []byte(strings.Repeat("\x00\xff", 900)))
	f.Fuzz(func(t *testing.T, w uint16, pix []byte) {
		if w == 0 || len(pix) > 1<<18 {
			return
		}
		var find lens.Finder
		_, _ = find.Find(&capture.Frame{Format: capture.Format{Pixel: capture.Grey, Width: int(w), Height: len(pix) / int(w)}, Data: pix})
	})
}

func BenchmarkFind(b *testing.B) {
	for _, size := range [][2]int{{640, 480}, {1920, 1080}} {
		film := lenstest.NewFilm(drawn(b, someText(330, 1)), lenstest.View{Width: size[0], Height: size[1], Share: .5, Bright: .5, Tilt: 15, Noise: 8})
		var data bytes.Buffer
		if err := jpeg.Encode(&data, film.Next(), nil); err != nil {
			b.Fatal(err)
		}
		fr := &capture.Frame{Format: capture.Format{Pixel: capture.MJPEG, Width: size[0], Height: size[1]}, Data: data.Bytes()}
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			b.ReportAllocs()
			var f lens.Finder
			for b.Loop() {
				if _, err := f.Find(fr); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
