package viewer_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// A gap is told when it shows and when it closes, in words for a person: also
// how much of it came and how much never will.
func TestGapsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		w := h.watch()
		var words []string
		tell := func(what string, want ...string) {
			t.Helper()
			synctest.Wait()
			for _, o := range w.all {
				if s := o.GapWords(time.UTC); s != "" {
					words = append(words, s)
				}
			}
			if w.all = nil; fmt.Sprint(words) != fmt.Sprint(want) {
				t.Errorf("%s: %q, want %q", what, words, want)
			}
			words = nil
		}
		h.fake.Deliver(h.garden.picture("1"))
		began := time.Now().UTC()
		two, three := h.garden.picture("2"), h.garden.picture("3")
		h.garden.picture("4")
		time.Sleep(30 * time.Minute)
		span := " between " + began.Format("15:04") + " and " + time.Now().UTC().Format("15:04")
		h.fake.Deliver(h.garden.picture("5"))
		tell("a gap", "3 missing"+span)
		if n := w.Missing(h.garden.id); n != 3 || w.Missing(h.door.id) != 0 {
			t.Errorf("%d missing", n)
		}
		h.fake.Deliver(two)
		tell("a part has come")
		h.fake.Deliver(three, h.garden.seal(seal.Meta{Stream: seal.Durable, Kind: seal.KindGap, Lost: []seal.Range{{First: 4, Last: 4}}}, ""))
		tell("the rest was lost", "2 arrived late and 1 will never come,"+span)
		seven := h.garden.picture("7")
		h.fake.Deliver(h.garden.picture("8"), seven)
		tell("one late, at once", "1 missing"+" between "+time.Now().UTC().Format(time.TimeOnly)+" and "+time.Now().UTC().Format(time.TimeOnly),
			"1 arrived late, between "+time.Now().UTC().Format(time.TimeOnly)+" and "+time.Now().UTC().Format(time.TimeOnly))
		h.garden.picture("9")
		h.fake.Deliver(h.garden.seal(seal.Meta{Stream: seal.Durable, Kind: seal.KindGap, Lost: []seal.Range{{First: 9, Last: 9}}}, ""))
		synctest.Wait()
		if got := w.all[len(w.all)-1]; got.What != viewer.GapLost || got.Lost != 1 {
			t.Errorf("nothing of it came: %+v", got)
		}
		_ = w.stop()
	})
}

// Rosters that are none of the household's newest: each is refused with its own
// reason, counted, told, and answered with the right one.
func TestRostersThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		_, old, _ := h.owner.Roster()
		w := h.watch()
		other, err := identity.CreateHousehold(filepath.Join(t.TempDir(), "other"), "", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		_, theirs, _ := other.Roster()
		if _, err := h.owner.AddViewer("phone"); err != nil {
			t.Fatal(err)
		}
		_, newest, _ := h.owner.Roster()
		forged := append([]byte(nil), newest...)
		forged[len(forged)-1] ^= 1
		at := func(signed []byte, kept bool) feed.Item {
			return feed.Item{Camera: h.garden.id, Kind: feed.Roster, Sealed: signed, Retained: kept}
		}
		time.Sleep(5 * time.Second) // the household's directory has been looked at
		h.fake.Deliver(at(old, true))
		w.expect("the one before, kept by the broker")
		h.fake.Deliver(at(old, false), at(theirs, true), at(forged, true), at([]byte("x"), true), at(newest, true))
		w.expect("refused", "Garden roster refused", "Garden roster refused", "Garden roster refused", "Garden roster refused")
		if st := w.Stats(); st.Rosters[seal.Replayed] != 2 || st.Rosters[seal.NotForYou] != 1 || st.Rosters[seal.BrokenSeal] != 1 || st.Rosters[seal.Malformed] != 1 || len(st.Refused) != 0 {
			t.Errorf("%+v", st)
		}
		stranger := feed.Item{Camera: seal.CameraID(other.ID()), Kind: feed.Roster, Sealed: theirs}
		h.fake.Deliver(stranger)
		w.expect("another household's camera on the same broker")
		if err := h.owner.RotateOwner(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		h.fake.Deliver(at(newest, true))
		w.expect("the one before, by the owner key before")
		h.fake.Deliver(at(newest, false))
		w.expect("the same, said now", "Garden roster refused")
		_ = w.stop()
	})
}

// Two programs are two viewers.
func TestSecondProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		w := h.watch()
		id, err := identity.OpenViewer(h.owner.Dir(), "desk")
		if err != nil {
			t.Fatal(err)
		}
		var locked *identity.LockedError
		if _, err := viewer.New(viewer.Config{Identity: id, Feed: new(feed.Fake), Now: time.Now}); !errors.As(err, &locked) {
			t.Errorf("a second one at once: %v", err)
		}
		_ = w.stop()
		_ = h.watch().stop()
	})
}
