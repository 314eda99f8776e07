package modeltest

import "math"

// Padding and activations, by their numbers in the schema.
const (
	Same  = 0
	Valid = 1

	None   = 0
	ReLU   = 1
	ReLUN1 = 2
	ReLU6  = 3
)

// random returns n random bytes.
func (f *File) random(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(f.Rand.Uint32())
	}
	return b
}

func count(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// weights adds weights and a bias for a layer that adds up depth numbers, such
// that its output has about the spread of its input.
func (f *File) weights(in int, shape []int, axis, depth int) (w, bias int) {
	n, kind := shape[axis], f.kinds[in]
	if kind == Float32 {
		list := make([]float32, count(shape))
		for i := range list {
			list[i] = float32(f.Rand.NormFloat64() * math.Sqrt(2/float64(depth)))
		}
		small := make([]float32, n)
		for i := range small {
			small[i] = float32(f.Rand.NormFloat64() * 0.1)
		}
		return f.Reals(shape, list), f.Reals([]int{n}, small)
	}
	q := Quant{Axis: axis}
	data := f.random(count(shape))
	if kind == Uint8 {
		q.Scales, q.Zeros = []float32{float32(0.0197 / math.Sqrt(float64(depth)))}, []int64{121}
	} else {
		for range n {
			q.Scales = append(q.Scales, float32(0.0197/math.Sqrt(float64(depth))*(0.5+f.Rand.Float64())))
			q.Zeros = append(q.Zeros, 0)
		}
		for i := range data {
			data[i] = byte(int8(max(-127, int(int8(data[i])))))
		}
	}
	list := make([]int, n)
	scales := make([]float32, len(q.Scales))
	for i := range scales {
		scales[i] = q.Scales[i] * f.scales[in]
	}
	for i := range list {
		list[i] = int(f.Rand.NormFloat64() * 0.1 / float64(scales[i%len(scales)]))
	}
	w = f.Tensor(kind, shape, q, data)
	bias = f.Table([]int{n}, list)
	zeros := make([]int64, len(scales))
	f.tensors[bias][4] = table{2: scales, 3: zeros, 6: 0}
	return w, bias
}

// out returns how many places a window has.
func slide(n, k, stride, dilation, padding int) int {
	if padding == Same {
		return (n + stride - 1) / stride
	}
	return (n - (k-1)*dilation - 1 + stride) / stride
}

// ConvLayer adds CONV_2D with a window of k x k.
func (f *File) ConvLayer(in, channels, k, stride, dilation, padding, activation int, q Quant) int {
	s := f.shapes[in]
	w, b := f.weights(in, []int{channels, k, k, s[3]}, 0, k*k*s[3])
	shape := []int{1, slide(s[1], k, stride, dilation, padding), slide(s[2], k, stride, dilation, padding), channels}
	return f.Op(Conv, map[int]any{0: byte(padding), 1: stride, 2: stride, 3: byte(activation), 4: dilation, 5: dilation}, f.kinds[in], shape, q, in, w, b)
}

// DepthLayer adds DEPTHWISE_CONV_2D with a window of k x k.
func (f *File) DepthLayer(in, copies, k, stride, dilation, padding, activation int, q Quant) int {
	s := f.shapes[in]
	c := s[3] * copies
	w, b := f.weights(in, []int{1, k, k, c}, 3, k*k)
	shape := []int{1, slide(s[1], k, stride, dilation, padding), slide(s[2], k, stride, dilation, padding), c}
	return f.Op(Depthwise, map[int]any{0: byte(padding), 1: stride, 2: stride, 3: copies, 4: byte(activation), 5: dilation, 6: dilation}, f.kinds[in], shape, q, in, w, b)
}

// DenseLayer adds FULLY_CONNECTED.
func (f *File) DenseLayer(in, units, activation int, q Quant) int {
	depth := count(f.shapes[in])
	kind := f.kinds[in]
	w, b := f.weights(in, []int{units, depth}, 0, depth)
	if kind == Int8 { // one scale, as converters have long written it
		s := f.tensors[w][4].(table)[2].([]float32)[:1]
		f.tensors[w][4] = table{2: s, 3: []int64{0}}
		f.tensors[b][4] = table{2: []float32{s[0] * f.scales[in]}, 3: []int64{0}}
	}
	return f.Op(FullyConnected, map[int]any{0: byte(activation)}, kind, []int{1, units}, q, in, w, b)
}

// PoolLayer adds AVERAGE_POOL_2D or MAX_POOL_2D.
func (f *File) PoolLayer(code, in, k, stride, padding, activation int, q Quant) int {
	s := f.shapes[in]
	shape := []int{1, slide(s[1], k, stride, 1, padding), slide(s[2], k, stride, 1, padding), s[3]}
	return f.Op(code, map[int]any{0: byte(padding), 1: stride, 2: stride, 3: k, 4: k, 5: byte(activation)}, f.kinds[in], shape, q, in)
}

// MobileNet writes a classifier of the shape of MobileNet v1 (Howard et al.,
// arXiv:1704.04861) with random weights: for 96 x 96 grey pixels and a width of
// 0.25 it takes 7 million multiply-adds.
func MobileNet(kind, size, channels int, width float64, classes int) []byte {
	f, out := MobileNetFile(kind, size, channels, width, classes)
	return f.Bytes(out)
}

// MobileNetFile is MobileNet before its outputs are chosen; out is the last.
func MobileNetFile(kind, size, channels int, width float64, classes int) (f *File, out int) {
	f = New(7)
	q := Q(0.04, 3)
	in := Q(1/127.5, -1)
	if kind == Uint8 {
		q, in = Q(0.04, 120), Q(1/127.5, 127)
	}
	if kind == Float32 {
		q, in = Quant{}, Quant{}
	}
	wide := func(c int) int { return max(8, int(float64(c)*width)) }
	x := f.Input(kind, []int{1, size, size, channels}, in)
	x = f.ConvLayer(x, wide(32), 3, 2, 1, Same, ReLU6, q)
	for _, l := range [][2]int{{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}, {512, 2}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}} {
		x = f.DepthLayer(x, 1, 3, l[1], 1, Same, ReLU6, q)
		x = f.ConvLayer(x, wide(l[0]), 1, 1, 1, Same, ReLU6, q)
	}
	last := f.shapes[x]
	x = f.PoolLayer(AveragePool, x, last[1], 1, Valid, None, q)
	x = f.ConvLayer(x, classes, 1, 1, 1, Same, None, q)
	x = f.Op(Reshape, nil, kind, []int{1, classes}, q, x, f.Ints(1, classes))
	end := Q(1.0/256, -128)
	switch kind {
	case Uint8:
		end = Q(1.0/256, 0)
	case Float32:
		end = Quant{}
	}
	x = f.Op(Softmax, map[int]any{0: float32(1)}, kind, []int{1, classes}, end, x)
	return f, x
}

// Says writes a classifier of float32 that takes 8 x 8 grey pixels and says the
// same of every picture: the class which, of so many, with a score over 0.9.
func Says(which, classes int) []byte {
	f := New(1)
	x := f.Input(Float32, []int{1, 8, 8, 1}, Quant{})
	x = f.Op(Mean, map[int]any{0: false}, Float32, []int{1, 1}, Quant{}, x, f.Ints(1, 2))
	bias := make([]float32, classes)
	bias[which] = 8
	w, b := f.Reals([]int{classes, 1}, make([]float32, classes)), f.Reals([]int{classes}, bias)
	x = f.Op(FullyConnected, map[int]any{0: byte(None)}, Float32, []int{1, classes}, Quant{}, x, w, b)
	return f.Bytes(f.Op(Softmax, map[int]any{0: float32(1)}, Float32, []int{1, classes}, Quant{}, x))
}
