// Package fleet runs many cameras at once, to see whether what is built for one
// holds for ten thousand: true keys, true seals, true spools, and a connection of
// MQTT over TLS for each, with package uplink as it runs on a camera. Only their
// lens is missing: what they seal says which camera made it, so that a picture that
// comes out under another's name is found out.
//
// A run has three sides, each a process of its own, so that what each costs can be
// told apart: the cameras, the broker with its keeper, and the judge, which makes
// the households, plans what goes wrong, watches, and adds up. Everything that
// happens by chance follows from one seed; what depends on how busy the machine is
// does not.
//
// A picture is lost if it was sealed, never reached the keeper, and does not wait
// in its camera's spool either. It is wrong if somebody's screen would have shown
// it under a camera or household that did not take it.
//
// What this package does not do: it makes no pictures of a true scene, no live
// view and no clips; it measures cost and loss, not motion or light. Its cameras
// store in files that cost no open file each, and no power cut is played to them:
// that is tested where the spool is.
package fleet

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"time"
)

// Config says how large a fleet is, and what happens to it.
type Config struct {
	Cameras int           // in all
	PerHome int           // cameras of one household
	Events  float64       // of one camera in a day, on average
	Size    int           // bytes of a typical picture; some are half as large, some four times
	Day     time.Duration // how long a day takes
	For     time.Duration // from the moment when all cameras were there
	Watched int           // households with a viewer that opens everything
	Faults  []string      // kinds of trouble, of FaultNames; nil for all, empty for none
	Seed    uint64

	Spread     time.Duration // of cameras that come back (uplink.Config.Spread)
	Handshakes int           // a second that the broker takes (broker.Limits)
	Broker     string        // URL of a broker that runs already, in place of the run's own: then there is no keeper, and nobody watches
	Household  string        // with Broker: directory of the household whose authority that broker trusts
	Nodes      int           // of a NATS cluster in place of the one broker; 0 for none
	Spool      int64         // bytes of each camera's spool

	Dir string // for keys, spools and what the keeper stores; made, and removed at the end, by the caller

	// Command makes the command that runs a part (Part) in a process of its own.
	Command func(part string) *exec.Cmd
	// Tell is told how it goes about once a second; nil for nobody.
	Tell func(Progress)
	Log  *slog.Logger
	Out  io.Writer // what the other processes say goes there, too; nil for nowhere
}

// Defaults of a Config.
const (
	DefaultCameras    = 10_000
	DefaultPerHome    = 4
	DefaultEvents     = 6
	DefaultSize       = 12 << 10
	DefaultFor        = 5 * time.Minute
	DefaultWatched    = 5
	DefaultSpread     = 75 * time.Second
	DefaultHandshakes = 150
	DefaultSpool      = 1 << 20
)

// Bounds of a Config.
const (
	maxCameras = 1_000_000
	maxPerHome = 64
	minSize    = 256
	maxSize    = 2 << 20
)

// WithDefaults returns c with its zero fields filled in.
func (c Config) WithDefaults() Config {
	c.Cameras = or(c.Cameras, DefaultCameras)
	c.PerHome = or(c.PerHome, DefaultPerHome)
	c.Events = or(c.Events, DefaultEvents)
	c.Size = or(c.Size, DefaultSize)
	c.For = or(c.For, DefaultFor)
	c.Day = or(c.Day, c.For)
	if c.Faults == nil && c.Broker != "" {
		c.Faults = []string{faultCut, faultFlap, faultClock}
	}
	c.Watched = min(or(c.Watched, DefaultWatched), (c.Cameras+c.PerHome-1)/c.PerHome)
	c.Spread = or(c.Spread, DefaultSpread)
	c.Handshakes = or(c.Handshakes, DefaultHandshakes)
	c.Spool = or(c.Spool, DefaultSpool)
	if c.Faults == nil {
		c.Faults = FaultNames()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Tell == nil {
		c.Tell = func(Progress) {}
	}
	if c.Out == nil {
		c.Out = io.Discard
	}
	return c
}

func or[T int | int64 | float64 | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// Validate checks what a person may have set. Defaults are filled in already.
func (c Config) Validate() error {
	switch {
	case c.Cameras < 1 || c.Cameras > maxCameras:
		return fmt.Errorf("%d cameras: expected 1 to %d", c.Cameras, maxCameras)
	case c.PerHome < 1 || c.PerHome > maxPerHome:
		return fmt.Errorf("%d cameras in a household: expected 1 to %d", c.PerHome, maxPerHome)
	case c.Events < 0 || c.Events > 10_000:
		return fmt.Errorf("%g events in a day: expected 0 to 10000", c.Events)
	case c.Size < minSize || c.Size > maxSize:
		return fmt.Errorf("pictures of %d bytes: expected %d to %d", c.Size, minSize, maxSize)
	case c.For < time.Second || c.Day < time.Second:
		return fmt.Errorf("%v, with days of %v: expected at least a second", c.For, c.Day)
	case c.Handshakes < 1:
		return fmt.Errorf("%d handshakes a second: expected at least 1", c.Handshakes)
	case c.Spool < 64<<10:
		return fmt.Errorf("a spool of %d bytes: expected at least %d", c.Spool, 64<<10)
	case c.Nodes < 0 || c.Nodes > 5:
		return fmt.Errorf("a cluster of %d nodes: expected 1 to 5, or 0 for a broker", c.Nodes)
	case c.Broker != "" && (c.Nodes != 0 || c.Household == ""):
		return errors.New("a broker that runs already: expected the household whose authority it trusts, and no cluster")
	case c.Dir == "" || c.Command == nil:
		return errors.New("fleet: no directory, or no command for its parts")
	}
	on, err := chosen(c.Faults)
	if c.Broker != "" && (on[faultRestart] || on[faultRelay] || on[faultLiar]) {
		return fmt.Errorf("of a broker that runs already, only %s, %s and %s go wrong: they are of the cameras' side", faultCut, faultFlap, faultClock)
	}
	return err
}

// Homes is how many households there are.
func (c Config) Homes() int { return (c.Cameras + c.PerHome - 1) / c.PerHome }

// Progress is how a run goes, about once a second.
type Progress struct {
	Step    string // "making keys", "connecting", "running", "draining"
	At      time.Duration
	Done    int    // of the step, out of Of; for making keys
	Of      int    //
	Fault   string // that lasts now; "" for none
	Up      int    // cameras connected
	Rate    int    // connections in the last second
	Sealed  uint64 // durable messages
	Arrived uint64
	Waiting uint64 // in spools
	Wrong   int
}

// String is a line of progress.
func (p Progress) String() string {
	at := p.At.Round(time.Second)
	if p.Step == "making keys" {
		return fmt.Sprintf("%-11s %4s  %d of %d cameras", p.Step, at, p.Done, p.Of)
	}
	s := fmt.Sprintf("%-11s %4s  up %6d  %4d/s  sealed %7d  arrived %7d  waiting %6d", p.Step, at, p.Up, p.Rate, p.Sealed, p.Arrived, p.Waiting)
	if p.Wrong > 0 {
		s += fmt.Sprintf("  wrong %d", p.Wrong)
	}
	if p.Fault != "" {
		s += "  " + p.Fault
	}
	return s
}
