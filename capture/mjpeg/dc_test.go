package mjpeg

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// soft returns a picture with texture that stays clear of black and white, for
// where those clip, a mean of pixels is not a DC coefficient.
func soft(rng *rand.Rand, w, h int, ratio image.YCbCrSubsampleRatio) *image.YCbCr {
	m := image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
	fx, fy, noise := rng.Float64()*0.4, rng.Float64()*0.4, rng.Float64()*60
	for y := range h {
		for x := range w {
			v := 128 + 30*math.Sin(fx*float64(x))*math.Cos(fy*float64(y)) + noise*(rng.Float64()-0.5)
			m.Y[m.YOffset(x, y)] = uint8(v)
		}
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = uint8(100+rng.IntN(56)), uint8(100+rng.IntN(56))
	}
	return m
}

func encode(tb testing.TB, m image.Image, quality int) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// fullMean is the definition: a full decode, and the mean of each 8x8 block.
func fullMean(tb testing.TB, b []byte) (w, h int, pix []uint8) {
	tb.Helper()
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	grey := func(x, y int) int { return int(color.GrayModel.Convert(m.At(x, y)).(color.Gray).Y) }
	if y, ok := m.(*image.YCbCr); ok {
		grey = func(px, py int) int { return int(y.Y[y.YOffset(px, py)]) }
	}
	w, h = (m.Bounds().Dx()+7)/8, (m.Bounds().Dy()+7)/8
	for i := range w * h {
		sum, n := 0, 0
		for y := i / w * 8; y < min(i/w*8+8, m.Bounds().Dy()); y++ {
			for x := i % w * 8; x < min(i%w*8+8, m.Bounds().Dx()); x++ {
				sum += grey(x, y)
				n++
			}
		}
		pix = append(pix, uint8((sum+n/2)/n))
	}
	return w, h, pix
}

// compare fails unless got is within 1 of want wherever a block is whole.
func compare(t *testing.T, name string, width, height int, w, h int, got, want []uint8) {
	t.Helper()
	if w != (width+7)/8 || h != (height+7)/8 || len(got) != w*h {
		t.Fatalf("%s: %dx%d with %d pixels for a frame of %dx%d", name, w, h, len(got), width, height)
	}
	for i := range got {
		if i%w >= width/8 || i/w >= height/8 {
			continue
		}
		if d := int(got[i]) - int(want[i]); d < -1 || d > 1 {
			t.Fatalf("%s: pixel %d,%d is %d, a full decode says %d", name, i%w, i/w, got[i], want[i])
		}
	}
}

func TestDCAgreesWithAFullDecode(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var d DC // one for all: tables are kept and replaced
	for range 60 {
		w, h, q := 1+rng.IntN(120), 1+rng.IntN(90), 1+rng.IntN(100)
		grey := image.NewGray(image.Rect(0, 0, w, h))
		m := soft(rng, w, h, image.YCbCrSubsampleRatio420)
		copy(grey.Pix, m.Y)
		files := map[string][]byte{"4:2:0": encode(t, m, q), "grey": encode(t, grey, q)}
		for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411} {
			files[ratio.String()] = encodeYCbCr(soft(rng, w, h, ratio), 1+rng.IntN(30), rng.IntN(2)*rng.IntN(9))
		}
		for name, b := range files {
			gw, gh, got, err := d.Read(b)
			if err != nil {
				t.Fatalf("%s %dx%d q%d: %v", name, w, h, q, err)
			}
			_, _, want := fullMean(t, b)
			compare(t, name, w, h, gw, gh, got, want)
		}
	}
}

// TestDCReadsWhatOthersWrite reads files of libjpeg-turbo: every sampling,
// restart markers, own tables, one scan for each component.
func TestDCReadsWhatOthersWrite(t *testing.T) {
	files, err := filepath.Glob("testdata/dc/*.jpg")
	if err != nil || len(files) < 8 {
		t.Fatalf("testdata/dc: %d files, %v", len(files), err)
	}
	var d DC
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		w, h, got, err := d.Read(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		hd, err := Scan(b)
		if err != nil {
			t.Fatal(err)
		}
		_, _, want := fullMean(t, b)
		compare(t, name, hd.Width, hd.Height, w, h, got, want)
	}
}

func TestDCKnowsTheStandardTables(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	b := encode(t, soft(rng, 64, 48, image.YCbCrSubsampleRatio420), 80)
	bare := dropDHT(b)
	if len(bare) >= len(b) {
		t.Fatal("the tables are still there")
	}
	var d, e DC
	// A frame with tables of its own before must not leave them behind.
	if other, err := os.ReadFile("testdata/optimized-grey.jpg"); err != nil {
		t.Fatal(err)
	} else if _, _, _, err := e.Read(other); err != nil {
		t.Fatal(err)
	}
	_, _, want, err := d.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	_, _, got, err := e.Read(bare)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("without tables: %v, or another picture", err)
	}
}

// dropDHT returns a JPEG of image/jpeg without its DHT segments.
func dropDHT(b []byte) []byte {
	s := cursor{b: b, i: 2}
	out := bytes.Clone(b[:2])
	for {
		at := s.i
		m, _ := s.marker()
		if m == markSOS {
			return append(out, b[at:]...)
		}
		s.segment()
		if m != markDHT {
			out = append(out, b[at:s.i]...)
		}
	}
}

func TestDCRefusesByType(t *testing.T) {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := encode(t, soft(rand.New(rand.NewPCG(5, 6)), 64, 64, image.YCbCrSubsampleRatio420), 80)
	sof := bytes.Index(good, []byte{0xff, 0xc0})
	patch := func(at int, v ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], v)
		return b
	}
	rgb := append(append(bytes.Clone(good[:2]), "\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"...), good[2:]...)
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, ErrEmpty},
		{"zeros", make([]byte, 4096), ErrNotJPEG},
		{"start alone", good[:2], ErrTruncated},
		{"half", good[:len(good)/2], ErrTruncated},
		{"last tenth missing", good[:len(good)*9/10], ErrTruncated},
		{"no coded data", append(bytes.Clone(good[:sof]), 0xff, 0xd9), ErrHeader},
		{"65535x65535", patch(sof+5, 255, 255, 255, 255), ErrTooLarge},
		{"no width", patch(sof+7, 0, 0), ErrHeader},
		{"CMYK", append(append(bytes.Clone(good[:sof]), "\xff\xc0\x00\x14\x08\x00\x40\x00\x40\x04\x01\x11\x00\x02\x11\x00\x03\x11\x00\x04\x11\x00"...), good[sof+19:]...), ErrUnsupported},
		{"12 bits", patch(sof+4, 12), ErrUnsupported},
		{"lossless", patch(sof+1, 0xc3), ErrUnsupported},
		{"progressive", read("progressive.jpg"), ErrUnsupported},
		{"arithmetic", read("arithmetic.jpg"), ErrUnsupported},
		{"brightness coarser than colour", patch(sof+14, 0x42), ErrUnsupported},
		{"too many blocks", patch(sof+11, 0x44), ErrHeader},
		{"RGB", rgb, ErrUnsupported},
		{"a component twice in a scan", patch(bytes.Index(good, []byte{0xff, 0xda})+7, 1), ErrHeader},
	} {
		var d DC
		if _, _, pix, err := d.Read(c.b); err != c.want || pix != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestDCGoesOnAtRestarts damages one interval after the other: what lies in
// other intervals must be as it was, and what is lost as in the frame before.
func TestDCGoesOnAtRestarts(t *testing.T) {
	b, err := os.ReadFile("testdata/dc/restart-422.jpg")
	if err != nil {
		t.Fatal(err)
	}
	hd, err := Scan(b)
	if err != nil || hd.RestartInterval == 0 {
		t.Fatalf("%+v, %v", hd, err)
	}
	var clean DC
	w, h, want, err := clean.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	across := (hd.Width + 15) / 16
	interval := func(x, y int) int { return (y*across + x/2) / hd.RestartInterval }
	var starts []int
	for i := hd.Data; i < hd.End-1; i++ {
		if b[i] == 0xff && isRST(b[i+1]) {
			starts = append(starts, i+2)
		}
	}
	if len(starts) < 8 {
		t.Fatalf("only %d restarts", len(starts))
	}
	for n, at := range starts[:len(starts)-2] {
		end, next := starts[n+1]-2, starts[n+2]-2
		for _, c := range []struct {
			name string
			bad  []byte
			lost int // intervals that are not what they were, from the one after this restart
		}{
			{"codes that mean nothing", append(append(bytes.Clone(b[:at]), bytes.Repeat([]byte{0xff, 0}, 20)...), b[end:]...), 1},
			{"cut short", append(bytes.Clone(b[:at+1]), b[end:]...), 1},
			{"marker gone", append(bytes.Clone(b[:end]), b[end+2:]...), 2},
			{"a stretch gone", append(bytes.Clone(b[:(at+end)/2]), b[(end+2+next)/2:]...), 2},
		} {
			var d DC
			gw, gh, got, err := d.Read(c.bad)
			if err != nil || gw != w || gh != h {
				t.Fatalf("interval %d %s: %dx%d, %v", n+1, c.name, gw, gh, err)
			}
			same := true
			for i, v := range got {
				if at := interval(i%w, i/w); v != want[i] {
					same = false
					if at <= n || at > n+c.lost {
						t.Fatalf("interval %d %s: pixel %d,%d in interval %d is %d, want %d", n+1, c.name, i%w, i/w, at, v, want[i])
					}
				}
			}
			if same {
				t.Fatalf("interval %d %s: nothing was lost", n+1, c.name)
			}
		}
	}
	// What is lost without a trace stays as it was in the frame before.
	var seen, fresh DC
	seen.Read(b)
	cut := append(bytes.Clone(b[:starts[len(starts)-1]]), 0xff, 0xd9)
	if _, _, got, err := seen.Read(cut); err != nil || !bytes.Equal(got, want) {
		t.Errorf("last interval empty, after a good frame: %v, or another picture", err)
	}
	if _, _, got, err := fresh.Read(cut); err != nil || bytes.Equal(got, want) {
		t.Errorf("last interval empty, without a frame before: %v, or the same picture", err)
	}
	var d DC
	if _, _, _, err := d.Read(b[:len(b)/2]); !errors.Is(err, ErrTruncated) {
		t.Errorf("half of it lost: %v, want ErrTruncated", err)
	}
}
