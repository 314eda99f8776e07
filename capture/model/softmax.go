package model

import (
	"fmt"
	"math"
)

// makeSoftmax makes probabilities of the numbers along the last dimension.
func makeSoftmax(b *builder, n *node) (step, error) {
	in, out, err := b.mapped(n)
	if err != nil {
		return step{}, err
	}
	beta := n.opts.f32(0, 0)
	if !(beta > 0 && beta < 1000) {
		return step{}, fmt.Errorf("beta is %g", beta)
	}
	row := in.dim(0)
	s := step{work: 32 * int64(out.n)}
	if out.kind == Float32 {
		s.run = func() {
			for i := 0; i < len(in.f); i += row {
				softmax(out.f[i:i+row], in.f[i:i+row], beta)
			}
		}
		return s, nil
	}
	// By a table, as optimized_ops::Softmax does for int8 and uint8.
	table := new([256]float32)
	for i := range table {
		table[i] = float32(exp(float64(-in.scale * beta * float32(255-i))))
	}
	s.run = func() {
		for i := 0; i < len(in.q); i += row {
			softmaxInts(out.q[i:i+row], in.q[i:i+row], table, out)
		}
	}
	return s, nil
}

func softmax(out, in []float32, beta float32) {
	top, sum := float32(math.Inf(-1)), float32(0)
	for _, v := range in {
		top = max(top, v)
	}
	for i, v := range in {
		e := float32(exp(float64((v - top) * beta)))
		out[i] = e
		sum += e
	}
	for i := range out {
		out[i] /= sum
	}
}

func softmaxInts(out, in []int8, table *[256]float32, t *tensor) {
	top, sum := int8(-128), float32(0)
	for _, v := range in {
		top = max(top, v)
	}
	shift := 255 - int(top)
	for _, v := range in {
		sum += table[shift+int(v)]
	}
	inverse := 1 / float32(sum*t.scale)
	for i, v := range in {
		p := int32(float32(table[shift+int(v)]*inverse) + 0.5)
		out[i] = clamp(p+t.zero, -128, 127)
	}
}
