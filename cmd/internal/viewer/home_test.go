package viewer_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// home is a household with two cameras and one viewer.
type home struct {
	t            *testing.T
	owner        *identity.Household
	garden, door *camera
	fake         *feed.Fake
	feed         feed.Feed
}

func newHome(t *testing.T) *home {
	t.Helper()
	owner, err := identity.CreateHousehold(filepath.Join(t.TempDir(), "home"), "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := owner.AddViewer("desk"); err != nil {
		t.Fatal(err)
	}
	h := &home{t: t, owner: owner, fake: new(feed.Fake)}
	h.feed = h.fake
	h.garden = newCamera(t, owner, "Garden")
	h.door = newCamera(t, owner, "Door")
	h.garden.follow(owner)
	return h
}

// camera seals as a real one does.
type camera struct {
	t      *testing.T
	id     seal.CameraID
	sealer *seal.Sealer
	key    *identity.Camera
	seq    [6]uint64 // by stream
	prev   [32]byte
}

func newCamera(t *testing.T, owner *identity.Household, name string) *camera {
	t.Helper()
	key, err := identity.OpenCamera(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.AddCamera(key.ID(), name); err != nil {
		t.Fatal(err)
	}
	r, _, err := owner.Roster()
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.NewSealer(seal.SealerConfig{Key: key.Signer(), Roster: r, Boot: [16]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	return &camera{t: t, id: key.ID(), sealer: s, key: key}
}

// follow gives the camera the owner's newest roster.
func (c *camera) follow(owner *identity.Household) {
	c.t.Helper()
	r, _, err := owner.Roster()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.sealer.SetRoster(r); err != nil {
		c.t.Fatal(err)
	}
}

func (c *camera) seal(m seal.Meta, media string) feed.Item {
	c.t.Helper()
	c.seq[m.Stream]++
	m.Seq, m.Taken, m.Clock = c.seq[m.Stream], time.Now(), seal.ClockNTP
	item := feed.Item{Camera: c.id, Kind: feed.Media}
	switch m.Stream {
	case seal.Durable:
		m.Prev = c.prev
	case seal.Live:
		m.Expires = m.Taken.Add(time.Minute)
		item.Kind = feed.Live
	case seal.View:
		item.Kind, m.Kind, m.Media = feed.View, seal.KindView, "image/jpeg"
	}
	if m.Kind == "" {
		m.Kind, m.Media = seal.KindSnapshot, "image/jpeg"
	}
	s, err := c.sealer.Seal(m, []byte(media))
	if err != nil {
		c.t.Fatal(err)
	}
	if m.Stream == seal.Durable {
		c.prev = s.Hash
	}
	item.Sealed = s.Bytes
	return item
}

func (c *camera) picture(media string) feed.Item {
	return c.seal(seal.Meta{Stream: seal.Durable}, media)
}
func (c *camera) live(media string) feed.Item { return c.seal(seal.Meta{Stream: seal.Live}, media) }

func retained(it feed.Item) feed.Item { it.Retained = true; return it }

// watching is a running Viewer and what it has told.
type watching struct {
	*viewer.Viewer
	home *home
	got  []string
	all  []viewer.Outcome
	fail error // returned for every Outcome
	stop func() error
}

func (h *home) watch() *watching {
	h.t.Helper()
	id, err := identity.OpenViewer(h.owner.Dir(), "")
	if err != nil {
		h.t.Fatal(err)
	}
	v, err := viewer.New(viewer.Config{Identity: id, Feed: h.feed, Now: time.Now})
	if err != nil {
		h.t.Fatal(err)
	}
	w := &watching{Viewer: v, home: h}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- v.Run(ctx, func(o viewer.Outcome) error {
			if w.fail == nil {
				w.got = append(w.got, line(o))
				w.all = append(w.all, o)
			}
			return w.fail
		})
	}()
	w.stop = func() error { cancel(); return <-done }
	return w
}

func line(o viewer.Outcome) string {
	s := fmt.Sprintf("%s %s", o.Name, o.What)
	switch o.What {
	case viewer.Verified, viewer.Again:
		_, media := o.Verified.Media()
		s += fmt.Sprintf(" %s", media)
	case viewer.Refused:
		s += " " + string(o.Refusal.Reason)
	case viewer.GapOpened, viewer.GapClosed, viewer.GapLost:
		s += fmt.Sprintf(" %d-%d", o.Gap.First, o.Gap.Last)
	case viewer.Hello:
		s += fmt.Sprintf(" %.4s", o.Hello.Camera)
	}
	return s
}

// expect compares what came out since the last time.
func (w *watching) expect(what string, want ...string) {
	w.home.t.Helper()
	synctest.Wait()
	if !slices.Equal(w.got, want) {
		w.home.t.Errorf("%s:\n got %q\nwant %q", what, w.got, want)
	}
	w.got = nil
}

// commands returns the commands sent to c since the last time, opened as the
// camera would.
func (h *home) commands(c *camera) []string {
	h.t.Helper()
	synctest.Wait()
	r, _, err := h.owner.Roster()
	if err != nil {
		h.t.Fatal(err)
	}
	var got []string
	for _, s := range h.fake.Sent() {
		if s.Camera != c.id || s.Kind != feed.Command {
			continue
		}
		cmd, err := seal.OpenCommand(c.id, r, s.Payload)
		if err != nil {
			h.t.Fatal(err)
		}
		text := fmt.Sprintf("%s %d-%d", cmd.Verb, cmd.From, cmd.To)
		for _, g := range cmd.Gaps {
			text += fmt.Sprintf(" -%d-%d", g.First, g.Last)
		}
		got = append(got, text)
	}
	return got
}
