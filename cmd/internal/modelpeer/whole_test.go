package modelpeer

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/sealcam/sealcam/capture/model"
	mt "github.com/sealcam/sealcam/capture/model/modeltest"
)

// TestConversions runs what leads from one type to another.
func TestConversions(t *testing.T) {
	shape := []int{1, 5, 7, 3}
	for _, c := range []struct {
		name string
		in   scheme
		make func(f *mt.File, in int)
		out  []int // nil is everything
		off  int
	}{
		{"reals to int8", schemes[0], func(f *mt.File, in int) {
			q := f.Op(mt.Quantize, map[int]any{}, mt.Int8, shape, mt.Q(0.017, 5), in)
			f.Op(mt.Dequantize, nil, mt.Float32, shape, mt.Quant{}, q)
		}, nil, 0},
		{"reals to uint8", schemes[0], func(f *mt.File, in int) {
			q := f.Op(mt.Quantize, map[int]any{}, mt.Uint8, shape, mt.Q(0.017, 131), in)
			f.Op(mt.Dequantize, nil, mt.Float32, shape, mt.Quant{}, q)
		}, nil, 0},
		{"uint8 to int8", schemes[2], func(f *mt.File, in int) {
			same := f.Op(mt.Quantize, map[int]any{}, mt.Int8, shape, mt.Q(0.021, -3), in)
			f.Op(mt.Quantize, map[int]any{}, mt.Int8, shape, mt.Q(0.033, 9), same)
			f.Op(mt.Quantize, map[int]any{}, mt.Uint8, shape, mt.Q(0.015, 99), same)
		}, nil, 1}, // the peer multiplies int8 with a factor of 8 bits
		{"half to float", schemes[0], func(f *mt.File, in int) {
			var raw []byte
			for _, h := range []uint16{0x3c00, 0xc100, 0x0001, 0x83ff, 0x7bff, 0x3555, 0x0000} {
				raw = binary.LittleEndian.AppendUint16(raw, h)
			}
			w := f.Op(mt.Dequantize, nil, mt.Float32, []int{7, 1}, mt.Quant{}, f.Tensor(mt.Float16, []int{7, 1}, mt.Quant{}, raw))
			f.Op(mt.Mul, map[int]any{0: byte(mt.None)}, mt.Float32, shape, mt.Quant{}, in, w)
		}, []int{3}, 0}, // the peer folds the constant in between away
	} {
		t.Run(c.name, func(t *testing.T) {
			f := mt.New(9)
			c.make(f, f.Input(c.in.kind, shape, c.in.in))
			both(t, f.Bytes(c.out...), give(c.in, shape), c.off)
		})
	}
}

// both runs one file in both runtimes and wants the same.
func both(t *testing.T, file, input []byte, off int) []model.Output {
	t.Helper()
	got, err := model.Evaluate(t.Context(), file, input)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, got, peer(t, []job{{encode(file), encode(input)}})[0], off)
	return got
}

// TestNetworks runs whole classifiers, where memory is shared between layers.
func TestNetworks(t *testing.T) {
	for _, s := range schemes {
		t.Run(s.name, func(t *testing.T) {
			f, out := mt.MobileNetFile(s.kind, 96, 1, 0.25, 6)
			input := give(s, []int{1, 96, 96, 1})
			both(t, f.Bytes(), input, 0) // every layer, none of which shares memory
			got := both(t, f.Bytes(out), input, 0)
			first := got[0].Data[0]
			for i, b := range got[0].Data {
				if i < 6 && b != first {
					return
				}
			}
			t.Error("the network says the same of every class: it has become too tame to prove anything")
		})
	}
}

// TestDetection runs the end of a detector, both ways of choosing, from reals
// and from integers.
func TestDetection(t *testing.T) {
	const anchors, classes = 28, 3
	for _, regular := range []bool{false, true} {
		for _, s := range []scheme{schemes[0], schemes[2]} { // it knows no int8
			t.Run(s.name+map[bool]string{false: " fast", true: " regular"}[regular], func(t *testing.T) {
				f := mt.New(21)
				in := f.Input(s.kind, []int{1, anchors, 1, 4 + classes + 1}, s.in)
				part := func(from, to int) int {
					return f.Op(mt.StridedSlice, map[int]any{0: 0, 1: 0, 2: 0, 3: 0, 4: 4}, s.kind, []int{1, anchors, to - from}, s.in,
						in, f.Ints(0, 0, 0, from), f.Ints(1, anchors, 1, to), f.Ints(1, 1, 1, 1))
				}
				boxes := part(0, 4)
				scores := part(4, 4+classes+1)
				grid := make([]float32, 0, 4*anchors)
				for i := range anchors {
					grid = append(grid, float32(i/10)/6+0.1, float32(i%10)/10, 0.3+float32(i%3)/10, 0.2+float32(i%4)/10)
				}
				out := f.Detection(map[string]any{
					"max_detections": 10, "max_classes_per_detection": 1, "detections_per_class": 5, "use_regular_nms": regular,
					"nms_score_threshold": float32(0.6), "nms_iou_threshold": float32(0.5), "num_classes": classes,
					"y_scale": float32(10), "x_scale": float32(10), "h_scale": float32(5), "w_scale": float32(5),
				}, boxes, scores, table(f, s, []int{anchors, 4}, grid))
				got := both(t, f.Bytes(out...), distinct(s, anchors*(4+classes+1)), 0)
				if n := math.Float32frombits(binary.LittleEndian.Uint32(got[3].Data)); n < 3 {
					t.Errorf("%v detections: too few to prove anything", n)
				}
			})
		}
	}
}

// distinct returns n inputs of which, up to 256, no two are equal: which of two equal scores
// comes first is nobody's promise.
func distinct(s scheme, n int) []byte {
	if s.kind != mt.Float32 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i * 167)
		}
		return b
	}
	var out []byte
	for i := range n {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(i*7919%n)/float32(n)*4-2))
	}
	return out
}

// table adds a constant of reals from 0 to 1, or the integers next to them.
func table(f *mt.File, s scheme, shape []int, reals []float32) int {
	if s.kind == mt.Float32 {
		return f.Reals(shape, reals)
	}
	var b []byte
	for _, v := range reals {
		b = append(b, byte(v*200))
	}
	return f.Tensor(s.kind, shape, mt.Q(1.0/200, 0), b)
}
