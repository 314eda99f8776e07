package store

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

var everyCut = flag.Bool("cuts", false, "cut the power at every call, not at some of them")

// life is what the outside knows of a store over all its power cuts.
type life struct {
	t       *testing.T
	c       Config
	disk    *powerDisk
	now     time.Time
	tried   []Message
	stored  map[[32]byte]Entry // Put returned nil
	trimmed time.Time          // what came before may be gone
	deleted []seal.Range       // of camera "a" of "h": Delete returned nil
	begun   []seal.Range       // it did not
	roster  string
}

func newLife(t *testing.T) *life {
	l := &life{t: t, disk: newPowerDisk(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), stored: map[[32]byte]Entry{}}
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	l.c = Config{Dir: dir, segment: 24 << 10, Now: func() time.Time { l.now = l.now.Add(time.Second); return l.now }}
	return l
}

// open opens the store; each change of the index is a call to the disk too.
func (l *life) open() (*Store, error) {
	l.c.disk = l.disk
	d := l.disk
	c := l.c.tested(l.t)
	c.commit = func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.enter("commit", indexFile)
	}
	return Open(c)
}

func (l *life) put(s *Store, batch ...Message) {
	l.tried = append(l.tried, batch...)
	errs, err := s.Put(l.t.Context(), batch)
	for i := range errs {
		if err == nil && errs[i] == nil {
			l.stored[batch[i].Visible.Hash] = batch[i].Entry
		}
	}
}

func (l *life) delete(s *Store, from, to uint64) {
	r := seal.Range{First: from, Last: to}
	l.begun = append(l.begun, r)
	if _, _, err := s.Delete(l.t.Context(), "h", "a", from, to); err == nil {
		l.deleted = append(l.deleted, r)
	}
}

// story touches everything that a store does.
func (l *life) story(s *Store, first uint64) {
	some := func(c string, from, n uint64) (out []Message) {
		for seq := first + from; seq < first+from+n; seq++ {
			out = append(out, message(seal.HouseholdID(c[:1]), seal.CameraID(c[1:]), seq, 5_000, "secret"))
		}
		return out
	}
	l.put(s, some("ha", 0, 3)...)
	l.put(s, append(some("ib", 0, 2), some("ha", 4, 2)...)...)
	_, _ = s.List(l.t.Context(), Query{Household: "h", Limit: 10})
	l.put(s, some("ha", 6, 3)...)
	l.delete(s, first+1, first+4)
	if name := fmt.Sprint("roster", first); s.SetRoster(l.t.Context(), "h", []byte(name)) == nil {
		l.roster = name
	}
	l.put(s, some("ha", 9, 2)...)
	cut := l.now.Add(-6 * time.Second)
	l.trimmed = cut
	_, _, _ = s.Trim(l.t.Context(), func(h seal.HouseholdID) Policy {
		if h == "i" {
			return Policy{}
		}
		return Policy{Age: l.now.Sub(cut)}
	})
	l.put(s, some("ha", 11, 4)...)
	l.put(s, some("ib", 2, 1)...)
	l.delete(s, first+12, first+13)
	_ = s.Close()
}

func in(all []seal.Range, seq uint64) bool {
	for _, r := range all {
		if seq >= r.First && seq <= r.Last {
			return true
		}
	}
	return false
}

// check opens the store and holds it to its promises.
func (l *life) check() *Store {
	l.t.Helper()
	s, err := l.open()
	if err != nil {
		l.t.Fatalf("does not open: %v", err)
	}
	seen, cursors := map[string]bool{}, map[string]bool{}
	for _, h := range []seal.HouseholdID{"h", "i"} {
		p, err := s.List(l.t.Context(), Query{Household: h, Limit: MaxLimit})
		if err != nil {
			l.t.Fatal(err)
		}
		for _, e := range p.Entries {
			number, cursor := fmt.Sprint(h, e.Visible.Camera, e.Visible.Seq), fmt.Sprint(h, e.Cursor)
			if seen[number] || cursors[cursor] {
				l.t.Fatalf("%s is there twice, or its cursor", number)
			}
			seen[number], cursors[cursor] = true, true
			if _, err := s.Get(l.t.Context(), e.Visible.Hash); err != nil {
				l.t.Fatalf("%s: %v", number, err)
			}
			if before, ok := l.stored[e.Visible.Hash]; ok && before != e {
				l.t.Fatalf("%s was %+v and is %+v", number, before, e)
			}
		}
	}
	l.checkMessages(s)
	roster := ""
	if err := s.Rosters(l.t.Context(), func(_ seal.HouseholdID, b []byte) error { roster = string(b); return nil }); err != nil || l.roster != "" && roster < l.roster {
		l.t.Fatalf("roster %q, want %q, %v", roster, l.roster, err)
	}
	return s
}

func (l *life) checkMessages(s *Store) {
	l.t.Helper()
	for _, m := range l.tried {
		v := m.Visible
		_, err := s.Get(l.t.Context(), v.Hash)
		ofA := v.Household == "h"
		e, stored := l.stored[v.Hash]
		switch {
		case ofA && in(l.deleted, v.Seq):
			if !errors.Is(err, ErrNotKept) {
				l.t.Fatalf("%d was deleted, and Get says %v", v.Seq, err)
			}
			put(l.t, s, ErrDeleted, m)
			l.scour(m)
		case ofA && in(l.begun, v.Seq):
			if file, ferr := loadHouse(l.disk, "h"); ferr != nil || file.Deleted["a"].Has(v.Seq) && !errors.Is(err, ErrNotKept) {
				l.t.Fatalf("the deletion of %d is remembered and not done: Get says %v, %v", v.Seq, err, ferr)
			}
			again := []Message{m}
			errs, perr := s.Put(l.t.Context(), again)
			if perr != nil || err == nil && errs[0] != nil || errs[0] != nil && !errors.Is(errs[0], ErrDeleted) {
				l.t.Fatalf("%d is half deleted: Get says %v, Put says %v, %v", v.Seq, err, errs, perr)
			}
		case stored && !(ofA && e.Received.Before(l.trimmed)):
			if err != nil {
				l.t.Fatalf("%s %d was stored: %v", v.Camera, v.Seq, err)
			}
			if again := put(l.t, s, nil, m); again[0].Entry != e {
				l.t.Fatalf("%d was %+v, and again it is %+v", v.Seq, e, again[0].Entry)
			}
		}
	}
}

// scour looks for the bytes of a message anywhere on the disk.
func (l *life) scour(m Message) {
	l.t.Helper()
	for name, n := range l.disk.now {
		if bytes.Contains(n.data, m.Sealed[:30]) {
			l.t.Fatalf("%d was deleted, and is in %s", m.Visible.Seq, name)
		}
	}
}

// One power cut at every call, and what it may leave behind, also with the index.
func TestPowerCuts(t *testing.T) {
	calls, step := 0, 5
	{
		l := newLife(t)
		s, err := l.open()
		if err != nil {
			t.Fatal(err)
		}
		l.story(s, 1)
		calls = l.disk.calls
	}
	switch {
	case *everyCut:
		step = 1
	case testing.Short():
		step = 25
	}
	t.Logf("%d calls", calls)
	for cut := 0; cut <= calls; cut += step {
		for survive := range 4 {
			rng := rand.New(rand.NewPCG(uint64(cut), uint64(survive)))
			l := newLife(t)
			l.disk.fault = func(call int, op, name string) error {
				if call >= cut {
					return errPower
				}
				return nil
			}
			if s, err := l.open(); err == nil {
				l.story(s, 1)
				s.vanish()
			}
			l.disk = l.disk.afterCut(survive, rng)
			if survive == 3 {
				_ = os.Remove(filepath.Join(l.c.Dir, indexFile))
			}
			s := l.check()
			l.story(s, 101) // and it goes on
			l.disk = l.disk.afterCut(survive, rng)
			l.check().vanish()
			if t.Failed() {
				t.Fatalf("cut before call %d, survive %d", cut, survive)
			}
		}
	}
}

// Any single call fails; what was stored stays, and later all is well.
func TestFaults(t *testing.T) {
	step := 5
	switch {
	case *everyCut:
		step = 1
	case testing.Short():
		step = 25
	}
	for _, errno := range []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS} {
		for fail := 0; ; fail += step {
			l := newLife(t)
			l.disk.fault = func(call int, _, _ string) error {
				if call == fail {
					return errno
				}
				return nil
			}
			s, err := l.open()
			if err == nil {
				l.story(s, 1)
				s.vanish()
			}
			if fail >= l.disk.calls {
				break
			}
			l.check().vanish()
			if t.Failed() {
				t.Fatalf("call %d fails with %v", fail, errno)
			}
		}
	}
}

// A disk that is full for a while: a clear error, nothing lost, and it goes on
// by itself.
func TestFullDisk(t *testing.T) {
	l := newLife(t)
	l.c.Reserve = 100
	s, err := l.open()
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, nil, message("h", "a", 1, 100, ""))
	free := int64(1000)
	l.disk.space = func() (int64, int64) { return free, 1 << 30 }
	put(t, s, nil, message("h", "a", 2, 100, ""))
	full := func(want error) {
		t.Helper()
		_, err := s.Put(t.Context(), []Message{message("h", "a", 3, 100, "")})
		var e *Error
		if !errors.Is(err, want) || !errors.As(err, &e) || e.Hint() == "" {
			t.Errorf("%v, want %v", err, want)
		}
	}
	free = 99
	full(ErrFull)
	free = 1000
	for errno, want := range map[syscall.Errno]error{syscall.ENOSPC: ErrFull, syscall.EROFS: syscall.EROFS} {
		l.disk.fault = func(_ int, op, _ string) error {
			if strings.Contains("write create sync rename truncate", op) {
				return errno
			}
			return nil
		}
		full(want)
		full(want)
		if got := seqs(t, s, Query{Household: "h", Limit: 9}); got != "[a1 a2]" {
			t.Errorf("reads %s", got)
		}
	}
	l.disk.fault = nil
	put(t, s, nil, message("h", "a", 3, 100, ""))
	if got := everything(t, s); got != "[a1 a2 a3]" {
		t.Errorf("reads %s", got)
	}
}

// Segments that the index does not know yet are not taken for empty.
func TestNewSegmentsStay(t *testing.T) {
	s := open(t, Config{segment: 8 << 10})
	for seq := range uint64(5) {
		put(t, s, nil, message("h", "a", seq+1, 9_000, ""))
	}
	s.write.Lock()
	_, err := s.dropEmpty(slices.Collect(maps.Values(s.files)))
	s.write.Unlock()
	if got := everything(t, s); err != nil || got != "[a1 a2 a3 a4 a5]" {
		t.Errorf("%s, %v", got, err)
	}
}
