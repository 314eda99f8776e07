package model

import (
	"fmt"
	"slices"
)

// pair walks over two tensors that are combined number by number, where one is
// repeated along dimensions in which it has the size 1.
type pair struct {
	shape [maxDims]int // of the result, from its last dimension
	a, b  [maxDims]int // from one number to the next along each dimension; 0 repeats
	n     int
}

func newPair(a, b, out *tensor) (*pair, error) {
	p := &pair{n: out.n}
	stepA, stepB := 1, 1
	for i := range maxDims {
		na, nb := a.dim(i), b.dim(i)
		if na != nb && na != 1 && nb != 1 || out.dim(i) != max(na, nb) {
			return nil, fmt.Errorf("%v with %v does not make %v", a.shape, b.shape, out.shape)
		}
		p.shape[i] = max(na, nb)
		if na > 1 {
			p.a[i] = stepA
		}
		if nb > 1 {
			p.b[i] = stepB
		}
		stepA, stepB = stepA*na, stepB*nb
	}
	return p, nil
}

// each calls f for every row of the result: with the row's first number there and in a
// and b, its length, and by how much a and b go on along it.
func (p *pair) each(f func(out, a, b, n, stepA, stepB int)) {
	var at [maxDims]int
	row, ia, ib := p.shape[0], 0, 0
	for o := 0; o < p.n; o += row {
		f(o, ia, ib, row, p.a[0], p.b[0])
		for d := 1; d < maxDims; d++ {
			at[d]++
			ia, ib = ia+p.a[d], ib+p.b[d]
			if at[d] < p.shape[d] {
				break
			}
			ia, ib, at[d] = ia-at[d]*p.a[d], ib-at[d]*p.b[d], 0
		}
	}
}

// makeBinary is what ADD and MUL have in common.
func makeBinary(b *builder, n *node, floats func(x, y float32) float32, ints func(a, b, out *tensor, low, high int32) (func(x, y int8) int8, error)) (step, error) {
	if err := n.wants(2, 1); err != nil {
		return step{}, err
	}
	x, y, out := n.in[0], n.in[1], n.out[0]
	p, err := newPair(x, y, out)
	if err == nil {
		err = sameKind(x, y, out)
	}
	if err == nil {
		err = b.load(x, y)
	}
	if err != nil {
		return step{}, err
	}
	a := activation(n.opts.u8(0))
	if out.kind == Float32 {
		low, high, err := a.bounds()
		each := func(o, i, j, n, stepI, stepJ int) {
			for k := range n {
				out.f[o+k] = max(low, min(high, floats(x.f[i+k*stepI], y.f[j+k*stepJ])))
			}
		}
		return step{work: 4 * int64(out.n), run: func() { p.each(each) }}, err
	}
	low, high, err := out.bounds(a)
	if err != nil {
		return step{}, err
	}
	f, err := ints(x, y, out, low, high)
	each := func(o, i, j, n, stepI, stepJ int) {
		for k := range n {
			out.q[o+k] = f(x.q[i+k*stepI], y.q[j+k*stepJ])
		}
	}
	return step{work: 8 * int64(out.n), run: func() { p.each(each) }}, err
}

// makeAdd follows tensorflow/lite/kernels/add.cc: both inputs are brought to
// twice the coarser scale, with 20 bits to spare.
func makeAdd(b *builder, n *node) (step, error) {
	return makeBinary(b, n, func(x, y float32) float32 { return x + y }, func(x, y, out *tensor, low, high int32) (func(x, y int8) int8, error) {
		const spare = 20
		twice := 2 * float64(max(x.scale, y.scale))
		mx, my := newMultiplier(float64(x.scale)/twice), newMultiplier(float64(y.scale)/twice)
		ratio := twice / ((1 << spare) * float64(out.scale))
		if ratio >= 1 {
			return nil, fmt.Errorf("scales %g and %g to %g", x.scale, y.scale, out.scale)
		}
		mo := newMultiplier(ratio)
		zx, zy, zo := x.zero, y.zero, out.zero
		return func(x, y int8) int8 {
			sum := mx.twice((int32(x)-zx)<<spare) + my.twice((int32(y)-zy)<<spare)
			return clamp(mo.twice(sum)+zo, low, high)
		}, nil
	})
}

// makeMul follows tensorflow/lite/kernels/mul.cc, whose factor is calculated in 32 bits.
func makeMul(b *builder, n *node) (step, error) {
	return makeBinary(b, n, func(x, y float32) float32 { return x * y }, func(x, y, out *tensor, low, high int32) (func(x, y int8) int8, error) {
		m := newMultiplier(float64(float32(x.scale*y.scale) / out.scale))
		if m.shift > 15 {
			return nil, fmt.Errorf("scales %g and %g to %g", x.scale, y.scale, out.scale)
		}
		zx, zy, zo := x.zero, y.zero, out.zero
		return func(x, y int8) int8 {
			return clamp(m.times((int32(x)-zx)*(int32(y)-zy))+zo, low, high)
		}, nil
	})
}

// makeConcatenation joins tensors along one axis.
func makeConcatenation(b *builder, n *node) (step, error) {
	if len(n.in) == 0 {
		return step{}, n.wants(1, 1)
	}
	if err := n.wants(len(n.in), 1); err != nil {
		return step{}, err
	}
	out := n.out[0]
	axis := int(n.opts.i32(0, 0))
	if axis < 0 {
		axis += len(out.shape)
	}
	if err := sameKind(append(slices.Clone(n.in), out)...); err != nil {
		return step{}, err
	}
	if err := b.load(n.in...); err != nil {
		return step{}, err
	}
	if axis < 0 || axis >= len(out.shape) || activation(n.opts.u8(1)) != noActivation {
		return step{}, fmt.Errorf("along dimension %d of %v, or with an activation", axis, out.shape)
	}
	outer, inner := product(out.shape[:axis]), product(out.shape[axis+1:])
	total := 0
	copies := make([]func(), len(n.in))
	for i, in := range n.in {
		if len(in.shape) != len(out.shape) || !slices.Equal(in.shape[:axis], out.shape[:axis]) || !slices.Equal(in.shape[axis+1:], out.shape[axis+1:]) {
			return step{}, fmt.Errorf("%v does not fit into %v along dimension %d", in.shape, out.shape, axis)
		}
		run, at, stride := in.shape[axis]*inner, total*inner, out.shape[axis]*inner
		if err := alike(in, out); err != nil {
			return step{}, err
		}
		copies[i] = func() {
			for k := range outer {
				to, from := k*stride+at, k*run
				if out.kind == Float32 {
					copy(out.f[to:to+run], in.f[from:])
				} else {
					copy(out.q[to:to+run], in.q[from:])
				}
			}
		}
		if total += in.shape[axis]; total > out.shape[axis] {
			break
		}
	}
	if total != out.shape[axis] {
		return step{}, fmt.Errorf("the parts do not fill %v along dimension %d", out.shape, axis)
	}
	return step{work: int64(out.n), run: func() {
		for _, c := range copies {
			c()
		}
	}}, nil
}

func product(list []int) int {
	p := 1
	for _, n := range list {
		p *= n
	}
	return p
}
