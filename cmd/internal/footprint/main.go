// Command footprint measures what sealcamd takes of a board: its size for every
// architecture, and its resident memory over 30 s of 1080p motion JPEG with
// snapshots only, on this machine, with a real broker at the other end.
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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/uplink/identity"
)

// The bounds. A change that breaks one has to say why here.
const (
	maxSizeARMv7 = 12 << 20 // bytes, stripped
	maxResident  = 40.0     // MB
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
	memoryErr := memory(ctx, dir, span)
	return errors.Join(sizeErr, memoryErr)
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

// memory runs sealcamd for span and prints its resident memory.
func memory(ctx context.Context, dir string, span time.Duration) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	config, err := household(ctx, dir)
	if err != nil {
		return err
	}
	sealcamd, err := native(ctx, dir)
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
	now, peak, err := resident(cmd.Process.Pid)
	if err != nil {
		return err
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := <-ended; err != nil {
		return fmt.Errorf("sealcamd: %w", err)
	}
	fmt.Printf("  resident memory  %6.1f MB after %s of 1920x1080 mjpeg 30 fps, %.1f MB at the most\n", now, span, peak)
	if peak > maxResident {
		return fmt.Errorf("sealcamd took %.1f MB, more than the %.0f that were promised", peak, maxResident)
	}
	return nil
}

// native builds sealcamd for this machine.
func native(ctx context.Context, dir string) (string, error) {
	out := filepath.Join(dir, "sealcamd")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "github.com/sealcam/sealcam/cmd/sealcamd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return out, cmd.Run()
}

// household founds a household with a broker and a claimed camera, and returns
// the settings file of that camera.
func household(ctx context.Context, dir string) (string, error) {
	h, err := identity.CreateHousehold(filepath.Join(dir, "home"), "", time.Now)
	if err != nil {
		return "", err
	}
	if _, err := h.AddViewer("desk"); err != nil {
		return "", err
	}
	conf, err := h.ServerTLS("127.0.0.1")
	if err != nil {
		return "", err
	}
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", TLS: conf})
	if err != nil {
		return "", err
	}
	go b.Run(ctx) // ends with ctx; its error would show as a camera that cannot connect
	if err := h.SetBroker(b.URL()); err != nil {
		return "", err
	}
	state := filepath.Join(dir, "state")
	c, err := identity.OpenCamera(filepath.Join(state, "identity"))
	if err != nil {
		return "", err
	}
	if err := h.AddCamera(c.ID(), "camera"); err != nil {
		return "", err
	}
	if err := h.Adopt(c); err != nil {
		return "", err
	}
	film := filepath.Join(dir, "film.mjpeg")
	if err := draw(ctx, film); err != nil {
		return "", err
	}
	config := filepath.Join(dir, "sealcamd.toml")
	text := fmt.Sprintf("state = %q\n[camera]\nsource = %q\nrate = 30.0\n[clips]\nenabled = false\n", state, film)
	return config, os.WriteFile(config, []byte(text), 0o600)
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

// resident returns the resident memory of a process, now and at its peak, in MB.
func resident(pid int) (now, peak float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		name, value, _ := strings.Cut(line, ":")
		kb, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		switch name {
		case "VmRSS":
			now = kb / 1024
		case "VmHWM":
			peak = kb / 1024
		}
	}
	if now == 0 {
		return 0, 0, errors.New("the system does not tell resident memory")
	}
	return now, peak, nil
}
