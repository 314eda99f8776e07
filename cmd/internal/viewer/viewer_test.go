package viewer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	seq    [4]uint64 // by stream
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

func TestVerifiedAndRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		relay := feed.NewRelay(h.fake)
		h.feed = relay
		w := h.watch()
		h.fake.Deliver(h.garden.picture("one"), h.door.live("two"), h.garden.live("three"))
		w.expect("honest", "Garden verified one", "Door verified two", "Garden verified three")

		relay.Hostile(true)
		h.fake.Deliver(h.garden.live("four"), h.door.live("five"))
		w.expect("hostile", "Garden refused wrong camera", "Door refused wrong camera")
		relay.Hostile(false)
		h.fake.Deliver(h.garden.live("six"), h.door.live("seven"))
		w.expect("honest again", "Garden verified six", "Door verified seven")

		broken := h.garden.live("eight")
		broken.Sealed = append([]byte(nil), broken.Sealed...)
		broken.Sealed[len(broken.Sealed)-1] ^= 1
		h.fake.Deliver(broken, feed.Item{Camera: h.garden.id, Kind: feed.Media, Sealed: []byte("plain")})
		w.expect("changed on the way", "Garden refused broken seal", "Garden refused malformed")

		stale := h.door.live("nine")
		time.Sleep(2 * time.Minute)
		h.fake.Deliver(stale)
		w.expect("late", "Door refused stale")
		if err := w.stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		s := w.Stats()
		if s.Pictures != 5 || s.Refused[seal.WrongCamera] != 2 || s.Refused[seal.BrokenSeal] != 1 || s.Refused[seal.Malformed] != 1 || s.Refused[seal.Stale] != 1 {
			t.Errorf("counted %+v", s)
		}
	})
}

func TestStrangersAreNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, other := newHome(t), newHome(t)
		w := h.watch()
		h.fake.Deliver(other.garden.picture("secret"), other.garden.live("secret"))
		hello, err := seal.SignHello(other.door.key.Signer(), seal.Hello{})
		if err != nil {
			t.Fatal(err)
		}
		h.fake.Deliver(
			feed.Item{Camera: other.door.id, Kind: feed.Hello, Sealed: hello},
			feed.Item{Camera: h.door.id, Kind: feed.Hello, Sealed: hello}, // under another's name
			feed.Item{Camera: h.door.id, Kind: feed.Hello, Sealed: []byte("x")})
		w.expect("strangers", fmt.Sprintf(" hello %.4s", other.door.id))
		_ = w.stop()
		if s := w.Stats(); s.Strangers != 2 || s.Pictures != 0 {
			t.Errorf("counted %+v", s)
		}
	})
}

func TestGapIsAskedForAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		w := h.watch()
		first := h.garden.picture("1")
		missing := []feed.Item{h.garden.picture("2"), h.garden.picture("3"), h.garden.picture("4")}
		h.fake.Deliver(first, h.garden.picture("5"))
		w.expect("a hole", "Garden verified 1", "Garden gap 2-4", "Garden verified 5")
		if s := w.Stats(); s.Missing != 3 {
			t.Errorf("%d missing, want 3", s.Missing)
		}
		time.Sleep(2500 * time.Millisecond)
		if got, want := h.commands(h.garden), []string{"receipt 1-5 -2-4"}; !slices.Equal(got, want) {
			t.Errorf("at first: %q, want %q: what is late may come by itself", got, want)
		}
		time.Sleep(2 * time.Second)
		if got, want := h.commands(h.garden), []string{"receipt 1-5 -2-4", "resend 2-4"}; !slices.Equal(got, want) {
			t.Errorf("then: %q, want %q", got, want)
		}
		h.fake.Deliver(missing[1])
		w.expect("a part", "Garden verified 3")
		time.Sleep(5 * time.Second)
		if got, want := h.commands(h.garden)[2:], []string{"receipt 1-5 -2-2 -4-4", "resend 4-4", "resend 2-2"}; !slices.Equal(got, want) {
			t.Errorf("after a part: %q, want %q", got, want)
		}
		h.fake.Deliver(missing[2], missing[0])
		w.expect("the rest", "Garden verified 4", "Garden verified 2", "Garden gap closed 2-4")
		time.Sleep(time.Hour)
		if got, want := h.commands(h.garden)[5:], []string{"receipt 1-5"}; !slices.Equal(got, want) {
			t.Errorf("at last: %q, want %q", got, want)
		}
		_ = w.stop()
		if s := w.Stats(); s.Missing != 0 || s.Receipts != 3 || s.Resends != 3 {
			t.Errorf("counted %+v", s)
		}
	})
}

// A camera that does not answer is asked more and more rarely.
func TestAskingIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		w := h.watch()
		h.fake.Deliver(h.garden.picture("1"))
		h.garden.picture("2")
		h.fake.Deliver(h.garden.picture("3"))
		time.Sleep(24 * time.Hour)
		_ = w.stop()
		if n := w.Stats().Resends; n < 140 || n > 160 { // every ten minutes in the end
			t.Errorf("asked %d times in a day", n)
		}
	})
}

func TestGapThatTheCameraConfesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		w := h.watch()
		first := h.garden.picture("1")
		h.garden.picture("2")
		h.garden.picture("3")
		h.fake.Deliver(first, h.garden.picture("4"))
		w.expect("a hole", "Garden verified 1", "Garden gap 2-3", "Garden verified 4")
		h.fake.Deliver(h.garden.seal(seal.Meta{Stream: seal.Durable, Kind: seal.KindGap, Lost: []seal.Range{{First: 2, Last: 3}}}, ""))
		w.expect("confessed", "Garden verified ", "Garden gap lost 2-3")
		h.garden.picture("6")
		h.fake.Deliver(h.garden.seal(seal.Meta{Stream: seal.Durable, Kind: seal.KindGap, Lost: []seal.Range{{First: 6, Last: 6}}}, ""))
		w.expect("confessed at once", "Garden verified ", "Garden gap lost 6-6")
		time.Sleep(time.Hour)
		for _, cmd := range h.commands(h.garden) {
			if strings.HasPrefix(cmd, "resend") {
				t.Errorf("asked for what is lost: %s", cmd)
			}
		}
		_ = w.stop()
	})
}

func TestReceiptsAreCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		w := h.watch()
		for range 40 {
			h.fake.Deliver(h.garden.picture("x"))
		}
		h.fake.Deliver(h.door.live("x"))
		time.Sleep(time.Minute)
		if got, want := h.commands(h.garden), []string{"receipt 1-40"}; !slices.Equal(got, want) {
			t.Errorf("garden: %q, want %q", got, want)
		}
		if got := h.commands(h.door); len(got) != 0 {
			t.Errorf("live pictures need no receipt: %q", got)
		}
		h.fake.SetOffline(feed.ErrOffline)
		h.fake.Deliver(h.garden.picture("y"))
		time.Sleep(time.Minute)
		if got := h.commands(h.garden); len(got) != 1 {
			t.Errorf("sent while offline: %q", got)
		}
		h.fake.SetOffline(nil)
		time.Sleep(5 * time.Second)
		if got := h.commands(h.garden); len(got) != 2 || got[1] != "receipt 1-41" {
			t.Errorf("online again: %q", got)
		}
		h.fake.Deliver(h.garden.picture("z"))
		synctest.Wait()
		_ = w.stop()
		if got := h.commands(h.garden); len(got) != 3 || got[2] != "receipt 1-42" {
			t.Errorf("the last receipt before the end: %q", got)
		}
	})
}

func TestMemoryOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		w := h.watch()
		one, live := h.garden.picture("1"), h.garden.live("now")
		h.garden.picture("2")
		three := h.garden.picture("3")
		h.fake.Deliver(one, live, three)
		w.expect("first run", "Garden verified 1", "Garden verified now", "Garden gap 2-2", "Garden verified 3")
		_ = w.stop()

		w = h.watch()
		h.fake.Deliver(one, three, live, retained(live))
		w.expect("second run", "Garden again now")
		if s := w.Stats(); s.Duplicates != 4 || s.Missing != 1 {
			t.Errorf("counted %+v", s)
		}
		_ = w.stop()
		if got := h.commands(h.garden); len(got) == 0 || !slices.Contains(got, "resend 2-2") {
			t.Errorf("what is missing is not asked for after a restart: %q", got)
		}
		time.Sleep(2 * time.Minute)
		w = h.watch()
		h.fake.Deliver(retained(live))
		w.expect("a kept picture that has expired")
		_ = w.stop()
	})
}

// What was not handled is not remembered, and comes again.
func TestWhatWasNotHandledComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		w := h.watch()
		full := errors.New("disk full")
		w.fail = full
		one := h.garden.picture("1")
		h.fake.Deliver(one)
		synctest.Wait()
		if err := w.stop(); !errors.Is(err, full) {
			t.Errorf("Run ended with %v", err)
		}
		if got := h.commands(h.garden); len(got) != 0 {
			t.Errorf("receipted all the same: %q", got)
		}
		w = h.watch()
		h.fake.Deliver(one)
		w.expect("after a restart", "Garden verified 1")
		_ = w.stop()
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		w := h.watch()
		w.fail = viewer.Stop
		one := h.garden.picture("1")
		h.fake.Deliver(one, h.garden.picture("2"))
		synctest.Wait()
		if err := w.stop(); err != nil {
			t.Errorf("Run ended with %v", err)
		}
		if got := h.commands(h.garden); !slices.Equal(got, []string{"receipt 1-1"}) {
			t.Errorf("receipted %q, want the one that was handled", got)
		}
	})
}

func TestDamagedMemoryIsNamed(t *testing.T) {
	h := newHome(t)
	path := filepath.Join(h.owner.Dir(), "viewers", "desk", "state")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	id, err := identity.OpenViewer(h.owner.Dir(), "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = viewer.New(viewer.Config{Identity: id, Feed: h.feed, Now: time.Now})
	var damaged *viewer.StateError
	if !errors.As(err, &damaged) || !errors.Is(err, seal.ErrState) || !strings.Contains(damaged.Hint(), path) {
		t.Errorf("error %v", err)
	}
}

func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		w := h.watch()
		if err := w.Ask(t.Context(), h.door.id); err != nil {
			t.Fatal(err)
		}
		r, _, _ := h.owner.Roster()
		cmd, err := seal.OpenCommand(h.door.id, r, h.fake.Sent()[0].Payload)
		if err != nil || cmd.Verb != seal.VerbSnapshot {
			t.Fatalf("command %+v, %v", cmd, err)
		}
		h.fake.Deliver(h.door.live("before"), h.door.seal(seal.Meta{Stream: seal.Live, Nonce: cmd.Nonce}, "now"))
		w.expect("the answer", "Door verified before", "Door verified now")
		if w.all[0].Verified.Fresh() || !w.all[1].Verified.Fresh() {
			t.Errorf("fresh: %v, %v; want only the answer to be", w.all[0].Verified.Fresh(), w.all[1].Verified.Fresh())
		}
		h.fake.SetOffline(feed.ErrOffline)
		if err := w.Ask(t.Context(), h.door.id); !errors.Is(err, feed.ErrOffline) {
			t.Errorf("without a connection: %v", err)
		}
		_ = w.stop()
	})
}

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

// A crash, which leaves no time for a goodbye, costs at most what came in the
// last moments.
func TestMemoryOverCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		h.fake.SetOffline(feed.ErrOffline) // so that nothing but the news is a reason to store
		state := filepath.Join(h.owner.Dir(), "viewers", "desk", "state")
		w := h.watch()
		h.fake.Deliver(h.garden.picture("1"))
		time.Sleep(3 * time.Second)
		durable, err := os.ReadFile(state)
		if err != nil {
			t.Fatalf("3 s after a picture: %v", err)
		}
		h.fake.Deliver(h.garden.live("2"))
		time.Sleep(3 * time.Second)
		if now, _ := os.ReadFile(state); !bytes.Equal(now, durable) {
			t.Error("stored again for each live picture")
		}
		time.Sleep(40 * time.Second)
		now, _ := os.ReadFile(state)
		if bytes.Equal(now, durable) {
			t.Error("live pictures are never remembered")
		}
		h.fake.Deliver(h.garden.live("3"))
		synctest.Wait()
		_ = w.stop()
		if last, _ := os.ReadFile(state); bytes.Equal(last, now) {
			t.Error("a live picture just before the end is not remembered")
		}
	})
}

// There is a limit to how many gaps are remembered; what is given up is told.
func TestTooManyGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		w := h.watch()
		for range seal.MaxGaps + 1 {
			h.fake.Deliver(h.garden.picture("x"))
			h.garden.picture("missing")
		}
		synctest.Wait()
		w.got = nil
		h.fake.Deliver(h.garden.picture("last"))
		w.expect("one gap too many", "Garden gap 130-130", "Garden verified last", "Garden gap lost 2-2")
		_ = w.stop()
	})
}
