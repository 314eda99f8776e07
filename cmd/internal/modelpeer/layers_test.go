package modelpeer

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/capture/model"
	mt "github.com/sealcam/sealcam/capture/model/modeltest"
)

// scheme is one way of storing numbers: its type, and how integers mean reals.
type scheme struct {
	name string
	kind int
	in   mt.Quant
	next func(scale float32) mt.Quant // of a layer's output
}

var schemes = []scheme{
	{"float32", mt.Float32, mt.Quant{}, func(float32) mt.Quant { return mt.Quant{} }},
	{"int8", mt.Int8, mt.Q(0.021, -3), func(s float32) mt.Quant { return mt.Q(s, -11) }},
	{"uint8", mt.Uint8, mt.Q(0.021, 125), func(s float32) mt.Quant { return mt.Q(s, 117) }},
}

// layer writes one graph for a scheme. off is by how many units in the last
// place integers may differ, where the peer does not calculate like the
// reference kernels; the reason stands beside it.
type layer struct {
	name  string
	shape []int
	make  func(f *mt.File, s scheme, in int)
	off   int
	why   string
}

func layers() []layer {
	picture := []int{1, 11, 14, 8}
	list := []layer{
		{"relu", picture, func(f *mt.File, s scheme, in int) { f.Op(mt.Relu, nil, s.kind, picture, s.next(0.017), in) }, 0, ""},
		{"relu6", picture, func(f *mt.File, s scheme, in int) { f.Op(mt.Relu6, nil, s.kind, picture, s.next(0.031), in) }, 0, ""},
		{"logistic", picture, func(f *mt.File, s scheme, in int) { f.Op(mt.Logistic, nil, s.kind, picture, probability(s), in) }, 0, ""},
		{"hard swish", picture, func(f *mt.File, s scheme, in int) { f.Op(mt.HardSwish, nil, s.kind, picture, s.next(0.019), in) }, 0, ""},
		{"reshape", picture, func(f *mt.File, s scheme, in int) {
			f.Op(mt.Reshape, map[int]any{0: []int{1, 11 * 14, 8}}, s.kind, []int{1, 11 * 14, 8}, s.in, in, f.Ints(1, 11*14, 8))
		}, 0, ""},
		{"reshape of any batch", picture, func(f *mt.File, s scheme, in int) {
			shape := f.Op(mt.Shape, map[int]any{0: byte(mt.Int32)}, mt.Int32, []int{4}, mt.Quant{}, in)
			batch := f.Op(mt.StridedSlice, map[int]any{0: 0, 1: 0, 2: 0, 3: 0, 4: 1}, mt.Int32, []int{}, mt.Quant{}, shape, f.Ints(0), f.Ints(1), f.Ints(1))
			to := f.Op(mt.Pack, map[int]any{0: 3, 1: 0}, mt.Int32, []int{3}, mt.Quant{}, batch, f.Table([]int{}, []int{14 * 11}), f.Table([]int{}, []int{8}))
			f.Only(f.Op(mt.Reshape, nil, s.kind, []int{1, 11 * 14, 8}, s.in, in, to))
		}, 0, ""},
		{"squeeze", []int{1, 1, 1, 40}, func(f *mt.File, s scheme, in int) {
			f.Op(mt.Squeeze, map[int]any{0: []int{1, 2}}, s.kind, []int{1, 40}, s.in, in)
		}, 0, ""},
		{"transpose", picture, func(f *mt.File, s scheme, in int) {
			f.Op(mt.Transpose, map[int]any{}, s.kind, []int{1, 8, 11, 14}, s.in, in, f.Ints(0, 3, 1, 2))
		}, 0, ""},
		{"strided slice", picture, func(f *mt.File, s scheme, in int) {
			f.Op(mt.StridedSlice, map[int]any{0: 0, 1: 8, 2: 0, 3: 0, 4: 0}, s.kind, []int{1, 4, 5, 6}, s.in, in, f.Ints(0, 2, 3, 2), f.Ints(1, 9, -1, 0), f.Ints(1, 2, 2, 1))
		}, 0, ""},
		{"strided slice shrinks", picture, func(f *mt.File, s scheme, in int) {
			f.Op(mt.StridedSlice, map[int]any{0: 8, 1: 12, 2: 0, 3: 0, 4: 2}, s.kind, []int{1, 14, 8}, s.in, in, f.Ints(0, -3, 0, 5), f.Ints(1, 0, 0, 0), f.Ints(1, 1, 1, 1))
		}, 0, ""},
		{"pad", picture, func(f *mt.File, s scheme, in int) {
			f.Op(mt.Pad, map[int]any{}, s.kind, []int{1, 14, 16, 8}, s.in, in, f.Table([]int{4, 2}, []int{0, 0, 1, 2, 0, 2, 0, 0}))
		}, 0, ""},
		{"concatenation", picture, concatenation, 0, ""},
		{"add", picture, func(f *mt.File, s scheme, in int) {
			other := f.PoolLayer(mt.MaxPool, in, 3, 1, mt.Same, mt.None, s.in)
			f.Op(mt.Add, map[int]any{0: byte(mt.ReLU)}, s.kind, picture, s.next(0.029), in, other)
			f.Op(mt.Add, map[int]any{0: byte(mt.None)}, s.kind, picture, s.next(0.031), in, constant(f, s, []int{8}))
			f.Op(mt.Add, map[int]any{0: byte(mt.ReLUN1)}, s.kind, picture, s.next(0.011), other, constant(f, s, []int{1, 1, 1, 1}))
		}, 0, ""},
		{"mul", picture, func(f *mt.File, s scheme, in int) {
			other := f.PoolLayer(mt.MaxPool, in, 3, 1, mt.Same, mt.None, s.in)
			gate := f.Op(mt.Mean, map[int]any{0: true}, s.kind, []int{1, 1, 1, 8}, s.in, in, f.Ints(1, 2))
			f.Op(mt.Mul, map[int]any{0: byte(mt.None)}, s.kind, picture, s.next(0.029), in, other)
			f.Op(mt.Mul, map[int]any{0: byte(mt.ReLU6)}, s.kind, picture, s.next(0.021), in, gate)
			f.Op(mt.Mul, map[int]any{0: byte(mt.None)}, s.kind, picture, s.next(0.033), constant(f, s, []int{8}), other)
		}, 0, ""},
		{"softmax", []int{1, 37}, func(f *mt.File, s scheme, in int) {
			f.Op(mt.Softmax, map[int]any{0: float32(1)}, s.kind, []int{1, 37}, probability(s), in)
		}, 0, ""},
		{"fully connected", []int{1, 61}, func(f *mt.File, s scheme, in int) {
			f.DenseLayer(in, 19, mt.None, s.next(0.043))
			f.DenseLayer(in, 8, mt.ReLU6, s.next(0.03))
		}, 0, ""},
	}
	for _, corners := range []bool{false, true} {
		for _, centres := range []bool{false, true} {
			if corners && centres {
				continue // no kernel allows both
			}
			list = append(list,
				layer{fmt.Sprintf("resize nearest %v %v", corners, centres), picture, func(f *mt.File, s scheme, in int) {
					f.Op(mt.ResizeNearest, map[int]any{0: corners, 1: centres}, s.kind, []int{1, 22, 21, 8}, s.in, in, f.Ints(22, 21))
					f.Op(mt.ResizeNearest, map[int]any{0: corners, 1: centres}, s.kind, []int{1, 5, 9, 8}, s.in, in, f.Ints(5, 9))
				}, 0, ""},
				layer{fmt.Sprintf("resize bilinear %v %v", corners, centres), picture, func(f *mt.File, s scheme, in int) {
					f.Op(mt.ResizeBilinear, map[int]any{2: corners, 3: centres}, s.kind, []int{1, 22, 21, 8}, s.in, in, f.Ints(22, 21))
					f.Op(mt.ResizeBilinear, map[int]any{2: corners, 3: centres}, s.kind, []int{1, 5, 9, 8}, s.in, in, f.Ints(5, 9))
				}, 1, "the peer mixes integers in steps of a fraction, here they are mixed as reals"})
		}
	}
	return append(list, windows(picture)...)
}

// windows are layers that slide over the picture, in every padding and stride.
func windows(picture []int) []layer {
	var list []layer
	for _, padding := range []int{mt.Same, mt.Valid} {
		for _, stride := range []int{1, 2} {
			for _, k := range []int{1, 2, 3, 5} {
				name := fmt.Sprintf("%dx%d by %d %s", k, k, stride, [...]string{"same", "valid"}[padding])
				list = append(list,
					layer{"conv " + name, picture, func(f *mt.File, s scheme, in int) {
						f.ConvLayer(in, 10, k, stride, 1, padding, mt.ReLU6, s.next(0.033))
					}, 0, ""},
					layer{"depthwise " + name, picture, func(f *mt.File, s scheme, in int) {
						f.DepthLayer(in, 1, k, stride, 1, padding, mt.ReLU, s.next(0.027))
						f.DepthLayer(in, 2, k, stride, 1, padding, mt.None, s.next(0.033))
					}, 0, ""},
					layer{"pools " + name, picture, func(f *mt.File, s scheme, in int) {
						f.PoolLayer(mt.MaxPool, in, k, stride, padding, mt.ReLU, s.in)
						f.PoolLayer(mt.AveragePool, in, k, stride, padding, mt.None, s.in)
					}, 0, ""})
			}
		}
	}
	return append(list,
		layer{"dilated", picture, func(f *mt.File, s scheme, in int) {
			f.ConvLayer(in, 6, 3, 1, 2, mt.Same, mt.None, s.next(0.033))
			f.DepthLayer(in, 1, 3, 1, 3, mt.Same, mt.ReLUN1, s.next(0.027))
		}, 0, ""},
		layer{"mean", picture, func(f *mt.File, s scheme, in int) {
			f.Op(mt.Mean, map[int]any{0: true}, s.kind, []int{1, 1, 1, 8}, s.in, in, f.Ints(1, 2))
			f.Op(mt.Mean, map[int]any{0: false}, s.kind, []int{1, 8}, s.next(0.013), in, f.Ints(2, -3))
		}, 0, ""})
}

func probability(s scheme) mt.Quant {
	switch s.kind {
	case mt.Int8:
		return mt.Q(1.0/256, -128)
	case mt.Uint8:
		return mt.Q(1.0/256, 0)
	}
	return mt.Quant{}
}

// constant adds a constant of random numbers.
func constant(f *mt.File, s scheme, shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	if s.kind == mt.Float32 {
		list := make([]float32, n)
		for i := range list {
			list[i] = float32(f.Rand.NormFloat64())
		}
		return f.Reals(shape, list)
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(f.Rand.Uint32())
	}
	return f.Tensor(s.kind, shape, s.next(0.017), b)
}

func concatenation(f *mt.File, s scheme, in int) {
	other := f.PoolLayer(mt.MaxPool, in, 3, 1, mt.Same, mt.None, s.in)
	f.Op(mt.Concatenation, map[int]any{0: 3, 1: byte(0)}, s.kind, []int{1, 11, 14, 16}, s.in, in, other)
	f.Op(mt.Concatenation, map[int]any{0: -3, 1: byte(0)}, s.kind, []int{1, 33, 14, 8}, s.in, in, other, in)
}

// give returns an input for a shape: noise, or reals of about -2 to 2.
func give(s scheme, shape []int) []byte {
	n := 1
	for _, d := range shape {
		n *= d
	}
	b := noise(n)
	if s.kind != mt.Float32 {
		return b
	}
	var out []byte
	for _, v := range b {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(int8(v))/60))
	}
	return out
}

// TestLayers runs every operator in every type in both runtimes.
func TestLayers(t *testing.T) {
	type want struct {
		name string
		l    layer
		got  []model.Output
	}
	var jobs []job
	var wants []want
	for _, s := range schemes {
		for _, l := range layers() {
			f := mt.New(uint64(len(jobs)))
			l.make(f, s, f.Input(s.kind, l.shape, s.in))
			file, input := f.Bytes(), give(s, l.shape)
			got, err := model.Evaluate(t.Context(), file, input)
			if err != nil {
				t.Errorf("%s %s: %v", l.name, s.name, err)
				continue
			}
			jobs = append(jobs, job{encode(file), encode(input)})
			wants = append(wants, want{s.name + " " + l.name, l, got})
		}
	}
	for i, a := range peer(t, jobs) {
		t.Run(strings.ReplaceAll(wants[i].name, " ", "-"), func(t *testing.T) {
			if off := wants[i].l.off; off > 0 {
				t.Logf("may differ by %d: %s", off, wants[i].l.why)
			}
			compare(t, wants[i].got, a, wants[i].l.off)
		})
	}
}

// compare wants reals that agree within rounding, and integers within off.
func compare(t *testing.T, got []model.Output, a answer, off int) {
	t.Helper()
	if a.Error != "" || len(a.Outputs) != len(got) {
		t.Fatalf("the peer gives %d outputs of %d: %s", len(a.Outputs), len(got), a.Error)
	}
	for k, o := range got {
		want := decode(t, a.Outputs[k].Data)
		if len(want) != len(o.Data) {
			t.Errorf("output %d %v: %d bytes, the peer has %d", k, o.Shape, len(o.Data), len(want))
			continue
		}
		worst, differ, n := distance(o, want)
		limit := float64(off)
		if o.Type == model.Float32 {
			limit = 2e-5
		}
		if worst > limit {
			t.Errorf("output %d %v: %d of %d numbers differ, by %g at most", k, o.Shape, differ, n, worst)
		}
	}
}

// distance returns by how much the outputs differ at most, and how often.
func distance(o model.Output, want []byte) (worst float64, differ, n int) {
	n = len(want)
	if o.Type == model.Float32 {
		n /= 4
	}
	for i := range n {
		var d float64
		switch o.Type {
		case model.Float32:
			x := math.Float32frombits(binary.LittleEndian.Uint32(o.Data[4*i:]))
			y := math.Float32frombits(binary.LittleEndian.Uint32(want[4*i:]))
			d = math.Abs(float64(x-y)) / (1 + math.Abs(float64(y)))
			if d != d {
				d = math.Inf(1)
			}
		case model.Int8:
			d = math.Abs(float64(int8(o.Data[i])) - float64(int8(want[i])))
		default:
			d = math.Abs(float64(o.Data[i]) - float64(want[i]))
		}
		if worst = max(worst, d); d > 0 {
			differ++
		}
	}
	return worst, differ, n
}
