package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sealcam/sealcam/uplink/seal"
)

func everything(t *testing.T, s *Store) string {
	t.Helper()
	for _, e := range list(t, s) {
		if _, err := s.Get(t.Context(), e.Visible.Hash); err != nil {
			t.Errorf("%d: %v", e.Visible.Seq, err)
		}
	}
	return seqs(t, s, Query{Household: "h", Limit: MaxLimit})
}

func list(t *testing.T, s *Store) []Entry {
	t.Helper()
	p, err := s.List(t.Context(), Query{Household: "h", Limit: MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	return p.Entries
}

// A backup is made beside a keeper that writes, again with what has changed
// since, and a store made from it holds what it held.
func TestBackupAndRestore(t *testing.T) {
	c := Config{Dir: t.TempDir(), segment: 64 << 10}
	s, dest := open(t, c), t.TempDir()
	for seq := range uint64(30) {
		put(t, s, nil, message("h", "a", seq+1, 9_000, ""))
	}
	if err := s.SetRoster(t.Context(), "h", []byte("roster")); err != nil {
		t.Fatal(err)
	}
	did, err := Backup(t.Context(), c.Dir, dest)
	if err != nil || did.Messages != 30 || did.Segments == 0 || did.Same != 0 || did.Damaged != 0 {
		t.Fatalf("%+v, %v", did, err)
	}
	if _, _, err := s.Delete(t.Context(), "h", "a", 1, 12); err != nil {
		t.Fatal(err)
	}
	put(t, s, nil, message("h", "a", 31, 10, ""))
	again, err := Backup(t.Context(), c.Dir, dest)
	if err != nil || again.Same == 0 || again.Removed == 0 || again.Segments == 0 || again.Messages >= 18 {
		t.Errorf("%+v, %v", again, err)
	}
	want := everything(t, s)

	to := filepath.Join(t.TempDir(), "new")
	if did, err := Restore(t.Context(), dest, to); err != nil || did.Messages != 19 {
		t.Fatalf("%+v, %v", did, err)
	}
	r := open(t, Config{Dir: to})
	if got := everything(t, r); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	put(t, r, ErrDeleted, message("h", "a", 3, 9_000, ""))
	err = r.Rosters(t.Context(), func(h seal.HouseholdID, b []byte) error {
		if h != "h" || string(b) != "roster" {
			t.Errorf("roster of %s: %q", h, b)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := Restore(t.Context(), dest, to); err == nil {
		t.Error("restored over a store")
	}
	other := open(t, Config{})
	if _, err := Backup(t.Context(), other.config.Dir, dest); err == nil || !strings.Contains(err.Error(), "another store") {
		t.Errorf("backed up over another store's: %v", err)
	}
}

func TestBackupWhileMessagesCome(t *testing.T) {
	c := Config{Dir: t.TempDir(), segment: 64 << 10}
	s := open(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	started := make(chan struct{})
	wait.Go(func() {
		for seq := uint64(1); ctx.Err() == nil && seq < 2000; seq++ {
			m := []Message{message("h", "a", seq, 3_000, "")}
			if errs, err := s.Put(context.Background(), m); err != nil || errs[0] != nil {
				t.Error(err, errs)
			}
			if seq%50 == 0 {
				if _, _, err := s.Delete(context.Background(), "h", "a", seq-40, seq-20); err != nil {
					t.Error(err)
				}
			}
			if seq == 100 {
				close(started)
			}
		}
	})
	<-started
	for range 3 {
		before := list(t, s)
		dest := t.TempDir()
		did, err := Backup(t.Context(), c.Dir, dest)
		if err != nil || did.Damaged != 0 {
			t.Fatalf("%+v, %v", did, err)
		}
		r := open(t, Config{Dir: dest})
		has, now := map[uint64]bool{}, map[uint64]bool{}
		for _, e := range list(t, r) {
			has[e.Visible.Seq] = true
		}
		for _, e := range list(t, s) {
			now[e.Visible.Seq] = true
		}
		for _, e := range before {
			if !has[e.Visible.Seq] && now[e.Visible.Seq] {
				t.Errorf("%d was stored before the backup, and is not in it", e.Visible.Seq)
			}
		}
		everything(t, r)
	}
	cancel()
	wait.Wait()
}

func TestNewerFormat(t *testing.T) {
	c := Config{Dir: t.TempDir()}
	s := open(t, c)
	put(t, s, nil, message("h", "a", 1, 10, ""))
	_ = s.Close()
	d, err := openDisk(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeDurably(d, formatFile, []byte(formatText+"2 xyz\n")); err != nil {
		t.Fatal(err)
	}
	_, err = Open(c.tested(t))
	_, rerr := Restore(t.Context(), c.Dir, t.TempDir())
	_, cerr := Check(t.Context(), c.tested(t), true)
	for _, err := range []error{err, rerr, cerr} {
		if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "format 2") {
			t.Errorf("%v", err)
		}
	}
	if err := os.Remove(filepath.Join(c.Dir, formatFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(c.tested(t)); !errors.Is(err, ErrDamaged) {
		t.Errorf("messages of no format: %v", err)
	}
}
