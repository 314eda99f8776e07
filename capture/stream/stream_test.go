package stream

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	ct "github.com/sealcam/sealcam/capture/capturetest"
)

func TestJPEGsInAFile(t *testing.T) {
	want := frames(3)
	var b []byte
	for _, f := range want {
		b = append(append(b, f...), "\r\n--boundary\r\n"...)
	}
	cam := mustOpen(t, save(t, "a.mjpeg", b), Options{Rate: 5})
	if f := cam.Format(); f != (capture.Format{Pixel: capture.MJPEG, Width: 32, Height: 16, Rate: 5}) {
		t.Errorf("format %+v", f)
	}
	shots, bad := play(t, cam, 9)
	if !same(shots, want) || len(bad) > 0 || shots[2].mono != 400*ms {
		t.Errorf("%d frames, bad %v", len(shots), bad)
	}
}

func TestLoopGoesOnCounting(t *testing.T) {
	want := frames(2)
	for _, path := range []string{
		save(t, "a.avi", ct.AVI(32, 16, 10, want...)),
		save(t, "a.mjpeg", bytes.Join(want, nil)),
	} {
		shots, _ := play(t, mustOpen(t, path, Options{Loop: true, Rate: 10}), 5)
		if !same(shots, [][]byte{want[0], want[1], want[0], want[1], want[0]}) {
			t.Fatalf("%s: %d frames", path, len(shots))
		}
		if s := shots[4]; s.seq != 4 || s.mono != 400*ms {
			t.Errorf("%s: fifth frame has number %d at %v", path, s.seq, s.mono)
		}
	}
}

// A file that is emptied while it is looped must not keep the processor busy.
func TestLoopEndsWithAFileThatBecameEmpty(t *testing.T) {
	path := save(t, "a.mjpeg", frames(1)[0])
	cam := mustOpen(t, path, Options{Loop: true})
	if shots, _ := play(t, cam, 2); len(shots) != 2 {
		t.Fatal("does not loop")
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if shots, _ := play(t, cam, 2); len(shots) != 0 {
		t.Errorf("%d frames from an empty file", len(shots))
	}
}

func TestBadFramesInFrontAreReported(t *testing.T) {
	want := frames(2)
	cam := mustOpen(t, save(t, "a.avi", ct.AVI(32, 16, 10, []byte("none"), want[0][:40], want[0], want[1])), Options{})
	shots, bad := play(t, cam, 9)
	if !same(shots, want) || strings.Join(bad, " ") != "not-jpeg truncated" || shots[0].seq != 2 || shots[0].mono != 200*ms {
		t.Errorf("%d frames, bad %v, %+v", len(shots), bad, shots)
	}
}

func TestMissingFileSaysSo(t *testing.T) {
	_, err := Open(t.Context(), "/nowhere/a.avi", Options{})
	var se *capture.SourceError
	if !errors.As(err, &se) || !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, capture.ErrNoDevice) || !strings.HasPrefix(err.Error(), "/nowhere/a.avi: no such camera") || se.Hint() == "" {
		t.Error(err)
	}
}

func grid(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(x * 10), uint8(y * 10), 50, 255})
		}
	}
	return m
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	m := grid(7, 5)
	var p bytes.Buffer
	if err := png.Encode(&p, m); err != nil {
		t.Fatal(err)
	}
	jpg := frames(1)[0]
	for name, data := range map[string][]byte{
		"in000003.jpg": jpg, "in000001.png": p.Bytes(), "in000002.BMP": bmp(m, 24, true), "readme.txt": []byte("no"), "in000004.png": []byte("no"),
		"in000005.jpg": make([]byte, 5000),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "d.jpg"), 0o700); err != nil {
		t.Fatal(err)
	}
	cam := mustOpen(t, dir, Options{Rate: 10, MaxFrame: 4096})
	shots, bad := play(t, cam, 9)
	if len(shots) != 3 || strings.Join(bad, " ") != "header file" {
		t.Fatalf("%d frames, bad %v", len(shots), bad)
	}
	grey := capture.Format{Pixel: capture.Grey, Width: 7, Height: 5, Stride: 7, Rate: 10}
	if shots[0].form != grey || shots[1].form != grey || cam.Format() != grey || shots[2].form.Pixel != capture.MJPEG {
		t.Errorf("formats %v, %v, %v", shots[0].form, shots[1].form, shots[2].form)
	}
	if !bytes.Equal(shots[0].data, shots[1].data) {
		t.Error("the same from PNG and from BMP is not the same")
	}
	if want := color.GrayModel.Convert(m.At(3, 2)).(color.Gray).Y; shots[0].data[2*7+3] != want {
		t.Errorf("grey %d, want %d", shots[0].data[2*7+3], want)
	}
	if shots[2].mono != 200*ms || shots[2].seq != 2 {
		t.Errorf("third frame: %d at %v", shots[2].seq, shots[2].mono)
	}
	if _, err := Open(t.Context(), t.TempDir(), Options{}); !errors.Is(err, capture.ErrNoFormat) {
		t.Errorf("empty directory: %v", err)
	}
}

// clock is a time that only sleeping moves.
type clock struct {
	t     time.Time
	slept []time.Duration
}

func (c *clock) now() time.Time { return c.t }

func (c *clock) sleep(_ context.Context, d time.Duration) error {
	c.slept = append(c.slept, d)
	c.t = c.t.Add(d)
	return nil
}

func TestPace(t *testing.T) {
	c := &clock{t: time.Unix(1000, 0)}
	cam := mustOpen(t, save(t, "a.avi", ct.AVI(32, 16, 10, frames(50)...)), Options{Pace: true, Now: c.now, Sleep: c.sleep})
	if s, _ := play(t, cam, 3); len(c.slept) != 2 || c.slept[0] != 100*ms || s[2].seq != 2 {
		t.Fatalf("slept %v", c.slept)
	}
	c.t = c.t.Add(350 * ms) // slow work: two frames are overdue, the third is just late
	s, _ := play(t, cam, 2)
	if s[0].seq != 5 || s[1].seq != 6 || s[0].mono != 500*ms {
		t.Errorf("after slow work: %d and %d", s[0].seq, s[1].seq)
	}
	c.t = c.t.Add(time.Hour) // the machine slept
	s, _ = play(t, cam, 2)
	if s[0].seq != 7 || s[1].seq != 8 || c.slept[len(c.slept)-1] != 100*ms {
		t.Errorf("after a long pause: %d and %d, slept %v", s[0].seq, s[1].seq, c.slept)
	}
}

func TestWithoutPaceNothingSleeps(t *testing.T) {
	c := &clock{t: time.Unix(1000, 0)}
	cam := mustOpen(t, save(t, "a.avi", ct.AVI(32, 16, 10, frames(50)...)), Options{Now: c.now, Sleep: c.sleep})
	if s, _ := play(t, cam, 99); len(s) != 50 || len(c.slept) != 0 {
		t.Errorf("%d frames, slept %v", len(s), c.slept)
	}
}

func TestFramesAllocateNothing(t *testing.T) {
	fs := frames(200)
	for _, path := range []string{
		save(t, "a.avi", ct.AVI(32, 16, 10, fs...)), save(t, "a.mjpeg", bytes.Join(fs, nil)),
	} {
		c := &clock{t: time.Unix(1000, 0), slept: make([]time.Duration, 0, 1000)}
		cam := mustOpen(t, path, Options{Pace: true, Now: c.now, Sleep: c.sleep})
		var f capture.Frame
		if n := testing.AllocsPerRun(150, func() {
			if err := cam.Next(t.Context(), &f); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a frame", filepath.Ext(path), n)
		}
	}
}

func BenchmarkAVIFrame1080p(b *testing.B) {
	jpg := ct.Bare(ct.JPEG(1920, 1080, 1))
	cam := mustOpen(b, save(b, "a.avi", ct.AVI(1920, 1080, 30, jpg, jpg, jpg, jpg, jpg, jpg, jpg, jpg)), Options{Loop: true})
	var f capture.Frame
	b.SetBytes(int64(len(jpg)))
	b.ReportAllocs()
	for b.Loop() {
		if err := cam.Next(b.Context(), &f); err != nil {
			b.Fatal(err)
		}
	}
}
