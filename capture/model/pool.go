package model

import (
	"fmt"
	"slices"
)

// pooling checks a pooling operator and returns its window and activation.
func pooling(n *node) (w window, a activation, err error) {
	if err := n.wants(1, 1); err != nil {
		return w, a, err
	}
	in, out, o := n.in[0], n.out[0], n.opts
	if w, err = newWindow(in, out, int(o.i32(4, 0)), int(o.i32(3, 0)), int(o.i32(2, 0)), int(o.i32(1, 0)), 1, 1, o.u8(0)); err != nil {
		return w, a, err
	}
	if w.inC != w.outC {
		return w, a, fmt.Errorf("%d channels become %d", w.inC, w.outC)
	}
	if int64(w.pixels())*int64(w.kh*w.kw)*int64(w.outC) > MaxWork {
		return w, a, errWork
	}
	if err := sameKind(in, out); err != nil {
		return w, a, err
	}
	return w, activation(o.u8(5)), alike(in, out)
}

// inside returns which part of the input the window sees for output pixel i, and its size.
func (w *window) inside(i int) (y0, y1, x0, x1 int) {
	y, x := i/w.outW*w.sy-w.py, i%w.outW*w.sx-w.px
	return max(0, y), min(w.inH, y+w.kh), max(0, x), min(w.inW, x+w.kw)
}

func makeMaxPool(b *builder, n *node) (step, error) {
	w, a, err := pooling(n)
	if err != nil {
		return step{}, err
	}
	in, out := n.in[0], n.out[0]
	s := step{work: int64(w.pixels()) * int64(w.kh*w.kw) * int64(w.outC)}
	if out.kind == Float32 {
		low, high, err := a.bounds()
		s.run = func() { maxPool(&w, out.f, in.f, low, high) }
		return s, err
	}
	low, high, err := out.bounds(a)
	s.run = func() { maxPool(&w, out.q, in.q, int8(low), int8(high)) }
	return s, err
}

func maxPool[T int8 | float32](w *window, out, in []T, low, high T) {
	c := w.outC
	for i := range w.pixels() {
		o := out[i*c : (i+1)*c]
		fill(o, low)
		y0, y1, x0, x1 := w.inside(i)
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				p := in[(y*w.inW+x)*c:][:len(o)]
				for k := range o {
					o[k] = max(o[k], min(high, p[k]))
				}
			}
		}
	}
}

func makeAveragePool(b *builder, n *node) (step, error) {
	w, a, err := pooling(n)
	if err != nil {
		return step{}, err
	}
	in, out := n.in[0], n.out[0]
	s := step{work: int64(w.pixels()) * int64(w.kh*w.kw) * int64(w.outC)}
	if out.kind == Float32 {
		low, high, err := a.bounds()
		s.run = func() { averageFloats(&w, out.f, in.f, low, high) }
		return s, err
	}
	if w.kh*w.kw > maxDepth {
		return step{}, errWork
	}
	low, high, err := out.bounds(a)
	if err == nil {
		err = b.take(4 * int64(w.outC))
	}
	if err != nil {
		return s, err
	}
	sum := make([]int32, w.outC)
	s.run = func() { averageInts(&w, out.q, in.q, sum, low, high, in.kind == Uint8) }
	return s, nil
}

func averageFloats(w *window, out, in []float32, low, high float32) {
	c := w.outC
	for i := range w.pixels() {
		o := out[i*c : (i+1)*c]
		clear(o)
		y0, y1, x0, x1 := w.inside(i)
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				for k, v := range in[(y*w.inW+x)*c:][:len(o)] {
					o[k] += v
				}
			}
		}
		count := float32(max(1, (y1-y0)*(x1-x0)))
		for k, v := range o {
			o[k] = max(low, min(high, v/count))
		}
	}
}

// averageInts rounds halves away from zero, as the reference kernels do. Those
// count from 0 in uint8, which is 128 below the zero of what is kept here.
func averageInts(w *window, out, in []int8, sum []int32, low, high int32, unsigned bool) {
	c := w.outC
	for i := range w.pixels() {
		clear(sum)
		y0, y1, x0, x1 := w.inside(i)
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				for k, v := range in[(y*w.inW+x)*c:][:len(sum)] {
					sum[k] += int32(v)
				}
			}
		}
		count := int32(max(1, (y1-y0)*(x1-x0)))
		o := out[i*c : (i+1)*c]
		for k, s := range sum {
			switch {
			case unsigned:
				s = (s+128*count+count/2)/count - 128
			case s > 0:
				s = (s + count/2) / count
			default:
				s = (s - count/2) / count
			}
			o[k] = clamp(s, low, high)
		}
	}
}

// makeMean averages a picture over its height and width.
func makeMean(b *builder, n *node) (step, error) {
	if err := n.wants(2, 1); err != nil {
		return step{}, err
	}
	in, out := n.in[0], n.out[0]
	axes, err := ints(n.in[1])
	if err != nil {
		return step{}, err
	}
	for i, a := range axes {
		if a < 0 {
			axes[i] = a + len(in.shape)
		}
	}
	slices.Sort(axes)
	if len(in.shape) != 4 || in.shape[0] != 1 || !slices.Equal(axes, []int{1, 2}) || out.n != in.shape[3] {
		return step{}, fmt.Errorf("over the dimensions %v of %v to %v: a mean over height and width of one picture is supported", axes, in.shape, out.shape)
	}
	if err := sameKind(in, out); err != nil {
		return step{}, err
	}
	c, count := in.shape[3], in.shape[1]*in.shape[2]
	s := step{work: int64(in.n)}
	if out.kind == Float32 {
		s.run = func() { meanFloats(out.f, in.f, c, count) }
		return s, nil
	}
	if count > maxDepth {
		return s, errWork
	}
	r, err := newMean(in, out, count)
	if err == nil {
		err = b.take(4 * int64(c))
	}
	if err != nil {
		return s, err
	}
	sum := make([]int32, c)
	s.run = func() {
		clear(sum)
		for i := 0; i < len(in.q); i += c {
			for k, v := range in.q[i : i+c] {
				sum[k] += int32(v)
			}
		}
		for k, v := range sum {
			out.q[k] = clamp(r.m.times(v-int32(count)*in.zero)+out.zero, -128, 127)
		}
	}
	return s, nil
}

// newMean returns the factor from a sum of count numbers to their mean, as
// QuantizedMeanOrSum of tensorflow/lite/kernels/internal/reference/reduce.h has it.
func newMean(in, out *tensor, count int) (rescale, error) {
	r, err := newRescale(in, out, noActivation)
	if err != nil {
		return r, err
	}
	shift := 0
	for count>>(shift+1) != 0 {
		shift++
	}
	shift = max(0, min(shift, 32, 31+r.m.shift))
	r.m = multiplier{int32(int64(r.m.value) << shift / int64(count)), r.m.shift - shift}
	return r, nil
}

func meanFloats(out, in []float32, c, count int) {
	clear(out)
	for i := 0; i < len(in); i += c {
		for k, v := range in[i : i+c] {
			out[k] += v
		}
	}
	for k, v := range out {
		out[k] = v / float32(count)
	}
}
