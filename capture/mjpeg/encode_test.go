package mjpeg

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"
)

// layouts returns the same picture as cameras lay it out, with pad bytes of rubbish
// behind each row, and the planes of the first.
func layouts(m *image.YCbCr, pad int) map[string]*Raw {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	cw := (w + 1) / 2
	full := m.SubsampleRatio == image.YCbCrSubsampleRatio422
	rows := len(m.Cb) / m.CStride
	plane := func(pix []uint8, w, h, stride, step int) Plane {
		p := Plane{Pix: bytes.Repeat([]byte{0x5a}, (w*step+pad)*h), Stride: w*step + pad, Step: step}
		for y := range h {
			for x := range w {
				p.Pix[y*p.Stride+x*step] = pix[y*stride+x]
			}
		}
		return p
	}
	out := map[string]*Raw{}
	for name, step := range map[string][2]int{"planar": {1, 1}, "packed": {2, 4}, "interleaved": {1, 2}} {
		out[name] = &Raw{
			Width: w, Height: h, FullColour: full, Y: plane(m.Y, w, h, m.YStride, step[0]),
			Cb: plane(m.Cb, cw, rows, m.CStride, step[1]), Cr: plane(m.Cr, cw, rows, m.CStride, step[1]),
		}
	}
	return out
}

// psnr is how near the brightness of two pictures is, in decibels.
func psnr(a, b *image.YCbCr) float64 {
	sum, n := 0.0, 0
	for y := range a.Rect.Dy() {
		for x := range a.Rect.Dx() {
			d := float64(a.Y[a.YOffset(x, y)]) - float64(b.Y[b.YOffset(x, y)])
			sum, n = sum+d*d, n+1
		}
	}
	return 10 * math.Log10(255*255*float64(n)/max(sum, 1e-9))
}

// TestEncoderIsAsGoodAsTheLibrary compares size and quality with image/jpeg's.
func TestEncoderIsAsGoodAsTheLibrary(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var e Encoder
	for _, q := range []int{1, 20, 50, 75, 85, 95, 100} {
		for _, size := range [][2]int{{160, 120}, {97, 51}, {16, 16}, {1, 1}, {7, 40}} {
			m := soft(rng, size[0], size[1], image.YCbCrSubsampleRatio420)
			theirs := encode(t, m, q)
			for name, raw := range layouts(m, rng.IntN(20)) {
				ours, err := e.Append(nil, raw, q)
				if err != nil {
					t.Fatal(err)
				}
				got, err := jpeg.Decode(bytes.NewReader(ours))
				if err != nil || got.Bounds() != m.Rect {
					t.Fatalf("q%d %v %s: %v", q, size, name, err)
				}
				want, _ := jpeg.Decode(bytes.NewReader(theirs))
				if a, b := psnr(got.(*image.YCbCr), m), psnr(want.(*image.YCbCr), m); a < b-0.4 && a < 50 {
					t.Errorf("q%d %v %s: %.1f dB, image/jpeg %.1f", q, size, name, a, b)
				}
				if len(ours) > len(theirs)+len(theirs)/20+40 {
					t.Errorf("q%d %v %s: %d bytes, image/jpeg %d", q, size, name, len(ours), len(theirs))
				}
			}
		}
	}
}

// What is said to become other than zero does, and nothing else, at either side of the limit.
func TestEncoderKeepsWhatIsNotZero(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var e Encoder
	for quality := 1; quality <= 100; quality++ {
		e.prepare(quality, quality%2 == 0)
		for i := range e.tables {
			tab := &e.tables[i]
			for range 20 {
				var b [64]int32
				want := uint64(0)
				for k := 1; k < 64; k++ {
					at := zigzagOrder[k]
					v := tab.most[at] + int32(rng.IntN(3)) - 1
					if rng.IntN(2) == 0 {
						v = -v
					}
					b[at] = v
					if quantize(v, tab.recip[k]) != 0 {
						want |= 1 << k
					}
				}
				b[0] = int32(rng.IntN(2)) << 16
				if got := e.kept(tab, &b); got != want {
					t.Fatalf("quality %d, table %d: %#x, want %#x", quality, i, got, want)
				}
			}
		}
	}
}

// TestEncoderKeepsColour checks each plane of both samplings.
func TestEncoderKeepsColour(t *testing.T) {
	var e Encoder
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio422} {
		m := image.NewYCbCr(image.Rect(0, 0, 83, 61), ratio)
		for y := range 61 {
			for x := range 83 {
				m.Y[m.YOffset(x, y)] = uint8(60 + x + y)
				m.Cb[m.COffset(x, y)], m.Cr[m.COffset(x, y)] = uint8(200-x), uint8(90+y)
			}
		}
		for name, raw := range layouts(m, 3) {
			b, err := e.Append(nil, raw, 95)
			if err != nil {
				t.Fatal(err)
			}
			d, err := jpeg.Decode(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			got := d.(*image.YCbCr)
			for y := range 61 {
				for x := range 83 {
					g, w := got.YCbCrAt(x, y), m.YCbCrAt(x, y)
					if off(g.Y, w.Y) > 3 || off(g.Cb, w.Cb) > 4 || off(g.Cr, w.Cr) > 4 {
						t.Fatalf("%v %s: at %d,%d %v, want %v", ratio, name, x, y, g, w)
					}
				}
			}
		}
	}
}

func off(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }

func TestEncoderGrey(t *testing.T) {
	m := soft(rand.New(rand.NewPCG(3, 4)), 75, 42, image.YCbCrSubsampleRatio420)
	var e Encoder
	b, err := e.Append([]byte("before"), &Raw{Width: 75, Height: 42, Y: Plane{m.Y, m.YStride, 1}}, 90)
	if err != nil || string(b[:6]) != "before" {
		t.Fatal(err)
	}
	got, err := jpeg.Decode(bytes.NewReader(b[6:]))
	if err != nil {
		t.Fatal(err)
	}
	grey, ok := got.(*image.Gray)
	if !ok {
		t.Fatalf("it became %T", got)
	}
	if p := psnr(&image.YCbCr{Y: grey.Pix, YStride: grey.Stride, Rect: grey.Rect}, m); p < 35 {
		t.Errorf("%.1f dB", p)
	}
	if h, err := Scan(b); err != nil || h.String() != "75x42 grey" || !h.HasDHT {
		t.Errorf("%v, %v", h, err)
	}
}

func TestEncoderRefusesWhatIsNotThere(t *testing.T) {
	good := func() *Raw {
		return layouts(soft(rand.New(rand.NewPCG(5, 6)), 32, 18, image.YCbCrSubsampleRatio420), 0)["planar"]
	}
	for name, spoil := range map[string]func(r *Raw){
		"no size":             func(r *Raw) { r.Width = 0 },
		"negative":            func(r *Raw) { r.Height = -1 },
		"65535x65535":         func(r *Raw) { r.Width, r.Height = 65535, 65535 },
		"too wide":            func(r *Raw) { r.Width, r.Height = 65536, 1 },
		"brightness short":    func(r *Raw) { r.Y.Pix = r.Y.Pix[:len(r.Y.Pix)-1] },
		"colour short":        func(r *Raw) { r.Cr.Pix = r.Cr.Pix[:len(r.Cr.Pix)-1] },
		"one colour":          func(r *Raw) { r.Cb.Pix = nil },
		"colour of full size": func(r *Raw) { r.FullColour = true },
		"no step":             func(r *Raw) { r.Y.Step = 0 },
		"huge step":           func(r *Raw) { r.Y.Step = 1 << 30 },
		"negative stride":     func(r *Raw) { r.Y.Stride = -32 },
		"huge stride":         func(r *Raw) { r.Y.Stride = math.MaxInt32 },
	} {
		r := good()
		spoil(r)
		var e Encoder
		if b, err := e.Append([]byte("x"), r, 85); err != ErrHeader || string(b) != "x" {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}

// FuzzEncoder codes noise: whatever the samples and the quality, the result is a
// sound JPEG, and DC reads what a full decode does.
func FuzzEncoder(f *testing.F) {
	f.Add(17, 9, uint8(0), []byte{1, 200, 3, 255})
	f.Add(8, 8, uint8(100), []byte{0, 255})
	f.Fuzz(func(t *testing.T, w, h int, q uint8, data []byte) {
		if w < 1 || h < 1 || w > 80 || h > 80 || len(data) == 0 {
			return
		}
		pix := bytes.Repeat(data, 4*w*h/len(data)+1)
		r := &Raw{Width: w, Height: h, Y: Plane{pix, w, 1}, Cb: Plane{pix[1:], w, 2}, Cr: Plane{pix[2:], 2 * w, 1}, FullColour: q%2 == 0, Limited: q%3 == 0}
		var e Encoder
		b, err := e.Append(nil, r, int(q))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		var d DC
		gw, gh, _, err := d.Read(b)
		if err != nil || gw != (w+7)/8 || gh != (h+7)/8 {
			t.Fatalf("%dx%d, %v", gw, gh, err)
		}
	})
}

func BenchmarkEncoder(b *testing.B) {
	m := soft(rand.New(rand.NewPCG(7, 8)), 1920, 1080, image.YCbCrSubsampleRatio420)
	b.Run("ours", func(b *testing.B) {
		raw := layouts(m, 0)["interleaved"]
		var e Encoder
		var out []byte
		b.ReportAllocs()
		for b.Loop() {
			out, _ = e.Append(out[:0], raw, 85)
		}
	})
	b.Run("image-jpeg", func(b *testing.B) {
		var out bytes.Buffer
		b.ReportAllocs()
		for b.Loop() {
			out.Reset()
			if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 85}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
