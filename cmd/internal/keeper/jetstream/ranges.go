package jetstream

import (
	"slices"
	"sort"

	"github.com/sealcam/sealcam/uplink/seal"
)

// ranges is a set of sequences: rising, and no two that touch.
type ranges []seal.Range

// at returns the first range that ends at seq or later.
func (s ranges) at(seq uint64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].Last >= seq })
}

func (s ranges) has(seq uint64) bool {
	i := s.at(seq)
	return i < len(s) && s[i].First <= seq
}

// add returns s with first..last in it.
func (s ranges) add(first, last uint64) ranges {
	i := s.at(max(first, 1) - 1) // one that only touches is joined
	j := i
	for ; j < len(s) && s[j].First <= last+1; j++ {
		first, last = min(first, s[j].First), max(last, s[j].Last)
	}
	return slices.Replace(s, i, j, seal.Range{First: first, Last: last})
}

// holes returns the newest n ranges between first and last that s does not
// have, rising.
func (s ranges) holes(first, last uint64, n int) []seal.Range {
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
