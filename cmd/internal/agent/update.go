package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/ota"
	"github.com/sealcam/sealcam/uplink/ota/engine"
	"github.com/sealcam/sealcam/uplink/ota/slot"
	"github.com/sealcam/sealcam/uplink/ota/tuf"
)

// The files within UpdateDir, beside those of the slots and of the repository.
const (
	triedFile  = "tried"  // what is known of the releases that were tried
	systemFile = "system" // of engines for whole systems
	sourceDir  = "source" // locked by who asks the repository
)

// updates is the part that keeps the camera's software up to date. nil does
// nothing: a camera that is not updated, and runs what was flashed.
type updates struct {
	updater *ota.Updater
	close   func() error

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

// openUpdates opens the slots, and the way to releases for a camera on board. Of a
// camera that belongs to nobody yet, agent holds nil: it proves nothing.
func openUpdates(s Settings, host Host, board string, agent *atomic.Pointer[Agent], log *slog.Logger) (*updates, error) {
	if host.Running != nil && host.Running.Trial {
		s.Update.Engine = engineAgent // whatever the settings say now
	}
	if host.Running == nil && s.Update.URL == "" && s.Update.Engine == engineAgent {
		return nil, nil
	}
	installer, closer, err := OpenInstaller(s, host)
	if err != nil {
		return nil, err
	}
	polite := courtesy{mono: Monotonic, busy: func() bool {
		a := agent.Load()
		return a != nil && a.Busy()
	}}
	u := &ota.Updater{
		Installer: installer, Memory: ota.File(filepath.Join(s.State, UpdateDir, triedFile)), Healthy: healthy(agent),
		Quiet: polite.yield, Window: func() time.Duration { return s.Update.closedFor(time.Now()) },
		Restart: restart(s, installer), Every: s.Update.Every.Duration, Rand: rand.Float64, Now: time.Now, Log: log,
	}
	if s.Update.URL != "" {
		if u.Source, err = OpenSource(s, board, polite.yield, log); err != nil {
			log.Error("no release is looked for", "err", err) // a trial is judged all the same
		}
	}
	return &updates{updater: u, close: closer.Close}, nil
}

func (u *updates) run(ctx context.Context) error {
	if u == nil {
		<-ctx.Done()
		return nil
	}
	defer u.close()
	return u.updater.Run(ctx)
}

// OpenInstaller opens what installs releases on this machine. The caller closes it.
func OpenInstaller(s Settings, host Host) (ota.Installer, io.Closer, error) {
	dir := filepath.Join(s.State, UpdateDir)
	if s.Update.Engine == engineAgent {
		store, err := slot.Open(dir, slot.Running{Version: host.Firmware, Number: host.Number}, host.Running)
		return store, store, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	backend, err := engine.Named(s.Update.Engine, s.Update.Args)
	if err != nil {
		return nil, nil, err
	}
	return &engine.System{
		Backend: backend, Memory: ota.File(filepath.Join(dir, systemFile)), Version: host.Firmware, Boot: engine.BootID(),
	}, io.NopCloser(nil), nil
}

// OpenSource opens the way to the releases for this camera, on board. yield is
// called while they are brought; nil for never.
func OpenSource(s Settings, board string, yield func(context.Context) error, log *slog.Logger) (ota.Source, error) {
	camera, err := identity.OpenCamera(filepath.Join(s.State, IdentityDir))
	if err != nil {
		return nil, err
	}
	root, err := os.ReadFile(s.Update.Root)
	if err != nil {
		return nil, fmt.Errorf("the root of trust in updates: %w", err)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.Update.CA != "" {
		text, err := os.ReadFile(s.Update.CA)
		if err != nil {
			return nil, err
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s: no certificate in PEM form", s.Update.CA)
		}
	}
	metadata, targets, err := tuf.Folders(s.Update.URL, conf)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.State, UpdateDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	client, err := tuf.New(tuf.Config{
		Dir: dir, Root: root, Metadata: metadata, Targets: targets, Now: time.Now, Yield: yield, Log: log,
		Camera: tuf.Camera{ID: string(camera.ID()), Board: board, Arch: arch(), Channel: s.Update.Channel, Kind: s.Update.kind()},
	})
	if err != nil {
		return nil, err
	}
	return alone{client, filepath.Join(dir, sourceDir)}, nil
}

// arch returns for what this program was compiled, as releases name it.
func arch() string {
	if runtime.GOARCH != "arm" {
		return runtime.GOARCH
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "GOARM" && len(s.Value) > 0 {
				return "armv" + s.Value[:1]
			}
		}
	}
	return "armv6" // which all of them run
}

// alone asks a source while no other process does.
type alone struct {
	ota.Source
	dir string
}

func (a alone) lock() (func() error, error) {
	unlock, err := lockState(a.dir)
	if errors.Is(err, ErrRunning) {
		err = errors.New("another sealcamd is asking the repository at this moment")
	}
	return unlock, err
}

func (a alone) Check(ctx context.Context) (*ota.Release, error) {
	unlock, err := a.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	return a.Source.Check(ctx)
}

func (a alone) Fetch(ctx context.Context, r ota.Release) (string, error) {
	unlock, err := a.lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	return a.Source.Fetch(ctx, r)
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

// rebootTime bounds the command that restarts a board, and then how long the board
// may take to stop this program.
const rebootTime = 2 * time.Minute

// restart has what is to be tried start: of an agent by ending, of a whole system by
// the settings' command.
func restart(s Settings, installer ota.Installer) func(context.Context) error {
	if s.Update.Engine == engineAgent {
		return nil
	}
	return func(ctx context.Context) error {
		var more []string
		if st, err := installer.Status(ctx); s.Update.Engine == "tryboot" && err == nil && !st.Trial {
			more = []string{engine.TrybootArgument}
		}
		if err := command(ctx, rebootTime, s.Update.Reboot, more...); err != nil {
			return fmt.Errorf("the board could not be restarted: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rebootTime):
			return errors.New("the board was to restart, and did not")
		}
	}
}
