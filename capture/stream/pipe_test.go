//go:build unix

package stream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	ct "github.com/sealcam/sealcam/capture/capturetest"
)

func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "camera")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// write opens a FIFO as another program would, writes and goes. It waits for
// the reader to open first.
func write(t *testing.T, path string, data []byte) <-chan error {
	done := make(chan error, 1)
	go func() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.Write(data)
			err = errors.Join(err, f.Close())
		}
		done <- err
	}()
	return done
}

func TestFIFOWaitsForItsWriterAndTheNext(t *testing.T) {
	path, want := fifo(t), frames(2)
	done := write(t, path, bytes.Join(want, nil))
	cam := mustOpen(t, path, Options{Loop: true, Pace: true})
	if f := cam.Format(); f.Rate != 0 || f.Width != 32 {
		t.Errorf("format %+v", f)
	}
	shots, _ := play(t, cam, 2)
	if err := <-done; err != nil || !same(shots, want) {
		t.Fatalf("%v, %d frames", err, len(shots))
	}
	done = write(t, path, want[1])
	shots, _ = play(t, cam, 1)
	if err := <-done; err != nil || !same(shots, want[1:]) || shots[0].seq != 2 {
		t.Errorf("second writer: %v, %d frames", err, len(shots))
	}
}

func TestFIFOOnceEndsWithItsWriter(t *testing.T) {
	path, want := fifo(t), frames(2)
	done := write(t, path, ct.AVI(32, 16, 10, want...))
	shots, bad := play(t, mustOpen(t, path, Options{}), 9)
	if err := <-done; err != nil || !same(shots, want) || len(bad) > 0 {
		t.Errorf("%v, %d frames, bad %v", err, len(shots), bad)
	}
}

func TestFIFOWithoutAWriterIsStuckAndSaysWhatToStart(t *testing.T) {
	path := fifo(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(10*time.Millisecond, func() { cancel(capture.ErrStuck) })
	_, err := Open(ctx, path, Options{})
	var se *capture.SourceError
	if !errors.Is(err, capture.ErrStuck) || !errors.Is(err, context.Canceled) || !errors.As(err, &se) || se.Source != path || !strings.Contains(se.Try, "rpicam-vid") {
		t.Error(err)
	}
}

func stdin(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func TestStdinPipe(t *testing.T) {
	r, w := stdin(t)
	want := frames(3)
	go func() {
		_, _ = w.Write(bytes.Join(want, nil)) // the reading side sees what is missing
		w.Close()
	}()
	shots, bad := play(t, mustOpen(t, "-", Options{Stdin: r, Loop: true}), 9)
	if !same(shots, want) || len(bad) > 0 {
		t.Errorf("%d frames, bad %v", len(shots), bad)
	}
}

func TestStdinFromAFileIsAFile(t *testing.T) {
	want := frames(2)
	f, err := os.Open(save(t, "a.avi", ct.AVI(32, 16, 10, want...)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if shots, _ := play(t, mustOpen(t, "-", Options{Stdin: f, Loop: true}), 4); !same(shots, append(want, want...)) {
		t.Errorf("%d frames", len(shots))
	}
}

// A pipe that says nothing for ever must not keep the program from ending.
func TestSilentPipeCanBeCancelled(t *testing.T) {
	r, w := stdin(t)
	if _, err := w.Write(frames(1)[0]); err != nil {
		t.Fatal(err)
	}
	cam := mustOpen(t, "-", Options{Stdin: r})
	if shots, _ := play(t, cam, 1); len(shots) != 1 {
		t.Fatal("no frame")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var f capture.Frame
	if err := cam.Next(ctx, &f); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	// What arrives later is not lost.
	want := frames(2)[1]
	if _, err := w.Write(want); err != nil {
		t.Fatal(err)
	}
	if shots, _ := play(t, cam, 1); !same(shots, [][]byte{want}) {
		t.Error("the frame after a cancelled wait is lost")
	}
	w.Close()
	if err := cam.Next(t.Context(), &f); err != io.EOF {
		t.Error(err)
	}
}

func TestPipeFramesAreOfTheTimeTheyArrive(t *testing.T) {
	r, w := stdin(t)
	c := &clock{t: time.Unix(1000, 0)}
	for _, f := range frames(2) {
		if _, err := w.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	cam := mustOpen(t, "-", Options{Stdin: r, Pace: true, Now: c.now, Sleep: c.sleep})
	first, _ := play(t, cam, 1)
	c.t = c.t.Add(3 * time.Second)
	second, _ := play(t, cam, 1)
	if first[0].mono != 0 || second[0].mono != 3*time.Second || len(c.slept) > 0 {
		t.Errorf("at %v and %v, slept %v", first[0].mono, second[0].mono, c.slept)
	}
}
