package model

import (
	"errors"
	"fmt"
	"strconv"
)

// Type is how the numbers of a tensor are stored, numbered as in the schema of
// TensorFlow Lite (tensorflow/lite/schema/schema.fbs).
type Type uint8

// The types that this package reads. Int32, Int64 and Float16 are for constants.
const (
	Float32 Type = 0
	Float16 Type = 1
	Int32   Type = 2
	Uint8   Type = 3
	Int64   Type = 4
	Int8    Type = 9
)

// String returns the name that TensorFlow gives the type.
func (t Type) String() string {
	switch t {
	case Float32:
		return "float32"
	case Float16:
		return "float16"
	case Int32:
		return "int32"
	case Uint8:
		return "uint8"
	case Int64:
		return "int64"
	case Int8:
		return "int8"
	}
	return "type " + strconv.Itoa(int(t))
}

// quantised says whether numbers stand for scale * (q - zero).
func (t Type) quantised() bool { return t == Int8 || t == Uint8 }

// tensor is one tensor of the graph. Uint8 is kept as int8, with 128 taken off
// its numbers and off its zero point, so that both run on the same kernels.
type tensor struct {
	name  string
	kind  Type
	shape []int
	n     int // elements

	raw    []byte // of a constant, in the file; else nil
	scales vector // quantisation, in the file
	zeros  vector
	axis   int     // along which scales differ
	scale  float32 // the only one, or the first
	zero   int32   // the only one, or the first; 128 taken off for Uint8

	f []float32 // its numbers: one of f and q is set
	q []int8

	from, until int // first and last operator that has it, for the arena
}

func (t *tensor) constant() bool { return t.raw != nil }

// perAxis says whether t has a scale for each channel.
func (t *tensor) perAxis() bool { return t.scales.n > 1 }

// dim returns the size along dimension i, counted from the last one: dim(0) is
// the channels of a picture. It is 1 beyond the first.
func (t *tensor) dim(i int) int {
	if i >= len(t.shape) {
		return 1
	}
	return t.shape[len(t.shape)-1-i]
}

// node is one operator with what it takes and gives.
type node struct {
	code    int
	name    string
	in, out []*tensor // in may hold nil for what is optional and left out
	kind    byte      // of opts
	opts    table
	custom  []byte
}

// graph is what the file says, with every reference checked.
type graph struct {
	tensors []tensor
	nodes   []node
	in, out []*tensor
}

// identifier stands in bytes 4 to 7 of every TensorFlow Lite file.
const identifier = "TFL3"

var (
	errNotModel = errors.New("this is no TensorFlow Lite model: it does not have TFL3 in its head")
	errTooMany  = fmt.Errorf("too many parts: at most %d tensors and %d operators", maxTensors, maxOperators)
)

// parse reads the graph of a file. What it returns points into file.
func parse(file []byte) (*graph, error) {
	if len(file) > MaxFile {
		return nil, fmt.Errorf("the file has %d MiB, at most %d are read", len(file)>>20, MaxFile>>20)
	}
	if len(file) < 8 || string(file[4:8]) != identifier {
		return nil, errNotModel
	}
	f := &flat{b: file}
	root := f.tableAt(f.follow(0))
	if v := root.i32(0, 0); f.err == nil && v != 3 {
		return nil, fmt.Errorf("version %d of the format, 3 is read", v)
	}
	subgraphs := root.vec(2, 4)
	if f.err == nil && subgraphs.n != 1 {
		return nil, fmt.Errorf("the model has %d subgraphs, 1 is read (no control flow)", subgraphs.n)
	}
	if f.err != nil {
		return nil, f.err
	}
	g := new(graph)
	sub := subgraphs.table(0)
	if err := g.readTensors(f, sub.vec(0, 4), root.vec(4, 4)); err != nil {
		return nil, err
	}
	if err := g.readNodes(f, sub.vec(3, 4), root.vec(1, 4)); err != nil {
		return nil, err
	}
	var err error
	if g.in, err = g.refer(sub.vec(1, 4), 1); err != nil {
		return nil, err
	}
	if g.out, err = g.refer(sub.vec(2, 4), maxTensors); err != nil {
		return nil, err
	}
	return g, f.err
}

func (g *graph) readTensors(f *flat, list, buffers vector) error {
	if list.n > maxTensors || buffers.n > 4*maxTensors {
		return errTooMany
	}
	g.tensors = make([]tensor, list.n)
	for i := range g.tensors {
		err := g.tensors[i].read(list.table(i), buffers)
		if f.err != nil {
			return f.err
		}
		if err != nil {
			return fmt.Errorf("tensor %d: %w", i, err)
		}
	}
	return f.err
}

func (t *tensor) read(from table, buffers vector) error {
	t.name, t.kind = from.text(3, maxName), Type(from.u8(1))
	dims := from.vec(0, 4)
	if dims.n > maxDims {
		return fmt.Errorf("%d dimensions, at most %d", dims.n, maxDims)
	}
	t.n, t.shape = 1, make([]int, dims.n)
	for i := range t.shape {
		d := int(dims.i32(i))
		if d < 1 || d > maxElements || t.n > maxElements/d {
			return fmt.Errorf("dimension %d has the size %d", i, d)
		}
		t.shape[i], t.n = d, t.n*d
	}
	if b := int(from.i32(2, 0)); b > 0 && b < buffers.n {
		if data := buffers.table(b).vec(0, 1).bytes(); len(data) > 0 {
			t.raw = data
		}
	} else if b != 0 {
		return fmt.Errorf("buffer %d of %d", b, buffers.n)
	}
	if q, ok := from.sub(4); ok {
		t.scales, t.zeros, t.axis = q.vec(2, 4), q.vec(3, 8), int(q.i32(6, 0))
	}
	return t.checkScales()
}

// checkScales wants quantised tensors to have finite scales and zero points
// within their type, one or as many as there are channels.
func (t *tensor) checkScales() error {
	if !t.kind.quantised() {
		t.scales, t.zeros = vector{}, vector{}
		return nil
	}
	if t.scales.n == 0 {
		if t.constant() {
			return nil // some constants are plain bytes; who needs a scale asks
		}
		return fmt.Errorf("%s without a scale", t.kind)
	}
	if t.zeros.n != t.scales.n && t.zeros.n > 1 {
		return fmt.Errorf("%d zero points for %d scales", t.zeros.n, t.scales.n)
	}
	if t.scales.n > 1 && (t.axis < 0 || t.axis >= len(t.shape) || t.shape[t.axis] != t.scales.n) {
		return fmt.Errorf("%d scales along dimension %d of %v", t.scales.n, t.axis, t.shape)
	}
	low, high := int32(-128), int32(127)
	if t.kind == Uint8 {
		low, high = 0, 255
	}
	for i := range t.zeros.n {
		if z := t.zeros.i64(i); z < low || z > high {
			return fmt.Errorf("zero point %d of %s", z, t.kind)
		}
	}
	for i := range t.scales.n {
		if s := t.scales.f32(i); !(s > 1e-30 && s < 1e30) {
			return fmt.Errorf("scale %g", s)
		}
	}
	t.scale = t.scales.f32(0)
	if t.zeros.n > 0 {
		t.zero = t.zeros.i64(0)
	}
	if t.kind == Uint8 {
		t.zero -= 128
	}
	return nil
}

func (g *graph) readNodes(f *flat, list, codes vector) error {
	if list.n > maxOperators || codes.n > maxOperators {
		return errTooMany
	}
	g.nodes = make([]node, list.n)
	for i := range g.nodes {
		n, from := &g.nodes[i], list.table(i)
		c := int(int32(from.i32(0, 0)))
		if c < 0 || c >= codes.n {
			return fmt.Errorf("operator %d has the code %d of %d", i, c, codes.n)
		}
		code := codes.table(c)
		// The number stood in one byte until there were more than 127 operators.
		n.code = max(int(int8(code.u8(0))), int(code.i32(3, 0)))
		n.name = operatorName(n.code, code.text(1, maxName))
		var err error
		if n.in, err = g.refer(from.vec(1, 4), 64); err != nil {
			return fmt.Errorf("operator %d, %s: %w", i, n.name, err)
		}
		if n.out, err = g.refer(from.vec(2, 4), 8); err != nil {
			return fmt.Errorf("operator %d, %s: %w", i, n.name, err)
		}
		n.kind, n.custom = from.u8(3), from.vec(5, 1).bytes()
		n.opts, _ = from.sub(4)
		if f.err != nil {
			return f.err
		}
	}
	return f.err
}

// refer returns the tensors that list names by their numbers; -1 is nil.
func (g *graph) refer(list vector, most int) ([]*tensor, error) {
	if list.n > most {
		return nil, fmt.Errorf("%d tensors, at most %d", list.n, most)
	}
	out := make([]*tensor, list.n)
	for i := range out {
		k := int(list.i32(i))
		if k == -1 {
			continue
		}
		if k < 0 || k >= len(g.tensors) {
			return nil, fmt.Errorf("tensor %d of %d", k, len(g.tensors))
		}
		out[i] = &g.tensors[k]
	}
	return out, nil
}
