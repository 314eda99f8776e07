package store

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sealcam/sealcam/uplink/seal"
)

// A set of ranges is what a list of marks says, however it came about.
func TestRangesAgainstMarks(t *testing.T) {
	const most = 40
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var s Ranges
		var marks [most + 2]bool
		for range 30 {
			first := 1 + rng.Uint64N(most)
			last := min(first+rng.Uint64N(6), most)
			add := rng.IntN(3) > 0
			if add {
				s.Add(first, last)
			} else {
				s.Remove(first, last)
			}
			for n := first; n <= last; n++ {
				marks[n] = add
			}
		}
		var want, holes []seal.Range
		for n := uint64(1); n <= most; n++ {
			of := &holes
			if marks[n] {
				of = &want
			}
			if s.Has(n) != marks[n] {
				t.Fatalf("seed %d: has %d: %v", seed, n, s.Has(n))
			}
			if k := len(*of); k > 0 && (*of)[k-1].Last == n-1 {
				(*of)[k-1].Last = n
			} else {
				*of = append(*of, seal.Range{First: n, Last: n})
			}
		}
		if !slices.Equal(s, want) {
			t.Fatalf("seed %d: %v, want %v", seed, s, want)
		}
		few := 1 + rng.IntN(len(holes)+1)
		if got := s.Holes(1, most, few); !slices.Equal(got, holes[max(0, len(holes)-few):]) {
			t.Fatalf("seed %d: the newest %d holes of %v: %v", seed, few, s, got)
		}
	}
}
