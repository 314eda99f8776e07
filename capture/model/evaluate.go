package model

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
)

// Output is one output of a graph as it lies in memory: little-endian, row by row.
type Output struct {
	Name  string
	Type  Type
	Shape []int
	Scale float32 // of integers
	Data  []byte
}

// Evaluate runs the graph of a model file once on the bytes of its input, and
// returns all outputs that the file names. The graph need be no classifier and no
// detector. It is for comparison with other runtimes, layer by layer.
func Evaluate(ctx context.Context, file, input []byte) ([]Output, error) {
	g, err := parse(file)
	if err != nil {
		return nil, err
	}
	b := &builder{g: g}
	if err := b.build(); err != nil {
		return nil, err
	}
	m := Model{steps: b.steps}
	if err := g.in[0].set(input); err != nil {
		return nil, err
	}
	if err := m.Run(ctx); err != nil {
		return nil, err
	}
	var out []Output
	for _, t := range g.out {
		out = append(out, Output{t.name, t.kind, t.shape, t.scale, t.get()})
	}
	return out, nil
}

func (t *tensor) set(data []byte) error {
	width := 1
	if t.kind == Float32 {
		width = 4
	}
	if len(data) != width*t.n {
		return fmt.Errorf("input of %d bytes for %v of %s", len(data), t.shape, t.kind)
	}
	for i := range t.f {
		t.f[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	for i := range t.q {
		t.q[i] = int8(data[i] ^ t.flip())
	}
	return nil
}

func (t *tensor) get() []byte {
	var data []byte
	for _, v := range t.f {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	for _, q := range t.q {
		data = append(data, byte(q)^t.flip())
	}
	return data
}

// flip is what tells the bytes of a file from the numbers that are kept.
func (t *tensor) flip() byte {
	if t.kind == Uint8 {
		return 0x80
	}
	return 0
}
