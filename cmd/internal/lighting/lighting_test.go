package lighting

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/i2c"

	"github.com/sealcam/sealcam/boards"
	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
	"github.com/sealcam/sealcam/cmd/internal/pins"
)

type host map[string]*gpiotest.Pin

func (h host) Line(p boards.Pin) (gpio.PinIO, error) {
	if h[p.String()] == nil {
		h[p.String()] = &gpiotest.Pin{N: p.String()}
	}
	return h[p.String()], nil
}
func (host) Bus(string) (i2c.BusCloser, error) { return nil, errors.New("no bus") }
func (host) Sys() string                       { return "/nonexistent" }

var virt = fstest.MapFS{"proc/device-tree/compatible": {Data: []byte("linux,dummy-virt\x00")}}

func open(t *testing.T, c Config) (*Lighting, host) {
	t.Helper()
	h := host{}
	c.Host = func(*slog.Logger) (pins.Host, error) { return h, nil }
	c.Log = slog.New(slog.DiscardHandler)
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return l, h
}

func pass(l *Lighting, mono *time.Duration, level uint8, d time.Duration) (light capture.Light) {
	luma := &capture.Luma{W: 32, H: 18, Pix: make([]uint8, 32*18)}
	for i := range luma.Pix {
		luma.Pix[i] = level
	}
	for end := *mono + d; *mono < end; *mono += 100 * time.Millisecond {
		light = l.Step(*mono, time.Unix(0, 0), luma)
	}
	return light
}

// The board is found, driven through a dusk, traced, parked when the camera is
// opened again, and parked at the end.
func TestLighting(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, TraceName), []byte("of yesterday"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, h := open(t, Config{Board: "auto", Root: virt, Dir: dir, Settings: Settings{Trace: true}, Device: "/dev/no-such-video"})
	if l.Profile.Name != "qemu-virt" || l.Button() == nil || l.Status() == nil {
		t.Fatalf("board %s, note %q", l.Profile.Name, l.Note)
	}
	lamp := h["9030000.pl061:2"]
	var mono time.Duration
	if got := pass(l, &mono, 120, 20*time.Second); got != capture.LightDay {
		t.Errorf("bright: %v", got)
	}
	if got := pass(l, &mono, 3, 40*time.Second); got != capture.LightNight || lamp.L != gpio.High {
		t.Errorf("dark: %v, lamp %v", got, lamp.L)
	}
	l.Lost()
	if lamp.L != gpio.Low {
		t.Error("the lamp burns while the camera is away")
	}
	pass(l, &mono, 3, 30*time.Second)
	if lamp.L != gpio.High {
		t.Error("the lamp is off although it is night")
	}
	if f := strings.Join(l.Faults(), "\n"); !strings.Contains(f, "lamp does not brighten") {
		t.Errorf("faults %q", f)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if lamp.L != gpio.Low {
		t.Error("the lamp burns after Close")
	}
	f, err := os.Open(filepath.Join(dir, TraceName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	if _, err := daynight.Replay(f, func(r daynight.Replayed) error {
		if n++; !r.Same() {
			return fmt.Errorf("line %d is decided differently", r.Line)
		}
		return nil
	}); err != nil || n < 80 {
		t.Errorf("trace of %d steps: %v", n, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "daynight.1.jsonl")); err != nil || string(b) != "of yesterday" {
		t.Errorf("the trace before: %q, %v", b, err)
	}
}

// Board zero opens no host.
func TestUSBWebcam(t *testing.T) {
	l, err := Open(Config{Root: fstest.MapFS{}, Log: slog.New(slog.DiscardHandler), Host: func(*slog.Logger) (pins.Host, error) {
		t.Error("a host was opened")
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	var mono time.Duration
	if got := pass(l, &mono, 120, 20*time.Second); got != capture.LightDay {
		t.Errorf("bright: %v", got)
	}
	if l.Button() != nil || l.Status() != nil || len(l.Faults()) != 0 || l.Note == "" {
		t.Errorf("faults %q, note %q", l.Faults(), l.Note)
	}
	l.Lost()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	none := errors.New("drivers are out")
	for _, tt := range []struct {
		c    Config
		want string
	}{
		{Config{Board: "nonsense"}, `there is no board "nonsense"`},
		{Config{Board: "/no/board.toml"}, fs.ErrNotExist.Error()[:4]},
		{Config{Board: "qemu-virt", Host: func(*slog.Logger) (pins.Host, error) { return nil, none }}, none.Error()},
		{Config{Board: boards.None, Settings: Settings{Dark: 300}}, "dark: expected 8..80"},
	} {
		tt.c.Log, tt.c.Root = log, virt
		if _, err := Open(tt.c); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, expected %q", tt.c.Board, err, tt.want)
		}
	}
	if err := (Settings{Mode: daynight.Scheduled}).Validate(); err == nil {
		t.Error("a schedule without times")
	}
}
