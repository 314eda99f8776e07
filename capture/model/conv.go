package model

import (
	"errors"
	"fmt"
)

// block is how many pixels are multiplied with the weights at once. It keeps
// them, and four rows of weights, in the processor's first cache.
const block = 16

// convolution is what CONV_2D and FULLY_CONNECTED have in common: rows of depth
// numbers each, multiplied with out rows of weights.
type convolution struct {
	w     window
	depth int // numbers that one output adds up
	out   int // outputs of a pixel
}

func makeConv(b *builder, n *node) (step, error) {
	if err := n.wants(2, 1); err != nil {
		return step{}, err
	}
	in, weights, out := n.in[0], n.in[1], n.out[0]
	o := n.opts
	if len(weights.shape) != 4 {
		return step{}, fmt.Errorf("weights of the shape %v", weights.shape)
	}
	w, err := newWindow(in, out, weights.shape[1], weights.shape[2], int(o.i32(2, 0)), int(o.i32(1, 0)), int(o.i32(5, 1)), int(o.i32(4, 1)), o.u8(0))
	if err != nil {
		return step{}, err
	}
	if weights.shape[3] != w.inC || weights.shape[0] != w.outC {
		return step{}, fmt.Errorf("weights of the shape %v for %d channels to %d (groups are not supported)", weights.shape, w.inC, w.outC)
	}
	return b.convolve(convolution{w, w.kh * w.kw * w.inC, w.outC}, n, activation(o.u8(3)))
}

func makeFullyConnected(b *builder, n *node) (step, error) {
	if err := n.wants(2, 1); err != nil {
		return step{}, err
	}
	in, weights, out := n.in[0], n.in[1], n.out[0]
	if n.opts.u8(1) != 0 || len(weights.shape) != 2 {
		return step{}, fmt.Errorf("weights of the shape %v or of a shuffled format", weights.shape)
	}
	units, depth := weights.shape[0], weights.shape[1]
	if in.n%depth != 0 || out.n != in.n/depth*units || out.dim(0) != units {
		return step{}, fmt.Errorf("%v times weights of %v do not make %v", in.shape, weights.shape, out.shape)
	}
	rows := in.n / depth
	w := window{inH: 1, inW: rows, inC: depth, outH: 1, outW: rows, outC: units, kh: 1, kw: 1, sy: 1, sx: 1, dy: 1, dx: 1}
	return b.convolve(convolution{w, depth, units}, n, activation(n.opts.u8(0)))
}

// convolve makes the step for the type that the input has.
func (b *builder) convolve(c convolution, n *node, a activation) (step, error) {
	if c.depth > maxDepth {
		return step{}, fmt.Errorf("each output adds up %d numbers, at most %d", c.depth, maxDepth)
	}
	s := step{adds: int64(c.w.pixels()) * int64(c.out) * int64(c.depth)}
	s.work = s.adds + int64(c.w.pixels())*int64(c.depth)
	if s.work > MaxWork {
		return s, errWork
	}
	in, weights, out := n.in[0], n.in[1], n.out[0]
	if err := sameKind(in, out); err != nil {
		return s, err
	}
	if in.kind != weights.kind {
		return s, fmt.Errorf("%s with weights of %s is not supported (convert the model to full integers, or leave it in float32)", in.kind, weights.kind)
	}
	var err error
	if in.kind == Float32 {
		s.run, err = b.convolveFloats(c, n, a)
	} else {
		s.run, err = b.convolveInts(c, n, a)
	}
	return s, err
}

func (b *builder) convolveFloats(c convolution, n *node, a activation) (func(), error) {
	in, out := n.in[0], n.out[0]
	weights, err := b.floats(n.in[1])
	if err != nil {
		return nil, err
	}
	bias := make([]float32, c.out)
	if t := n.optional(2); t != nil {
		if bias, err = b.floats(t); err != nil || len(bias) != c.out {
			return nil, errors.Join(err, fmt.Errorf("bias of the shape %v", t.shape))
		}
	}
	low, high, err := a.bounds()
	if err != nil {
		return nil, err
	}
	if !c.w.point() {
		b.needF = max(b.needF, block*c.depth)
	}
	return func() {
		for at := 0; at < c.w.pixels(); at += block {
			pixels := min(block, c.w.pixels()-at)
			x := b.spareF
			if c.w.point() {
				x = in.f[at*c.depth:]
			} else {
				for i := range pixels {
					gather(&c.w, x[i*c.depth:(i+1)*c.depth], in.f, at+i, 0)
				}
			}
			multiplyFloats(out.f[at*c.out:(at+pixels)*c.out], x, weights, bias, c.depth, c.out)
		}
		if a != noActivation {
			for i, v := range out.f {
				out.f[i] = max(low, min(high, v))
			}
		}
	}, nil
}

// multiplyFloats multiplies rows of depth numbers with n rows of weights.
func multiplyFloats(out, x, weights, bias []float32, depth, n int) {
	rows := len(out) / n
	j := 0
	for ; j+4 <= n; j += 4 {
		w0, w1 := weights[j*depth:(j+1)*depth], weights[(j+1)*depth:(j+2)*depth]
		w2, w3 := weights[(j+2)*depth:(j+3)*depth], weights[(j+3)*depth:(j+4)*depth]
		for i := range rows {
			s0, s1, s2, s3 := dotFloats4(x[i*depth:(i+1)*depth], w0, w1, w2, w3)
			o := out[i*n+j : i*n+j+4]
			o[0], o[1], o[2], o[3] = s0+bias[j], s1+bias[j+1], s2+bias[j+2], s3+bias[j+3]
		}
	}
	for ; j < n; j++ {
		for i := range rows {
			var s float32
			w := weights[j*depth : (j+1)*depth]
			for k, v := range x[i*depth : (i+1)*depth] {
				s += float32(v * w[k]) // rounded: no machine may fuse it with the addition
			}
			out[i*n+j] = s + bias[j]
		}
	}
}

func dotFloats4(x, w0, w1, w2, w3 []float32) (s0, s1, s2, s3 float32) {
	w0, w1, w2, w3 = w0[:len(x)], w1[:len(x)], w2[:len(x)], w3[:len(x)]
	for k, v := range x {
		s0 += float32(v * w0[k])
		s1 += float32(v * w1[k])
		s2 += float32(v * w2[k])
		s3 += float32(v * w3[k])
	}
	return s0, s1, s2, s3
}
