package model

import "math/bits"

// lanes is how many rows of weights are multiplied at once.
const lanes = 8

// packed holds rows of int8 weights in the form in which this processor
// multiplies them fastest. One of 64 bits holds two weights in one word, the
// second 32 bits higher: a multiplication and an addition of words do those of
// both, and no sum is long enough to run over (maxDepth). One of 32 bits takes
// them as they are. The sums are the same.
type packed struct {
	depth  int
	wide   []int64 // lanes/2 columns of depth words for each group of lanes
	narrow []int8  // lanes rows of depth numbers for each group
}

// pack packs n rows of depth weights; missing rows count as 0.
func (b *builder) pack(weights []int8, n, depth int) (packed, error) {
	groups := (n + lanes - 1) / lanes
	p := packed{depth: depth}
	at := func(row, k int) int64 {
		if row >= n {
			return 0
		}
		return int64(weights[row*depth+k])
	}
	if bits.UintSize == 32 {
		if err := b.take(int64(groups) * lanes * int64(depth)); err != nil {
			return p, err
		}
		p.narrow = make([]int8, groups*lanes*depth)
		copy(p.narrow, weights)
		return p, nil
	}
	if err := b.take(int64(groups) * lanes / 2 * 8 * int64(depth)); err != nil {
		return p, err
	}
	p.wide = make([]int64, 0, groups*lanes/2*depth)
	for row := 0; row < groups*lanes; row += 2 {
		for k := range depth {
			p.wide = append(p.wide, at(row, k)+at(row+1, k)<<32)
		}
	}
	return p, nil
}

// dot sets s to the products of x with the rows of one group.
func (p *packed) dot(s *[lanes]int32, x []int8, group int) {
	if bits.UintSize == 32 {
		w := p.narrow[group*lanes*p.depth:]
		s[0], s[1], s[2], s[3] = dotNarrow(x, w, w[p.depth:], w[2*p.depth:], w[3*p.depth:])
		w = w[4*p.depth:]
		s[4], s[5], s[6], s[7] = dotNarrow(x, w, w[p.depth:], w[2*p.depth:], w[3*p.depth:])
		return
	}
	w := p.wide[group*lanes/2*p.depth:]
	a, b, c, d := dotWide(x, w, w[p.depth:], w[2*p.depth:], w[3*p.depth:])
	s[0], s[1] = split(a)
	s[2], s[3] = split(b)
	s[4], s[5] = split(c)
	s[6], s[7] = split(d)
}

// split takes the two sums of a word apart.
func split(sum int64) (low, high int32) {
	low = int32(sum)
	return low, int32((sum - int64(low)) >> 32)
}

func dotWide(x []int8, a, b, c, d []int64) (sa, sb, sc, sd int64) {
	a, b, c, d = a[:len(x)], b[:len(x)], c[:len(x)], d[:len(x)]
	for k, v := range x {
		v := int64(v)
		sa += v * a[k]
		sb += v * b[k]
		sc += v * c[k]
		sd += v * d[k]
	}
	return sa, sb, sc, sd
}

func dotNarrow(x, a, b, c, d []int8) (sa, sb, sc, sd int32) {
	a, b, c, d = a[:len(x)], b[:len(x)], c[:len(x)], d[:len(x)]
	for k, v := range x {
		v := int32(v)
		sa += v * int32(a[k])
		sb += v * int32(b[k])
		sc += v * int32(c[k])
		sd += v * int32(d[k])
	}
	return sa, sb, sc, sd
}
