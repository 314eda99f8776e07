package stream

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// unitFilm reads a film of 12 pictures of 98x66, a key frame every 5.
func unitFilm(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "annexb", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readAll returns how many frames a source has, and checks that they follow each
// other at the rate.
func readAll(t *testing.T, cam capture.Camera, rate int) (n int) {
	t.Helper()
	for {
		var f capture.Frame
		err := cam.Next(t.Context(), &f)
		if err == io.EOF {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if want := time.Duration(n) * time.Second / time.Duration(rate); f.Mono != want || f.Seq != uint64(n) || f.Format.Pixel != cam.Format().Pixel {
			t.Errorf("frame %d: number %d at %v, want %v; %v", n, f.Seq, f.Mono, want, f.Format)
		}
		n++
	}
}

func TestStreamsOfUnits(t *testing.T) {
	for _, c := range []struct {
		name  string
		pixel capture.Pixel
	}{{"plain.h264", capture.H264}, {"baseline.h264", capture.H264}, {"plain.h265", capture.H265}} {
		data := unitFilm(t, c.name)
		cam, err := Open(t.Context(), save(t, c.name, data), Options{Rate: 10})
		if err != nil {
			t.Fatal(err)
		}
		if f := cam.Format(); f != (capture.Format{Pixel: c.pixel, Width: 98, Height: 66, Rate: 10}) {
			t.Errorf("%s: %v", c.name, f)
		}
		if n := readAll(t, cam, 10); n != 12 {
			t.Errorf("%s: %d frames, want 12", c.name, n)
		}
		cam.Close()
	}
}

// A stream that is joined in its middle begins with its next key frame.
func TestStreamFromItsMiddle(t *testing.T) {
	data := unitFilm(t, "plain.h264")
	second := bytes.Index(data[100:], []byte("\x00\x00\x00\x01\x09")) + 100
	cam, err := Open(t.Context(), save(t, "mid.h264", data[second:]), Options{Rate: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer cam.Close()
	if n := readAll(t, cam, 10); n != 7 {
		t.Errorf("%d frames, want the 7 from the second key frame on", n)
	}
}

// From a pipe, as rpicam-vid writes it, frames have the time of their arrival.
func TestStreamOnStandardInput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data := unitFilm(t, "plain.h264")
	go func() {
		defer w.Close()
		for b := data; len(b) > 0; {
			n := min(700, len(b))
			if _, err := w.Write(b[:n]); err != nil {
				return
			}
			b = b[n:]
		}
	}()
	now := time.Now()
	cam, err := Open(t.Context(), "-", Options{Pace: true, Stdin: r, Now: func() time.Time { now = now.Add(time.Second); return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer cam.Close()
	if f := cam.Format(); f.Pixel != capture.H264 || f.Rate != 0 {
		t.Errorf("%v: a pipe has no declared rate", f)
	}
	n, last := 0, time.Duration(-1)
	for {
		var f capture.Frame
		err := cam.Next(t.Context(), &f)
		if err == io.EOF {
			break
		}
		if err != nil || f.Mono <= last {
			t.Fatalf("frame %d at %v after %v: %v", n, f.Mono, last, err)
		}
		n, last = n+1, f.Mono
	}
	if n != 12 {
		t.Errorf("%d frames, want 12", n)
	}
}

// What nobody could play is refused with what to do about it.
func TestStreamsRefused(t *testing.T) {
	bare := unitFilm(t, "plain.h264")
	for _, set := range []string{"\x00\x00\x00\x01\x67", "\x00\x00\x00\x01\x68"} {
		for i := bytes.Index(bare, []byte(set)); i >= 0; i = bytes.Index(bare, []byte(set)) {
			bare[i+4] = 0x6c // of another kind
		}
	}
	for name, c := range map[string]struct {
		data       []byte
		text, hint string
	}{
		"B-frames":          {unitFilm(t, "bframes.h264"), "B-frames", "-bf 0"},
		"no parameter sets": {bare, "no parameter sets", "--inline"},
	} {
		cam, err := Open(t.Context(), save(t, "a.h264", c.data), Options{})
		for err == nil {
			err = cam.Next(t.Context(), new(capture.Frame))
		}
		var se *capture.SourceError
		if !errors.As(err, &se) || !errors.Is(err, capture.ErrNoFormat) || !strings.Contains(err.Error(), c.text) || !strings.Contains(se.Hint(), c.hint) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
