package model_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/capture/model"
	mt "github.com/sealcam/sealcam/capture/model/modeltest"
)

var small = []int{1, 8, 8, 3}

// softmax ends a classifier of ten classes at x.
func softmax(f *mt.File, kind int, q mt.Quant, x int) []byte {
	x = f.DenseLayer(x, 10, mt.None, q)
	return f.Bytes(f.Op(mt.Softmax, map[int]any{0: float32(1)}, kind, []int{1, 10}, q, x))
}

// TestRefused wants everything that cannot be run to be refused before a look,
// in words that name it.
func TestRefused(t *testing.T) {
	real := mt.Quant{}
	good := mt.MobileNet(mt.Int8, 32, 3, 0.25, 4)
	cut := func(n int) []byte { return slices.Clone(good[:n]) }
	for _, c := range []struct {
		want string
		file []byte
	}{
		{"no TensorFlow Lite model", nil},
		{"no TensorFlow Lite model", []byte("PK\x03\x04 something else")},
		{"damaged", cut(len(good) / 2)},
		{"damaged", cut(40)},
		{"operator 0: LSTM is not supported", build(func(f *mt.File, in int) int { return f.Op(16, nil, mt.Float32, small, real, in) })},
		{"operator 0: operator number 141 is not supported", build(func(f *mt.File, in int) int { return f.Op(141, nil, mt.Float32, small, real, in) })},
		{"operator 0: SomethingOwn is not supported", build(func(f *mt.File, in int) int {
			out := f.Tensor(mt.Float32, small, real, nil)
			f.CustomOp("SomethingOwn", nil, []int{in}, []int{out})
			return out
		})},
		{"ADD: [1 8 8 3] with [1 8 8 3] does not make [1 8 8 4]", build(func(f *mt.File, in int) int {
			return f.Op(mt.Add, map[int]any{0: byte(0)}, mt.Float32, []int{1, 8, 8, 4}, real, in, in)
		})},
		{"CONV_2D: [1 8 8 3] becomes 8x8, but its output has the shape [1 7 8 5]", build(func(f *mt.File, in int) int {
			w := f.Reals([]int{5, 1, 1, 3}, make([]float32, 15))
			return f.Op(mt.Conv, map[int]any{0: byte(mt.Same), 1: 1, 2: 1}, mt.Float32, []int{1, 7, 8, 5}, real, in, w)
		})},
		{"float32 with weights of int8", build(func(f *mt.File, in int) int {
			w := f.Tensor(mt.Int8, []int{5, 1, 1, 3}, mt.Q(0.1, 0), make([]byte, 15))
			return f.Op(mt.Conv, map[int]any{0: byte(mt.Same), 1: 1, 2: 1}, mt.Float32, []int{1, 8, 8, 5}, real, in, w)
		})},
		{"has 3 bytes", build(func(f *mt.File, in int) int {
			w := f.Tensor(mt.Float32, []int{5, 1, 1, 3}, real, []byte{1, 2, 3})
			return f.Op(mt.Conv, map[int]any{0: byte(mt.Same), 1: 1, 2: 1}, mt.Float32, []int{1, 8, 8, 5}, real, in, w)
		})},
		{"nothing has given yet", build(func(f *mt.File, in int) int {
			return f.Op(mt.Relu, nil, mt.Float32, small, real, f.Tensor(mt.Float32, small, real, nil))
		})},
		{"neither a classifier", build(func(f *mt.File, in int) int { return f.Op(mt.Relu, nil, mt.Float32, small, real, in) })},
		{"more than 96 MiB of memory", build(func(f *mt.File, in int) int {
			return f.Op(mt.ResizeNearest, map[int]any{}, mt.Float32, []int{1, 4000, 4000, 3}, real, in, f.Ints(4000, 4000))
		})},
		{"AVERAGE_POOL_2D: one look takes more than 4000 million", build(func(f *mt.File, in int) int {
			x := f.Op(mt.ResizeNearest, map[int]any{}, mt.Float32, []int{1, 1000, 1000, 3}, real, in, f.Ints(1000, 1000))
			return f.PoolLayer(mt.AveragePool, x, 999, 1, mt.Same, mt.None, real)
		})},
		{"AVERAGE_POOL_2D: it alone takes more than 400 million", build(func(f *mt.File, in int) int {
			x := f.Op(mt.ResizeNearest, map[int]any{}, mt.Float32, []int{1, 1000, 1000, 3}, real, in, f.Ints(1000, 1000))
			return f.PoolLayer(mt.AveragePool, x, 12, 1, mt.Same, mt.None, real)
		})},
		{"picture of 1 or 3 channels", func() []byte {
			f := mt.New(1)
			return softmax(f, mt.Float32, real, f.Input(mt.Float32, []int{1, 4, 4, 2}, real))
		}()},
		{"int8 without a scale", func() []byte {
			f := mt.New(1)
			return f.Bytes(f.Op(mt.Relu, nil, mt.Int8, small, real, f.Input(mt.Int8, small, real)))
		}()},
	} {
		m, err := model.New(c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, found %v (%v)", c.want, err, m != nil)
		}
	}
}

// build writes a model of one operator on a small picture.
func build(op func(f *mt.File, in int) int) []byte {
	f := mt.New(1)
	return f.Bytes(op(f, f.Input(mt.Float32, small, mt.Quant{})))
}

func TestInfo(t *testing.T) {
	file := mt.MobileNet(mt.Int8, 96, 1, 0.25, 3)
	m, err := model.New(file)
	if err != nil {
		t.Fatal(err)
	}
	i := m.Info()
	if i.Width != 96 || i.Height != 96 || i.Channels != 1 || i.Classes != 3 || i.Type != model.Int8 || i.Detector || i.Labels != nil {
		t.Errorf("%+v", i)
	}
	if i.Adds < 7_000_000 || i.Adds > 7_500_000 || i.Memory > 8<<20 {
		t.Errorf("%d multiply-adds, %d bytes", i.Adds, i.Memory)
	}
	if c := i.Operators[0]; c.Name != "CONV_2D" || c.N != 15 || c.Adds == 0 {
		t.Errorf("first operator %+v", c)
	}
	if i.Hash == ([32]byte{}) {
		t.Error("no hash")
	}
}

// Labels packed behind a model are found, as the metadata tools write them.
func TestPackedLabels(t *testing.T) {
	file := mt.MobileNet(mt.Int8, 32, 1, 0.25, 3)
	var b bytes.Buffer
	b.Write(file)
	z := zip.NewWriter(&b)
	z.SetOffset(int64(len(file)))
	w, err := z.Create("labels.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("???\nperson\r\ncat\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := model.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Info().Labels; !slices.Equal(got, []string{"", "person", "cat"}) {
		t.Errorf("labels %q", got)
	}
}

func TestParseLabels(t *testing.T) {
	for _, bad := range []string{"a\x1b[2J", "model=x", "\u202etac", "\xff\xfe", strings.Repeat("x", 65), strings.Repeat("x\n", 200_000)} {
		if _, err := model.ParseLabels([]byte(bad)); err == nil {
			t.Errorf("%.20q is accepted", bad)
		}
	}
}

// A look ends when its time is over.
func TestRunGivesUp(t *testing.T) {
	m, err := model.New(mt.MobileNet(mt.Int8, 32, 1, 0.25, 3))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if n := testing.AllocsPerRun(3, func() { _ = m.Run(t.Context()) }); n != 0 {
		t.Errorf("%v allocations in a look", n)
	}
}
