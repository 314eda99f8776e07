package viewer_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// rosters returns how often the present roster was sent to each camera.
func (h *home) rosters() (garden, door int) {
	h.t.Helper()
	synctest.Wait()
	_, signed, err := h.owner.Roster()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range h.fake.Sent() {
		if s.Kind == feed.Roster && bytes.Equal(s.Payload, signed) {
			switch s.Camera {
			case h.garden.id:
				garden++
			case h.door.id:
				door++
			}
		}
	}
	return garden, door
}

func TestRostersReachCameras(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		w := h.watch()
		_, old, _ := h.owner.Roster()
		time.Sleep(5 * time.Second)
		if g, d := h.rosters(); g != 0 || d != 0 {
			t.Errorf("sent to %d, %d although nothing has changed", g, d)
		}
		// The owner changes the household on this machine: every camera is told.
		if _, err := h.owner.AddViewer("phone"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if g, d := h.rosters(); g != 1 || d != 1 {
			t.Errorf("sent to %d, %d; want each once", g, d)
		}
		if v := w.Roster().Version; v != 5 {
			t.Errorf("roster %d in force, want 5", v)
		}
		// A camera that goes on sealing under the old one is told again, rarely.
		for range 60 {
			h.fake.Deliver(h.garden.live("x"))
			time.Sleep(time.Minute)
		}
		if g, _ := h.rosters(); g < 5 || g > 15 {
			t.Errorf("in an hour sent %d times to a camera that does not listen", g)
		}
		h.garden.follow(h.owner)
		h.fake.Deliver(h.garden.live("x"))
		time.Sleep(time.Minute)
		before, _ := h.rosters()
		time.Sleep(time.Hour)
		if after, _ := h.rosters(); after != before {
			t.Errorf("sent %d times more to a camera that has it", after-before)
		}
		// Somebody puts an old roster, or rubbish, where cameras read it.
		h.fake.Deliver(feed.Item{Camera: h.garden.id, Kind: feed.Roster, Sealed: old, Retained: true})
		time.Sleep(5 * time.Second)
		if after, _ := h.rosters(); after != before+1 {
			t.Errorf("an old roster was answered %d times", after-before)
		}
		_ = w.stop()
	})
}

func TestNewRosterArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		away := filepath.Join(t.TempDir(), "away")
		if err := h.owner.ExportViewer("desk", away); err != nil {
			t.Fatal(err)
		}
		id, err := identity.OpenViewer(away, "")
		if err != nil {
			t.Fatal(err)
		}
		v, err := viewer.New(viewer.Config{Identity: id, Feed: h.fake, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- v.Run(ctx, func(viewer.Outcome) error { return nil }) }()

		shed := newCamera(t, h.owner, "Shed")
		h.fake.Deliver(shed.picture("x"))
		synctest.Wait()
		if s := v.Stats(); s.Strangers != 1 {
			t.Errorf("a camera that is not known yet: %+v", s)
		}
		_, signed, _ := h.owner.Roster()
		h.fake.Deliver(feed.Item{Camera: h.garden.id, Kind: feed.Roster, Sealed: signed}, shed.picture("y"))
		synctest.Wait()
		if s := v.Stats(); s.Pictures != 1 {
			t.Errorf("once the roster has come: %+v", s)
		}
		cancel()
		<-done
		if again, err := identity.OpenViewer(away, ""); err != nil || again.Roster().Version != 5 {
			t.Errorf("after a restart: roster %d, %v", again.Roster().Version, err)
		}
	})
}

// A camera that comes back says which roster it has, and gets the one that it
// has missed, before it seals anything.
func TestHelloOfACameraThatWasAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		_, old, _ := h.owner.Roster()
		newCamera(t, h.owner, "Shed")
		w := h.watch()
		r, err := seal.OpenRoster(h.owner.ID(), old)
		if err != nil {
			t.Fatal(err)
		}
		hello := func(version uint64) feed.Item {
			b, err := seal.SignHello(h.garden.key.Signer(), seal.Hello{Household: r.Household, Roster: version})
			if err != nil {
				t.Fatal(err)
			}
			return feed.Item{Camera: h.garden.id, Kind: feed.Hello, Sealed: b, Retained: true}
		}
		h.fake.Deliver(hello(r.Version))
		time.Sleep(5 * time.Second)
		if g, d := h.rosters(); g != 1 || d != 0 {
			t.Errorf("sent to %d, %d; want to the garden only", g, d)
		}
		h.fake.Deliver(hello(r.Version + 1))
		time.Sleep(time.Minute)
		if g, _ := h.rosters(); g != 1 {
			t.Errorf("sent %d times to a camera that has it", g)
		}
		w.expect("no news for a person")
		_ = w.stop()
	})
}
