package store

import (
	"slices"
	"sort"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Ranges is a set of sequences: ranges that rise, and neither overlap nor
// touch. No sequence is 0 or the largest uint64.
type Ranges []seal.Range

// find returns the index of the first range that ends at n or later.
func (s Ranges) find(n uint64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].Last >= n })
}

// Has reports whether n is in the set.
func (s Ranges) Has(n uint64) bool {
	i := s.find(n)
	return i < len(s) && s[i].First <= n
}

// Add puts first to last into the set; nothing if last is before first.
func (s *Ranges) Add(first, last uint64) {
	if last < first {
		return
	}
	i := s.find(max(first, 1) - 1) // one that only touches is joined
	j := i
	for ; j < len(*s) && (*s)[j].First <= last+1; j++ {
		first, last = min(first, (*s)[j].First), max(last, (*s)[j].Last)
	}
	*s = slices.Replace(*s, i, j, seal.Range{First: first, Last: last})
}

// Remove takes first to last out of the set.
func (s *Ranges) Remove(first, last uint64) {
	if last < first {
		return
	}
	i := s.find(first)
	j := i
	var rest []seal.Range
	for ; j < len(*s) && (*s)[j].First <= last; j++ {
		if old := (*s)[j]; old.First < first {
			rest = append(rest, seal.Range{First: old.First, Last: first - 1})
		}
		if old := (*s)[j]; old.Last > last {
			rest = append(rest, seal.Range{First: last + 1, Last: old.Last})
		}
	}
	*s = slices.Replace(*s, i, j, rest...)
}

// Holes returns the newest n ranges between first and last that s does not
// have, rising.
func (s Ranges) Holes(first, last uint64, n int) []seal.Range {
	var holes []seal.Range
	for i := len(s) - 1; i >= 0 && len(holes) < n && last >= first; i-- {
		if s[i].First > last {
			continue
		}
		if s[i].Last < last {
			holes = append(holes, seal.Range{First: max(first, s[i].Last+1), Last: last})
		}
		last = s[i].First - 1
	}
	if len(holes) < n && last >= first && first > 0 {
		holes = append(holes, seal.Range{First: first, Last: last})
	}
	slices.Reverse(holes)
	return holes
}
