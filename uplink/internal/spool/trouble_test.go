package spool

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
)

func TestFullDiskMakesRoomForItself(t *testing.T) {
	d, w := newDisks(t), newWorld(t)
	d.messages = d.state // one partition for all
	s := w.open(d)
	for range 10 {
		mustPut(t, w, s, Snapshot, 4000)
	}
	d.state.budget = d.state.used + 100 // somebody else has filled the disk
	for range 5 {
		mustPut(t, w, s, Snapshot, 4000)
	}
	if st := s.Stats(); st.Evicted == 0 || st.Unconfessed != st.Evicted {
		t.Errorf("got %+v", st)
	}
	w.check(d)
}

func TestSpoolDirectoryLost(t *testing.T) {
	d, w := newDisks(t), newWorld(t)
	s := w.open(d)
	for range 5 {
		mustPut(t, w, s, Snapshot, 100)
	}
	offered(t, s)
	s.Delivered(Range{1, 2})
	card := d.messages
	d.messages = newDisk(t) // a new card
	d.messages.wall = d.state.wall
	s = w.open(d)
	head, err := s.Next()
	if err != nil || head.Seq <= 5 || head.Prev != [32]byte{} {
		t.Errorf("next is %+v, %v", head, err)
	}
	if lost := s.Lost(9); !lost.Has(3) || !lost.Has(5) || lost.Has(head.Seq) {
		t.Errorf("lost %v", lost)
	}
	mustPut(t, w, s, Status, 100)

	d.messages = card // and the old one is found again
	s = w.open(d)
	again, err := s.Next()
	if err != nil || again.Seq <= head.Seq {
		t.Errorf("next is %+v, %v after %+v", again, err, head)
	}
	if lost := s.Lost(9); lost.Has(3) || lost.Has(5) || !lost.Has(head.Seq) {
		t.Errorf("lost %v", lost)
	}

	// After an orderly stop the order is known exactly, hash and all.
	mustPut(t, w, s, Status, 100)
	want, _ := s.Next()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	d.messages = newDisk(t)
	s = w.open(d)
	if got, err := s.Next(); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestNoDisk(t *testing.T) {
	d, w := newDisks(t), newWorld(t)
	s := w.open(d)
	mustPut(t, w, s, Snapshot, 100)
	noCard := &Error{Reason: ErrDisk, Op: "open", Err: syscall.ENOENT}
	for range 3 {
		s, err := Open(Config{State: d.state, NoDisk: noCard, Budget: MinBudget, Holes: 32, Hash: hashOf})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Next(); !errors.Is(err, ErrDisk) {
			t.Errorf("got %v", err)
		}
	}
	s = w.open(d)
	if head, err := s.Next(); err != nil || head.Seq != 2 {
		t.Errorf("next is %+v, %v", head, err)
	}
	if s.Boot() != 5 {
		t.Errorf("boot %d, want 5", s.Boot())
	}
	expect(t, "lost", s.Lost(9), nil)
}

// A full disk at the first start heals without a restart.
func TestFullFromTheStart(t *testing.T) {
	d, w := newDisks(t), newWorld(t)
	d.state.fault = func(_ int, op, _ string) error {
		if op == "create" || op == "mkdir" {
			return syscall.ENOSPC
		}
		return nil
	}
	s := w.open(d)
	if _, err := s.Next(); !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
	d.state.fault = nil
	mustPut(t, w, s, Snapshot, 100)
	expect(t, "offered", offered(t, s), []uint64{1})
	w.check(d)
}

func TestStateDamaged(t *testing.T) {
	d, w := newDisks(t), newWorld(t)
	s := w.open(d)
	mustPut(t, w, s, Snapshot, 100)
	d.state.damage(func(n string) bool { return n == headFile }, func(b []byte) []byte { return b[:len(b)/2] })
	s = w.open(d)
	if head, err := s.Next(); s.Boot() != 2 || err != nil || head.Seq != 2 {
		t.Errorf("boot %d, next %+v, %v", s.Boot(), head, err)
	}
	// Both copies gone: the messages themselves still say where the order stands.
	for _, disk := range []*powerDisk{d.state, d.messages} {
		disk.damage(func(n string) bool { return n == headFile }, func([]byte) []byte { return nil })
	}
	s = w.open(d)
	if head, err := s.Next(); err != nil || head.Seq != 2 || head.Prev == [32]byte{} {
		t.Errorf("next %+v, %v", head, err)
	}
}

func TestDamagedMessages(t *testing.T) {
	for name, how := range map[string]func([]byte) []byte{
		"cut short": func(b []byte) []byte { return b[:10] },
		"empty":     func([]byte) []byte { return nil },
		"one bit":   func(b []byte) []byte { b[50] ^= 1; return b },
		"longer":    func(b []byte) []byte { return append(b, 0) },
		"huge":      func([]byte) []byte { return make([]byte, MaxMessage+1) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, which := range []uint64{2, 3} { // in the middle, and the newest
				d, w := newDisks(t), newWorld(t)
				s := w.open(d)
				for range 3 {
					mustPut(t, w, s, Snapshot, 100)
				}
				file := fmt.Sprintf("%014x-", which)
				d.messages.damage(func(n string) bool { return strings.Contains(n, file) }, how)
				var want []uint64
				for seq := uint64(3); seq >= 1; seq-- { // the newest is first
					if seq != which {
						want = append(want, seq)
					}
				}
				s = w.open(d)
				got := offered2(s)
				expect(t, "offered", got, want)
				if name == "huge" {
					continue // an error of the disk, tried again later
				}
				expect(t, "lost", s.Lost(9), []Range{{which, which}})
				if st := s.Stats(); st.Aside != 1 {
					t.Errorf("got %+v", st)
				}
				s = w.open(d)
				expect(t, "lost after a restart", s.Lost(9).Within(Range{1, 3}), []Range{{which, which}})
				if head, err := s.Next(); err != nil || head.Seq < 4 {
					t.Errorf("next %+v, %v", head, err)
				}
			}
		})
	}
}

// offered2 drains s over errors of single messages.
func offered2(s *Spool) (seqs []uint64) {
	for {
		m, ok, err := s.Offer()
		if err == nil && !ok {
			return seqs
		}
		if ok {
			seqs = append(seqs, m.Seq)
		}
	}
}

func TestForeignFiles(t *testing.T) {
	d, w := newDisks(t), newWorld(t)
	s := w.open(d)
	mustPut(t, w, s, Snapshot, 100)
	own := s.x.entries[1].label
	twice := own
	twice.sum++
	future := own
	future.seq = 1<<53 - 1
	for _, name := range []string{"01/holiday.jpg", "01/" + strings.ToUpper(own.path()[3:]), "05/" + own.path()[3:],
		twice.path(), future.path(), "3f/.new"} {
		f, err := d.messages.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write([]byte("?"))
		_ = f.Sync()
	}
	s = w.open(d)
	if st := s.Stats(); st.Aside != 5 || st.Torn != 1 || st.Head != 1 {
		t.Errorf("got %+v", st)
	}
	kept := offered2(s)
	if len(kept) == 1 && kept[0] != 1 || len(kept) > 1 {
		t.Errorf("offered %v", kept)
	}
	s = w.open(d)
	if st := s.Stats(); st.Aside != 0 || st.Torn != 0 {
		t.Errorf("set aside twice: %+v", st)
	}
}

func TestReadErrorsBlockNothing(t *testing.T) {
	d, w := newDisks(t), newWorld(t)
	s := w.open(d)
	for range 3 {
		mustPut(t, w, s, Snapshot, 100)
	}
	bad := s.x.entries[3].path()
	d.state.fault = func(_ int, op, name string) error {
		if op == "read" && name == bad {
			return syscall.EIO
		}
		return nil
	}
	if _, ok, err := s.Offer(); ok || !errors.Is(err, ErrDisk) {
		t.Errorf("got %v, %v", ok, err)
	}
	expect(t, "offered", offered(t, s), []uint64{2, 1})
	d.state.fault = nil
	s.Ack(2)
	s.Return()
	expect(t, "offered when it is well again", offered(t, s), []uint64{3, 1})
}
