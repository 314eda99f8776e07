package spool

import (
	"testing"

	"pgregory.net/rapid"
)

// A set of ranges behaves like a set of numbers.
func TestRangesAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const top = 40
		var s Ranges
		model := map[uint64]bool{}
		step := func(name string) Range {
			first := rapid.Uint64Range(0, top).Draw(t, name)
			return Range{first, first + rapid.Uint64Range(0, 9).Draw(t, "length")}
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			add := rapid.Bool().Draw(t, "add")
			r := step("first")
			for n := r.First; n <= r.Last; n++ {
				model[n] = add
			}
			if add {
				s.Add(r)
			} else {
				s.Remove(r)
			}
			check(t, s, func(n uint64) bool { return model[n] })
		}
		w := step("window")
		check(t, s.Within(w), func(n uint64) bool { return model[n] && w.First <= n && n <= w.Last })
		var other Ranges
		o := step("other")
		other.Add(o)
		check(t, s.Minus(other), func(n uint64) bool { return model[n] && (n < o.First || n > o.Last) })
		s.Remove(Range{5, 4})
		s.Add(Range{5, 4})
		check(t, s, func(n uint64) bool { return model[n] })
	})
}

func check(t *rapid.T, s Ranges, want func(uint64) bool) {
	count := uint64(0)
	for n := range uint64(60) {
		if s.Has(n) != want(n) {
			t.Fatalf("%v: has %d is %v", s, n, s.Has(n))
		}
		if s.Has(n) {
			count++
		}
	}
	if s.Count() != count {
		t.Fatalf("%v: counts %d, want %d", s, s.Count(), count)
	}
	for i, r := range s {
		if r.Last < r.First || i > 0 && s[i-1].Last+1 >= r.First {
			t.Fatalf("%v is not in normal form", s)
		}
	}
}
