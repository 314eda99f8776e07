package mjpeg_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"github.com/sealcam/sealcam/capture/mjpeg"
)

const maxFrame = 1 << 20

// split collects every frame and every Error until the end of the stream.
func split(t *testing.T, r io.Reader, max int) (frames [][]byte, errs []error, s *mjpeg.Splitter) {
	t.Helper()
	s = mjpeg.NewSplitter(r, max)
	for {
		f, err := s.Next()
		var bad mjpeg.Error
		switch {
		case err == nil:
			frames = append(frames, bytes.Clone(f))
		case err == io.EOF:
			return frames, errs, s
		case errors.As(err, &bad):
			errs = append(errs, err)
		default:
			t.Fatal(err)
		}
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestSplitterFindsFramesHoweverTheyArrive(t *testing.T) {
	a, b, c := makeJPEG(t, 16, 16), without(makeJPEG(t, 300, 200), 0xc4), readTestdata(t, "progressive.jpg")
	stream := join([]byte("--boundary\r\nContent-Type: image/jpeg\r\n\r\n"), a, []byte("\r\n--boundary\r\n\r\n"), b, make([]byte, 100), c, c, []byte("\xff\xd8"))
	for name, r := range map[string]io.Reader{
		"at once":              bytes.NewReader(stream),
		"byte by byte":         iotest.OneByteReader(bytes.NewReader(stream)),
		"with EOF on the data": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		frames, errs, s := split(t, r, maxFrame)
		if len(frames) != 4 || len(errs) != 0 {
			t.Fatalf("%s: %d frames, errors %v", name, len(frames), errs)
		}
		for i, want := range [][]byte{a, b, c, c} {
			if !bytes.Equal(frames[i], want) {
				t.Errorf("%s: frame %d differs", name, i)
			}
		}
		if want := uint64(len(stream) - len(a) - len(b) - 2*len(c) - 2); s.Skipped() != want {
			t.Errorf("%s: skipped %d, want %d", name, s.Skipped(), want)
		}
	}
}

func TestSplitterFindsItsWayBack(t *testing.T) {
	whole := makeJPEG(t, 64, 64)
	sos := bytes.Index(whole, []byte{0xff, 0xda})
	corrupt := bytes.Clone(whole)
	copy(corrupt[len(corrupt)-12:], []byte{0xff, 0x11})
	short := bytes.Clone(whole)
	copy(short[sos+2:], []byte{0, 1})
	for _, c := range []struct {
		name   string
		damage []byte
		want   mjpeg.Error
	}{
		{"a frame cut short", whole[:len(whole)-30], mjpeg.ErrTruncated},
		{"a frame cut in a segment", whole[:20], ""}, // swallows the start of the next
		{"a marker that nobody writes", corrupt, mjpeg.ErrCorrupt},
		{"an impossible segment length", short, mjpeg.ErrHeader},
		{"a frame without end", join(whole[:len(whole)-2], make([]byte, maxFrame)), mjpeg.ErrTooLarge},
		{"a long time without a frame", make([]byte, 3*maxFrame/2), mjpeg.ErrNotJPEG},
	} {
		frames, errs, _ := split(t, bytes.NewReader(join(whole, c.damage, whole, whole)), maxFrame)
		if len(frames) < 2 || !bytes.Equal(frames[len(frames)-1], whole) {
			t.Errorf("%s: %d frames", c.name, len(frames))
		}
		if c.want == "" && len(errs) == 0 {
			continue
		}
		if len(errs) != 1 || !errors.Is(errs[0], c.want) {
			t.Errorf("%s: errors %v, want %v", c.name, errs, c.want)
		}
	}
}

func TestSplitterIsNotFooledByAThumbnail(t *testing.T) {
	thumb := makeJPEG(t, 8, 8)
	exif := append([]byte{0xff, 0xe1, byte((len(thumb) + 2) >> 8), byte(len(thumb) + 2)}, thumb...)
	whole := insert(makeJPEG(t, 64, 64), 2, exif...)
	frames, errs, _ := split(t, bytes.NewReader(join(whole, whole)), maxFrame)
	if len(frames) != 2 || len(errs) != 0 || !bytes.Equal(frames[0], whole) {
		t.Errorf("%d frames, errors %v", len(frames), errs)
	}
}

func TestSplitterReportsACutEnd(t *testing.T) {
	whole := makeJPEG(t, 64, 64)
	frames, errs, _ := split(t, bytes.NewReader(join(whole, whole[:100])), maxFrame)
	if len(frames) != 1 || len(errs) != 1 || !errors.Is(errs[0], mjpeg.ErrTruncated) {
		t.Errorf("%d frames, errors %v", len(frames), errs)
	}
}

// tick is a reader that passes a deadline before every read.
type tick struct {
	r   io.Reader
	odd bool
}

func (k *tick) Read(p []byte) (int, error) {
	if k.odd = !k.odd; k.odd {
		return 0, os.ErrDeadlineExceeded
	}
	return k.r.Read(p[:min(len(p), 7)])
}

func TestSplitterGoesOnAfterADeadline(t *testing.T) {
	whole := makeJPEG(t, 64, 64)
	s := mjpeg.NewSplitter(&tick{r: bytes.NewReader(join(whole, []byte("between"), whole))}, maxFrame)
	var frames, ticks int
	for {
		f, err := s.Next()
		if err == io.EOF {
			break
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			ticks++
			continue
		}
		if err != nil || !bytes.Equal(f, whole) {
			t.Fatalf("%d bytes, %v", len(f), err)
		}
		frames++
	}
	if frames != 2 || ticks < 10 {
		t.Errorf("%d frames, %d deadlines", frames, ticks)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestSplitterGivesUpOnAReaderWithoutProgress(t *testing.T) {
	if _, err := mjpeg.NewSplitter(idle{}, maxFrame).Next(); err != io.ErrNoProgress {
		t.Error(err)
	}
}

// FuzzSplitter: what is found does not depend on how the bytes arrive, every
// byte is accounted for, and every frame is bounded and delimited.
func FuzzSplitter(f *testing.F) {
	all := seeds(f)
	for _, s := range all {
		f.Add(s)
	}
	f.Add(join(all...))
	f.Fuzz(func(t *testing.T, b []byte) {
		const max = 2048
		frames, _, s := split(t, bytes.NewReader(b), max)
		total := int(s.Skipped())
		for _, fr := range frames {
			if len(fr) > max || !bytes.HasPrefix(fr, []byte{0xff, 0xd8, 0xff}) || !bytes.HasSuffix(fr, []byte{0xff, 0xd9}) {
				t.Fatalf("frame of %d bytes: % x", len(fr), fr)
			}
			total += len(fr)
		}
		if total > len(b) || total < len(b)-2 {
			t.Fatalf("%d bytes accounted for of %d", total, len(b))
		}
		slow, _, _ := split(t, iotest.OneByteReader(bytes.NewReader(b)), max)
		if !bytes.Equal(join(slow...), join(frames...)) || len(slow) != len(frames) {
			t.Fatalf("%d frames at once, %d byte by byte", len(frames), len(slow))
		}
	})
}

// endless repeats b for ever.
type endless struct {
	b []byte
	i int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.b[e.i:])
	e.i = (e.i + n) % len(e.b)
	return n, nil
}

func BenchmarkSplitter1080p(b *testing.B) {
	in := without(makeJPEG(b, 1920, 1080), 0xc4)
	s := mjpeg.NewSplitter(&endless{b: in}, 4<<20)
	if _, err := s.Next(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
