package model_test

import (
	"context"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture/model"
	mt "github.com/sealcam/sealcam/capture/model/modeltest"
)

// FuzzNew changes model files: what is accepted must run, and everything must end.
func FuzzNew(f *testing.F) {
	for _, kind := range []int{mt.Float32, mt.Int8, mt.Uint8} {
		n := mt.New(1)
		f.Add(softmax(n, kind, mt.Q(0.05, 0), n.Input(kind, []int{1, 4, 4, 1}, mt.Q(0.05, 0))))
	}
	f.Add(everything(mt.Float32, mt.Quant{}))
	f.Add(everything(mt.Int8, mt.Q(0.05, 3)))
	f.Add(everything(mt.Uint8, mt.Q(0.05, 130)))
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := model.New(file)
		if err != nil {
			return
		}
		i := m.Info()
		if i.Memory > model.MaxMemory || i.Adds > model.MaxWork {
			t.Fatalf("accepted beyond the bounds: %+v", i)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_ = m.Run(ctx) // its end is what counts
	})
}

// everything writes a small detector that has every operator.
func everything(kind int, q mt.Quant) []byte {
	f := mt.New(3)
	s := []int{1, 6, 6, 3}
	x := f.Input(kind, s, q)
	x = f.ConvLayer(x, 4, 3, 1, 1, mt.Same, mt.ReLU6, q)
	x = f.DepthLayer(x, 1, 3, 1, 1, mt.Same, mt.ReLU, q)
	s = f.Shape(x)
	x = f.Op(mt.Add, map[int]any{0: byte(0)}, kind, s, q, x, f.PoolLayer(mt.MaxPool, x, 3, 1, mt.Same, mt.None, q))
	gate := f.Op(mt.Mean, map[int]any{0: true}, kind, []int{1, 1, 1, 4}, q, x, f.Ints(1, 2))
	x = f.Op(mt.Mul, map[int]any{0: byte(0)}, kind, s, q, x, gate)
	x = f.Op(mt.HardSwish, nil, kind, s, q, x)
	x = f.Op(mt.Relu6, nil, kind, s, q, f.Op(mt.Relu, nil, kind, s, q, x))
	x = f.Op(mt.Pad, map[int]any{}, kind, []int{1, 8, 8, 4}, q, x, f.Table([]int{4, 2}, []int{0, 0, 1, 1, 1, 1, 0, 0}))
	x = f.PoolLayer(mt.AveragePool, x, 2, 2, mt.Valid, mt.None, q)
	x = f.Op(mt.ResizeNearest, map[int]any{0: false}, kind, []int{1, 8, 8, 4}, q, x, f.Ints(8, 8))
	x = f.Op(mt.ResizeBilinear, map[int]any{2: false, 3: true}, kind, []int{1, 4, 4, 4}, q, x, f.Ints(4, 4))
	x = f.Op(mt.Transpose, map[int]any{}, kind, []int{1, 4, 4, 4}, q, x, f.Ints(0, 2, 1, 3))
	x = f.Op(mt.Concatenation, map[int]any{0: 3, 1: byte(0)}, kind, []int{1, 4, 4, 8}, q, x, x)
	x = f.Op(mt.Reshape, nil, kind, []int{1, 16, 8}, q, x, f.Ints(1, 16, 8))
	part := func(from, to int) int {
		return f.Op(mt.StridedSlice, map[int]any{0: 0, 1: 0, 2: 0, 3: 0, 4: 0}, kind, []int{1, 16, to - from}, q, x,
			f.Ints(0, 0, from), f.Ints(1, 16, to), f.Ints(1, 1, 1))
	}
	boxes, scores := part(0, 4), part(4, 8)
	scores = f.Op(mt.Logistic, nil, kind, []int{1, 16, 4}, q, scores)
	if kind != mt.Float32 {
		boxes = f.Op(mt.Dequantize, nil, mt.Float32, []int{1, 16, 4}, mt.Quant{}, boxes)
		scores = f.Op(mt.Dequantize, nil, mt.Float32, []int{1, 16, 4}, mt.Quant{}, scores)
	}
	anchors := make([]float32, 64)
	for i := range anchors {
		anchors[i] = float32(i%7) / 10
	}
	return f.Bytes(f.Detection(map[string]any{
		"max_detections": 4, "max_classes_per_detection": 1, "use_regular_nms": kind == mt.Int8, "num_classes": 3,
		"nms_score_threshold": float32(0.1), "nms_iou_threshold": float32(0.5),
		"y_scale": float32(10), "x_scale": float32(10), "h_scale": float32(5), "w_scale": float32(5),
	}, boxes, scores, f.Reals([]int{16, 4}, anchors))...)
}
