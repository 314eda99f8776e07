package jetstream

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

func put(t *testing.T, e *Engine, batch ...store.Message) []error {
	t.Helper()
	errs, err := e.Put(t.Context(), batch)
	check(t, err)
	return errs
}

func good(t *testing.T, errs []error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
}

// seqs lists what is kept of a camera.
func seqs(t *testing.T, e *Engine, h *house, c *light) (all []uint64) {
	t.Helper()
	p, err := e.List(t.Context(), store.Query{Household: h.id, Camera: c.id, BySeq: true, Limit: store.MaxLimit})
	check(t, err)
	for _, m := range p.Entries {
		all = append(all, m.Visible.Seq)
	}
	return all
}

// Two keepers on one cluster keep one store: what one puts, both give out, and
// what is put twice, by both at once, is there once.
func TestTwoKeepersOneStore(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "")
	a, _ := open(t, c.config(t, "a"))
	b, stop := open(t, c.config(t, "b"))
	h := newHouse(t, 2)
	var all []store.Message
	for range 20 {
		all = append(all, message(t, h.cameras[0].seal(5000)), message(t, h.cameras[1].seal(300)))
	}
	var both sync.WaitGroup
	for _, e := range []*Engine{a, b} {
		both.Go(func() {
			mine := slices.Clone(all)
			errs, err := e.Put(t.Context(), mine)
			if err = errors.Join(append(errs, err)...); err != nil {
				t.Error(err)
			}
			for _, m := range mine {
				if m.Cursor == 0 || m.Received.IsZero() {
					t.Error("Put filled nothing in")
				}
			}
		})
	}
	both.Wait()
	if d := a.doubled.Load() + b.doubled.Load(); d == 0 {
		t.Log("the keepers did not meet")
	}
	for _, e := range []*Engine{a, b} {
		for i, cam := range h.cameras {
			if got := seqs(t, e, h, cam); len(got) != 20 || got[0] != 1 || got[19] != 20 {
				t.Errorf("camera %d: %v", i, got)
			}
		}
		for _, m := range all {
			got, err := e.Get(t.Context(), m.Visible.Hash)
			if err != nil || !bytes.Equal(got, m.Sealed) {
				t.Fatal(err)
			}
		}
	}
	info, err := must(a.shard(t.Context(), 0)).Info(t.Context())
	check(t, err)
	if info.State.Msgs != uint64(len(all)) {
		t.Errorf("the cluster holds %d messages, put were %d", info.State.Msgs, len(all))
	}
	// One that begins later reads the same from the log.
	stop()
	later, _ := open(t, c.config(t, "later"))
	page := func(e *Engine) store.Page {
		p, err := e.List(t.Context(), store.Query{Household: h.id, Limit: store.MaxLimit})
		check(t, err)
		return p
	}
	if x, y := page(a), page(later); !slices.Equal(x.Entries, y.Entries) || len(x.Entries) != 40 {
		t.Error("a keeper that begins later has another index")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A message that another has the number of is refused, in whatever keeper.
func TestConflict(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "")
	a, _ := open(t, c.config(t, "a"))
	b, _ := open(t, c.config(t, "b"))
	h := newHouse(t, 1)
	for seq := range uint64(20) {
		one, two := message(t, h.cameras[0].at(seq+1, 100)), message(t, h.cameras[0].at(seq+1, 100))
		var both sync.WaitGroup
		var errs [2]error
		for i, e := range []*Engine{a, b} {
			both.Go(func() {
				got, err := e.Put(t.Context(), []store.Message{one, two}[i:i+1:i+1])
				errs[i] = errors.Join(append(got, err)...)
			})
		}
		both.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs[:]...), store.ErrConflict) {
			t.Fatalf("sequence %d: %v", seq+1, errs)
		}
	}
	if got := seqs(t, a, h, h.cameras[0]); len(got) != 20 {
		t.Error(got)
	}
}

// What the owner deletes is gone from the nodes' disks and never comes again, nor
// to a keeper that begins later; what is asked about it counts as had.
func TestDelete(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "")
	a, _ := open(t, c.config(t, "a"))
	h := newHouse(t, 2)
	var all []store.Message
	for i, cam := range h.cameras {
		for range 10 {
			if s := message(t, cam.seal(200)); i > 0 || s.Visible.Seq != 3 { // never came
				all = append(all, s)
			}
		}
	}
	good(t, put(t, a, all...))
	n, size, err := a.Delete(t.Context(), h.id, h.cameras[0].id, 2, 6)
	check(t, err)
	if want := all[1].Visible.Size * 4; n != 4 || size < int64(want)-40 || size > int64(want)+40 {
		t.Errorf("%d messages, %d bytes", n, size)
	}
	late, _ := open(t, c.config(t, "late"))
	for _, e := range []*Engine{a, late} {
		if got := seqs(t, e, h, h.cameras[0]); !slices.Equal(got, []uint64{1, 7, 8, 9, 10}) {
			t.Error(got)
		}
		if _, err := e.Get(t.Context(), all[1].Visible.Hash); !errors.Is(err, store.ErrNotKept) {
			t.Error(err)
		}
		if errs := put(t, e, all[1], all[0]); !errors.Is(errs[0], store.ErrDeleted) || errs[1] != nil {
			t.Error(errs)
		}
		cams, err := e.Cameras(t.Context(), h.id)
		check(t, err)
		for _, cam := range cams {
			if len(cam.Missing) > 0 || cam.Last != 10 {
				t.Errorf("%+v", cam)
			}
		}
	}
	// All of the household, and a copy that a keeper wrote and died over.
	w := &write{m: &all[0], err: new(error)}
	a.publish(t.Context(), []*write{w}, a.sealed, func(*write, uint64) {})
	n, _, err = late.Delete(t.Context(), h.id, "", 0, 0)
	if err != nil || n != 15 {
		t.Errorf("%d messages, %v", n, err)
	}
	info, err := must(a.shard(t.Context(), 0)).Info(t.Context())
	if err != nil || info.State.Msgs != 0 {
		t.Errorf("%d messages are left in the cluster (%v)", info.State.Msgs, err)
	}
	// The future is not deleted.
	good(t, put(t, a, message(t, h.cameras[0].seal(10))))
}

// Retention takes the oldest, and nothing young.
func TestTrim(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "")
	conf := c.config(t, "a")
	var mu sync.Mutex
	ahead := time.Duration(0)
	conf.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(ahead) }
	a, _ := open(t, conf)
	b, _ := open(t, conf)
	h, other := newHouse(t, 2), newHouse(t, 1)
	var all []store.Message
	for range 10 {
		all = append(all, message(t, h.cameras[0].seal(1000)), message(t, h.cameras[1].seal(1000)))
	}
	good(t, put(t, a, all...))
	good(t, put(t, a, message(t, other.cameras[0].seal(1000))))
	half := func(id seal.HouseholdID) store.Policy {
		if id == h.id {
			return store.Policy{Bytes: int64(all[0].Visible.Size) * 10}
		}
		return store.Policy{}
	}
	if n, _, err := a.Trim(t.Context(), half); n != 0 || err != nil {
		t.Errorf("%d young messages went, %v", n, err)
	}
	mu.Lock()
	ahead = time.Hour
	mu.Unlock()
	n, size, err := a.Trim(t.Context(), half)
	if err != nil || n < 10 || n > 11 || size <= 0 {
		t.Fatalf("%d messages, %d bytes, %v", n, size, err)
	}
	late, _ := open(t, conf)
	until(t, "the other keeper knows", func() bool { return b.Stats().Messages == 21-n })
	for _, e := range []*Engine{a, b, late} {
		p, err := e.List(t.Context(), store.Query{Household: h.id, Limit: 100})
		check(t, err)
		if uint64(len(p.Entries)) != 20-n || e.Stats().Messages != 21-n {
			t.Errorf("%d are left of the household", len(p.Entries))
		}
		for _, m := range p.Entries {
			if _, err := e.Get(t.Context(), m.Visible.Hash); err != nil {
				t.Error(err)
			}
		}
		cams, err := e.Cameras(t.Context(), h.id)
		check(t, err)
		for _, cam := range cams {
			if len(cam.Missing) > 0 || cam.Last != 10 {
				t.Errorf("%+v", cam)
			}
		}
	}
	info, err := must(a.shard(t.Context(), 0)).Info(t.Context())
	if err != nil || info.State.Msgs != 21-n {
		t.Errorf("%d messages are in the cluster (%v)", info.State.Msgs, err)
	}
	if n, _, err = b.Trim(t.Context(), func(seal.HouseholdID) store.Policy { return store.Policy{Age: time.Minute} }); err != nil || n == 0 || b.Stats().Messages != 0 {
		t.Errorf("%d messages went for their age, %v", n, err)
	}
}

// Wait is the live feed of all keepers.
func TestWaitAndRosters(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "")
	a, _ := open(t, c.config(t, "a"))
	b, _ := open(t, c.config(t, "b"))
	h := newHouse(t, 1)
	first := []store.Message{message(t, h.cameras[0].seal(10))}
	good(t, put(t, a, first...))
	check(t, b.Wait(t.Context(), h.id, 0))
	came := make(chan error, 1)
	go func() { came <- b.Wait(t.Context(), h.id, first[0].Cursor) }()
	good(t, put(t, a, message(t, h.cameras[0].seal(10))))
	check(t, <-came)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Wait(ctx, newHouse(t, 1).id, 0); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}

	// Of two rosters the newer one stays, in whatever order they are told.
	next := *h.roster
	next.Version = 2
	newer, err := seal.SignRoster(h.owner, next)
	check(t, err)
	for _, step := range []struct {
		e      *Engine
		roster []byte
	}{{a, newer}, {b, h.signed}, {b, newer}} {
		check(t, step.e.SetRoster(t.Context(), h.id, step.roster))
		seen := 0
		check(t, b.Rosters(t.Context(), func(id seal.HouseholdID, roster []byte) error {
			if seen++; id != h.id || !bytes.Equal(roster, newer) {
				t.Error("another roster")
			}
			return nil
		}))
		if seen != 1 {
			t.Errorf("%d rosters", seen)
		}
	}
	if err := a.SetRoster(t.Context(), h.id, []byte("no roster")); err == nil {
		t.Error("what is no roster was kept")
	}
}

// A store that is full takes nothing, says so, and says what it has.
func TestFull(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "")
	conf := c.config(t, "a")
	conf.StoreBytes = 100_000
	a, _ := open(t, conf)
	h := newHouse(t, 1)
	var err error
	kept := 0
	for range 40 {
		var errs []error
		errs, err = a.Put(t.Context(), []store.Message{message(t, h.cameras[0].seal(5000))})
		if err = errors.Join(append(errs, err)...); err != nil {
			break
		}
		kept++
	}
	if !errors.Is(err, store.ErrFull) || kept < 10 || len(seqs(t, a, h, h.cameras[0])) != kept {
		t.Errorf("after %d messages: %v", kept, err)
	}
}

// What is wrong with a cluster is said with what to change.
func TestUnfitClusters(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settings string
		change   func(*Config)
		want     string
	}{
		"small messages": {"max_payload: 8MB", nil, "set max_payload: 9MB"},
		"one node":       {"", func(c *Config) { c.Replicas = 3 }, "3 nodes with JetStream"},
		"not allowed": {"authorization { users: [{ user: k, password: p, permissions: { publish: [\"$JS.API.INFO\"], subscribe: [\"_INBOX.>\"] } }] }",
			func(c *Config) { c.URL = strings.Replace(c.URL, "nats://", "nats://k:p@", 1) }, "expected tls://host"},
		"no password in sight": {"authorization { users: [{ user: k, password: p }] }", nil, "Authorization Violation"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 1, test.settings)
			conf := c.config(t, "a")
			if test.change != nil {
				test.change(&conf)
			}
			var err error
			until(t, "the refusal comes", func() bool {
				_, err = Open(t.Context(), conf)
				return err != nil && strings.Contains(err.Error(), test.want)
			})
		})
	}
}
