package model

import (
	"errors"
	"fmt"
)

// depthwise is DEPTHWISE_CONV_2D: a window of its own for each channel.
type depthwise struct {
	w      window
	copies int // outputs of each input channel
}

func makeDepthwise(b *builder, n *node) (step, error) {
	if err := n.wants(2, 1); err != nil {
		return step{}, err
	}
	in, weights, out := n.in[0], n.in[1], n.out[0]
	o := n.opts
	if len(weights.shape) != 4 || weights.shape[0] != 1 {
		return step{}, fmt.Errorf("weights of the shape %v", weights.shape)
	}
	w, err := newWindow(in, out, weights.shape[1], weights.shape[2], int(o.i32(2, 0)), int(o.i32(1, 0)), int(o.i32(6, 1)), int(o.i32(5, 1)), o.u8(0))
	if err != nil {
		return step{}, err
	}
	if weights.shape[3] != w.outC || w.outC%w.inC != 0 {
		return step{}, fmt.Errorf("weights of the shape %v for %d channels to %d", weights.shape, w.inC, w.outC)
	}
	if in.kind != weights.kind {
		return step{}, fmt.Errorf("%s with weights of %s is not supported (convert the model to full integers, or leave it in float32)", in.kind, weights.kind)
	}
	if err := sameKind(in, out); err != nil {
		return step{}, err
	}
	if w.kh*w.kw > maxDepth {
		return step{}, errWork
	}
	d := depthwise{w, w.outC / w.inC}
	s := step{adds: int64(w.pixels()) * int64(w.outC) * int64(w.kh*w.kw)}
	if s.work = s.adds; s.work > MaxWork {
		return s, errWork
	}
	if in.kind == Float32 {
		s.run, err = b.depthFloats(d, n, activation(o.u8(4)))
	} else {
		s.run, err = b.depthInts(d, n, activation(o.u8(4)))
	}
	return s, err
}

// taps calls each with the place of the input pixel, and of the weights, for
// every tap of the window at output pixel i that lies within the picture.
func (d *depthwise) taps(i int, each func(pixel, tap int)) {
	w := &d.w
	y, x := i/w.outW*w.sy-w.py, i%w.outW*w.sx-w.px
	for ky := range w.kh {
		iy := y + ky*w.dy
		if iy < 0 || iy >= w.inH {
			continue
		}
		for kx := range w.kw {
			if ix := x + kx*w.dx; ix >= 0 && ix < w.inW {
				each((iy*w.inW+ix)*w.inC, (ky*w.kw+kx)*w.outC)
			}
		}
	}
}

func (b *builder) depthFloats(d depthwise, n *node, a activation) (func(), error) {
	in, out := n.in[0], n.out[0]
	weights, err := b.floats(n.in[1])
	if err != nil {
		return nil, err
	}
	bias := make([]float32, d.w.outC)
	if t := n.optional(2); t != nil {
		if bias, err = b.floats(t); err != nil || len(bias) != d.w.outC {
			return nil, errors.Join(err, fmt.Errorf("bias of the shape %v", t.shape))
		}
	}
	low, high, err := a.bounds()
	if err != nil {
		return nil, err
	}
	c := d.w.outC
	var sum []float32
	each := func(pixel, tap int) { addFloats(sum, in.f[pixel:], weights[tap:tap+c], d.copies) }
	return func() {
		for i := range d.w.pixels() {
			sum = out.f[i*c : (i+1)*c]
			clear(sum)
			d.taps(i, each)
			for k, v := range sum {
				sum[k] = max(low, min(high, v+bias[k]))
			}
		}
	}, nil
}

func addFloats(sum, x, w []float32, copies int) {
	w = w[:len(sum)]
	if copies == 1 {
		x = x[:len(sum)]
		for k := range sum {
			sum[k] += float32(x[k] * w[k])
		}
		return
	}
	for k := range sum {
		sum[k] += float32(x[k/copies] * w[k])
	}
}

func (b *builder) depthInts(d depthwise, n *node, a activation) (func(), error) {
	in, out := n.in[0], n.out[0]
	weights, err := b.bytes(n.in[1])
	if err != nil {
		return nil, err
	}
	ch, err := b.newChannels(n, d.w.outC, 3, a)
	if err != nil {
		return nil, err
	}
	ch.twice = in.kind == Uint8 // optimized/depthwiseconv_uint8.h
	c := d.w.outC
	if err := b.take(8 * int64(c)); err != nil {
		return nil, err
	}
	// Taps beyond the edge count as 0, so the zero points are taken off one by one.
	sum, zx, zw := make([]int32, c), in.zero, n.in[1].zero
	each := func(pixel, tap int) { addInts(sum, in.q[pixel:], weights[tap:tap+c], zx, zw, d.copies) }
	return func() {
		for i := range d.w.pixels() {
			clear(sum)
			d.taps(i, each)
			o := out.q[i*c : (i+1)*c]
			for k, v := range sum {
				o[k] = ch.scale(v, k)
			}
		}
	}, nil
}

func addInts(sum []int32, x, w []int8, zx, zw int32, copies int) {
	w = w[:len(sum)]
	if copies == 1 {
		x = x[:len(sum)]
		for k := range sum {
			sum[k] += (int32(x[k]) - zx) * (int32(w[k]) - zw)
		}
		return
	}
	for k := range sum {
		sum[k] += (int32(x[k/copies]) - zx) * (int32(w[k]) - zw)
	}
}
