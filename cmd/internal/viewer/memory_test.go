package viewer_test

import (
	"bytes"
	"errors"
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
