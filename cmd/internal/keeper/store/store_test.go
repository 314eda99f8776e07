package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

func sum(b []byte) ([32]byte, error) { return sha256.Sum256(b), nil }

// open opens a store for a test, which need not close it.
func open(t testing.TB, c Config) *Store {
	t.Helper()
	s, err := Open(c.tested(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (c Config) tested(t testing.TB) Config {
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Now == nil {
		c.Now = steady()
	}
	if c.Reserve == 0 {
		c.Reserve = 1
	}
	if c.Hash == nil {
		c.Hash = sum
	}
	c.unsafe = true
	return c
}

func TestKeeps(t *testing.T) { promises(t, open(t, Config{})) }

// A store does what Memory does, whatever is asked of them, over restarts,
// orderly or not, and over the loss of its index.
func TestAsTheModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 8))
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			clock := func() time.Time { return now }
			c := Config{Dir: t.TempDir(), Now: clock, segment: 64 << 10}
			p := pair{t: t, rng: rng, c: c, model: &Memory{Now: clock}, store: open(t, c), lastly: map[string]uint64{}}
			for range 300 {
				now = now.Add(time.Duration(rng.IntN(10_000)) * time.Millisecond)
				p.step()
				if t.Failed() {
					return
				}
			}
		})
	}
}

type pair struct {
	t      *testing.T
	rng    *rand.Rand
	c      Config
	model  *Memory
	store  *Store
	lastly map[string]uint64
}

func (p *pair) pick() (seal.HouseholdID, seal.CameraID) {
	return seal.HouseholdID([]string{"h", "i"}[p.rng.IntN(2)]), seal.CameraID([]string{"a", "b", "c"}[p.rng.IntN(3)])
}

func (p *pair) step() {
	p.t.Helper()
	h, c := p.pick()
	key := string(h) + string(c)
	switch n := p.rng.IntN(100); {
	case n < 60:
		seq := p.lastly[key] + 1
		if p.rng.IntN(3) == 0 {
			seq = uint64(max(1, int64(seq)+int64(p.rng.IntN(9))-4))
		}
		p.lastly[key] = max(p.lastly[key], seq)
		variant := ""
		if p.rng.IntN(20) == 0 {
			variant = "other"
		}
		p.put(message(h, seal.CameraID(key), seq, p.rng.IntN(12_000), variant))
	case n < 75:
		p.same(h)
	case n < 80:
		from := uint64(p.rng.IntN(30))
		to := from + uint64(p.rng.IntN(10))
		if p.rng.IntN(4) == 0 {
			key, to = "", 0
		}
		mn, mb, merr := p.model.Delete(p.t.Context(), h, seal.CameraID(key), from, to)
		n, b, err := p.store.Delete(p.t.Context(), h, seal.CameraID(key), from, to)
		if n != mn || b != mb || err != nil || merr != nil {
			p.t.Errorf("deleted %d, %d, %v, want %d, %d, %v", n, b, err, mn, mb, merr)
		}
	case n < 85:
		policy := func(seal.HouseholdID) Policy {
			return Policy{Age: 100 * time.Second, Bytes: 80_000}
		}
		mn, mb, _ := p.model.Trim(p.t.Context(), policy)
		n, b, err := p.store.Trim(p.t.Context(), policy)
		if n != mn || b != mb || err != nil {
			p.t.Errorf("trimmed %d, %d, %v, want %d, %d", n, b, err, mn, mb)
		}
	case n < 90:
		p.restart()
	default:
		p.get(h)
	}
}

func (p *pair) put(m Message) {
	p.t.Helper()
	want, got := []Message{m}, []Message{m}
	merrs, _ := p.model.Put(p.t.Context(), want)
	errs, err := p.store.Put(p.t.Context(), got)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, kind := range []error{ErrConflict, ErrDeleted, nil} {
		if errors.Is(merrs[0], kind) != errors.Is(errs[0], kind) {
			p.t.Errorf("%s %d: %v, want %v", m.Visible.Camera, m.Visible.Seq, errs[0], merrs[0])
		}
	}
	if merrs[0] == nil && !reflect.DeepEqual(got, want) {
		p.t.Errorf("placed as %+v, want %+v", got[0].Entry, want[0].Entry)
	}
}

// same compares a page of some query, and the accounts.
func (p *pair) same(h seal.HouseholdID) {
	p.t.Helper()
	_, c := p.pick()
	q := Query{Household: h, Limit: 1 + p.rng.IntN(20), Newest: p.rng.IntN(2) == 0, Camera: []seal.CameraID{"", h2c(h, c)}[p.rng.IntN(2)]}
	q.BySeq = q.Camera != "" && p.rng.IntN(2) == 0
	some := func() uint64 { return uint64(max(0, p.rng.IntN(120)-40)) }
	q.From, q.To, q.After, q.Before = some(), some()*2, some()/4, some()*3
	if !q.BySeq && p.rng.IntN(2) == 0 {
		q.Since = p.c.Now().Add(-time.Duration(p.rng.IntN(300)) * time.Second)
		q.Until = q.Since.Add(time.Duration(p.rng.IntN(200)) * time.Second)
	}
	want, _ := p.model.List(p.t.Context(), q)
	got, err := p.store.List(p.t.Context(), q)
	if err != nil || len(got.Entries) != len(want.Entries) || got.More != want.More {
		p.t.Fatalf("%+v: %d, more %v, %v; want %d, more %v", q, len(got.Entries), got.More, err, len(want.Entries), want.More)
	}
	for i := range got.Entries {
		if !reflect.DeepEqual(got.Entries[i], want.Entries[i]) {
			p.t.Fatalf("%+v: %+v, want %+v", q, got.Entries[i], want.Entries[i])
		}
	}
	p.sameCameras(h)
}

func h2c(h seal.HouseholdID, c seal.CameraID) seal.CameraID { return seal.CameraID(h) + c }

func (p *pair) sameCameras(h seal.HouseholdID) {
	p.t.Helper()
	want, _ := p.model.Cameras(p.t.Context(), h)
	got, err := p.store.Cameras(p.t.Context(), h)
	if err != nil || len(got) != len(want) {
		p.t.Fatalf("cameras %+v, want %+v, %v", got, want, err)
	}
	for i, w := range want {
		g := got[i]
		if g.ID != w.ID || g.First != w.First || g.Last != w.Last || g.Count != w.Count || g.Bytes != w.Bytes || fmt.Sprint(g.Missing) != fmt.Sprint(w.Missing) {
			p.t.Fatalf("camera %+v, want %+v", g, w)
		}
	}
	ms, ss := p.model.Stats(), p.store.Stats()
	if ms.Messages != ss.Messages || ms.Bytes != ss.Bytes {
		p.t.Fatalf("%+v, want %+v", ss, ms)
	}
}

func (p *pair) get(h seal.HouseholdID) {
	p.t.Helper()
	all, _ := p.model.List(p.t.Context(), Query{Household: h, Limit: MaxLimit})
	for _, e := range all.Entries {
		want, _ := p.model.Get(p.t.Context(), e.Visible.Hash)
		if got, err := p.store.Get(p.t.Context(), e.Visible.Hash); err != nil || string(got) != string(want) {
			p.t.Errorf("%s %d: %d bytes, %v", e.Visible.Camera, e.Visible.Seq, len(got), err)
		}
	}
}

// restart opens the store anew, after an orderly end or none.
func (p *pair) restart() {
	p.t.Helper()
	if p.rng.IntN(2) == 0 {
		if err := p.store.Close(); err != nil {
			p.t.Fatal(err)
		}
	} else {
		p.store.vanish()
	}
	p.store = open(p.t, p.c)
}

// vanish ends a store as the end of its process does.
func (s *Store) vanish() {
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.pending.clear()
	_ = s.closeFiles()
}

func TestIndexIsMadeAgain(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"gone":      os.Remove,
		"empty":     func(p string) error { return os.Truncate(p, 0) },
		"cut":       func(p string) error { return os.Truncate(p, 5000) },
		"cut later": func(p string) error { return os.Truncate(p, 20<<10) },
		"garbage":   func(p string) error { return os.WriteFile(p, make([]byte, 64<<10), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			c := Config{Dir: t.TempDir(), segment: 64 << 10}
			s := open(t, c)
			for seq := range uint64(40) {
				put(t, s, nil, message("h", "a", seq+1, 9_000, ""))
			}
			if _, _, err := s.Delete(t.Context(), "h", "a", 5, 8); err != nil {
				t.Fatal(err)
			}
			if err := s.SetRoster(t.Context(), "h", []byte("roster")); err != nil {
				t.Fatal(err)
			}
			q := Query{Household: "h", Limit: MaxLimit}
			before := seqs(t, s, q)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := harm(filepath.Join(c.Dir, indexFile)); err != nil {
				t.Fatal(err)
			}
			s = open(t, c)
			if after := seqs(t, s, q); after != before {
				t.Errorf("%s, want %s", after, before)
			}
			put(t, s, ErrDeleted, message("h", "a", 6, 9_000, ""))
			if m := put(t, s, nil, message("h", "a", 41, 1, "")); m[0].Cursor != 41 {
				t.Errorf("goes on at %d", m[0].Cursor)
			}
		})
	}
}

func TestOneAtATime(t *testing.T) {
	c := Config{Dir: t.TempDir()}
	s := open(t, c)
	if _, err := Open(c.tested(t)); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, c)
}
