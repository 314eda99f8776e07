package feed

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// house is a household whose cameras seal true messages.
type house struct {
	t       *testing.T
	owner   *ecdsa.PrivateKey
	id      seal.HouseholdID
	roster  *seal.Roster
	signed  []byte
	cameras []*sealing
}

type sealing struct {
	id     seal.CameraID
	sealer *seal.Sealer
	seq    [6]uint64
	prev   [32]byte
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newHouse(t *testing.T, cameras int) *house {
	t.Helper()
	h := &house{t: t, owner: newKey(t)}
	var err error
	if h.id, err = seal.HouseholdIDOf(h.owner.Public()); err != nil {
		t.Fatal(err)
	}
	viewer, err := seal.NewViewerKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	public := viewer.Public()
	public.Name = "desk"
	r := seal.Roster{Version: 1, Viewers: []seal.Viewer{public}}
	var keys []*ecdsa.PrivateKey
	for i := range cameras {
		keys = append(keys, newKey(t))
		id, err := seal.CameraIDOf(keys[i].Public())
		if err != nil {
			t.Fatal(err)
		}
		h.cameras = append(h.cameras, &sealing{id: id})
		r.Cameras = append(r.Cameras, seal.RosterCamera{ID: id, Name: fmt.Sprintf("camera %d", i)})
	}
	slices.SortFunc(r.Cameras, func(a, b seal.RosterCamera) int { return strings.Compare(string(a.ID), string(b.ID)) })
	if h.signed, err = seal.SignRoster(h.owner, r); err != nil {
		t.Fatal(err)
	}
	if h.roster, err = seal.OpenRoster(h.id, h.signed); err != nil {
		t.Fatal(err)
	}
	for i, c := range h.cameras {
		if c.sealer, err = seal.NewSealer(seal.SealerConfig{Key: keys[i], Roster: h.roster, Boot: [16]byte{1}}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// seal returns the next message of camera i on a stream.
func (h *house) seal(i int, s seal.Stream) Item {
	h.t.Helper()
	c := h.cameras[i]
	c.seq[s]++
	m := seal.Meta{Stream: s, Seq: c.seq[s], Taken: time.Now(), Clock: seal.ClockNTP, Kind: seal.KindSnapshot, Media: "image/jpeg"}
	kind := Media
	switch s {
	case seal.Durable:
		m.Prev = c.prev
	case seal.Live:
		m.Expires, kind = m.Taken.Add(time.Minute), Live
	}
	out, err := c.sealer.Seal(m, fmt.Appendf(nil, "camera %d %v %d", i, s, m.Seq))
	if err != nil {
		h.t.Fatal(err)
	}
	if s == seal.Durable {
		c.prev = out.Hash
	}
	return Item{Camera: c.id, Kind: kind, Sealed: out.Bytes}
}

// keeper returns an honest keeper of the household.
func (h *house) keeper() *FakeKeeper {
	return &FakeKeeper{ID: "the keeper", Household: h.id, Roster: h.signed, Now: time.Now}
}

// keep seals n messages of camera i, a second apart, and has them kept.
func (h *house) keep(f *FakeKeeper, i, n int) {
	h.t.Helper()
	for range n {
		time.Sleep(time.Second)
		if err := f.Keep(h.seal(i, seal.Durable)); err != nil {
			h.t.Fatal(err)
		}
	}
}

// reading is a Keeper that runs, and what it has handed on.
type reading struct {
	*Keeper
	h    *house
	stop func() error

	mu  sync.Mutex
	got []string
}

func (h *house) read(at http.Handler, change func(*KeeperConfig), known func(seal.CameraID) Known) *reading {
	h.t.Helper()
	c := KeeperConfig{
		URLs: []string{"https://keeper.test"}, Household: h.id, Now: time.Now, Transport: Inside{at}, Jitter: func() float64 { return 0 },
		Pass: func(k seal.KeyID) ([]byte, error) {
			if k != "the keeper" {
				return nil, fmt.Errorf("keeper %q is none of this household's", k)
			}
			return []byte("pass"), nil
		},
	}
	if change != nil {
		change(&c)
	}
	k, err := NewKeeper(c)
	if err != nil {
		h.t.Fatal(err)
	}
	if known != nil {
		k.Know(known)
	}
	r := &reading{Keeper: k, h: h}
	r.stop = sync.OnceValue(run(k, func(it Item) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, h.name(it))
	}))
	h.t.Cleanup(func() { _ = r.stop() })
	return r
}

// name says which message it is: "0:12" for the durable number 12 of camera 0.
func (h *house) name(it Item) string {
	if it.Kind == Roster {
		return "roster"
	}
	v, err := seal.Peek(it.Sealed)
	if err != nil {
		return err.Error()
	}
	i := slices.IndexFunc(h.cameras, func(c *sealing) bool { return c.id == v.Camera })
	text := fmt.Sprintf("%d:%d", i, v.Seq)
	if v.Stream != seal.Durable {
		text += " " + v.Stream.String()
	}
	if v.Camera != it.Camera {
		text += " as another's"
	}
	if it.Asked {
		text += " asked"
	}
	return text
}

// expect compares what was handed on since the last time.
func (r *reading) expect(what string, want ...string) {
	r.h.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.got, want) {
		r.h.t.Errorf("%s:\n got %q\nwant %q", what, r.got, want)
	}
	r.got = nil
}

func names(i int, from, to int) (list []string) {
	for n := from; n <= to; n++ {
		list = append(list, fmt.Sprintf("%d:%d", i, n))
	}
	return list
}

// Who was away gets what it does not have, in order, then what is new.
func TestKeeperCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, 2)
		f := h.keeper()
		h.keep(f, 0, 250)
		for range 3 { // in turn
			h.keep(f, 1, 1)
			h.keep(f, 0, 1)
		}
		if err := f.Keep(h.seal(1, seal.Live)); err != nil {
			t.Fatal(err)
		}
		gap := seal.Gap{First: 4, Last: 5}
		r := h.read(f, nil, func(id seal.CameraID) Known {
			if id == h.cameras[0].id {
				return Known{Head: 240, Gaps: []seal.Gap{gap}}
			}
			return Known{}
		})
		synctest.Wait()
		r.mu.Lock()
		got := slices.DeleteFunc(r.got, func(s string) bool { return s == "roster" || s == "1:1 live" })
		r.got = nil
		r.mu.Unlock()
		want := slices.Concat(names(0, 4, 5), names(0, 241, 250), []string{"1:1", "0:251", "1:2", "0:252", "1:3", "0:253"})
		if !slices.Equal(got, want) {
			t.Errorf("caught up\n got %q\nwant %q", got, want)
		}
		h.keep(f, 1, 1)
		r.expect("what is new", "1:4")
		if !r.Fill(h.cameras[0].id, 7, 9) {
			t.Error("nobody to ask")
		}
		r.expect("what was asked for", "0:7 asked", "0:8 asked", "0:9 asked")

		// A cut: what came meanwhile is not lost, and nothing comes twice.
		f.Cut()
		h.keep(f, 0, 2)
		time.Sleep(time.Minute)
		synctest.Wait()
		r.mu.Lock()
		r.got = slices.DeleteFunc(r.got, func(s string) bool { return s == "roster" || s == "1:1 live" || s == "0:4" || s == "0:5" })
		r.mu.Unlock()
		r.expect("after a cut", "0:254", "0:255")
		if s := r.Stats(); s.Wrong != 0 || s.Withheld != 0 || s.Connected != 2 {
			t.Errorf("counted %+v", s)
		}
	})
}

// Where nothing is known, it goes back as far as it is told.
func TestKeeperForNewcomers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, 1)
		f := h.keeper()
		f.Roster = nil
		h.keep(f, 0, 3)
		time.Sleep(8 * 24 * time.Hour)
		h.keep(f, 0, 150)
		h.read(f, nil, nil).expect("a week", names(0, 4, 153)...)
		h.read(f, func(c *KeeperConfig) { c.Since = 30 * 24 * time.Hour }, nil).expect("a month", names(0, 1, 153)...)
		h.read(f, func(c *KeeperConfig) { c.Newest = 20 }, nil).expect("the newest", names(0, 134, 153)...)
	})
}

// What a viewer sends goes to the camera; without a keeper it says so.
func TestKeeperSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, 1)
		f := h.keeper()
		r := h.read(f, nil, nil)
		if err := r.Send(context.Background(), h.cameras[0].id, Command, []byte("x")); !errors.Is(err, ErrOffline) {
			t.Errorf("sent before there was a connection: %v", err)
		}
		synctest.Wait()
		if up, why := r.Link(); !up || why != "" {
			t.Errorf("link %v %q", up, why)
		}
		if err := r.Send(context.Background(), h.cameras[0].id, Command, []byte("show me")); err != nil {
			t.Error(err)
		}
		if err := r.Send(context.Background(), h.cameras[0].id, Media, nil); err == nil {
			t.Error("a viewer sent a picture")
		}
		got := f.Sent()
		if len(got) != 1 || got[0].Kind != Command || string(got[0].Payload) != "show me" || got[0].Camera != h.cameras[0].id {
			t.Errorf("arrived: %v", got)
		}
	})
}

// A keeper that is not the household's gets no pass, and nothing is asked of it.
func TestKeeperOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, 1)
		f := h.keeper()
		f.ID = "someone else"
		h.keep(f, 0, 1)
		asked := 0
		f.Stray = func(_ http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/v1/keeper") {
				asked++
			}
			return false
		}
		r := h.read(f, nil, nil)
		r.expect("another's keeper")
		if up, why := r.Link(); up || !strings.Contains(why, "none of this household's") || asked != 0 {
			t.Errorf("link %v %q, asked %d times", up, why, asked)
		}
	})
}
