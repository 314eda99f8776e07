package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/lighting"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
)

// The directories within Settings.State.
const (
	IdentityDir = "identity"
	SpoolDir    = "spool"
)

// Serve runs the camera that s describes until ctx ends, and after a reset the
// new one that it has become.
func Serve(ctx context.Context, s Settings, firmware string, log *slog.Logger) error {
	unlock, err := lockState(s.State)
	if err != nil {
		return err
	}
	defer unlock()
	if err := finishReset(s.State, log); err != nil {
		return err
	}
	for {
		if err := serve(ctx, s, firmware, log); !errors.Is(err, ErrReset) {
			return err
		}
		if err := destroy(s.State); err != nil {
			return err
		}
		log.Warn("reset: this is a new camera now, and nobody's")
	}
}

// serve runs one camera: it opens the identity, waits for the camera to be
// claimed, and opens and joins the parts.
func serve(ctx context.Context, s Settings, firmware string, log *slog.Logger) error {
	camera, err := claimed(ctx, s, firmware, log)
	if err != nil || camera == nil {
		return err
	}
	up, err := OpenUplink(s, camera, firmware, log)
	if err != nil {
		return err
	}
	defer up.Close()
	source := s.source().Auto()
	light, err := lighting.Open(lighting.Config{
		Board: s.Board, Settings: s.Light, Camera: s.Camera.CameraSettings, Device: source.device(), Dir: s.State, Log: log.With("part", "light"),
	})
	if err != nil {
		return err
	}
	defer func() {
		if err := light.Close(); err != nil {
			log.Error("the board's pins could not be parked", "err", err)
		}
	}()
	log.Info("board", "name", light.Profile.Name, "note", light.Note)
	a, err := New(Config{Settings: s, Open: source.Open, Light: light, Uplink: up, Now: time.Now, Mono: Monotonic, Log: log})
	if err != nil {
		return err
	}
	log.Info("running", "camera", camera.ID(), "household", camera.Household(), "source", source.Name, "version", firmware)
	return a.Run(ctx)
}

// OpenUplink opens the way to the household's broker.
func OpenUplink(s Settings, camera *identity.Camera, firmware string, log *slog.Logger) (*uplink.Uplink, error) {
	broker := s.Uplink.Broker
	if broker == "" {
		broker = camera.Broker()
	}
	if broker == "" {
		return nil, errors.New("no broker: neither the settings (uplink.broker) nor the pairing name one")
	}
	up, err := uplink.Open(uplink.Config{
		Dir: filepath.Join(s.State, SpoolDir), Camera: camera, Broker: broker, Budget: s.Uplink.Budget.Bytes,
		LiveFor: liveFor(s.Live.Every.Duration), Firmware: firmware, Now: time.Now, Mono: Monotonic,
		Clock: newWallClock(os.DirFS("/"), kernelSynced).quality, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("uplink: %w", err)
	}
	return up, nil
}

// liveFor is how long a live picture may be shown as such: until the third
// after it is due, and never so short that a slow link makes every one stale.
func liveFor(every time.Duration) time.Duration { return max(3*every, 5*time.Second) }
