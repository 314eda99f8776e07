package mjpeg

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// noisy is a picture in which every block has many coefficients.
func noisy(w, h int, ratio image.YCbCrSubsampleRatio) *image.YCbCr {
	rng := rand.New(rand.NewPCG(7, uint64(w*h)))
	m := image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
	for _, plane := range [][]uint8{m.Y, m.Cb, m.Cr} {
		level := 0
		for i := range plane {
			if i%8 == 0 {
				level = rng.IntN(200)
			}
			plane[i] = uint8(level + rng.IntN(56))
		}
	}
	return m
}

// someBlocks hides about one block in n.
func someBlocks(w, h, n int) *Blocks {
	rng := rand.New(rand.NewPCG(3, uint64(n)))
	b := NewBlocks(w, h)
	bw, bh := b.Size()
	for i := range bw * bh {
		if rng.IntN(n) == 0 {
			b.Add(i%bw, i/bw)
		}
	}
	return b
}

// planes returns the planes of a decoded JPEG, with the size in pixels of one
// sample and their strides.
func planes(m image.Image) (pix [][]uint8, strides []int, sw, sh int) {
	if g, ok := m.(*image.Gray); ok {
		return [][]uint8{g.Pix}, []int{g.Stride}, 1, 1
	}
	y := m.(*image.YCbCr)
	sw, sh = 1, 1
	switch y.SubsampleRatio {
	case image.YCbCrSubsampleRatio420:
		sw, sh = 2, 2
	case image.YCbCrSubsampleRatio422:
		sw = 2
	case image.YCbCrSubsampleRatio440:
		sh = 2
	case image.YCbCrSubsampleRatio411:
		sw = 4
	}
	return [][]uint8{y.Y, y.Cb, y.Cr}, []int{y.YStride, y.CStride, y.CStride}, sw, sh
}

// compareMasked checks that got is want, but flat in every MCU that hide touches.
func compareMasked(got, want image.Image, hide *Blocks) error {
	if got.Bounds() != want.Bounds() {
		return fmt.Errorf("%v became %v", want.Bounds(), got.Bounds())
	}
	gp, gs, sw, sh := planes(got)
	wp, ws, ww, wh := planes(want)
	if len(gp) != len(wp) || sw != ww || sh != wh {
		return fmt.Errorf("%T of samples %dx%d became %T of %dx%d", want, ww, wh, got, sw, sh)
	}
	for y := range want.Bounds().Dy() {
		for x := range want.Bounds().Dx() {
			hidden := hide.Any(x/8/sw*sw, y/8/sh*sh, sw, sh)
			for p := range gp {
				px, py := x, y
				if p > 0 {
					px, py = x/sw, y/sh
				}
				g, w := gp[p][py*gs[p]+px], wp[p][py*ws[p]+px]
				if hidden {
					w = 128
				}
				if g != w {
					return fmt.Errorf("plane %d at %d,%d (hidden %v) is %d, want %d", p, px, py, hidden, g, w)
				}
			}
		}
	}
	return nil
}

func mustDecode(tb testing.TB, b []byte) image.Image {
	tb.Helper()
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// What was published decodes to flat grey within the mask, and to exactly what the
// camera's own JPEG decodes to outside of it.
func TestMaskedIsFlatInsideAndExactOutside(t *testing.T) {
	var m Masker
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411,
	} {
		for _, size := range [][2]int{{64, 48}, {1, 1}, {17, 33}, {250, 131}} {
			for _, restart := range []int{0, 1, 5} {
				for _, one := range []int{1, 2, 9, 1 << 30} {
					name := fmt.Sprintf("%v %v restart %d, one in %d", ratio, size, restart, one)
					frame := encodeYCbCr(noisy(size[0], size[1], ratio), 3, restart)
					hide := someBlocks(size[0], size[1], one)
					out, err := m.Append([]byte("before"), frame, hide)
					if err != nil || !bytes.HasPrefix(out, []byte("before")) {
						t.Fatalf("%s: %v", name, err)
					}
					out = out[len("before"):]
					if err := compareMasked(mustDecode(t, out), mustDecode(t, frame), hide); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					if h, err := Scan(out); err != nil || h.RestartInterval != restart || !h.HasDHT || h.End != len(out) {
						t.Fatalf("%s: %+v, %v", name, h, err)
					}
				}
			}
		}
	}
}

// Files of libjpeg-turbo, with optimized tables and without, in grey and colour.
// Progressive ones are refused.
func TestMaskedFilesOfLibjpeg(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.jpg"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var m Masker
	masked := 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h, err := Scan(b)
		if err != nil {
			continue
		}
		hide := someBlocks(h.Width, h.Height, 3)
		out, err := m.Append(nil, b, hide)
		if err == ErrUnsupported {
			if out != nil {
				t.Errorf("%s: refused, and something came out", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		whole, err := AppendComplete(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		if err := compareMasked(mustDecode(t, out), mustDecode(t, whole), hide); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		masked++
	}
	if masked != 2 { // the other three are of kinds that DC does not read, or in several scans
		t.Errorf("only %d of %v were masked", masked, files)
	}
}

// Nothing travels on that stands beside the picture: a thumbnail, a comment, a
// second frame.
func TestMaskedHasNothingBeside(t *testing.T) {
	frame := encodeYCbCr(noisy(64, 48, image.YCbCrSubsampleRatio420), 3, 0)
	secret := "the face in the window"
	beside := func(marker byte) []byte {
		return append([]byte{0xff, marker, 0, byte(2 + len(secret))}, secret...)
	}
	loud := append([]byte{}, frame[:2]...)
	for _, marker := range []byte{0xe0, 0xe1, 0xef, 0xfe} {
		loud = append(loud, beside(marker)...)
	}
	end := len(frame) - 2
	loud = append(loud, frame[2:end]...)
	loud = append(loud, secret...) // behind the last MCU, before the end
	loud = append(append(loud, 0xff, 0xd9), frame...)
	loud = append(loud, secret...)
	var m Masker
	hide := someBlocks(64, 48, 4)
	got, err := m.Append(nil, loud, hide)
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.Append(nil, frame, hide)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) || strings.Contains(string(got), secret) {
		t.Errorf("%d bytes, want the %d of the plain frame", len(got), len(want))
	}
}

// A frame that cannot be masked to its end gives nothing, and a reason.
func TestMaskerRefuses(t *testing.T) {
	ratio := image.YCbCrSubsampleRatio420
	frame := encodeYCbCr(noisy(64, 48, ratio), 3, 0)
	restarts := encodeYCbCr(noisy(64, 48, ratio), 3, 2)
	h, err := Scan(frame)
	if err != nil {
		t.Fatal(err)
	}
	swapped := bytes.Clone(restarts)
	i, j := bytes.Index(swapped, []byte{0xff, 0xd0}), bytes.Index(swapped, []byte{0xff, 0xd1})
	swapped[i+1], swapped[j+1] = 0xd1, 0xd0
	runs := bytes.Clone(frame)
	at := bytes.Index(runs, []byte(acLuma[1:17])) + 16
	runs[at] = 0x10 // a run of blocks, as in progressive JPEG
	noEnd := bytes.Clone(frame)
	noEnd[bytes.Index(noEnd, []byte(acLuma[1:17]))+16+3] = 0xfb // where the code for the end of a block was
	for name, tc := range map[string]struct {
		b    []byte
		want Error
	}{
		"empty":           {nil, ErrEmpty},
		"text":            {[]byte("hello, camera"), ErrNotJPEG},
		"head alone":      {frame[:h.Data], ErrTruncated},
		"cut":             {frame[:len(frame)-200], ErrTruncated},
		"cut, ended":      {append(bytes.Clone(frame[:len(frame)-200]), 0xff, 0xd9), ErrTruncated},
		"restarts astray": {swapped, ErrCorrupt},
		"restart missing": {append(bytes.Clone(restarts[:i]), restarts[j:]...), ErrCorrupt},
		"runs of blocks":  {runs, ErrUnsupported},
		"no end of block": {noEnd, ErrUnsupported},
		"another size":    {encodeYCbCr(noisy(72, 48, ratio), 3, 0), ErrHeader},
	} {
		var m Masker
		dst := []byte("before")
		out, err := m.Append(dst, tc.b, someBlocks(64, 48, 2))
		if err != tc.want || string(out) != "before" {
			t.Errorf("%s: %v and %d bytes, want %v", name, err, len(out)-len(dst), tc.want)
		}
		if out, err := m.Append(nil, frame, someBlocks(64, 48, 2)); err != nil || len(out) == 0 {
			t.Errorf("after %s: %v", name, err)
		}
	}
}

// DC tables made for one picture may lack the codes that a flat part needs.
func TestMaskerWithoutCodesForItsDifferences(t *testing.T) {
	// Two grey blocks of DC 1, coded with the one size that they need and one
	// more: 1 then 0.
	frame := []byte("\xff\xd8\xff\xdb\x00\x43\x00" + strings.Repeat("\x08", 64) +
		"\xff\xc0\x00\x0b\x08\x00\x08\x00\x10\x01\x01\x11\x00" +
		"\xff\xc4\x00\x15\x00\x02" + strings.Repeat("\x00", 15) + "\x01\x00" + // 0: size 1, 1: size 0
		"\xff\xc4\x00\x14\x10\x01" + strings.Repeat("\x00", 15) + "\x00" + // 0: end of block
		"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" +
		"\x57\xff\xd9") // 0 1 0, 1 0, filled with ones
	hide := NewBlocks(16, 8)
	hide.Add(0, 0)
	var m Masker
	out, err := m.Append(nil, frame, hide)
	if err != nil {
		t.Fatal(err)
	}
	if err := compareMasked(mustDecode(t, out), mustDecode(t, frame), hide); err != nil {
		t.Error(err)
	}
}

func TestMaskerAllocatesNothing(t *testing.T) {
	frame := encodeYCbCr(noisy(640, 360, image.YCbCrSubsampleRatio422), 3, 40)
	hide := someBlocks(640, 360, 5)
	var m Masker
	dst, err := m.Append(nil, frame, hide)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { dst, err = m.Append(dst[:0], frame, hide) }); n != 0 || err != nil {
		t.Errorf("%v allocations a frame, %v", n, err)
	}
}

// Raw frames are compressed without their hidden parts.
func TestEncoderHides(t *testing.T) {
	for _, grey := range []bool{false, true} {
		src := noisy(120, 70, image.YCbCrSubsampleRatio420)
		raw := Raw{Width: 120, Height: 70, Y: Plane{src.Y, src.YStride, 1}, Cb: Plane{src.Cb, src.CStride, 1}, Cr: Plane{src.Cr, src.CStride, 1}}
		if grey {
			raw.Cb, raw.Cr = Plane{}, Plane{}
		}
		var e Encoder
		open, err := e.Append(nil, &raw, 85)
		if err != nil {
			t.Fatal(err)
		}
		e.Hide = someBlocks(120, 70, 6)
		masked, err := e.Append(nil, &raw, 85)
		if err != nil {
			t.Fatal(err)
		}
		if err := compareMasked(mustDecode(t, masked), mustDecode(t, open), e.Hide); err != nil {
			t.Errorf("grey %v: %v", grey, err)
		}
		e.Hide = NewBlocks(64, 64)
		if _, err := e.Append(nil, &raw, 85); err != ErrHeader {
			t.Errorf("with blocks of another size: %v", err)
		}
	}
}

// FuzzMasker holds whatever comes out against image/jpeg.
func FuzzMasker(f *testing.F) {
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420} {
		f.Add(encodeYCbCr(noisy(40, 24, ratio), 8, 0), uint8(3))
		f.Add(encodeYCbCr(noisy(33, 17, ratio), 8, 2), uint8(2))
	}
	files, err := filepath.Glob(filepath.Join("testdata", "*.jpg"))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint8(4))
	}
	f.Fuzz(func(t *testing.T, b []byte, one uint8) {
		var d DC
		w, h, _, err := d.Read(b)
		if err != nil || w*h > 1<<12 {
			return
		}
		hide := someBlocks(8*w, 8*h, 1+int(one))
		var m Masker
		out, err := m.Append(nil, b, hide)
		if err != nil {
			if out != nil {
				t.Fatal("refused, and something came out")
			}
			return
		}
		got, err := jpeg.Decode(bytes.NewReader(out))
		if err != nil {
			t.Fatalf("what came out does not decode: %v", err)
		}
		again, err := m.Append(nil, out, hide)
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("masked twice is not masked once: %v", err)
		}
		whole, err := AppendComplete(nil, b)
		if err != nil {
			return // Append reads no further than it has to
		}
		want, err := jpeg.Decode(bytes.NewReader(whole))
		if err != nil {
			return
		}
		if err := compareMasked(got, want, hide); err != nil {
			t.Fatal(err)
		}
	})
}

// BenchmarkMask compares masking an eighth of a frame with decoding it and
// compressing it again.
func BenchmarkMask(b *testing.B) {
	frame := frame1080(b)
	hide := NewBlocks(1920, 1080)
	for y := range 48 {
		for x := range 84 {
			hide.Add(x, y)
		}
	}
	b.Run("mask", func(b *testing.B) {
		var m Masker
		var dst []byte
		b.SetBytes(int64(len(frame)))
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if dst, err = m.Append(dst[:0], frame, hide); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("again", func(b *testing.B) {
		b.SetBytes(int64(len(frame)))
		b.ReportAllocs()
		var e Encoder
		e.Hide = hide
		var dst []byte
		for b.Loop() {
			img, err := jpeg.Decode(bytes.NewReader(frame))
			if err != nil {
				b.Fatal(err)
			}
			m := img.(*image.YCbCr)
			raw := Raw{Width: 1920, Height: 1080, FullColour: true, Y: Plane{m.Y, m.YStride, 1}, Cb: Plane{m.Cb, m.CStride, 1}, Cr: Plane{m.Cr, m.CStride, 1}}
			if dst, err = e.Append(dst[:0], &raw, 85); err != nil {
				b.Fatal(err)
			}
		}
	})
}
