package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealcam/sealcam/cmd/internal/enrol"
	"github.com/sealcam/sealcam/cmd/internal/lighting"
	"github.com/sealcam/sealcam/cmd/internal/pins"
	"github.com/sealcam/sealcam/cmd/internal/privacy"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/ota"
	"github.com/sealcam/sealcam/uplink/ota/slot"
)

// The directories within Settings.State.
const (
	IdentityDir = "identity"
	SpoolDir    = "spool"
	RecordDir   = "recording" // unless Settings.Recording.Directory says another
	UpdateDir   = "update"    // its slots, and what is known of releases
)

// ErrRunning says that another process runs this camera.
var ErrRunning = errors.New("another sealcamd uses this state directory")

// Host is the program and the system around a camera.
type Host struct {
	Firmware string // version
	Commit   string // of the source; "" for unknown
	// FirmwareHash is the SHA-256 of the program, which every seal claims; nil for none.
	FirmwareHash []byte
	Number       uint64        // of the release that this program is, 0 for none
	Running      *slot.Running // what the launcher started, nil for the flashed program
	Ready        func()        // called once pins are safe and the camera runs, or waits to be claimed; may be nil
	Alive        func()        // called for work done, see Config.Alive; may be nil
	// Update says what is known of slots and updates; nil: there are none.
	Update func() ota.Status
	// Applied is told the settings of each life of the camera before it begins: those
	// of its file, or what its household wants in their place. May be nil.
	Applied func(Settings)

	settings func(signed []byte) error // takes what comes as settings; nil asks for none
	trial    time.Duration             // how long settings may take to prove themselves; 0: wantedTrial
}

// Serve runs the camera that s describes until ctx ends, and after a reset the
// new one that it has become.
func Serve(ctx context.Context, s Settings, host Host, log *slog.Logger) error {
	for _, f := range []*func(){&host.Ready, &host.Alive} {
		if *f == nil {
			*f = func() {}
		}
	}
	unlock, err := lockState(s.State)
	if err != nil {
		return err
	}
	defer unlock()
	if err := finishReset(s, log); err != nil {
		return err
	}
	want := openWishes(s, host.trial, log.With("part", "settings"))
	for {
		now := want.begin()
		if host.Applied != nil {
			host.Applied(now)
		}
		err := want.ended(ctx, serve(ctx, now, want, host, log))
		switch {
		case errors.Is(err, errSettings):
			continue
		case !errors.Is(err, ErrReset):
			return err
		}
		if err := destroy(s); err != nil {
			return err
		}
		log.Warn("reset: this is a new camera now, and nobody's")
		want = openWishes(s, host.trial, log.With("part", "settings"))
	}
}

// serve opens the board, which parks its pins, and runs one camera beside its
// button and status light.
func serve(ctx context.Context, s Settings, want *wishes, host Host, log *slog.Logger) error {
	light, err := lighting.Open(lighting.Config{
		Board: s.Board, Settings: s.Light, Camera: s.Camera.CameraSettings, Device: s.source().Auto().device(), Dir: s.State, Log: log.With("part", "light"),
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
	host.Ready()
	front := newPanel(light.Button(), light.Status(), log.With("part", "panel"))
	updates, err := openUpdates(s, host, light.Profile.Name, &front.agent, log.With("part", "update"))
	if err != nil {
		log.Error("this camera is not updated", "err", err)
	}
	if updates != nil {
		host.Update = updates.status
	}
	tell := &teller{settings: s, machine: NewMachine(os.DirFS("/sys"), s.State, Monotonic), software: host.software, log: log.With("part", "status"), began: Monotonic()}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return front.run(running) })
	g.Go(func() error { return updates.run(running) })
	g.Go(func() error { return tell.run(running) })
	g.Go(func() error { return want.run(running, &front.agent, host.onTrial) })
	g.Go(func() error {
		defer stop()
		return life(running, s, want, host, light, front, tell, log)
	})
	return g.Wait()
}

// life opens the identity, waits for the camera to be claimed, and opens and
// joins the parts.
func life(ctx context.Context, s Settings, want *wishes, host Host, light *lighting.Lighting, front *panel, tell *teller, log *slog.Logger) error {
	if c, err := identity.OpenCamera(filepath.Join(s.State, IdentityDir)); err == nil {
		tell.camera.Store(c)
	}
	camera, err := claimed(ctx, s, host, log)
	if err != nil || camera == nil {
		return err
	}
	want.claimed(camera)
	host.settings = want.take
	cert, err := enrol.Open(enrol.Config{Settings: s.Identity, Camera: camera, Mono: Monotonic, Chance: rand.Float64, Log: log.With("part", "identity")})
	if err != nil {
		return err
	}
	up, err := openUplink(s, camera, cert, host, log)
	if err != nil {
		return err
	}
	defer up.Close()
	keeper, err := privacy.Load(filepath.Join(s.State, PrivacyFile), s.Privacy.Schedule)
	if err != nil {
		log.Error("privacy", "err", err)
	}
	for _, key := range s.Passed.Keys {
		log.Warn("settings passed over", "what", key)
	}
	var presses <-chan pins.Press
	if s.Privacy.Button {
		presses = front.presses
	}
	source := s.source().Auto()
	a, err := New(Config{
		Settings: s, Open: source.Open, Light: light, Uplink: up, Certificate: cert, Privacy: keeper, Presses: presses,
		Software: host.software, Wanted: want, Machine: tell.machine, Alive: host.Alive, Now: time.Now, Mono: Monotonic, Log: log,
	})
	if err != nil {
		return err
	}
	front.agent.Store(a)
	defer front.agent.Store(nil)
	tell.agent.Store(a)
	defer tell.agent.Store(nil)
	log.Info("running", "camera", camera.ID(), "household", camera.Household(), "source", source.Name, "version", host.Firmware)
	return a.Run(ctx)
}

// OpenUplink opens the way to the household's broker, by the household's own
// certificate.
func OpenUplink(s Settings, camera *identity.Camera, host Host, log *slog.Logger) (*uplink.Uplink, error) {
	return openUplink(s, camera, nil, host, log)
}

func openUplink(s Settings, camera *identity.Camera, cert uplink.Credentials, host Host, log *slog.Logger) (*uplink.Uplink, error) {
	broker := s.Uplink.Broker
	if broker == "" {
		broker = camera.Broker()
	}
	if broker == "" {
		return nil, errors.New("no broker: neither the settings (uplink.broker) nor the pairing name one")
	}
	record, err := s.recording()
	if err != nil {
		return nil, err
	}
	up, err := uplink.Open(uplink.Config{
		Recording: record, Dir: filepath.Join(s.State, SpoolDir), Camera: camera, Credentials: cert, Broker: broker, Spread: s.Uplink.Spread.Duration, Budget: s.Uplink.Budget.Bytes,
		LiveFor: liveFor(s.Live.Every.Duration), Firmware: host.Firmware, FirmwareHash: host.FirmwareHash, Now: time.Now, Mono: Monotonic,
		Clock: newWallClock(os.DirFS("/"), kernelSynced).quality, Settings: host.settings, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("uplink: %w", err)
	}
	return up, nil
}

// liveFor is how long a live picture may be shown as such: until the third
// after it is due, and never so short that a slow link makes every one stale.
func liveFor(every time.Duration) time.Duration { return max(3*every, 5*time.Second) }
