// Command footprint measures what sealcamd takes of a board: its resident memory over 30 s of 1080p motion JPEG with
// snapshots alone and with clips, and of H.264 with clips, on this machine, with a
// real broker at the other end.
//
// With -sizes it looks at the executables in a directory instead, as make cross
// leaves them, and fails when the one for ARMv7 is too large, with what grew since
// armv7.txt was written (-write does that).
//
// What this command does not do: it measures no speed, and its memory figure is
// this machine's architecture's, which differs from a 32-bit board's (smaller
// pointers, the same buffers).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/cmd/internal/rig"
)

// The bounds. A change that breaks one has to say why here.
const (
	maxARMv7    = 14_000_000 // bytes, stripped
	maxResident = 40.0       // MB, of snapshots alone; with clips, beside the memory of their pre-roll
	preRoll     = 48         // MB of pre-roll allowed, more than 5 s of the film take
	maxVideo    = 32.0       // MB, of H.264 at 4 Mbit/s with clips, their pre-roll included
)

func main() {
	span := flag.Duration("for", 30*time.Second, "how long memory is watched")
	built := flag.String("sizes", "", "look at the executables in this `directory`, and at no memory")
	write := flag.Bool("write", false, "write armv7.txt anew")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch {
	case *write:
		err = writeTable(ctx)
	case *built != "":
		err = sizes(ctx, *built)
	default:
		err = run(ctx, *span)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "footprint: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, span time.Duration) error {
	dir, err := os.MkdirTemp("", "sealcam-footprint-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	drawn, filmed := filepath.Join(dir, "film.mjpeg"), filepath.Join(dir, "film.h264")
	if err := errors.Join(draw(ctx, drawn), encoded(ctx, filmed)); err != nil {
		return err
	}
	var result error
	for i, t := range []trial{
		{drawn, "enabled = false", "mjpeg, snapshots alone", maxResident},
		{drawn, fmt.Sprintf(`memory = "%d MB"`, preRoll), "mjpeg, clips with 5 s before", maxResident + preRoll},
		{filmed, "", "h264 of 4 Mbit/s, clips with 5 s before", maxVideo},
	} {
		result = errors.Join(result, t.memory(ctx, filepath.Join(dir, fmt.Sprint(i)), span))
	}
	return result
}

// trial is what memory is measured of.
type trial struct {
	film  string
	clips string  // settings of clips
	what  string  // in words
	most  float64 // MB
}

// memory runs sealcamd for span and prints its resident memory. dir is for its
// files.
func (t trial) memory(ctx context.Context, dir string, span time.Duration) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	config, err := rig.Household(ctx, dir)
	if err != nil {
		return err
	}
	if err := rig.Set(config, fmt.Sprintf("[camera]\nsource = %q\nrate = 30.0\n[clips]\n%s\n", t.film, t.clips)); err != nil {
		return err
	}
	sealcamd, err := rig.Sealcamd(ctx, dir)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, sealcamd, "-config", config)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-time.After(span):
	case err := <-ended:
		return fmt.Errorf("sealcamd ended early: %v", err)
	}
	now, peak, err := rig.Resident(cmd.Process.Pid)
	if err != nil {
		return err
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := <-ended; err != nil {
		return fmt.Errorf("sealcamd: %w", err)
	}
	fmt.Printf("  resident memory  %6.1f MB after %s of 1920x1080 30 fps, %.1f MB at the most: %s\n", now, span, peak, t.what)
	if peak > t.most {
		return fmt.Errorf("sealcamd took %.1f MB for %s, more than the %.0f that were promised", peak, t.what, t.most)
	}
	return nil
}

// draw writes some seconds of a drawn scene as motion JPEG: someone walks by, so
// that events and their snapshots are part of what is measured.
func draw(ctx context.Context, path string) error {
	cam, err := scene.Open("walk?size=1920x1080&rate=30&pixel=mjpeg", scene.Options{})
	if err != nil {
		return err
	}
	defer cam.Close()
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var frame capture.Frame
	for range 30 * 5 {
		if err := cam.Next(ctx, &frame); err != nil {
			return err
		}
		if _, err := f.Write(frame.Data); err != nil {
			return err
		}
	}
	return f.Close()
}

// encoded writes 16 s of a noisy picture as H.264: 11 of 4 Mbit/s, behind 5 of less,
// so that an event, which is found by the bit rate, and its clip are part of what is
// measured.
func encoded(ctx context.Context, path string) error {
	cmd := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=30:duration=16",
		"-vf", "loop=loop=-1:size=1,noise=alls=15:allf=t:enable='lt(t,5)',noise=alls=19:allf=t:enable='gte(t,5)',format=yuv420p",
		"-t", "16", "-c:v", "libx264", "-preset", "ultrafast", "-qp", "38", "-g", "30", "-bf", "0", "-f", "h264", path)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("a film to measure with: %w (is ffmpeg there? make test-deps installs it)", err)
	}
	return nil
}
