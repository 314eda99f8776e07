package spool

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"slices"
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
	want := []uint64{4, 6, 2, 5, 7, 1, 3}
	expect(t, "first connection", offered(t, s), want)
	expect(t, "nothing is offered twice on one connection", offered(t, s), nil)
	s.Return()
	expect(t, "second connection", offered(t, s), want)
	s.Ack(4)
	s.Ack(5)
	s.Return()
	expect(t, "after two acknowledgements", offered(t, s), []uint64{6, 2, 7, 1, 3})
	s.Return()
	put(Status, 0) // 8
	put(Clip, 3)   // 9
	expect(t, "with news", offered(t, s), []uint64{8, 6, 2, 9, 7, 1, 3})
	for _, n := range []uint64{8, 6, 2, 9, 7, 1, 3} {
		s.Ack(n)
	}
	put(Snapshot, 0) // 10
	gone := s.Resend(Range{2, 4}, Range{9, 1 << 60})
	expect(t, "resent, behind what was never sent", offered(t, s), []uint64{10, 2, 3, 4, 9})
	expect(t, "gone", gone, nil)
}

// Snapshots are in the order of their age, however they come back.
func TestNewestSnapshotFirst(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		l, all := list{side: byLane}, rng.Perm(1+rng.IntN(40))
		for _, n := range all {
			l.pushByAge(&entry{label: label{seq: uint64(n)}})
		}
		n := len(all)
		for e := l.first; e != nil; e = e.links[byLane].next {
			if n--; e.seq != uint64(n) || (e.links[byLane].next == nil) != (e == l.last) || e != l.first && e.links[byLane].prev.seq != uint64(n+1) {
				t.Fatalf("%v: %d stands where %d belongs", all, e.seq, n)
			}
		}
		if n != 0 || l.n != len(all) {
			t.Fatalf("%v: %d are missing, counted %d", all, n, l.n)
		}
	}
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
		if worst > 2*holes || worst < holes/4 {
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
