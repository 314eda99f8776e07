package annexb

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"
)

// films were made by ffmpeg with libx264 and libx265: testsrc2 at 98x66 pixels,
// 12 pictures, a key frame every 5.
var films = []struct {
	name  string
	codec Codec
	sps   int // byte of the first SPS's role
}{{"plain.h264", H264, 7}, {"baseline.h264", H264, 7}, {"plain.h265", H265, 33}}

func film(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// split returns copies of the access units of a stream.
func split(t testing.TB, r io.Reader, c Codec) [][]byte {
	t.Helper()
	s := NewSplitter(r, c, 1<<20)
	var out [][]byte
	for {
		au, err := s.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, bytes.Clone(au))
	}
}

// Each access unit is one picture, however the bytes arrive, and nothing is lost.
func TestSplitter(t *testing.T) {
	for _, f := range films {
		data := film(t, f.name)
		for name, r := range map[string]io.Reader{
			"whole": bytes.NewReader(data), "byte by byte": iotest.OneByteReader(bytes.NewReader(data)), "data with EOF": iotest.DataErrReader(bytes.NewReader(data)),
			"behind rubbish": io.MultiReader(bytes.NewReader([]byte{0xff, 0, 7, 0, 0}), bytes.NewReader(data)),
		} {
			aus := split(t, r, f.codec)
			if len(aus) != 12 {
				t.Fatalf("%s, %s: %d access units, want 12", f.name, name, len(aus))
			}
			if name != "behind rubbish" && !bytes.Equal(bytes.Join(aus, nil), data) {
				t.Errorf("%s, %s: the access units together are not the stream", f.name, name)
			}
			for i, au := range aus {
				info, err := Inspect(f.codec, au)
				if err != nil || info.Key != (i%5 == 0) || info.Reordered {
					t.Errorf("%s, %s: picture %d: %+v, %v", f.name, name, i, info, err)
				}
				if pictures := pictures(f.codec, au); pictures != 1 {
					t.Errorf("%s, %s: access unit %d has %d pictures", f.name, name, i, pictures)
				}
			}
		}
	}
}

// pictures counts the first slices in an access unit.
func pictures(c Codec, au []byte) (n int) {
	for s := Scan(au); ; {
		u, ok := s.Next()
		if !ok {
			return n
		}
		if r, ok := RoleOf(c, u); ok && (r == Slice || r == KeySlice) && first(c, u) {
			n++
		}
	}
}

func TestReordered(t *testing.T) {
	n := 0
	for _, au := range split(t, bytes.NewReader(film(t, "bframes.h264")), H264) {
		if info, err := Inspect(H264, au); err == nil && info.Reordered {
			n++
		}
	}
	if n == 0 {
		t.Error("no B-frame was found in a stream that has them")
	}
}

func TestParams(t *testing.T) {
	for _, f := range films {
		aus := split(t, bytes.NewReader(film(t, f.name)), f.codec)
		p := ParamsOf(f.codec, aus[0])
		if !p.Complete(f.codec) {
			t.Fatalf("%s: the first access unit brings %d, %d and %d parameter sets", f.name, len(p.VPS), len(p.SPS), len(p.PPS))
		}
		if w, h, ok := Size(f.codec, p.SPS[0]); !ok || w != 98 || h != 66 {
			t.Errorf("%s: %dx%d, %v, want 98x66", f.name, w, h, ok)
		}
		for cut := range p.SPS[0][:4] {
			if _, _, ok := Size(f.codec, p.SPS[0][:cut]); ok {
				t.Errorf("%s: a set of %d bytes has a size", f.name, cut)
			}
		}
		var empty Params
		if !p.Same(f.codec, aus[0]) || !p.Same(f.codec, aus[1]) || empty.Same(f.codec, aus[0]) {
			t.Errorf("%s: sets are not recognised", f.name)
		}
		if n := testing.AllocsPerRun(10, func() { p.Same(f.codec, aus[0]); Inspect(f.codec, aus[0]) }); n != 0 {
			t.Errorf("%s: %v allocations to look at an access unit", f.name, n)
		}
		q := p.Merge(Params{PPS: [][]byte{{0x68, 1}}})
		if len(q.PPS[0]) != 2 || len(q.SPS) == 0 {
			t.Error("merged sets are not the newer ones and the others")
		}
	}
}

// Units behind their length are the units behind start codes.
func TestAppendSized(t *testing.T) {
	au := []byte{0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x65, 0x88, 3, 0, 0}
	want := []byte{0, 0, 0, 3, 0x67, 1, 2, 0, 0, 0, 3, 0x65, 0x88, 3}
	if got := AppendSized(nil, H264, au); !bytes.Equal(got, want) {
		t.Errorf("% x, want % x", got, want)
	}
	p := ParamsOf(H264, au)
	if got := p.AppendSized([]byte{7}); !bytes.Equal(got, []byte{7, 0, 0, 0, 3, 0x67, 1, 2}) {
		t.Errorf("% x", got)
	}
}

func TestBadUnits(t *testing.T) {
	for _, c := range []struct {
		data string
		want Error
	}{
		{"", ErrNoUnit}, {"\x00\x00\x01", ErrNoUnit}, {"hello", ErrNoUnit},
		{"\x00\x00\x01\x67\x42", ErrNoPicture}, {"\x00\x00\x01\xe5\x88", ErrCorrupt},
	} {
		if _, err := Inspect(H264, []byte(c.data)); !errors.Is(err, c.want) {
			t.Errorf("%x: %v, want %v", c.data, err, c.want)
		}
	}
	s := NewSplitter(bytes.NewReader(append([]byte{0, 0, 1, 0x65, 0x88}, make([]byte, 9000)...)), H264, 4096)
	if _, err := s.Next(); err != ErrTooLarge {
		t.Errorf("an access unit beyond the bound: %v", err)
	}
}

// Whatever the bytes: every byte that is handed out was read, in order, within
// the bound, and reading in small steps changes nothing.
func FuzzSplitter(f *testing.F) {
	for _, m := range films {
		b := film(f, m.name)
		f.Add(b[:1500], m.codec == H265)
	}
	f.Add([]byte{0, 0, 1, 0x65, 0x88, 0, 0, 1, 9, 0, 0, 0, 1, 0x41, 0x80}, false)
	f.Fuzz(func(t *testing.T, data []byte, is265 bool) {
		codec := H264
		if is265 {
			codec = H265
		}
		all := func(r io.Reader) (out []byte, units int) {
			s := NewSplitter(r, codec, 2048)
			for {
				au, err := s.Next()
				if err == io.EOF {
					return out, units
				}
				if err != nil && err != ErrTooLarge {
					t.Fatal(err)
				}
				if err == nil && (len(au) == 0 || len(au) > 2048) {
					t.Fatalf("an access unit of %d bytes", len(au))
				}
				out, units = append(out, au...), units+1
				_, _ = Inspect(codec, au)
				p := ParamsOf(codec, au)
				for _, sps := range p.SPS {
					_, _, _ = Size(codec, sps)
				}
				if !p.Same(codec, au) && len(p.SPS) < maxSets && len(au) < maxSet {
					t.Fatal("the sets of an access unit are not its own")
				}
			}
		}
		a, n := all(bytes.NewReader(data))
		b, m := all(iotest.OneByteReader(bytes.NewReader(data)))
		if len(data) <= 2048 && (!bytes.Equal(a, b) || n != m) {
			t.Fatalf("whole: %d bytes in %d units, byte by byte: %d in %d", len(a), n, len(b), m)
		}
		if len(a) > len(data) || len(data) <= 2048 && len(a) > 0 && !bytes.HasSuffix(data, a) {
			t.Fatal("what was handed out is not what was read")
		}
	})
}
