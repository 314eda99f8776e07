package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// detector is the custom operator that ends an SSD detector.
const detector = "TFLite_Detection_PostProcess"

// operator is one kind of operator: how it is called, which table its options
// are in (0 for none that matter), and how a step is made of one.
type operator struct {
	name string
	opts byte
	make func(b *builder, n *node) (step, error)
}

// operators are what this package runs, by their numbers in the schema.
var operators = map[int]operator{
	0:   {"ADD", 11, makeAdd},
	1:   {"AVERAGE_POOL_2D", 5, makeAveragePool},
	2:   {"CONCATENATION", 10, makeConcatenation},
	3:   {"CONV_2D", 1, makeConv},
	4:   {"DEPTHWISE_CONV_2D", 2, makeDepthwise},
	6:   {"DEQUANTIZE", 0, makeDequantize},
	9:   {"FULLY_CONNECTED", 8, makeFullyConnected},
	14:  {"LOGISTIC", 0, makeLogistic},
	17:  {"MAX_POOL_2D", 5, makeMaxPool},
	18:  {"MUL", 21, makeMul},
	19:  {"RELU", 0, makeRelu},
	21:  {"RELU6", 0, makeRelu6},
	22:  {"RESHAPE", 0, makeReshape},
	23:  {"RESIZE_BILINEAR", 15, makeResizeBilinear},
	25:  {"SOFTMAX", 9, makeSoftmax},
	34:  {"PAD", 0, makePad},
	39:  {"TRANSPOSE", 0, makeTranspose},
	40:  {"MEAN", 27, makeMean},
	43:  {"SQUEEZE", 0, makeReshape},
	45:  {"STRIDED_SLICE", 32, makeStridedSlice},
	77:  {"SHAPE", 0, makeShape},
	83:  {"PACK", 0, makeShape},
	97:  {"RESIZE_NEAREST_NEIGHBOR", 74, makeResizeNearest},
	114: {"QUANTIZE", 0, makeQuantize},
	117: {"HARD_SWISH", 0, makeHardSwish},
}

// Operators returns the names of the operators that this package runs, sorted.
func Operators() []string {
	names := []string{detector}
	for _, o := range operators {
		names = append(names, o.name)
	}
	slices.Sort(names)
	return names
}

// custom is the code of operators that have a name instead.
const custom = 32

// unread names the operators that a model most likely has and this package does
// not run, so that an error can call them by their names.
var unread = map[int]string{
	7: "EMBEDDING_LOOKUP", 8: "FLOOR", 11: "L2_NORMALIZATION", 16: "LSTM", 20: "RELU_N1_TO_1", 26: "SPACE_TO_DEPTH", 27: "SVDF",
	28: "TANH", 36: "GATHER", 37: "BATCH_TO_SPACE_ND", 38: "SPACE_TO_BATCH_ND", 41: "SUB", 42: "DIV", 44: "UNIDIRECTIONAL_SEQUENCE_LSTM",
	47: "EXP", 48: "TOPK_V2", 49: "SPLIT", 50: "LOG_SOFTMAX", 53: "CAST", 54: "PRELU", 55: "MAXIMUM", 56: "ARG_MAX", 57: "MINIMUM",
	60: "PADV2", 65: "SLICE", 67: "TRANSPOSE_CONV", 69: "TILE", 70: "EXPAND_DIMS", 74: "SUM", 76: "RSQRT", 82: "REDUCE_MAX",
	88: "UNPACK", 98: "LEAKY_RELU", 99: "SQUARED_DIFFERENCE", 102: "SPLIT_V", 118: "IF", 119: "WHILE", 126: "BATCH_MATMUL", 150: "GELU",
}

// operatorName returns what an operator is called; called is the name of a
// custom one.
func operatorName(code int, called string) string {
	if code == custom {
		return strings.Map(func(r rune) rune {
			if r < '!' || r > '~' {
				return '?'
			}
			return r
		}, called)
	}
	if o, ok := operators[code]; ok {
		return o.name
	}
	if name, ok := unread[code]; ok {
		return name
	}
	return "operator number " + strconv.Itoa(code)
}

// find returns how to run n.
func find(n *node) (operator, error) {
	if n.code == custom && n.name == detector {
		return operator{detector, 0, makeDetection}, nil
	}
	o, ok := operators[n.code]
	if !ok {
		return o, fmt.Errorf("%s is not supported", n.name)
	}
	if o.opts != 0 && n.opts.f != nil && n.kind != o.opts {
		return o, fmt.Errorf("%s has the options of another operator", n.name)
	}
	return o, nil
}

// activation is the function that an operator may apply to what it gives.
type activation byte

// The activations, numbered as in the schema.
const (
	noActivation activation = 0
	relu         activation = 1
	reluN1       activation = 2
	relu6        activation = 3
)

// bounds returns between which real numbers the activation holds its output.
func (a activation) bounds() (low, high float32, err error) {
	const most = 3.4e38
	switch a {
	case noActivation:
		return -most, most, nil
	case relu:
		return 0, most, nil
	case reluN1:
		return -1, 1, nil
	case relu6:
		return 0, 6, nil
	}
	return 0, 0, fmt.Errorf("fused activation %d is not supported", a)
}

// wants checks how many tensors n takes and gives; none of those is left out.
func (n *node) wants(in, out int) error {
	if len(n.in) < in || len(n.out) != out || slices.Contains(n.in[:in], nil) || slices.Contains(n.out, nil) {
		return fmt.Errorf("takes %d tensors and gives %d, not %d and %d", in, out, len(n.in), len(n.out))
	}
	return nil
}

// optional returns input i, or nil if it is left out.
func (n *node) optional(i int) *tensor {
	if i < len(n.in) {
		return n.in[i]
	}
	return nil
}

// sameKind wants tensors of one type, which is float32, int8 or uint8, and
// quantised ones to have one scale each.
func sameKind(list ...*tensor) error {
	for _, t := range list {
		if t.kind != list[0].kind {
			return fmt.Errorf("%s together with %s is not supported", list[0].kind, t.kind)
		}
		if err := t.numbers(); err != nil {
			return err
		}
	}
	return nil
}

// numbers wants t to be something to calculate with.
func (t *tensor) numbers() error {
	switch {
	case t.kind.quantised() && t.scales.n == 1, t.kind == Float32:
		return nil
	case t.kind.quantised():
		return fmt.Errorf("%s with %d scales is not supported here", t.kind, t.scales.n)
	}
	return fmt.Errorf("%s is not supported here", t.kind)
}

// alike wants two quantised tensors to mean the same by the same number.
func alike(a, b *tensor) error {
	if a.kind.quantised() && (a.scale != b.scale || a.zero != b.zero) {
		return fmt.Errorf("input and output have different scales")
	}
	return nil
}
