package agent

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealcam/sealcam/uplink/ota"
	"github.com/sealcam/sealcam/uplink/ota/slot"
)

// triedFile is, within UpdateDir, what is known of the release that was tried last.
const triedFile = "tried"

// updates is the part that keeps the camera's software up to date. nil does
// nothing: a camera that is not updated, and runs what was flashed.
type updates struct {
	updater *ota.Updater
	store   *slot.Store

	mu    sync.Mutex
	asked time.Time
	known ota.Status // as of then
}

// Bounds of asking the installer how it is: it may read flash, or run a command.
const (
	statusKept    = 15 * time.Second
	statusPatient = 5 * time.Second
)

// status returns what the installer knew a moment ago. It is safe for concurrent
// use.
func (u *updates) status() ota.Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	if now := time.Now(); u.asked.IsZero() || now.Sub(u.asked) >= statusKept {
		ctx, cancel := context.WithTimeout(context.Background(), statusPatient)
		defer cancel()
		if st, err := u.updater.Installer.Status(ctx); err == nil {
			u.known = st
		}
		u.asked = now
	}
	return u.known
}

// openUpdates opens the slots. Of a camera that belongs to nobody yet, agent holds
// nil: it proves nothing.
func openUpdates(s Settings, host Host, agent *atomic.Pointer[Agent], log *slog.Logger) (*updates, error) {
	if host.Running == nil {
		return nil, nil
	}
	dir := filepath.Join(s.State, UpdateDir)
	store, err := slot.Open(dir, slot.Running{Version: host.Firmware, Number: host.Number}, host.Running)
	if err != nil {
		return nil, err
	}
	return &updates{store: store, updater: &ota.Updater{
		Installer: store, Memory: ota.File(filepath.Join(dir, triedFile)), Healthy: healthy(agent),
		Rand: rand.Float64, Now: time.Now, Log: log,
	}}, nil
}

// healthy asks whichever agent runs.
func healthy(agent *atomic.Pointer[Agent]) func(context.Context) error {
	return func(ctx context.Context) error {
		a := agent.Load()
		if a == nil {
			return errors.New("the camera belongs to nobody, or has not started")
		}
		return a.Healthy(ctx)
	}
}

func (u *updates) run(ctx context.Context) error {
	if u == nil {
		<-ctx.Done()
		return nil
	}
	return u.updater.Run(ctx)
}

func (u *updates) close() {
	if u != nil {
		_ = u.store.Close() // nothing is open for writing
	}
}
