package viewer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/seal"
)

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

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		w := h.watch()
		w.fail = viewer.ErrStop
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
