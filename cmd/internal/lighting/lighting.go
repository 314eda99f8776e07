// Package lighting puts day and night together for a running camera: the board
// and its pins, the driver's controls, the controller and its trace. What the
// agent needs of it is a Part: Step for every frame it looks at, Lost whenever the
// camera is opened, Close at the end.
//
//	light, err := lighting.Open(lighting.Config{
//		Board: settings.Board, Settings: settings.Light, Device: "/dev/video0",
//		Dir: settings.State, Log: log,
//	})
//	defer light.Close()
//	... agent.Config{Light: light, ...}
//
// What this package does not do: it decides nothing (capture/daynight does),
// opens no camera, and acts on no button: it hands it out.
package lighting

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/sealcam/sealcam/boards"
	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
	"github.com/sealcam/sealcam/capture/v4l2"
	"github.com/sealcam/sealcam/cmd/internal/pins"
)

// Settings is the owner's part, the table [light] of sealcamd.toml.
type Settings struct {
	Mode    daynight.Mode `toml:"mode"`
	Night   daynight.Span `toml:"night"`
	Dark    float64       `toml:"dark"`
	LampMax float64       `toml:"lamp_max"`
	Trace   bool          `toml:"trace"`
}

// Validate says what is wrong with s.
func (s Settings) Validate() error { return s.controller().Validate() }

func (s Settings) controller() daynight.Config {
	return daynight.Config{Mode: s.Mode, Schedule: s.Night, Dark: s.Dark, LampMax: s.LampMax}
}

// CameraSettings is what the driver is told, keys of the table [camera].
type CameraSettings struct {
	PowerLine string `toml:"power_line"`   // "50", "60", "auto" or "off"
	Slow      bool   `toml:"slow_in_dark"` // exposure may take longer than a frame
}

// Validate says what is wrong with s.
func (s CameraSettings) Validate() error {
	if _, ok := powerLines[s.PowerLine]; !ok {
		return fmt.Errorf(`expected "50", "60", "auto" or "off", found %q`, s.PowerLine)
	}
	return nil
}

// Config is what a Lighting is made of.
type Config struct {
	Board    string // as in sealcamd.toml: "auto", a name or a file
	Settings Settings
	Camera   CameraSettings
	Device   string // V4L2 device whose controls are used; empty for none
	Dir      string // where traces go
	Log      *slog.Logger

	Root fs.FS                                 // the file system from its root; nil for this machine's
	Host func(*slog.Logger) (pins.Host, error) // nil for this machine

	controls func(path string) (controls, error) // nil for the driver's
}

// Lighting is an opened Part with its board.
type Lighting struct {
	*daynight.Part
	Profile *boards.Profile
	Note    string // about the choice of the board; may be empty

	board  *pins.Board
	device *device // nil for a film
}

// Open chooses the board, opens and parks its pins, and joins the parts. Call it
// early in a process: periph's drivers, which it starts if the board has pins, may
// take file descriptor 0 from others (see pins.System).
func Open(c Config) (*Lighting, error) {
	if c.Root == nil {
		c.Root = os.DirFS("/")
	}
	if c.Host == nil {
		c.Host = pins.System
	}
	profile, note, err := boards.Choose(c.Board, c.Root)
	if err != nil {
		return nil, fmt.Errorf("board: %w", err)
	}
	l := &Lighting{Profile: profile, Note: note}
	var host pins.Host
	if profile.HasPins() {
		if host, err = c.Host(c.Log.With("part", "pins")); err != nil {
			return nil, err
		}
	}
	if l.board, err = pins.Open(profile, host, c.Log); err != nil {
		return nil, err
	}
	if err := l.join(c); err != nil {
		return nil, errors.Join(err, l.board.Close())
	}
	return l, nil
}

// join makes the Part.
func (l *Lighting) join(c Config) error {
	path := c.Device
	if l.Profile.Camera.Device != "" {
		path = l.Profile.Camera.Device
	}
	cfg := daynight.PartConfig{
		Controller: c.Settings.controller(), Actuator: l.board.Actuator, Ambient: l.board.Ambient,
		Log: c.Log,
	}
	if a := l.Profile.Ambient; a != nil {
		cfg.Controller.AmbientDay = a.Day
	}
	if path != "" {
		l.device = &device{
			path: path, unit: l.Profile.Camera.GainUnit, colour: l.board.Actuator.HasFilter(),
			camera: c.Camera, open: c.controls, log: c.Log,
		}
		if c.controls == nil {
			l.device.open = func(path string) (controls, error) { return v4l2.OpenControls(path) }
		}
		cfg.Exposure = l.device.read
	}
	if c.Settings.Trace {
		cfg.Trace = &daynight.Recorder{Open: func() (io.WriteCloser, error) { return nextTrace(c.Dir) }}
	}
	var err error
	l.Part, err = daynight.NewPart(cfg)
	return err
}

// TraceName is the name of the newest trace in Config.Dir; OldTraceName is that
// of the one before it.
const (
	TraceName    = "daynight.jsonl"
	OldTraceName = "daynight.1.jsonl"
)

// nextTrace makes room for a new trace and keeps the one before.
func nextTrace(dir string) (io.WriteCloser, error) {
	file := filepath.Join(dir, TraceName)
	if err := os.Rename(file, filepath.Join(dir, OldTraceName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

// Step is Part.Step; by night, with the filter open, the camera is told to show
// no colours, because infrared has none.
func (l *Lighting) Step(at time.Duration, now time.Time, luma *capture.Luma) capture.Light {
	light := l.Part.Step(at, now, luma)
	if l.device != nil {
		l.device.setGrey(l.device.colour && l.Action().Filter == daynight.FilterNight)
	}
	return light
}

// Lost is Part.Lost; the device is opened and told everything anew.
func (l *Lighting) Lost() {
	l.Part.Lost()
	if l.device != nil {
		l.device.close()
	}
}

// Limits returns what this camera cannot do, one sentence each. It works without.
func (l *Lighting) Limits() []string {
	if l.device == nil {
		return nil
	}
	return l.device.limits
}

// Faults returns everything that does not work, the board's parts included.
func (l *Lighting) Faults() []string { return append(l.Part.Faults(), l.board.Faults...) }

// Button and Status are the board's, nil if it has none.
func (l *Lighting) Button() *pins.Button { return l.board.Button }
func (l *Lighting) Status() *pins.Light  { return l.board.Status }

// Close puts lamp and status light off, parks the filter, gives the pins back and
// the camera its colours.
func (l *Lighting) Close() error {
	if l.device != nil {
		if l.device.ctl != nil {
			l.device.setGrey(false)
		}
		l.device.close()
	}
	return errors.Join(l.Part.Close(), l.board.Close())
}
