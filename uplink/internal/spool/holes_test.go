package spool

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// forgetful is a viewer that remembers a few gaps, and gives up on the lowest.
type forgetful struct {
	top, floor uint64
	gaps       Ranges
	most       int
}

// take reports whether the viewer takes seq for what it has not had.
func (f *forgetful) take(seq uint64) bool {
	switch {
	case seq > f.top:
		f.gaps.Add(Range{f.top + 1, seq - 1})
		f.top = seq
	case seq <= f.floor || !f.gaps.Has(seq):
		return false
	default:
		f.gaps.Remove(Range{seq, seq})
	}
	for len(f.gaps) > f.most {
		f.floor = f.gaps[0].Last
		f.gaps = slices.Delete(f.gaps, 0, 1)
	}
	return true
}

// After a long time without a network so much has been given up, here and there,
// that a viewer cannot remember all of that. It takes everything there is all the
// same, and what is important and new comes early.
func TestNothingIsGivenUpForLostOnes(t *testing.T) {
	const holes = 8
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 3))
		d, w := newDisks(t), newWorld(t)
		s, err := Open(Config{State: d.state, Messages: d.messages, Budget: 200 * 4096, Holes: holes, Hash: hashOf})
		if err != nil {
			t.Fatal(err)
		}
		put := func() {
			w.clip++
			mustPut(t, w, s, Status, 20)
			mustPut(t, w, s, Snapshot, 20)
			for range 1 + rng.IntN(4) {
				mustPut(t, w, s, Clip, 20)
			}
		}
		for range 80 {
			put()
		}
		if n := len(s.Lost(maxLost)); n < 3*holes {
			t.Fatalf("only %d ranges are lost: this tries nothing", n)
		}
		eye := &forgetful{most: 2*holes + 2}
		early := 0
		for i := 0; ; i++ {
			if i%20 == 19 && i < 100 {
				put() // and they come while more happens
			}
			m, ok, err := s.Offer()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if !eye.take(m.Seq) {
				t.Fatalf("seed %d: the viewer has given up on %d (floor %d)", seed, m.Seq, eye.floor)
			}
			if i < holes && m.Class == Status {
				early++
			}
			s.Ack(m.Seq)
		}
		if early < holes {
			t.Errorf("of the first %d messages %d are the most important", holes, early)
		}
	}
}
