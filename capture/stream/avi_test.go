package stream

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	ct "github.com/sealcam/sealcam/capture/capturetest"
)

// shot is what a test keeps of a frame.
type shot struct {
	data []byte
	seq  uint64
	mono time.Duration
	form capture.Format
}

// save writes a file into a directory of the test's own.
func save(tb testing.TB, name string, data []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// play reads cam to its end, or most frames, and returns what was good and the
// reasons of what was bad.
func play(tb testing.TB, cam capture.Camera, most int) (shots []shot, bad []string) {
	tb.Helper()
	for len(shots) < most {
		var f capture.Frame
		err := cam.Next(tb.Context(), &f)
		var b *capture.BadFrame
		switch {
		case err == io.EOF:
			return shots, bad
		case errors.As(err, &b):
			bad = append(bad, b.Reason)
		case err != nil:
			tb.Fatal(err)
		default:
			shots = append(shots, shot{bytes.Clone(f.Data), f.Seq, f.Mono, f.Format})
		}
	}
	return shots, bad
}

func mustOpen(tb testing.TB, name string, opt Options) capture.Camera {
	tb.Helper()
	cam, err := Open(tb.Context(), name, opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { cam.Close() })
	return cam
}

func frames(n int) [][]byte {
	var out [][]byte
	for i := range n {
		out = append(out, ct.Bare(ct.JPEG(32, 16, i)))
	}
	return out
}

func same(shots []shot, want [][]byte) bool {
	if len(shots) != len(want) {
		return false
	}
	for i := range want {
		if !bytes.Equal(shots[i].data, want[i]) {
			return false
		}
	}
	return true
}

const ms = time.Millisecond

func TestAVI(t *testing.T) {
	want := frames(3)
	cam := mustOpen(t, save(t, "a.avi", ct.AVI(32, 16, 12.5, want...)), Options{})
	if f := cam.Format(); f != (capture.Format{Pixel: capture.MJPEG, Width: 32, Height: 16, Rate: 12.5}) {
		t.Errorf("format %+v", f)
	}
	shots, bad := play(t, cam, 9)
	if !same(shots, want) || len(bad) > 0 {
		t.Fatalf("%d frames, bad %v", len(shots), bad)
	}
	if s := shots[2]; s.seq != 2 || s.mono != 160*ms || s.form != cam.Format() {
		t.Errorf("third frame: number %d at %v, %v", s.seq, s.mono, s.form)
	}
}

func u32(b []byte, at int, v uint32) { binary.LittleEndian.PutUint32(b[at:], v) }

// Recorders and power failures write all of these.
func TestAVIOfEveryKind(t *testing.T) {
	want := frames(4)
	plain := ct.AVI(32, 16, 10, want...)
	movi := bytes.Index(plain, []byte("movi"))
	head, body := plain[:movi-8], plain[movi+4:]
	streamed := bytes.Clone(plain)
	u32(streamed, 4, 0)
	u32(streamed, movi-4, 0)
	endless := bytes.Clone(plain)
	u32(endless, 4, 1<<32-1)
	u32(endless, movi-4, 1<<32-1)
	frame := func(i int) []byte { return ct.Chunk("00dc", want[i]) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	second := bytes.ReplaceAll(join(head[:12+12+64], ct.List("LIST", "strl", ct.Chunk("strh", append([]byte("auds"), make([]byte, 52)...)), ct.Chunk("strf", make([]byte, 18))), head[12+12+64:], ct.List("LIST", "movi", body)), []byte("00dc"), []byte("01dc"))
	for name, avi := range map[string][]byte{
		"with an index":             join(plain, ct.Chunk("idx1", make([]byte, 64))),
		"with a broken index":       join(plain, []byte("idx1\xff\xff\xff\xff0000")),
		"lengths never written":     streamed,
		"lengths of 4 GB":           endless,
		"larger than 1 GB, by odml": join(head, ct.List("LIST", "movi", frame(0), frame(1), ct.Chunk("ix00", make([]byte, 32))), ct.List("RIFF", "AVIX", ct.List("LIST", "movi", frame(2), frame(3)))),
		"junk in between":           join(head, ct.Chunk("JUNK", make([]byte, 4097)), ct.List("LIST", "INFO", ct.Chunk("ISFT", []byte("Lavf"))), ct.List("LIST", "movi", frame(0), ct.Chunk("JUNK", make([]byte, 5)), frame(1), frame(2), frame(3))),
		"frames in records":         join(head, ct.List("LIST", "movi", ct.List("LIST", "rec ", frame(0), ct.Chunk("01wb", make([]byte, 7))), ct.List("LIST", "rec ", frame(1), frame(2), frame(3)))),
		"db chunks":                 bytes.ReplaceAll(plain, []byte("00dc"), []byte("00db")),
		"sound as the first stream": second,
		"a few bytes at the end":    join(plain, []byte("abc")),
		"lower case codec":          bytes.ReplaceAll(plain, []byte("MJPG"), []byte("mjpg")),
	} {
		shots, bad := play(t, mustOpen(t, save(t, "a.avi", avi), Options{}), 9)
		if !same(shots, want) || len(bad) > 0 {
			t.Errorf("%s: %d frames, bad %v", name, len(shots), bad)
		}
	}
}

func TestAVIThatIsDamaged(t *testing.T) {
	want := frames(4)
	plain := ct.AVI(32, 16, 10, want...)
	movi := bytes.Index(plain, []byte("movi"))
	head := plain[:movi-8]
	frame := func(i int) []byte { return ct.Chunk("00dc", want[i]) }
	list := func(parts ...[]byte) []byte {
		return append(bytes.Clone(head), ct.List("LIST", "movi", parts...)...)
	}
	huge := frame(1)
	u32(huge, 4, 1<<32-2)
	for _, c := range []struct {
		name string
		avi  []byte
		want [][]byte
		bad  string
	}{
		{"cut within a frame", plain[:len(plain)-20], want[:3], "truncated"},
		{"cut within a chunk's start", append(list(frame(0), frame(1)), "00dc"...), want[:2], ""},
		{"a chunk of 4 GB", list(frame(0), huge, frame(2)), want[:1], ""},
		{"a chunk larger than a frame may be", list(frame(0), ct.Chunk("00dc", make([]byte, 5000)), frame(2)), [][]byte{want[0], want[2]}, "too-large"},
		{"garbage between chunks", list(frame(0), []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, frame(1), frame(2)), want[:3], "container"},
	} {
		shots, bad := play(t, mustOpen(t, save(t, "a.avi", c.avi), Options{MaxFrame: 4096}), 9)
		if !same(shots, c.want) || strings.Join(bad, " ") != c.bad {
			t.Errorf("%s: %d frames, bad %v", c.name, len(shots), bad)
		}
	}
}

func TestAVIFrameLeftOutKeepsItsTime(t *testing.T) {
	f := frames(2)
	shots, _ := play(t, mustOpen(t, save(t, "a.avi", ct.AVI(32, 16, 10, f[0], nil, nil, f[1])), Options{}), 9)
	if len(shots) != 2 || shots[1].mono != 300*ms || shots[1].seq != 1 {
		t.Errorf("%+v", shots)
	}
}

func TestAVIWithAnAbsurdRate(t *testing.T) {
	avi := ct.AVI(32, 16, 10, frames(2)...)
	strh := bytes.Index(avi, []byte("vids"))
	avih := bytes.Index(avi, []byte("avih")) + 8
	for _, c := range []struct{ scale, rate, usec uint32 }{{0, 10, 0}, {1, 0, 0}, {1, 1 << 31, 1}, {1 << 31, 1, 1<<32 - 1}} {
		b := bytes.Clone(avi)
		u32(b, strh+20, c.scale)
		u32(b, strh+24, c.rate)
		u32(b, avih, c.usec)
		cam := mustOpen(t, save(t, "a.avi", b), Options{Rate: 4})
		if shots, _ := play(t, cam, 9); cam.Format().Rate != 4 || len(shots) != 2 || shots[1].mono != 250*ms {
			t.Errorf("%+v: %v, %+v", c, cam.Format(), shots)
		}
	}
}

// A length in a file makes nobody allocate.
func TestAVIClaimsCostNoMemory(t *testing.T) {
	avi := ct.AVI(32, 16, 10, frames(1)...)
	avi = append(avi, "00dc\x00\x00\x00\x02"...) // 32 MiB, and then nothing
	path := save(t, "a.avi", avi)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	play(t, mustOpen(t, path, Options{}), 9)
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes were allocated for a frame that is not there", got)
	}
}

func TestUnusableFilesSayWhatToTry(t *testing.T) {
	avi := ct.AVI(32, 16, 10, frames(1)...)
	for _, c := range []struct {
		name, file string
		data       []byte
		text, hint string
	}{
		{"other codec", "a.avi", bytes.ReplaceAll(avi, []byte("MJPG"), []byte("XVID")), `AVI with "XVID" video`, "ffmpeg -i "},
		{"no video", "a.avi", bytes.ReplaceAll(avi, []byte("vids"), []byte("auds")), "the AVI has no video", ""},
		{"headers alone", "a.avi", avi[:200], "ends within its headers", ""},
		{"no frames", "a.avi", ct.AVI(32, 16, 10), "no JPEG in it", ""},
		{"frames that are none", "a.avi", ct.AVI(32, 16, 10, []byte("no"), []byte("jpeg")), "the first 2 frames are all unusable", ""},
		{"empty", "a.mjpeg", nil, "it is empty", ""},
		{"text", "a.mjpeg", []byte("hello, world"), "no JPEG in it", "ffmpeg"},
		{"MP4", "a.mjpeg", []byte("\x00\x00\x00\x18ftypmp42...."), "it is MP4", "ffmpeg -i "},
		{"MPEG", "a.mpg", []byte("\x00\x00\x01\xba\x44\x00\x04\x00...."), "it is MPEG", "ffmpeg -i "},
		{"H.264 without a picture", "a.h264", []byte("\x00\x00\x00\x01\x67\x42\x00\x1e...."), "no parameter sets", "--inline"},
		{"WebM", "a.webm", []byte("\x1a\x45\xdf\xa3............"), "it is Matroska", "ffmpeg -i "},
	} {
		path := save(t, c.file, c.data)
		_, err := Open(t.Context(), path, Options{})
		var se *capture.SourceError
		if !errors.As(err, &se) || !errors.Is(err, capture.ErrNoFormat) || se.Source != path || !strings.Contains(err.Error(), c.text) || !strings.Contains(se.Hint(), c.hint) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// FuzzAVI: whatever a file says, frames are pieces of it in their order, within
// the bound, and reading ends.
func FuzzAVI(f *testing.F) {
	small := ct.JPEG(8, 8, 1)
	plain := ct.AVI(8, 8, 10, small, nil, ct.Bare(small))
	f.Add(plain)
	f.Add(plain[:len(plain)-30])
	f.Add(append(bytes.Clone(plain), ct.List("RIFF", "AVIX", ct.List("LIST", "movi", ct.Chunk("00dc", small)))...))
	f.Add(append(bytes.Clone(plain), "\x00\x00\x00\x00garbage"+string(small)...))
	f.Add(bytes.ReplaceAll(plain, []byte("00dc"), []byte("00db")))
	f.Fuzz(func(t *testing.T, b []byte) {
		const most = 1 << 12
		in := &input{ctx: context.Background(), r: bufio.NewReader(bytes.NewReader(b))}
		a, err := openAVI(in, Options{MaxFrame: most}.withDefaults())
		if err != nil {
			return
		}
		rest, last := b, time.Duration(-1)
		for range len(b) + 2 {
			var fr capture.Frame
			err := a.next(t.Context(), &fr)
			var bad *capture.BadFrame
			switch {
			case err == io.EOF:
				return
			case errors.As(err, &bad):
			case err != nil:
				t.Fatal(err)
			default:
				at := bytes.Index(rest, fr.Data)
				if at < 0 || len(fr.Data) == 0 || len(fr.Data) > most || fr.Mono <= last {
					t.Fatalf("%d bytes at %v after %v, not in what is left", len(fr.Data), fr.Mono, last)
				}
				rest, last = rest[at+len(fr.Data):], fr.Mono
			}
		}
		t.Fatal("reading goes on after the end")
	})
}
