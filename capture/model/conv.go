package model

import (
	"errors"
	"fmt"
	"math"
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

// channels is how the sums of a quantised layer become its output.
type channels struct {
	m         []multiplier // by channel
	fold      []int32      // added to each sum: the bias, and what the zero points come to
	zero      int32        // of the output
	low, high int32
}

// newChannels reads the bias and the scales of a layer of n channels whose
// weights have their scales along dimension axis.
func (b *builder) newChannels(nd *node, n, axis int, a activation) (channels, error) {
	in, weights, out := nd.in[0], nd.in[1], nd.out[0]
	c := channels{zero: out.zero}
	var err error
	if c.fold, err = b.bias(nd.optional(2), n); err != nil {
		return c, err
	}
	if c.low, c.high, err = out.bounds(a); err != nil {
		return c, err
	}
	if weights.scales.n == 0 {
		return c, errors.New("weights without a scale")
	}
	if weights.perAxis() && (weights.axis != axis || weights.scales.n != n) {
		return c, fmt.Errorf("%d scales of weights along dimension %d", weights.scales.n, weights.axis)
	}
	if err := b.take(16 * int64(n)); err != nil {
		return c, err
	}
	c.m = make([]multiplier, n)
	// Of uint8, and of FULLY_CONNECTED, the reference multiplies the scales in 32
	// bits (GetQuantizedConvolutionMultipler in kernels/kernel_util.cc).
	single := in.kind == Uint8 || nd.code == 9 && !weights.perAxis()
	for i := range c.m {
		scale := weights.scale
		if weights.perAxis() {
			scale = weights.scales.f32(i)
			if weights.zeros.n > 1 && weights.zeros.i64(i) != 0 {
				return c, errors.New("weights with a scale for each channel have zero points other than 0")
			}
		}
		product := float64(in.scale) * float64(scale)
		if single {
			product = float64(float32(in.scale * scale))
		}
		if m := product / float64(out.scale); m < 1<<16 && !math.IsNaN(m) {
			c.m[i] = newMultiplier(m)
		} else {
			return c, fmt.Errorf("scales %g and %g to %g", in.scale, scale, out.scale)
		}
	}
	return c, nil
}

func (b *builder) convolveInts(c convolution, n *node, a activation) (func(), error) {
	in, out := n.in[0], n.out[0]
	weights, err := b.bytes(n.in[1])
	if err != nil {
		return nil, err
	}
	ch, err := b.newChannels(n, c.out, 0, a)
	if err != nil {
		return nil, err
	}
	// sum (x-zx)(w-zw) = sum xw - zx sum w - zw sum x + depth zx zw: of these only
	// sum xw, and sum x if zw is not 0, depend on the picture.
	zx, zw := in.zero, n.in[1].zero
	for j := range c.out {
		sum := int32(0)
		for _, w := range weights[j*c.depth : (j+1)*c.depth] {
			sum += int32(w)
		}
		ch.fold[j] += int32(c.depth)*zx*zw - zx*sum
	}
	if !c.w.point() {
		b.needQ = max(b.needQ, block*c.depth)
	}
	return func() {
		for at := 0; at < c.w.pixels(); at += block {
			pixels := min(block, c.w.pixels()-at)
			x := b.spareQ
			if c.w.point() {
				x = in.q[at*c.depth:]
			} else {
				for i := range pixels {
					gather(&c.w, x[i*c.depth:(i+1)*c.depth], in.q, at+i, int8(zx))
				}
			}
			ch.multiply(out.q[at*c.out:(at+pixels)*c.out], x, weights, c.depth, zw)
		}
	}, nil
}

// multiply multiplies rows of depth numbers with a row of weights for each channel.
func (c *channels) multiply(out, x, weights []int8, depth int, zw int32) {
	n := len(c.m)
	rows := len(out) / n
	var sums [block]int32 // zw times the sum of each row
	if zw != 0 {
		for i := range rows {
			for _, v := range x[i*depth : (i+1)*depth] {
				sums[i] += int32(v)
			}
			sums[i] *= zw
		}
	}
	j := 0
	for ; j+4 <= n; j += 4 {
		w0, w1 := weights[j*depth:(j+1)*depth], weights[(j+1)*depth:(j+2)*depth]
		w2, w3 := weights[(j+2)*depth:(j+3)*depth], weights[(j+3)*depth:(j+4)*depth]
		for i := range rows {
			s0, s1, s2, s3 := dotInts4(x[i*depth:(i+1)*depth], w0, w1, w2, w3)
			o := out[i*n+j : i*n+j+4]
			o[0], o[1] = c.scale(s0-sums[i], j), c.scale(s1-sums[i], j+1)
			o[2], o[3] = c.scale(s2-sums[i], j+2), c.scale(s3-sums[i], j+3)
		}
	}
	for ; j < n; j++ {
		w := weights[j*depth : (j+1)*depth]
		for i := range rows {
			s := -sums[i]
			for k, v := range x[i*depth : (i+1)*depth] {
				s += int32(v) * int32(w[k])
			}
			out[i*n+j] = c.scale(s, j)
		}
	}
}

// scale turns the sum of channel j into its output.
func (c *channels) scale(sum int32, j int) int8 {
	return clamp(c.m[j].times(sum+c.fold[j])+c.zero, c.low, c.high)
}

func dotInts4(x, w0, w1, w2, w3 []int8) (s0, s1, s2, s3 int32) {
	w0, w1, w2, w3 = w0[:len(x)], w1[:len(x)], w2[:len(x)], w3[:len(x)]
	for k, v := range x {
		x := int32(v)
		s0 += x * int32(w0[k])
		s1 += x * int32(w1[k])
		s2 += x * int32(w2[k])
		s3 += x * int32(w3[k])
	}
	return s0, s1, s2, s3
}
