// Package modeltest writes TensorFlow Lite files with random weights, for tests
// of what reads and runs them.
//
// What this package does not do: it trains nothing, and what it writes sees
// nothing. Only tests and benchmarks import it.
package modeltest

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
)

// The types of a tensor, by their numbers in the schema.
const (
	Float32 = 0
	Float16 = 1
	Int32   = 2
	Uint8   = 3
	Int64   = 4
	Int8    = 9
)

// The operators, by their numbers in the schema.
const (
	Add            = 0
	AveragePool    = 1
	Concatenation  = 2
	Conv           = 3
	Depthwise      = 4
	Dequantize     = 6
	FullyConnected = 9
	Logistic       = 14
	MaxPool        = 17
	Mul            = 18
	Relu           = 19
	Relu6          = 21
	Reshape        = 22
	ResizeBilinear = 23
	Softmax        = 25
	Custom         = 32
	Pad            = 34
	Transpose      = 39
	Mean           = 40
	Squeeze        = 43
	StridedSlice   = 45
	Shape          = 77
	Pack           = 83
	ResizeNearest  = 97
	Quantize       = 114
	HardSwish      = 117
)

// options says in which union member an operator has its options.
var options = map[int]byte{
	Add: 11, AveragePool: 5, Concatenation: 10, Conv: 1, Depthwise: 2, Dequantize: 38, FullyConnected: 8, MaxPool: 5, Mul: 21,
	Reshape: 17, ResizeBilinear: 15, Softmax: 9, Pad: 22, Transpose: 26, Mean: 27, Squeeze: 30, StridedSlice: 32, Shape: 55, Pack: 59, ResizeNearest: 74, Quantize: 89, HardSwish: 91,
}

// File is a model that is being written. Tensors are known by their numbers.
type File struct {
	Rand *rand.Rand

	tensors, buffers, operators, codes []table
	known                              map[[2]any]int
	shapes                             [][]int
	kinds                              []int
	scales                             []float32
	given                              []int // tensors that are calculated
	input                              int
}

// New returns an empty File whose weights follow from seed.
func New(seed uint64) *File {
	return &File{Rand: rand.New(rand.NewPCG(seed, 1)), buffers: []table{{}}, known: map[[2]any]int{}}
}

// Quant is how integers stand for reals.
type Quant struct {
	Scales []float32
	Zeros  []int64
	Axis   int
}

// Q returns a Quant of one scale.
func Q(scale float32, zero int64) Quant { return Quant{Scales: []float32{scale}, Zeros: []int64{zero}} }

// Tensor adds a tensor; data is nil for what is calculated.
func (f *File) Tensor(kind int, shape []int, q Quant, data []byte) int {
	t := table{0: shape, 1: byte(kind), 2: 0, 3: "t" + string(rune('a'+len(f.tensors)%26))}
	if data != nil {
		f.buffers = append(f.buffers, table{0: data})
		t[2] = len(f.buffers) - 1
	}
	scale := float32(0)
	if q.Scales != nil {
		t[4] = table{2: q.Scales, 3: q.Zeros, 6: q.Axis}
		scale = q.Scales[0]
	}
	f.tensors = append(f.tensors, t)
	f.shapes, f.kinds, f.scales = append(f.shapes, shape), append(f.kinds, kind), append(f.scales, scale)
	return len(f.tensors) - 1
}

// Input adds the tensor that the model takes.
func (f *File) Input(kind int, shape []int, q Quant) int {
	f.input = f.Tensor(kind, shape, q, nil)
	return f.input
}

// Ints adds a constant list of int32.
func (f *File) Ints(list ...int) int { return f.Table([]int{len(list)}, list) }

// Table adds a constant of int32 with a shape.
func (f *File) Table(shape, list []int) int {
	var b []byte
	for _, v := range list {
		b = binary.LittleEndian.AppendUint32(b, uint32(int32(v)))
	}
	return f.Tensor(Int32, shape, Quant{}, b)
}

// Reals adds a constant of float32.
func (f *File) Reals(shape []int, list []float32) int {
	var b []byte
	for _, v := range list {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return f.Tensor(Float32, shape, Quant{}, b)
}

// Op adds an operator that gives a tensor of that kind, shape and meaning.
func (f *File) Op(code int, opts map[int]any, kind int, shape []int, q Quant, in ...int) int {
	out := f.Tensor(kind, shape, q, nil)
	f.op(code, "", opts, nil, []int{out}, in)
	return out
}

// Only leaves t alone of what has been calculated as an output of Bytes.
func (f *File) Only(t int) { f.given = []int{t} }

// OpOut adds an operator without options that gives tensors which are there already.
func (f *File) OpOut(code int, out []int, in ...int) { f.op(code, "", nil, nil, out, in) }

// version returns a version of an operator that knows int8, or its only one.
func version(code int) int {
	switch code {
	case Conv, Depthwise:
		return 3
	case Reshape, HardSwish, Custom, Shape:
		return 1
	}
	return 2
}

func (f *File) op(code int, name string, opts map[int]any, custom []byte, out, in []int) {
	key := [2]any{code, name}
	if _, ok := f.known[key]; !ok {
		f.known[key] = len(f.codes)
		c := table{0: byte(min(code, 127)), 2: version(code), 3: code}
		if name != "" {
			c[1] = name
		}
		f.codes = append(f.codes, c)
	}
	t := table{0: f.known[key], 1: in, 2: out}
	if kind, ok := options[code]; ok && opts != nil {
		t[3], t[4] = kind, table(opts)
	}
	if custom != nil {
		t[5] = custom
	}
	f.operators = append(f.operators, t)
	f.given = append(f.given, out...)
}

// Detection ends a detector: boxes, scores and anchors become the four outputs.
func (f *File) Detection(opts map[string]any, boxes, scores, anchors int) []int {
	var out []int
	most := opts["max_detections"].(int)
	for _, shape := range [][]int{{1, most, 4}, {1, most}, {1, most}, {1}} {
		out = append(out, f.Tensor(Float32, shape, Quant{}, nil))
	}
	f.op(Custom, "TFLite_Detection_PostProcess", nil, flex(opts), out, []int{boxes, scores, anchors})
	return out
}

// CustomOp adds a custom operator of any name.
func (f *File) CustomOp(name string, opts []byte, in, out []int) {
	f.op(Custom, name, nil, opts, out, in)
}

// Shape returns the shape of a tensor.
func (f *File) Shape(t int) []int { return f.shapes[t] }

// Bytes returns the file. Its outputs are those named, or everything that is
// calculated if none is.
func (f *File) Bytes(outputs ...int) []byte {
	if outputs == nil {
		outputs = f.given
	}
	w := &writer{b: make([]byte, 8)}
	copy(w.b[4:], "TFL3")
	sub := table{0: f.tensors, 1: []int{f.input}, 2: outputs, 3: f.operators, 4: "main"}
	root := w.table(table{0: 3, 1: f.codes, 2: []table{sub}, 3: "sealcam test", 4: f.buffers})
	w.point(0, root)
	return w.b
}
