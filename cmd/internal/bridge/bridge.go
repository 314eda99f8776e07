// Package bridge shows a household's cameras to Home Assistant: it opens what
// they send as any viewer does, and tells a local MQTT broker of it, in the form
// that Home Assistant discovers by itself. It ends where seals end: past the
// bridge pictures are plain, for everyone whom the local broker lets read.
//
// For each camera there are, as one device: what it sees now (camera), its last
// event (image, with what has come of its clip), motion, online and problem
// (binary sensors; of what is wrong in the camera's own words), day or night, the
// last verdict, and how many messages are missing (sensors). Where a picture was
// refused, and where none is fresh, stands a drawn card that says so.
//
// What this package does not do: it decides nothing about seals; package viewer
// does. It takes pictures as *seal.Verified only, and the topic that a picture
// goes to is made of the camera in its seal. It has the local broker keep no
// picture: what a broker keeps would outlive the bridge, and look like now. It
// takes no commands from Home Assistant.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Defaults of a Config.
const (
	DefaultPrefix = "homeassistant"
	DefaultMotion = 30 * time.Second
)

// Config is what a Bridge is made of.
type Config struct {
	Identity *identity.Viewer
	Feed     feed.Feed
	// Local is the local broker: URL, TLS, User and Password. The rest is the
	// bridge's.
	Local   mqtt.Config
	Prefix  string        // of discovery topics; empty for DefaultPrefix
	Motion  time.Duration // how long motion stays on after the last of it was seen; 0 for DefaultMotion
	Version string        // of this program
	Now     func() time.Time
	Log     *slog.Logger
}

// tickEvery is how often the bridge looks whether something has grown old.
const tickEvery = time.Second

// restSettles is how long Home Assistant gets, after it said that it started,
// before it is told everything again: it must have subscribed by then.
const restSettles = 5 * time.Second

// prefixForm is what a discovery prefix may be made of, so that it is neither
// a wildcard nor anything else that a broker would read differently.
var prefixForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,3}$`)

// Bridge is one run of a bridge.
type Bridge struct {
	names  names
	viewer *viewer.Viewer
	feed   feed.Feed
	local  *local
	motion time.Duration
	now    func() time.Time
	log    *slog.Logger

	mu    sync.Mutex // guards what follows
	board *board
	rooms map[seal.CameraID]*room
	again time.Time // when everything is to be told again; zero for never
}

// New returns a Bridge; Run connects. It refuses settings that could not work.
func New(c Config) (*Bridge, error) {
	if c.Prefix == "" {
		c.Prefix = DefaultPrefix
	}
	if !prefixForm.MatchString(c.Prefix) {
		return nil, fmt.Errorf("discovery prefix %q: expected letters, digits, - and _, such as %s", c.Prefix, DefaultPrefix)
	}
	if c.Motion <= 0 {
		c.Motion = DefaultMotion
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	v, err := viewer.New(viewer.Config{Identity: c.Identity, Feed: c.Feed, Now: c.Now, Log: c.Log})
	if err != nil {
		return nil, err
	}
	b := &Bridge{
		names:  names{prefix: c.Prefix, household: c.Identity.Household(), version: c.Version},
		viewer: v, feed: c.Feed, motion: c.Motion, now: c.Now, log: c.Log.With("part", "bridge"),
		board: newBoard(), rooms: map[seal.CameraID]*room{},
	}
	b.local, err = newLocal(c.Local, b.names, b.board, b.heard, b.log)
	return b, err
}

// Run bridges until ctx ends, and returns ctx's error then. The local broker is
// told that the bridge is gone, by the last will if there is no time to say so.
func (b *Bridge) Run(ctx context.Context) error {
	b.sync()
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error {
		return b.viewer.Run(running, func(o viewer.Outcome) error { b.take(o); return nil })
	})
	g.Go(func() error { return b.local.run(running) })
	g.Go(func() error { return b.tickLoop(running) })
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return ctx.Err()
}

func (b *Bridge) tickLoop(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.tick()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take takes note of one Outcome.
func (b *Bridge) take(o viewer.Outcome) {
	b.sync()
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.rooms[o.Camera]; r != nil {
		r.take(o)
	}
}

// tick lets things grow old.
func (b *Bridge) tick() {
	b.sync()
	up, _ := b.feed.Link()
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	for id, r := range b.rooms {
		r.tick(now, up, b.viewer.Gaps(id))
	}
	if !b.again.IsZero() && !now.Before(b.again) {
		b.again = time.Time{}
		b.board.anew()
	}
}

// sync makes a room for every camera of the roster, under its present name, and
// clears what is left of others.
func (b *Bridge) sync() {
	roster := b.viewer.Roster()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range roster.Cameras {
		r := b.rooms[c.ID]
		if r == nil {
			r = newRoom(c.ID, b.names, b.board, b.motion, b.now())
			b.rooms[c.ID] = r
		}
		r.name(c.Name)
	}
	for id := range b.rooms {
		if _, ours := roster.Camera(id); !ours {
			delete(b.rooms, id)
			b.clear(id)
		}
	}
}

// clear takes a camera out of Home Assistant. b.mu is held.
func (b *Bridge) clear(id seal.CameraID) {
	b.log.Info("camera taken out of Home Assistant", "camera", id)
	for _, topic := range b.names.all(id) {
		b.board.clear(topic)
	}
}

// heard takes a message of the local broker: Home Assistant has started, or
// there is still something of a camera that may be the household's no more.
func (b *Bridge) heard(m mqtt.Message) {
	roster := b.viewer.Roster()
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.Topic == b.names.birth() {
		if string(m.Payload) == "online" {
			b.again = b.now().Add(restSettles)
		}
		return
	}
	if id, ok := b.names.cameraOf(m.Topic); ok && len(m.Payload) > 0 {
		if _, ours := roster.Camera(id); !ours {
			b.clear(id)
		}
	}
}
