package model

import "math"

// multiplier is a real factor as the integer kernels apply it: value * 2^shift,
// where value is a fraction of 2^31. From QuantizeMultiplier in
// tensorflow/lite/kernels/internal/quantization_util.cc.
type multiplier struct {
	value int32
	shift int // to the left where positive
}

func newMultiplier(m float64) multiplier {
	if m == 0 {
		return multiplier{}
	}
	fraction, shift := math.Frexp(m)
	value := int64(math.Round(fraction * (1 << 31)))
	if value == 1<<31 {
		value /= 2
		shift++
	}
	if shift < -31 {
		return multiplier{}
	}
	if shift > 30 {
		return multiplier{math.MaxInt32, 30}
	}
	return multiplier{int32(value), shift}
}

// times returns x times m, rounded to the nearest, halves upwards: once, as
// MultiplyByQuantizedMultiplier in tensorflow/lite/kernels/internal/common.h does
// with TFLITE_SINGLE_ROUNDING, and ruy's matrix kernels do.
func (m multiplier) times(x int32) int32 {
	shift := uint(31 - m.shift)
	return int32((int64(x)*int64(m.value) + 1<<(shift-1)) >> shift)
}

// twice returns x times m, rounded twice as MultiplyByQuantizedMultiplier did
// before. Some kernels still do.
func (m multiplier) twice(x int32) int32 {
	if m.shift > 0 {
		return highMul(x<<uint(m.shift), m.value)
	}
	return divideByPower(highMul(x, m.value), uint(-m.shift))
}

// highMul returns the upper half of twice a times b, rounded to the nearest;
// it saturates. gemmlowp's SaturatingRoundingDoublingHighMul.
func highMul(a, b int32) int32 {
	if a == math.MinInt32 && b == math.MinInt32 {
		return math.MaxInt32
	}
	ab := int64(a) * int64(b)
	nudge := int64(1 << 30)
	if ab < 0 {
		nudge = 1 - nudge
	}
	return int32((ab + nudge) / (1 << 31))
}

// divideByPower returns x / 2^e, rounded to the nearest, ties away from zero.
// gemmlowp's RoundingDivideByPOT.
func divideByPower(x int32, e uint) int32 {
	mask := int32(1)<<e - 1
	threshold := mask >> 1
	if x < 0 {
		threshold++
	}
	y := x >> e
	if x&mask > threshold {
		y++
	}
	return y
}

// clamp holds x within low and high.
func clamp(x, low, high int32) int8 { return int8(max(low, min(high, x))) }

// bounds returns between which numbers a quantised t stays after a.
func (t *tensor) bounds(a activation) (low, high int32, err error) {
	l, h, err := a.bounds()
	if err != nil {
		return 0, 0, err
	}
	at := func(real float32) int32 {
		q := math.Round(float64(real / t.scale))
		return int32(max(-128, min(127, q+float64(t.zero))))
	}
	return at(l), at(h), nil
}

// rescale is how numbers of one quantised tensor become those of another.
type rescale struct {
	m         multiplier
	from, to  int32 // zero points
	low, high int32
}

func newRescale(from, to *tensor, a activation) (rescale, error) {
	r := rescale{m: newMultiplier(float64(from.scale) / float64(to.scale)), from: from.zero, to: to.zero}
	var err error
	r.low, r.high, err = to.bounds(a)
	return r, err
}

func (r *rescale) run(out, in []int8) {
	in = in[:len(out)]
	for i := range out {
		out[i] = clamp(r.m.times(int32(in[i])-r.from)+r.to, r.low, r.high)
	}
}

// lookup is a function of one number of a quantised tensor, by that number + 128.
type lookup [256]int8

// newLookup tabulates f over the real numbers that in and out stand for, as the
// tables of tensorflow/lite/kernels/internal/common.h do.
func newLookup(in, out *tensor, f func(float32) float32) *lookup {
	table := new(lookup)
	inverse := 1 / out.scale
	for i := range table {
		real := f(float32(in.scale * float32(int32(i-128)-in.zero)))
		q := math.Round(float64(float32(real * inverse)))
		table[i] = int8(max(-128, min(127, q+float64(out.zero))))
	}
	return table
}

func (l *lookup) run(out, in []int8) {
	in = in[:len(out)]
	for i := range out {
		out[i] = l[int(in[i])+128]
	}
}
