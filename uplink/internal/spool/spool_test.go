package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// offered drains s and returns the numbers in the order of their offer.
func offered(t *testing.T, s *Spool) (seqs []uint64) {
	t.Helper()
	for {
		m, ok, err := s.Offer()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return seqs
		}
		seqs = append(seqs, m.Seq)
	}
}

func expect[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func mustPut(t *testing.T, w *world, s *Spool, class Class, size int) {
	t.Helper()
	if err := w.put(s, class, size); err != nil {
		t.Fatal(err)
	}
}

func TestOrderOfWorth(t *testing.T) {
	d, w := newDisks(t), newWorld(t)
	s := w.open(d)
	put := func(class Class, clip uint64) { w.clip = clip; mustPut(t, w, s, class, 100) }
	put(Clip, 1)     // 1
	put(Snapshot, 0) // 2
	put(Clip, 1)     // 3
	put(Status, 0)   // 4
	put(Clip, 2)     // 5
	put(Snapshot, 0) // 6
	put(Clip, 2)     // 7
	want := []uint64{4, 2, 6, 5, 7, 1, 3}
	expect(t, "first connection", offered(t, s), want)
	expect(t, "nothing is offered twice on one connection", offered(t, s), nil)
	s.Return()
	expect(t, "second connection", offered(t, s), want)
	s.Ack(4)
	s.Ack(5)
	s.Return()
	expect(t, "after two acknowledgements", offered(t, s), []uint64{2, 6, 7, 1, 3})
	s.Return()
	put(Status, 0) // 8
	put(Clip, 3)   // 9
	expect(t, "with news", offered(t, s), []uint64{8, 2, 6, 9, 7, 1, 3})
	for _, n := range []uint64{8, 2, 6, 9, 7, 1, 3} {
		s.Ack(n)
	}
	put(Snapshot, 0) // 10
	gone := s.Resend(Range{2, 4}, Range{9, 1 << 60})
	expect(t, "resent, behind what was never sent", offered(t, s), []uint64{10, 2, 3, 4, 9})
	expect(t, "gone", gone, nil)
}

// However much waits, a viewer never has to remember more gaps than it can, and
// everything is sent once.
func TestHolesAreBounded(t *testing.T) {
	const n, holes = 3000, 8
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 1))
		d, w := newDisks(t), newWorld(t)
		s, err := Open(Config{State: d.state, Messages: d.messages, Budget: 1 << 30, Holes: holes, Hash: hashOf})
		if err != nil {
			t.Fatal(err)
		}
		put := func() {
			if rng.IntN(10) == 0 {
				w.clip++
			}
			mustPut(t, w, s, []Class{Status, Snapshot, Clip, Clip, Clip, Clip}[rng.IntN(6)], 20)
		}
		for range n / 2 {
			put()
		}
		var sent, missing Ranges
		top, worst := uint64(0), 0
		for stored := n / 2; ; {
			if stored < n && rng.IntN(2) == 0 {
				put()
				stored++
			}
			m, ok, err := s.Offer()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if sent.Has(m.Seq) {
				t.Fatalf("%d is sent twice", m.Seq)
			}
			sent.Add(Range{m.Seq, m.Seq})
			if m.Seq > top {
				missing.Add(Range{top + 1, m.Seq})
				top = m.Seq
			}
			missing.Remove(Range{m.Seq, m.Seq})
			worst = max(worst, len(missing))
			if rng.IntN(50) == 0 {
				s.Ack(m.Seq)
			}
		}
		if len(missing) != 0 || top != s.Stats().Head {
			t.Errorf("sent up to %d without %v", top, missing)
		}
		if worst > 2*holes || worst < holes/2 {
			t.Errorf("%d gaps at a time, want about %d", worst, holes)
		}
	}
}

func TestRestartKeepsStates(t *testing.T) {
	d, w := newDisks(t), newWorld(t)
	s := w.open(d)
	for range 6 {
		mustPut(t, w, s, Snapshot, 100)
	}
	offered(t, s)
	for _, n := range []uint64{1, 2, 3, 5} {
		s.Ack(n)
	}
	s.Delivered(Range{1, 2}, Range{6, 6})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = w.open(d)
	st := s.Stats()
	if st.Waiting != 1 || st.Acknowledged != 2 || st.Delivered != 3 || st.Head != 6 || st.Boot != 2 {
		t.Errorf("got %+v", st)
	}
	expect(t, "offered", offered(t, s), []uint64{4})
}

func TestDeliveredWhileInFlightIsNotSentAgain(t *testing.T) {
	d, w := newDisks(t), newWorld(t)
	s := w.open(d)
	mustPut(t, w, s, Snapshot, 100)
	mustPut(t, w, s, Snapshot, 100)
	offered(t, s)
	s.Delivered(Range{1, 1})
	s.Return()
	expect(t, "offered", offered(t, s), []uint64{2})
}

func TestWhatGoesFirst(t *testing.T) {
	d, w := newDisks(t), newWorld(t)
	s := w.open(d)
	size := 4000 // one block; 16 fit
	for range 2 {
		mustPut(t, w, s, Status, size)
		mustPut(t, w, s, Clip, size)
		mustPut(t, w, s, Snapshot, size)
		mustPut(t, w, s, Clip, size)
	}
	offered(t, s)
	for seq := range uint64(4) {
		s.Ack(seq + 1)
	}
	s.Delivered(Range{1, 1})
	var went []uint64
	watch := func(class Class, size int) error {
		err := w.put(s, class, size)
		for seq := uint64(1); seq <= s.Stats().Head; seq++ {
			if s.x.entries[seq] == nil && !slices.Contains(went, seq) {
				went = append(went, seq)
			}
		}
		return err
	}
	s.Return()
	for range 15 {
		if err := watch(Status, size); err != nil {
			t.Fatal(err)
		}
	}
	// Delivered, acknowledged clips, acknowledged snapshot, waiting clips, snapshot.
	expect(t, "given up", went, []uint64{1, 2, 4, 3, 6, 8, 7})
	expect(t, "to be confessed", s.Lost(9), []Range{{2, 4}, {6, 8}})
	err := watch(Clip, size)
	if !errors.Is(err, ErrBudget) {
		t.Errorf("a clip takes the place of a status: %v", err)
	}
	if err := w.put(s, Snapshot, MinBudget); !errors.Is(err, ErrBudget) {
		t.Errorf("a message larger than the budget: %v", err)
	}
	if st := s.Stats(); st.Bytes > st.Budget || st.Evicted != 6 {
		t.Errorf("got %+v", st)
	}
	w.received = Ranges{{1, 1}, {9, 12}} // makes room for a confession
	s.Delivered(w.received...)
	w.confess(s)
	expect(t, "to be confessed after the confession", s.Lost(9), nil)
	w.check(d)
}

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
				for seq := uint64(1); seq <= 3; seq++ {
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
	bad := s.x.entries[1].path()
	d.state.fault = func(_ int, op, name string) error {
		if op == "read" && name == bad {
			return syscall.EIO
		}
		return nil
	}
	if _, ok, err := s.Offer(); ok || !errors.Is(err, ErrDisk) {
		t.Errorf("got %v, %v", ok, err)
	}
	expect(t, "offered", offered(t, s), []uint64{2, 3})
	d.state.fault = nil
	s.Ack(2)
	s.Return()
	expect(t, "offered when it is well again", offered(t, s), []uint64{1, 3})
}

func TestDiskOfThisMachine(t *testing.T) {
	state, err := Disk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	dir := t.TempDir()
	messages, err := Disk(dir + "/deep/spool")
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Close()
	w := newWorld(t)
	open := func() *Spool {
		s, err := Open(Config{State: state, Messages: messages, Budget: MinBudget, Holes: 32, Hash: hashOf})
		if err != nil || s.Stats().Err != nil {
			t.Fatal(err, s.Stats().Err)
		}
		return s
	}
	s := open()
	for range 40 {
		mustPut(t, w, s, Snapshot, 3000)
	}
	got := offered(t, s)
	for _, seq := range got {
		s.Ack(seq)
	}
	if len(got) == 0 || s.Stats().Bytes > MinBudget {
		t.Errorf("%+v", s.Stats())
	}
	want := s.Stats()
	s = open()
	if st := s.Stats(); st.Acknowledged != want.Acknowledged || st.Waiting != 0 || st.Bytes != want.Bytes {
		t.Errorf("got %+v, want %+v", st, want)
	}
	if _, err := messages.Read("../../secret", 1); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read outside the directory: %v", err)
	}
}

func TestNumbersAreTheSpools(t *testing.T) {
	s := newWorld(t).open(newDisks(t))
	for _, m := range []Message{{Seq: 0, Class: Status}, {Seq: 2, Class: Status}, {Seq: 1}, {Seq: 1, Class: 9}} {
		if err := s.Put(m); err == nil {
			t.Errorf("%+v is stored", m)
		}
	}
	if err := s.Put(Message{Seq: 1, Class: Status, Bytes: bytes.Repeat([]byte("x"), 10)}); err != nil {
		t.Error(err)
	}
}

func FuzzParseName(f *testing.F) {
	f.Add(string(label{seq: 47, group: 3, size: 300_000, sum: 0x9f86d081, class: Clip, state: acknowledged}.appendName(nil)))
	f.Add("0000000000002f-sw-0-5a1c-9f86d081.sealed")
	f.Fuzz(func(t *testing.T, name string) {
		if l, ok := parseName(name); ok && string(l.appendName(nil)) != name {
			t.Errorf("%q is a second name of %+v", name, l)
		}
	})
}
