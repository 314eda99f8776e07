package store

import (
	"slices"
	"sort"

	"github.com/sealcam/sealcam/uplink/seal"
)

// ranges is a set of sequences: ranges that rise, and neither overlap nor
// touch. No sequence is 0 or the largest uint64.
type ranges []seal.Range

// find returns the index of the first range that ends at n or later.
func (s ranges) find(n uint64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].Last >= n })
}

func (s ranges) has(n uint64) bool {
	i := s.find(n)
	return i < len(s) && s[i].First <= n
}

// add puts first to last into the set; nothing if last is before first.
func (s *ranges) add(first, last uint64) {
	if last < first {
		return
	}
	i := s.find(first - 1)
	j := i
	for ; j < len(*s) && (*s)[j].First <= last+1; j++ {
		first, last = min(first, (*s)[j].First), max(last, (*s)[j].Last)
	}
	*s = slices.Replace(*s, i, j, seal.Range{First: first, Last: last})
}

// remove takes first to last out of the set.
func (s *ranges) remove(first, last uint64) {
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
