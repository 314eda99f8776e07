// Command footprint measures what sealcamd takes of a board: its size for every
// architecture, and its resident memory over 30 s of 1080p motion JPEG with
// snapshots alone and with clips, on this machine, with a real broker at the other
// end.
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
	maxSizeARMv7 = 12 << 20 // bytes, stripped
	maxResident  = 40.0     // MB, of snapshots alone; with clips, beside the memory of their pre-roll
	preRoll      = 48       // MB of pre-roll allowed, more than 5 s of the film take
)

var targets = []struct{ arch, arm string }{{"arm", "6"}, {"arm", "7"}, {"arm64", ""}, {"riscv64", ""}, {"amd64", ""}}

func main() {
	span := flag.Duration("for", 30*time.Second, "how long memory is watched")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *span); err != nil {
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
	sizeErr := sizes(ctx, dir)
	without := memory(ctx, filepath.Join(dir, "snapshots"), "enabled = false\n", "snapshots alone", maxResident, span)
	with := memory(ctx, filepath.Join(dir, "clips"), fmt.Sprintf("memory = \"%d MB\"\n", preRoll), "clips with 5 s before", maxResident+preRoll, span)
	return errors.Join(sizeErr, without, with)
}

// sizes builds sealcamd for every target and prints how large it is, stripped.
func sizes(ctx context.Context, dir string) error {
	var over error
	for _, t := range targets {
		out := filepath.Join(dir, "sealcamd-"+t.arch+t.arm)
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "github.com/sealcam/sealcam/cmd/sealcamd")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+t.arch, "GOARM="+t.arm)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("build for %s%s: %w", t.arch, t.arm, err)
		}
		st, err := os.Stat(out)
		if err != nil {
			return err
		}
		name := "linux/" + t.arch
		if t.arm != "" {
			name += " v" + t.arm
		}
		fmt.Printf("  %-16s %6.2f MiB\n", name, float64(st.Size())/(1<<20))
		if t.arm == "7" && st.Size() > maxSizeARMv7 {
			over = fmt.Errorf("sealcamd for %s has %d bytes, more than the %d that were promised", name, st.Size(), maxSizeARMv7)
		}
	}
	return over
}

// memory runs sealcamd for span, with settings of clips, and prints its resident
// memory. dir is for its files.
func memory(ctx context.Context, dir, clips, what string, most float64, span time.Duration) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	config, err := rig.Household(ctx, dir)
	if err != nil {
		return err
	}
	film := filepath.Join(dir, "film.mjpeg")
	if err := draw(ctx, film); err != nil {
		return err
	}
	if err := rig.Set(config, fmt.Sprintf("[camera]\nsource = %q\nrate = 30.0\n[clips]\n%s", film, clips)); err != nil {
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
	fmt.Printf("  resident memory  %6.1f MB after %s of 1920x1080 mjpeg 30 fps, %.1f MB at the most: %s\n", now, span, peak, what)
	if peak > most {
		return fmt.Errorf("sealcamd took %.1f MB for %s, more than the %.0f that were promised", peak, what, most)
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
