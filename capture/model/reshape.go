package model

import (
	"errors"
	"fmt"
	"slices"
)

// makeReshape is RESHAPE and SQUEEZE: the numbers stay in their order.
func makeReshape(b *builder, n *node) (step, error) {
	in, out, err := unary(n)
	if err == nil {
		err = sameKind(in, out)
	}
	if err == nil {
		err = alike(in, out)
	}
	if err == nil {
		err = b.load(in)
	}
	if err != nil {
		return step{}, err
	}
	return step{work: int64(out.n), run: func() { copy(out.f, in.f); copy(out.q, in.q) }}, nil
}

// makeShape is SHAPE and PACK, and STRIDED_SLICE of what they give: converters
// write them in front of RESHAPE for batches of any size. Here all shapes are
// known before, so nothing is calculated; whoever else asks for such numbers is
// refused, for they are no constants.
func makeShape(_ *builder, n *node) (step, error) {
	if len(n.out) != 1 || !n.out[0].shapes() {
		return step{}, errors.New("of something else than the shape of a tensor is not supported")
	}
	return step{}, nil
}

// shapes says that t has the form of a shape: a few whole numbers.
func (t *tensor) shapes() bool {
	return (t.kind == Int32 || t.kind == Int64) && t.n <= maxDims && len(t.shape) <= 1
}

// pick copies numbers from places of in that lie at even distances along each
// dimension of out.
type pick struct {
	shape [maxDims]int // of out, from its last dimension
	step  [maxDims]int // in in
	first int          // place in in of the first number
	n     int
}

func picked[T int8 | float32](p *pick, out, in []T) {
	var at [maxDims]int
	i, row, step := p.first, p.shape[0], p.step[0]
	for o := 0; o < p.n; o += row {
		for k := range row {
			out[o+k] = in[i+k*step]
		}
		for d := 1; d < maxDims; d++ {
			at[d]++
			i += p.step[d]
			if at[d] < p.shape[d] {
				break
			}
			i, at[d] = i-at[d]*p.step[d], 0
		}
	}
}

// newPick returns the step that copies p from in to out.
func (b *builder) newPick(p *pick, in, out *tensor) (step, error) {
	if err := sameKind(in, out); err != nil {
		return step{}, err
	}
	if err := alike(in, out); err != nil {
		return step{}, err
	}
	if err := b.load(in); err != nil {
		return step{}, err
	}
	p.n = out.n
	return step{work: 2 * int64(out.n), run: func() {
		if out.kind == Float32 {
			picked(p, out.f, in.f)
		} else {
			picked(p, out.q, in.q)
		}
	}}, nil
}

// strides returns the distance of neighbours along each dimension.
func strides(shape []int) []int {
	s, d := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i], d = d, d*shape[i]
	}
	return s
}

func makeTranspose(b *builder, n *node) (step, error) {
	if err := n.wants(2, 1); err != nil {
		return step{}, err
	}
	in, out := n.in[0], n.out[0]
	order, err := ints(n.in[1])
	if err != nil {
		return step{}, err
	}
	if len(order) != len(in.shape) || len(out.shape) != len(in.shape) {
		return step{}, fmt.Errorf("order %v for %v to %v", order, in.shape, out.shape)
	}
	p, from, used := &pick{}, strides(in.shape), [maxDims]bool{}
	fill(p.shape[:], 1)
	for i, axis := range order {
		if axis < 0 || axis >= len(order) || used[axis] || out.shape[i] != in.shape[axis] {
			return step{}, fmt.Errorf("order %v for %v to %v", order, in.shape, out.shape)
		}
		used[axis] = true
		p.shape[len(order)-1-i], p.step[len(order)-1-i] = out.shape[i], from[axis]
	}
	return b.newPick(p, in, out)
}

// makeStridedSlice takes every so manieth number of a range along each dimension.
func makeStridedSlice(b *builder, n *node) (step, error) {
	if err := n.wants(4, 1); err != nil {
		return step{}, err
	}
	in, out := n.in[0], n.out[0]
	if in.shapes() {
		return makeShape(b, n)
	}
	begin, err1 := ints(n.in[1])
	end, err2 := ints(n.in[2])
	by, err3 := ints(n.in[3])
	if err := errors.Join(err1, err2, err3); err != nil {
		return step{}, err
	}
	o := n.opts
	beginMask, endMask, shrink := o.i32(0, 0), o.i32(1, 0), o.i32(4, 0)
	if o.i32(2, 0) != 0 || o.i32(3, 0) != 0 {
		return step{}, errors.New("ellipsis and new-axis masks are not supported")
	}
	rank := len(in.shape)
	if len(begin) != rank || len(end) != rank || len(by) != rank {
		return step{}, fmt.Errorf("positions of %d dimensions for %v", len(begin), in.shape)
	}
	p, from := &pick{}, strides(in.shape)
	fill(p.shape[:], 1)
	var shape []int
	for i, size := range in.shape {
		bit := int32(1) << i
		first, last := begin[i], end[i]
		if by[i] < 1 {
			return step{}, fmt.Errorf("step %d", by[i])
		}
		if first < 0 {
			first += size
		}
		if last < 0 {
			last += size
		}
		if beginMask&bit != 0 {
			first = 0
		}
		if endMask&bit != 0 {
			last = size
		}
		if shrink&bit != 0 {
			last = first + 1
		}
		last = min(last, size)
		if first < 0 || first >= last {
			return step{}, fmt.Errorf("from %d to %d of %v", first, last, in.shape)
		}
		count := (last - first + by[i] - 1) / by[i]
		p.first += first * from[i]
		p.shape[rank-1-i], p.step[rank-1-i] = count, from[i]*by[i]
		if shrink&bit == 0 {
			shape = append(shape, count)
		}
	}
	if !slices.Equal(shape, out.shape) {
		return step{}, fmt.Errorf("%v becomes %v, but its output has the shape %v", in.shape, shape, out.shape)
	}
	return b.newPick(p, in, out)
}

// makePad puts zeros around a tensor.
func makePad(b *builder, n *node) (step, error) {
	if err := n.wants(2, 1); err != nil {
		return step{}, err
	}
	in, out := n.in[0], n.out[0]
	around, err := ints(n.in[1])
	if err != nil {
		return step{}, err
	}
	rank := len(in.shape)
	if len(around) != 2*rank || len(out.shape) != rank {
		return step{}, fmt.Errorf("%d paddings for %v to %v", len(around), in.shape, out.shape)
	}
	// The other way round: every number of in goes to an even place in out.
	p, to := &pick{n: in.n}, strides(out.shape)
	fill(p.shape[:], 1)
	for i, size := range in.shape {
		before, after := around[2*i], around[2*i+1]
		if before < 0 || after < 0 || size+before+after != out.shape[i] {
			return step{}, fmt.Errorf("paddings %v make of %v not %v", around, in.shape, out.shape)
		}
		p.first += before * to[i]
		p.shape[rank-1-i], p.step[rank-1-i] = size, to[i]
	}
	if err := sameKind(in, out); err != nil {
		return step{}, err
	}
	if err := errors.Join(alike(in, out), b.load(in)); err != nil {
		return step{}, err
	}
	return step{work: 2 * int64(out.n), run: func() {
		if out.kind == Float32 {
			clear(out.f)
			spread(p, out.f, in.f)
		} else {
			fill(out.q, int8(out.zero))
			spread(p, out.q, in.q)
		}
	}}, nil
}

// spread is the inverse of picked.
func spread[T int8 | float32](p *pick, out, in []T) {
	var at [maxDims]int
	i, row := p.first, p.shape[0]
	for o := 0; o < p.n; o += row {
		copy(out[i:i+row], in[o:]) // the last dimension is dense
		for d := 1; d < maxDims; d++ {
			at[d]++
			i += p.step[d]
			if at[d] < p.shape[d] {
				break
			}
			i, at[d] = i-at[d]*p.step[d], 0
		}
	}
}
