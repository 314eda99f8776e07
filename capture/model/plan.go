package model

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// step is one operator, ready to run.
type step struct {
	name string
	run  func()
	work int64 // multiply-adds, or what costs as much
	adds int64 // multiply-adds of weights alone
}

// builder makes steps of a graph. It counts what they take.
type builder struct {
	g       *graph
	steps   []step
	spareQ  []int8 // shared by the steps, as long as the longest need
	spareF  []float32
	needQ   int
	needF   int
	memory  int64
	work    int64
	written map[*tensor]bool // by the operators so far, or by who calls
}

var (
	errMemory = fmt.Errorf("it needs more than %d MiB of memory", MaxMemory>>20)
	errStep   = fmt.Errorf("it alone takes more than %d million multiply-adds", maxStep/1_000_000)
	errWork   = fmt.Errorf("one look takes more than %d million multiply-adds", MaxWork/1_000_000)
)

// take counts n bytes of memory against the bound before they are allocated.
func (b *builder) take(n int64) error {
	if b.memory += n; b.memory > MaxMemory {
		return errMemory
	}
	return nil
}

// build lays out the memory of g and makes its steps.
func (b *builder) build() error {
	if err := b.shapes(); err != nil {
		return err
	}
	if err := b.arena(); err != nil {
		return err
	}
	b.written = map[*tensor]bool{}
	for _, t := range b.g.in {
		b.written[t] = true
	}
	for i := range b.g.nodes {
		n := &b.g.nodes[i]
		s, err := b.step(n)
		if err == nil {
			b.work += s.work
			if s.work > maxStep {
				err = errStep
			} else if b.work > MaxWork {
				err = errWork
			}
		}
		if err != nil {
			return fmt.Errorf("operator %d, %s: %w", i, n.name, err)
		}
		if s.run != nil {
			s.name = n.name
			b.steps = append(b.steps, s)
		}
	}
	for _, t := range b.g.out {
		if t == nil || !b.written[t] {
			return errors.New("an output that no operator gives")
		}
	}
	if err := b.take(int64(b.needQ) + 4*int64(b.needF)); err != nil {
		return err
	}
	b.spareQ, b.spareF = make([]int8, b.needQ), make([]float32, b.needF)
	return nil
}

// step makes the step of one operator.
func (b *builder) step(n *node) (step, error) {
	o, err := find(n)
	if err != nil {
		return step{}, err
	}
	for _, t := range n.in {
		if t != nil && !t.constant() && !b.written[t] {
			return step{}, fmt.Errorf("takes the tensor %q, which nothing has given yet", t.name)
		}
	}
	for _, t := range n.out {
		if t == nil || t.constant() || b.written[t] {
			return step{}, errors.New("gives a tensor that is a constant, an input, or given already")
		}
		b.written[t] = true
	}
	s, err := o.make(b, n)
	if err == nil && n.opts.f != nil {
		err = n.opts.f.err
	}
	return s, err
}

// shapes checks the edges of the graph, and gives shapes to what detection
// gives, which files leave open.
func (b *builder) shapes() error {
	if len(b.g.in) != 1 || b.g.in[0] == nil || b.g.in[0].constant() {
		return fmt.Errorf("the model takes %d inputs, 1 is supported: a picture", len(b.g.in))
	}
	for i := range b.g.nodes {
		n := &b.g.nodes[i]
		if _, err := find(n); err != nil {
			return fmt.Errorf("operator %d: %w", i, err)
		}
		if n.code == custom {
			if err := shapeDetection(n); err != nil {
				return fmt.Errorf("operator %d, %s: %w", i, n.name, err)
			}
		}
	}
	return nil
}

// arena gives memory to every tensor that is no constant. Tensors that are
// never needed at once share it: each, the largest first, gets the lowest place
// that is free as long as it is needed.
func (b *builder) arena() error {
	for i := range b.g.tensors {
		b.g.tensors[i].from = -1
	}
	touch := func(t *tensor, at int) {
		if t == nil || t.constant() {
			return
		}
		if t.from < 0 {
			t.from = at
		}
		t.until = at
	}
	touch(b.g.in[0], 0)
	for i := range b.g.nodes {
		for _, t := range b.g.nodes[i].in {
			touch(t, i)
		}
		for _, t := range b.g.nodes[i].out {
			touch(t, i)
		}
	}
	for _, t := range b.g.out {
		touch(t, len(b.g.nodes))
	}
	var floats, bytes []*tensor
	for i := range b.g.tensors {
		switch t := &b.g.tensors[i]; {
		case t.from < 0:
		case t.kind == Float32:
			floats = append(floats, t)
		case t.kind.quantised():
			bytes = append(bytes, t)
		case t.shapes():
		default:
			return fmt.Errorf("tensor %q is calculated in %s, which is not supported", t.name, t.kind)
		}
	}
	if err := b.place(floats, 4, func(size int) func(*tensor, int) {
		pool := make([]float32, size)
		return func(t *tensor, at int) { t.f = pool[at : at+t.n : at+t.n] }
	}); err != nil {
		return err
	}
	return b.place(bytes, 1, func(size int) func(*tensor, int) {
		pool := make([]int8, size)
		return func(t *tensor, at int) { t.q = pool[at : at+t.n : at+t.n] }
	})
}

// place finds a place for each tensor of one type, whose numbers have width
// bytes each, and assigns them within what alloc allocates.
func (b *builder) place(list []*tensor, width int64, alloc func(size int) func(*tensor, int)) error {
	slices.SortStableFunc(list, func(x, y *tensor) int { return cmp.Compare(y.n, x.n) })
	at := make([]int, len(list))
	size := 0
	var busy [][2]int
	for i, t := range list {
		busy = busy[:0]
		for k, o := range list[:i] {
			if o.from <= t.until && t.from <= o.until {
				busy = append(busy, [2]int{at[k], at[k] + o.n})
			}
		}
		slices.SortFunc(busy, func(x, y [2]int) int { return cmp.Compare(x[0], y[0]) })
		for _, o := range busy {
			if at[i]+t.n <= o[0] {
				break
			}
			at[i] = max(at[i], o[1])
		}
		if size = max(size, at[i]+t.n); int64(size)*width > MaxMemory {
			return errMemory
		}
	}
	if err := b.take(int64(size) * width); err != nil {
		return err
	}
	assign := alloc(size)
	for i, t := range list {
		assign(t, at[i])
	}
	return nil
}

// floats returns the numbers of a float32 constant.
func (b *builder) floats(t *tensor) ([]float32, error) {
	if t.kind != Float32 || len(t.raw) != 4*t.n {
		return nil, fmt.Errorf("constant %q has %d bytes for %v of %s, wanted float32", t.name, len(t.raw), t.shape, t.kind)
	}
	if err := b.take(4 * int64(t.n)); err != nil {
		return nil, err
	}
	out := make([]float32, t.n)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.raw[4*i:]))
	}
	return out, nil
}

// bytes returns the numbers of a quantised constant, 128 taken off for Uint8.
func (b *builder) bytes(t *tensor) ([]int8, error) {
	if !t.kind.quantised() || len(t.raw) != t.n {
		return nil, fmt.Errorf("constant %q has %d bytes for %v of %s, wanted int8 or uint8", t.name, len(t.raw), t.shape, t.kind)
	}
	if err := b.take(int64(t.n)); err != nil {
		return nil, err
	}
	out := make([]int8, t.n)
	for i := range out {
		out[i] = int8(t.raw[i] ^ t.flip())
	}
	return out, nil
}

// ints returns a constant list of whole numbers: a shape, axes, paddings.
func ints(t *tensor) ([]int, error) {
	if t == nil || !t.constant() {
		return nil, errors.New("a shape or position that is not a constant is not supported")
	}
	width := map[Type]int{Int32: 4, Int64: 8}[t.kind]
	if width == 0 || t.n > 64 || len(t.raw) != width*t.n {
		return nil, fmt.Errorf("constant %q has %d bytes for %v of %s, wanted a few int32", t.name, len(t.raw), t.shape, t.kind)
	}
	out := make([]int, t.n)
	for i := range out {
		if width == 4 {
			out[i] = int(int32(binary.LittleEndian.Uint32(t.raw[4*i:])))
		} else {
			out[i] = int(max(min(int64(binary.LittleEndian.Uint64(t.raw[8*i:])), math.MaxInt32), math.MinInt32))
		}
	}
	return out, nil
}

// bias returns the n numbers of an optional int32 bias.
func (b *builder) bias(t *tensor, n int) ([]int32, error) {
	if err := b.take(8 * int64(n)); err != nil {
		return nil, err
	}
	out := make([]int32, n)
	if t == nil {
		return out, nil
	}
	if t.kind != Int32 || t.n != n || len(t.raw) != 4*n {
		return nil, fmt.Errorf("bias of %v %s, wanted %d int32 constants", t.shape, t.kind, n)
	}
	for i := range out {
		out[i] = int32(binary.LittleEndian.Uint32(t.raw[4*i:]))
	}
	return out, nil
}

// load gives a constant its numbers, for operators that take them like any other.
func (b *builder) load(list ...*tensor) (err error) {
	for _, t := range list {
		switch {
		case !t.constant() || t.f != nil || t.q != nil:
		case t.kind == Float32:
			t.f, err = b.floats(t)
		default:
			t.q, err = b.bytes(t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
