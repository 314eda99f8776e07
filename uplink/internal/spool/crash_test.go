package spool

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
)

// world is what the outside knows about one camera, over all its boots.
type world struct {
	t         testing.TB
	tried     map[uint64][][]byte // bytes handed to Put under each number
	stored    map[uint64][]byte   // Put returned nil
	published map[uint64][]byte   // Offer gave it out
	received  Ranges              // a viewer has it
	confessed Ranges              // a stored message tells of its loss
	boot      uint64
	clip      uint64
}

func newWorld(t testing.TB) *world {
	return &world{t: t, tried: map[uint64][][]byte{}, stored: map[uint64][]byte{}, published: map[uint64][]byte{}}
}

func hashOf(b []byte) ([32]byte, error) { return sha256.Sum256(b), nil }

func (w *world) open(d disks) *Spool {
	w.t.Helper()
	s, err := Open(Config{State: d.state, Messages: d.messages, Budget: MinBudget, Holes: 32, Hash: hashOf})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// message returns bytes that no other message has.
func (w *world) message(seq uint64, size int) []byte {
	b := bytes.Repeat([]byte{byte(seq)}, size)
	binary.BigEndian.PutUint64(b, seq)
	binary.BigEndian.PutUint64(b[8:], uint64(len(w.tried[seq]))<<32|w.boot)
	return b
}

func (w *world) put(s *Spool, class Class, size int) error {
	head, err := s.Next()
	if err != nil {
		return err
	}
	b := w.message(head.Seq, size)
	w.tried[head.Seq] = append(w.tried[head.Seq], b)
	if w.published[head.Seq] != nil {
		w.t.Fatalf("number %d is given out again after it was published", head.Seq)
	}
	if prev := w.stored[head.Seq-1]; prev != nil && head.Prev != sha256.Sum256(prev) && head.Prev != [32]byte{} {
		w.t.Fatalf("number %d names another message than %d before it", head.Seq, head.Seq-1)
	}
	err = s.Put(Message{Seq: head.Seq, Hash: sha256.Sum256(b), Class: class, Group: w.clip, Bytes: b})
	if err == nil {
		w.stored[head.Seq] = b
	}
	return err
}

// drain publishes up to n messages, and lets the broker acknowledge those that
// acked says.
func (w *world) drain(s *Spool, n int, acked func(i int) bool) {
	for i := range n {
		m, ok, err := s.Offer()
		if err != nil || !ok {
			return
		}
		w.publish(m)
		if acked(i) {
			s.Ack(m.Seq)
		}
	}
}

func (w *world) publish(m Offer) {
	if before := w.published[m.Seq]; before != nil && !bytes.Equal(before, m.Bytes) {
		w.t.Fatalf("number %d is published with two contents", m.Seq)
	}
	if tried := w.tried[m.Seq]; len(tried) == 0 || !bytes.Equal(m.Bytes, tried[len(tried)-1]) {
		w.t.Fatalf("number %d is published with bytes that are not its own", m.Seq)
	}
	w.published[m.Seq] = bytes.Clone(m.Bytes)
}

func (w *world) receive(s *Spool, r Range) {
	for seq := r.First; seq <= r.Last; seq++ {
		if w.published[seq] != nil {
			w.received.Add(Range{seq, seq})
		}
	}
	s.Delivered(w.received...)
}

func (w *world) confess(s *Spool) {
	told := s.Lost(64)
	if len(told) > 0 && w.put(s, Status, 64) == nil {
		for _, r := range told {
			w.confessed.Add(r)
		}
		s.Confessed(told)
	}
}

// story is a life of a camera that touches everything the spool does.
func (w *world) story(s *Spool) {
	for i := range 14 {
		_ = w.put(s, []Class{Status, Snapshot, Clip, Clip}[i%4], 5_900)
		w.clip = uint64(i / 5)
		if i == 6 {
			w.drain(s, 4, func(i int) bool { return i != 1 })
			s.Return()
		}
	}
	w.drain(s, 3, func(int) bool { return true })
	w.receive(s, Range{2, 6})
	s.SetClock(1_800_000_000)
	for range 6 {
		_ = w.put(s, Snapshot, 7_000)
	}
	s.Resend(Range{1, 30})
	w.drain(s, 50, func(i int) bool { return i%3 != 0 })
	w.confess(s)
	w.receive(s, Range{9, 12})
	for range 3 {
		_ = w.put(s, Clip, 4_900)
	}
	s.Tidy()
}

// check reopens the spool and holds it to its promises.
func (w *world) check(d disks) *Spool {
	w.t.Helper()
	s := w.open(d)
	if err := s.Stats().Err; err != nil {
		w.t.Fatalf("not usable after the power cut: %v", err)
	}
	if s.Boot() <= w.boot {
		w.t.Fatalf("boot %d after boot %d", s.Boot(), w.boot)
	}
	w.boot = s.Boot()
	for _, disk := range []*powerDisk{d.state, d.messages} {
		for name := range disk.now {
			if strings.HasSuffix(name, tempFile) {
				w.t.Fatalf("%s is left over", name)
			}
		}
	}
	head, err := s.Next()
	if err != nil {
		w.t.Fatal(err)
	}
	lost := s.Lost(maxLost)
	for seq := range w.stored {
		if seq >= head.Seq {
			w.t.Fatalf("%d was stored, and the next number is %d", seq, head.Seq)
		}
	}
	for seq := uint64(1); seq < head.Seq; seq++ {
		e := s.x.entries[seq]
		switch {
		case e != nil:
			b, err := s.read(e)
			if tried := w.tried[seq]; err != nil || len(tried) == 0 || !bytes.Equal(b, tried[len(tried)-1]) {
				w.t.Fatalf("%d is stored with other bytes: %v", seq, err)
			}
			w.stored[seq] = b // also if the power went before Put could say so
		case lost.Has(seq), w.received.Has(seq), w.confessed.Has(seq):
		default:
			w.t.Fatalf("%d has gone without a word (next is %d, lost %v)", seq, head.Seq, lost)
		}
	}
	if e := s.x.entries[head.Seq-1]; e != nil && head.Prev != sha256.Sum256(w.stored[head.Seq-1]) {
		w.t.Fatalf("the next message does not name number %d", head.Seq-1)
	}
	return s
}

// One power cut at every call of the story, and three kinds of disk after each.
func TestPowerCutAtEveryCall(t *testing.T) {
	calls := 0
	{
		d, w := newDisks(t), newWorld(t)
		w.story(w.open(d))
		calls = d.state.calls
	}
	t.Logf("%d calls", calls)
	step := 1
	if testing.Short() {
		step = 7
	}
	for cut := 0; cut <= calls; cut += step {
		for survive := range 4 {
			rng := rand.New(rand.NewPCG(uint64(cut), uint64(survive)))
			d, w := newDisks(t), newWorld(t)
			d.state.fault = func(call int, _, _ string) error {
				if call >= cut {
					return errPower
				}
				return nil
			}
			s, err := Open(Config{State: d.state, Messages: d.messages, Budget: MinBudget, Holes: 32, Hash: hashOf})
			if err != nil {
				t.Fatal(err)
			}
			if s.Stats().Err == nil {
				w.boot = s.Boot()
			}
			w.story(s)
			d = d.afterPowerCut(survive, rng)
			s = w.check(d)
			w.story(s) // and it goes on
			w.check(d.afterPowerCut(survive, rng))
			if t.Failed() {
				t.Fatalf("cut before call %d, survive %d", cut, survive)
			}
		}
	}
}

// Boot after boot, each ended by a power cut somewhere.
func TestManyPowerCuts(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 7))
		d, w := newDisks(t), newWorld(t)
		for range 12 {
			s := w.check(d)
			start, cut := d.state.calls, rng.IntN(500)
			d.state.fault = func(call int, _, _ string) error {
				if call-start >= cut {
					return errPower
				}
				return nil
			}
			w.story(s)
			d = d.afterPowerCut(2, rng)
		}
	}
}

// Any single call fails, the camera goes on, and nothing is lost unsaid.
func TestFaultAtEveryCall(t *testing.T) {
	for fail := 0; ; fail++ {
		for _, errno := range []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS} {
			d, w := newDisks(t), newWorld(t)
			d.state.fault = func(call int, _, _ string) error {
				if call == fail {
					return errno
				}
				return nil
			}
			s := w.open(d)
			w.story(s)
			if fail >= d.state.calls {
				return
			}
			if err := w.put(s, Status, 100); err != nil {
				t.Fatalf("call %d fails with %v, and later nothing is taken: %v", fail, errno, err)
			}
			d.state.fault = nil
			w.boot = s.Boot() - 1 // its own record may be what failed
			if s.recorded {
				w.boot = s.Boot()
			}
			w.check(d)
			if t.Failed() {
				t.Fatalf("call %d fails with %v", fail, errno)
			}
		}
	}
}

// A disk that turns bad for a while: clear errors, no number twice, and a
// confession when it is well again.
func TestDiskTurnsBad(t *testing.T) {
	for reason, errno := range map[error]error{ErrFull: syscall.ENOSPC, ErrReadOnly: syscall.EROFS, ErrDisk: syscall.EIO} {
		t.Run(fmt.Sprint(errno), func(t *testing.T) {
			d, w := newDisks(t), newWorld(t)
			s := w.open(d)
			if err := w.put(s, Snapshot, 1000); err != nil {
				t.Fatal(err)
			}
			d.state.fault = func(_ int, op, _ string) error {
				switch op {
				case "create", "rename", "mkdir", "remove":
					return errno
				}
				return nil
			}
			for range 10 {
				err := w.put(s, Snapshot, 1000)
				var e *Error
				if !errors.Is(err, reason) || !errors.As(err, &e) || e.Hint() == "" {
					t.Fatalf("got %v", err)
				}
			}
			if err := s.Stats().Err; !errors.Is(err, reason) {
				t.Errorf("stats say %v", err)
			}
			if m, ok, err := s.Offer(); !ok || m.Seq != 1 {
				t.Errorf("what is stored is not sent: %v", err)
			}
			d.state.fault = nil
			if err := w.put(s, Status, 1000); err != nil {
				t.Fatal(err)
			}
			if lost := s.Lost(64); len(lost) != 1 || lost[0] != (Range{2, 11}) {
				t.Errorf("lost %v, want 2..11", lost)
			}
			if s.Stats().Err != nil {
				t.Error("still an error after the disk is well again")
			}
			w.check(d)
		})
	}
}
