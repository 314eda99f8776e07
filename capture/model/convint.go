package model

import (
	"errors"
	"fmt"
	"math"
)

// channels is how the sums of a quantised layer become its output.
type channels struct {
	m         []multiplier // by channel
	fold      []int32      // added to each sum: the bias, and what the zero points come to
	zero      int32        // of the output
	low, high int32
	twice     bool // round twice
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
	packed, err := b.pack(weights, c.out, c.depth)
	if err != nil {
		return nil, err
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
			ch.multiply(out.q[at*c.out:(at+pixels)*c.out], x, &packed, zw)
		}
	}, nil
}

// multiply multiplies rows of numbers with the weights of each channel.
func (c *channels) multiply(out, x []int8, w *packed, zw int32) {
	n := len(c.m)
	rows := len(out) / n
	var sums [block]int32 // zw times the sum of each row
	if zw != 0 {
		for i := range rows {
			for _, v := range x[i*w.depth : (i+1)*w.depth] {
				sums[i] += int32(v)
			}
			sums[i] *= zw
		}
	}
	var s [lanes]int32
	for j := 0; j < n; j += lanes {
		for i := range rows {
			w.dot(&s, x[i*w.depth:(i+1)*w.depth], j/lanes)
			o := out[i*n+j : i*n+min(n, j+lanes)]
			for k := range o {
				o[k] = c.scale(s[k]-sums[i], j+k)
			}
		}
	}
}

// scale turns the sum of channel j into its output.
func (c *channels) scale(sum int32, j int) int8 {
	if c.twice {
		return clamp(c.m[j].twice(sum+c.fold[j])+c.zero, c.low, c.high)
	}
	return clamp(c.m[j].times(sum+c.fold[j])+c.zero, c.low, c.high)
}
