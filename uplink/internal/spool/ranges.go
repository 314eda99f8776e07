package spool

import "sort"

// Range is an inclusive range of sequence numbers.
type Range struct{ First, Last uint64 }

// Ranges is a set of sequence numbers: ranges that rise, and neither overlap
// nor touch. The zero value is the empty set.
type Ranges []Range

// find returns the index of the first range that ends at n or later.
func (s Ranges) find(n uint64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].Last >= n })
}

// Has tells whether n is in the set.
func (s Ranges) Has(n uint64) bool {
	i := s.find(n)
	return i < len(s) && s[i].First <= n
}

// touches tells whether putting n in makes no new range.
func (s Ranges) touches(n uint64) bool {
	i := s.find(n - 1)
	return i < len(s) && s[i].First <= n+1
}

// Count returns how many numbers are in the set.
func (s Ranges) Count() uint64 {
	n := uint64(0)
	for _, r := range s {
		n += r.Last - r.First + 1
	}
	return n
}

// Add puts r into the set. A range that ends before it starts is empty.
func (s *Ranges) Add(r Range) {
	if r.Last < r.First {
		return
	}
	before := r.First
	if before > 0 {
		before-- // a range that ends just before is touched
	}
	i := s.find(before)
	j := i
	for j < len(*s) && ((*s)[j].First <= r.Last || (*s)[j].First == r.Last+1) {
		r.First, r.Last = min(r.First, (*s)[j].First), max(r.Last, (*s)[j].Last)
		j++
	}
	s.splice(i, j, r)
}

// Remove takes r out of the set.
func (s *Ranges) Remove(r Range) {
	if r.Last < r.First {
		return
	}
	i := s.find(r.First)
	j := i
	var rest []Range
	for j < len(*s) && (*s)[j].First <= r.Last {
		if old := (*s)[j]; old.First < r.First {
			rest = append(rest, Range{old.First, r.First - 1})
		}
		if old := (*s)[j]; old.Last > r.Last {
			rest = append(rest, Range{r.Last + 1, old.Last})
		}
		j++
	}
	s.splice(i, j, rest...)
}

// splice replaces the ranges i to j-1.
func (s *Ranges) splice(i, j int, with ...Range) {
	old := *s
	switch {
	case j-i == len(with):
		copy(old[i:j], with)
		return
	case j-i > len(with):
		n := copy(old[i:], with)
		*s = append(old[:i+n], old[j:]...)
		return
	}
	grown := append(old, with[:len(with)-(j-i)]...) // room; the content comes next
	copy(grown[i+len(with):], old[j:])
	copy(grown[i:], with)
	*s = grown
}

// Within returns what s has in r, as a new set.
func (s Ranges) Within(r Range) Ranges {
	var out Ranges
	for i := s.find(r.First); i < len(s) && s[i].First <= r.Last; i++ {
		out = append(out, Range{max(s[i].First, r.First), min(s[i].Last, r.Last)})
	}
	return out
}

// Minus returns what s has and t has not, as a new set.
func (s Ranges) Minus(t Ranges) Ranges {
	out := append(Ranges(nil), s...)
	for _, r := range t {
		out.Remove(r)
	}
	return out
}
