package model

import (
	"encoding/binary"
	"fmt"
	"math"
)

// unary checks an operator of one input and one output of the same size.
func unary(n *node) (in, out *tensor, err error) {
	if err := n.wants(1, 1); err != nil {
		return nil, nil, err
	}
	in, out = n.in[0], n.out[0]
	if in.n != out.n {
		return in, out, fmt.Errorf("%v does not become %v", in.shape, out.shape)
	}
	return in, out, nil
}

// mapped is unary for an operator whose input and output are of one kind, and
// readies the input.
func (b *builder) mapped(n *node) (in, out *tensor, err error) {
	if in, out, err = unary(n); err == nil {
		err = sameKind(in, out)
	}
	if err == nil {
		err = b.load(in)
	}
	return in, out, err
}

func makeRelu(b *builder, n *node) (step, error)  { return makeActivation(b, n, relu) }
func makeRelu6(b *builder, n *node) (step, error) { return makeActivation(b, n, relu6) }

func makeActivation(b *builder, n *node, a activation) (step, error) {
	in, out, err := b.mapped(n)
	if err != nil {
		return step{}, err
	}
	s := step{work: int64(out.n)}
	if out.kind == Float32 {
		low, high, _ := a.bounds()
		s.run = func() {
			for i, v := range in.f {
				out.f[i] = max(low, min(high, v))
			}
		}
		return s, nil
	}
	r, err := newRescale(in, out, a)
	s.run = func() { r.run(out.q, in.q) }
	return s, err
}

// makeLogistic makes 1/(1+e^-x), of integers by a table.
func makeLogistic(b *builder, n *node) (step, error) {
	in, out, err := b.mapped(n)
	if err != nil {
		return step{}, err
	}
	logistic := func(x float32) float32 { return float32(1 / (1 + exp(-float64(x)))) }
	if out.kind == Float32 {
		return step{work: 32 * int64(out.n), run: func() {
			for i, v := range in.f {
				out.f[i] = logistic(v)
			}
		}}, nil
	}
	table := newLookup(in, out, logistic)
	return step{work: int64(out.n), run: func() { table.run(out.q, in.q) }}, nil
}

// makeHardSwish makes x * relu6(x+3) / 6.
func makeHardSwish(b *builder, n *node) (step, error) {
	in, out, err := b.mapped(n)
	if err != nil {
		return step{}, err
	}
	if out.kind == Float32 {
		return step{work: 4 * int64(out.n), run: func() {
			for i, v := range in.f {
				out.f[i] = v * max(0, min(6, v+3)) / 6
			}
		}}, nil
	}
	h := newHardSwish(in, out)
	table := new(lookup)
	for i := range table {
		table[i] = h.of(int8(i - 128))
	}
	return step{work: int64(out.n), run: func() { table.run(out.q, in.q) }}, nil
}

// hardSwish is HARD_SWISH in 16-bit fixed point, as reference_ops::HardSwish
// calculates it (tensorflow/lite/kernels/internal/reference/hard_swish.h).
type hardSwish struct {
	zeroIn, zeroOut int32
	out             multiplier // values of 16 bits
	relu            multiplier
}

func newHardSwish(in, out *tensor) hardSwish {
	fine := float32(1.0/128) * in.scale
	half := func(m float32) multiplier { // of 16 bits
		r := newMultiplier(float64(m))
		if r.value >= math.MaxInt32-1<<15 {
			r.value = math.MaxInt16
		} else {
			r.value = (r.value + 1<<15) >> 16
		}
		return r
	}
	return hardSwish{in.zero, out.zero, half(fine / out.scale), half(fine / float32(3.0/32768))}
}

func (h *hardSwish) of(q int8) int8 {
	x := narrow((int32(q) - h.zeroIn) << 7)
	scaled := highMul16(x, h.out.value)
	r := x
	if h.relu.shift > 0 {
		r = narrow(r << min(uint(h.relu.shift-1), 16))
	}
	r = highMul16(r, h.relu.value)
	if h.relu.shift > 0 {
		r = narrow(r << 1)
	} else if h.relu.shift < 0 {
		r = divideByPower(r, uint(-h.relu.shift))
	}
	r = (r + 1<<15) >> 1
	y := r * scaled / (1 << 15)
	if h.out.shift <= 0 {
		y = divideByPower(y, uint(-h.out.shift))
	} else {
		y = narrow(y << min(uint(h.out.shift), 15))
	}
	return clamp(y+h.zeroOut, -128, 127)
}

// narrow holds x within 16 bits.
func narrow(x int32) int32 { return max(math.MinInt16, min(math.MaxInt16, x)) }

// highMul16 is highMul of 16 bits.
func highMul16(a, b int32) int32 {
	ab, nudge := a*b, int32(1<<14)
	if ab < 0 {
		nudge = 1 - nudge
	}
	return narrow((ab + nudge) / (1 << 15))
}

// makeQuantize makes integers of reals, or other integers of integers.
func makeQuantize(b *builder, n *node) (step, error) {
	in, out, err := unary(n)
	if err == nil {
		err = in.numbers()
	}
	if err == nil {
		err = out.numbers()
	}
	if err == nil {
		err = b.load(in)
	}
	if err != nil {
		return step{}, err
	}
	if !out.kind.quantised() {
		return step{}, fmt.Errorf("%s to %s is not supported", in.kind, out.kind)
	}
	s := step{work: 4 * int64(out.n)}
	if in.kind == Float32 {
		s.run = func() { out.quantise(in.f) }
		return s, nil
	}
	r, err := newRescale(in, out, noActivation)
	s.run = func() { r.run(out.q, in.q) }
	return s, err
}

// quantise sets t to the reals.
func (t *tensor) quantise(reals []float32) {
	reals = reals[:len(t.q)]
	for i := range t.q {
		q := math.Round(float64(reals[i] / t.scale))
		if q != q {
			q = 0
		}
		t.q[i] = int8(max(-128, min(127, q+float64(t.zero))))
	}
}

// real returns number i of t as the real that it stands for.
func (t *tensor) real(i int) float32 {
	if t.kind == Float32 {
		return t.f[i]
	}
	return t.scale * float32(int32(t.q[i])-t.zero)
}

// makeDequantize makes reals of integers, or of a constant's 16-bit reals.
func makeDequantize(b *builder, n *node) (step, error) {
	in, out, err := unary(n)
	if err != nil {
		return step{}, err
	}
	if out.kind != Float32 {
		return step{}, fmt.Errorf("%s to %s is not supported", in.kind, out.kind)
	}
	if in.kind == Float16 {
		if len(in.raw) != 2*in.n {
			return step{}, fmt.Errorf("float16 of %d bytes for %v", len(in.raw), in.shape)
		}
		for i := range out.f {
			out.f[i] = half(binary.LittleEndian.Uint16(in.raw[2*i:]))
		}
		return step{}, b.keep(out)
	}
	if in.kind == Float32 {
		return step{}, fmt.Errorf("%s to %s is not supported", in.kind, out.kind)
	}
	if err := in.numbers(); err != nil {
		return step{}, err
	}
	if err := b.load(in); err != nil {
		return step{}, err
	}
	run := func() {
		for i, q := range in.q {
			out.f[i] = in.scale * float32(int32(q)-in.zero)
		}
	}
	return step{work: int64(out.n), run: run}, nil
}

// keep makes a constant of what has been calculated once for all looks: it gets
// memory of its own, and reads as one by those who come after.
func (b *builder) keep(t *tensor) error {
	if err := b.take(8 * int64(t.n)); err != nil {
		return err
	}
	raw := make([]byte, 0, 4*t.n)
	for _, v := range t.f {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	t.raw, t.f = raw, nil
	return b.load(t)
}

// half returns the real of a 16-bit float (IEEE 754 binary16).
func half(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exponent {
	case 0:
		f := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}
