package viewer_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
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

var week = flag.Int("week", 400, "messages of a week away")

// keeper returns a keeper of the household, and has the viewer read from it.
func (h *home) keeper() *feed.FakeKeeper {
	h.t.Helper()
	f := &feed.FakeKeeper{ID: "keeper", Household: h.owner.ID(), Now: time.Now}
	k, err := feed.NewKeeper(feed.KeeperConfig{
		URLs: []string{"https://keeper.test"}, Household: h.owner.ID(), Now: time.Now, Transport: feed.Inside{Handler: f},
		Pass: func(seal.KeyID) ([]byte, error) { return []byte("pass"), nil },
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.feed = k
	return f
}

// keep has items kept.
func (h *home) keep(f *feed.FakeKeeper, items ...feed.Item) {
	h.t.Helper()
	for _, it := range items {
		time.Sleep(time.Minute)
		if err := f.Keep(it); err != nil {
			h.t.Fatal(err)
		}
	}
}

// Who was away for a week finds it: in order, once, without a gap, in bounded memory.
func TestWeekAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		f := h.keeper()
		h.keep(f, h.garden.picture("before"))
		w := h.watch()
		w.expect("before", "Garden verified before")
		if err := w.stop(); err != nil && !strings.Contains(err.Error(), "canceled") {
			t.Fatal(err)
		}
		size := func() int64 {
			id, err := identity.OpenViewer(h.owner.Dir(), "")
			if err != nil {
				t.Fatal(err)
			}
			s, err := os.Stat(id.StatePath())
			if err != nil {
				t.Fatal(err)
			}
			return s.Size()
		}
		var want []string
		sealed := strings.Repeat("x", 4000)
		for i := range *week {
			name := fmt.Sprintf("%d %s", i, sealed)
			h.keep(f, h.garden.picture(name))
			want = append(want, "Garden verified "+name)
		}
		before := heap()
		w = h.watch()
		synctest.Wait()
		if s := w.Stats(); s.Pictures != uint64(*week) || len(s.Refused) != 0 || s.Duplicates != 0 {
			t.Errorf("counted %+v", s)
		}
		if !slices.Equal(w.got, want) {
			t.Errorf("%d of %d, or not in order", len(w.got), len(want))
		}
		w.got, w.all = nil, nil
		after := heap()
		_ = w.stop()
		t.Logf("%d messages: heap %d KB before, %d KB after; state %d bytes", *week, before>>10, after>>10, size())
		if after > before+4<<20 {
			t.Errorf("%d KB more are held after %d messages", (after-before)>>10, *week)
		}
		if size() > 16<<10 {
			t.Errorf("what is remembered takes %d bytes", size())
		}
	})
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What is missing is asked of the keeper first, and then of the camera.
func TestKeeperFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		f := h.keeper()
		h.feed = feed.Join(h.fake, h.feed)
		a, b, c, d := h.garden.picture("1"), h.garden.picture("2"), h.garden.picture("3"), h.garden.picture("4")
		h.keep(f, a)
		w := h.watch()
		w.expect("first", "Garden verified 1")
		h.fake.Deliver(d) // by the broker, which has lost two
		w.expect("a gap", "Garden gap 2-3", "Garden verified 4")
		if err := f.Keep(d); err != nil { // the keeper has it too: no news
			t.Fatal(err)
		}
		w.expect("the same")
		f.List = func([]feed.FakeEntry) []feed.FakeEntry { return nil }
		for _, c := range []struct {
			wait           time.Duration
			fills, resends uint64
		}{{2 * time.Second, 0, 0}, {3 * time.Second, 1, 0}, {5 * time.Second, 1, 1}} { // by itself, the keeper, the camera
			time.Sleep(c.wait)
			synctest.Wait()
			if s := w.Stats(); s.Fills != c.fills || s.Resends != c.resends {
				t.Errorf("asked the keeper %d times and the camera %d times, want %+v", s.Fills, s.Resends, c)
			}
		}
		w.expect("nothing")
		f.List = nil
		// The camera sends one: then it is looked once more whether the keeper has the other.
		h.fake.Deliver(b)
		w.expect("one", "Garden verified 2")
		if err := f.Keep(c); err != nil {
			t.Fatal(err)
		}
		w.expect("both", "Garden verified 3", "Garden gap closed 2-3")
		if s := w.Stats(); s.Refused[seal.Replayed] != 0 {
			t.Errorf("counted %+v", s)
		}
		_ = w.stop()
	})
}

// What was sealed before a viewer was one of the household's is not refused, for
// nothing is kept from it: it is counted.
func TestBeforeThisViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		f := h.keeper()
		h.keep(f, h.garden.picture("1"), h.garden.picture("2"))
		if _, err := h.owner.AddViewer("late"); err != nil {
			t.Fatal(err)
		}
		h.garden.follow(h.owner)
		h.keep(f, h.garden.picture("3"))
		id, err := identity.OpenViewer(h.owner.Dir(), "late")
		if err != nil {
			t.Fatal(err)
		}
		v, err := viewer.New(viewer.Config{Identity: id, Feed: h.feed, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		err = v.Run(t.Context(), func(o viewer.Outcome) error { got = append(got, line(o)); return viewer.ErrStop })
		if err != nil || !slices.Equal(got, []string{"Garden verified 3"}) || v.Stats().Before != 2 {
			t.Errorf("%v: %q, %+v", err, got, v.Stats())
		}
	})
}
