package keeper

import (
	"crypto"
	"encoding/hex"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

func (w *world) passOf(key crypto.Signer, p seal.Pass) string {
	w.t.Helper()
	b, err := seal.SignPass(key, p)
	if err != nil {
		w.t.Fatal(err)
	}
	return encodePass(b)
}

// opener returns a viewer of the household that has seen nothing.
func (h *home) opener() *seal.Opener {
	h.t.Helper()
	o, err := seal.NewOpener(seal.OpenerConfig{Household: h.id(), Roster: h.opened, Key: h.viewer, Now: time.Now})
	if err != nil {
		h.t.Fatal(err)
	}
	return o
}

// commands returns the commands that the keeper sent to a camera.
func (w *world) commands(c *camera, verb string) (out []*seal.Command) {
	w.t.Helper()
	for _, s := range w.feed.Sent() {
		if s.Camera != c.id || s.Kind != feed.Command {
			continue
		}
		cmd, err := seal.OpenCommand(c.id, w.home.opened, s.Payload)
		if err != nil {
			w.t.Fatal(err)
		}
		if !cmd.Keeper {
			w.t.Errorf("a command of the keeper's is not known as one: %+v", cmd)
		}
		if cmd.Verb == verb {
			out = append(out, cmd)
		}
	}
	return out
}

// What a camera publishes is kept, receipted, and comes back by its hash, in bytes
// that a viewer opens.
func TestFromCameraToViewer(t *testing.T) {
	w := newWorld(t, 1)
	c := w.home.cameras[0]
	for range 3 {
		w.feed.Deliver(c.item(c.seal(seal.Durable, "a picture")))
	}
	w.counted(kept, 3)
	w.until("a receipt of all three", func() bool {
		return slices.ContainsFunc(w.commands(c, seal.VerbReceipt), func(r *seal.Command) bool {
			return r.From == 1 && r.To == 3 && len(r.Gaps) == 0
		})
	})
	var list struct {
		Entries []entryJSON
		More    bool
	}
	w.get(w.home1("/messages"), &list)
	if len(list.Entries) != 3 || list.More {
		t.Fatalf("listed %+v", list)
	}
	o := w.home.opener()
	for i, e := range list.Entries {
		status, b, head := w.ask(http.MethodGet, "/v1/messages/"+e.Hash, "", nil)
		if status != http.StatusOK || head.Get("Cache-Control") != "public, max-age=31536000, immutable" || head.Get("Content-Type") != MediaSealed || head.Get("ETag") != `"`+e.Hash+`"` {
			t.Fatalf("%d %v", status, head)
		}
		m, err := o.Open(c.id, b)
		if err != nil {
			t.Fatal(err)
		}
		if m.Meta().Seq != uint64(i+1) || e.Kind != feed.Media || e.Size != len(b) || e.Stream != "durable" || e.Roster != 1 {
			t.Errorf("message %d: %+v", i, e)
		}
	}
}

// What is missing is asked for, and what has come is told with its gaps.
func TestAsksForWhatIsMissing(t *testing.T) {
	w := newWorld(t, 1)
	c := w.home.cameras[0]
	var sealed []seal.Sealed
	for range 5 {
		sealed = append(sealed, c.seal(seal.Durable, "x"))
	}
	w.feed.Deliver(c.item(sealed[0]), c.item(sealed[4]))
	w.until("the gap is asked for", func() bool {
		return slices.ContainsFunc(w.commands(c, seal.VerbResend), func(r *seal.Command) bool { return r.From == 2 && r.To == 4 })
	})
	if !slices.ContainsFunc(w.commands(c, seal.VerbReceipt), func(r *seal.Command) bool {
		return r.From == 1 && r.To == 5 && len(r.Gaps) == 1 && r.Gaps[0].First == 2 && r.Gaps[0].Last == 4
	}) {
		t.Error("no receipt names the gap")
	}
	w.feed.Deliver(c.item(sealed[1]), c.item(sealed[2]), c.item(sealed[3]))
	w.until("a receipt without a gap", func() bool {
		return slices.ContainsFunc(w.commands(c, seal.VerbReceipt), func(r *seal.Command) bool { return r.To == 5 && len(r.Gaps) == 0 })
	})
}

// What does not belong here is refused, counted by its reason, named once, and not
// kept.
func TestRefuses(t *testing.T) {
	w := newWorld(t, 2)
	c, other := w.home.cameras[0], w.home.cameras[1]
	stranger := newHome(t, 1).cameras[0] // names no keeper
	good := c.seal(seal.Durable, "x")
	broken := slices.Clone(good.Bytes)
	broken[len(broken)-1] ^= 1
	onOthers := c.item(good)
	onOthers.Camera = other.id
	onLive := c.item(good)
	onLive.Kind = feed.Live
	clone := &camera{home: w.home, key: c.key, id: c.id, boot: [16]byte{9}}
	w.feed.Deliver(
		c.item(good), c.item(good),
		feed.Item{Camera: c.id, Kind: feed.Media, Sealed: broken},
		feed.Item{Camera: c.id, Kind: feed.Media, Sealed: []byte("no message")},
		feed.Item{Camera: c.id, Kind: feed.Media, Sealed: stranger.seal(seal.Durable, "x").Bytes},
		onOthers, onLive,
		stranger.rosterItem(), stranger.item(stranger.seal(seal.Durable, "x")),
		c.item(clone.seal(seal.Durable, "another first")),
	)
	for verdict, n := range map[string]uint64{kept: 1, again: 1, brokenSeal: 1, malformed: 2, wrongCamera: 2, notOurs: 1, conflict: 1} {
		w.counted(verdict, n)
	}
	w.feed.Deliver(feed.Item{Camera: c.id, Kind: feed.Media, Sealed: []byte("no message")})
	w.counted(malformed, 3)
	if n := w.log.count("reason=malformed"); n != 1 {
		t.Errorf("what is malformed is told %d times", n)
	}
	if s := w.store.Stats(); s.Messages != 1 {
		t.Errorf("%d messages are kept", s.Messages)
	}
	if _, err := w.keeper.rosters.of(stranger.home.id()); err == nil {
		t.Error("keeps for a household that does not name it")
	}
}

// A household that dismisses its keeper is served no more, and its older roster
// changes nothing about it, also after a restart.
func TestDismissed(t *testing.T) {
	w := newWorld(t, 1)
	c := w.home.cameras[0]
	old := c.rosterItem()
	w.home.roster.Keepers = nil
	w.home.sign()
	w.feed.Deliver(c.rosterItem())
	w.until("dismissed", func() bool { _, err := w.keeper.rosters.of(w.home.id()); return err != nil })
	w.feed.Deliver(old, c.item(c.seal(seal.Durable, "x")))
	w.counted(notOurs, 1)
	w.stop()
	w.start()
	w.feed.Deliver(old)
	w.until("the old roster is read", func() bool {
		w.keeper.figures.mu.Lock()
		defer w.keeper.figures.mu.Unlock()
		return w.keeper.figures.rosters["refused"] == 1
	})
	if _, err := w.keeper.rosters.of(w.home.id()); err == nil {
		t.Error("an old roster brought the keeper back")
	}
}

// Of live pictures the newest is there for as long as it is the newest.
func TestLive(t *testing.T) {
	w := newWorld(t, 1)
	c := w.home.cameras[0]
	first, second := c.seal(seal.Live, "one"), c.seal(seal.Live, "two")
	path := func(s seal.Sealed) string { return "/v1/messages/" + hex.EncodeToString(s.Hash[:]) }
	w.feed.Deliver(c.item(first))
	w.counted(handedOn, 1)
	if status, b, head := w.ask(http.MethodGet, path(first), "", nil); status != http.StatusOK || string(b) != string(first.Bytes) || head.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", status, head)
	}
	w.feed.Deliver(c.item(second), c.item(first))
	w.counted(outdated, 1)
	if status, _, _ := w.ask(http.MethodGet, path(first), "", nil); status != http.StatusNotFound {
		t.Errorf("an old live picture: %d", status)
	}
	if status, _, _ := w.ask(http.MethodGet, path(second), "", nil); status != http.StatusOK {
		t.Errorf("the newest live picture: %d", status)
	}
	if s := w.store.Stats(); s.Messages != 0 {
		t.Error("a live picture was stored")
	}
}
