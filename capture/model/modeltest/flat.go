package modeltest

import (
	"encoding/binary"
	"math"
	"slices"
)

// table is a table of a flatbuffer: its fields by their numbers.
type table map[int]any

// writer writes a flatbuffer from front to back: what is pointed at comes after
// what points.
type writer struct{ b []byte }

func (w *writer) align(n int) {
	for len(w.b)%n != 0 {
		w.b = append(w.b, 0)
	}
}

func (w *writer) u16(v int)        { w.b = binary.LittleEndian.AppendUint16(w.b, uint16(v)) }
func (w *writer) u32(v uint32)     { w.b = binary.LittleEndian.AppendUint32(w.b, v) }
func (w *writer) point(at, to int) { binary.LittleEndian.PutUint32(w.b[at:], uint32(to-at)) }

// alignFor makes the place behind a length of 4 bytes a multiple of n.
func (w *writer) alignFor(n int) {
	for len(w.b)%4 != 0 || (len(w.b)+4)%n != 0 {
		w.b = append(w.b, 0)
	}
}

// table writes t and all it points at, and returns where it begins.
func (w *writer) table(t table) int {
	keys := make([]int, 0, len(t))
	for k := range t {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	fields := 0
	if len(keys) > 0 {
		fields = keys[len(keys)-1] + 1
	}
	w.align(4)
	vtable := len(w.b)
	w.u16(4 + 2*fields)
	w.u16(4 + 4*len(keys))
	offsets := make([]int, fields)
	for i, k := range keys {
		offsets[k] = 4 + 4*i
	}
	for _, o := range offsets {
		w.u16(o)
	}
	w.align(4)
	start := len(w.b)
	w.u32(uint32(start - vtable))
	for _, k := range keys {
		w.scalar(t[k])
	}
	for i, k := range keys {
		w.pointed(start+4+4*i, t[k])
	}
	return start
}

// scalar writes a field of up to 4 bytes, or the place of an offset.
func (w *writer) scalar(v any) {
	switch v := v.(type) {
	case bool:
		if v {
			w.u32(1)
		} else {
			w.u32(0)
		}
	case byte:
		w.u32(uint32(v))
	case int:
		w.u32(uint32(int32(v)))
	case float32:
		w.u32(math.Float32bits(v))
	default:
		w.u32(0)
	}
}

// pointed writes what the offset at a place points at.
func (w *writer) pointed(at int, v any) {
	switch v := v.(type) {
	case table:
		w.point(at, w.table(v))
	case string:
		w.alignFor(4)
		w.point(at, len(w.b))
		w.u32(uint32(len(v)))
		w.b = append(append(w.b, v...), 0)
	case []byte:
		w.alignFor(16)
		w.point(at, len(w.b))
		w.u32(uint32(len(v)))
		w.b = append(w.b, v...)
	case []int:
		w.alignFor(4)
		w.point(at, len(w.b))
		w.u32(uint32(len(v)))
		for _, x := range v {
			w.u32(uint32(int32(x)))
		}
	case []float32:
		w.alignFor(4)
		w.point(at, len(w.b))
		w.u32(uint32(len(v)))
		for _, x := range v {
			w.u32(math.Float32bits(x))
		}
	case []int64:
		w.alignFor(8)
		w.point(at, len(w.b))
		w.u32(uint32(len(v)))
		for _, x := range v {
			w.b = binary.LittleEndian.AppendUint64(w.b, uint64(x))
		}
	case []table:
		w.alignFor(4)
		w.point(at, len(w.b))
		w.u32(uint32(len(v)))
		first := len(w.b)
		w.b = append(w.b, make([]byte, 4*len(v))...)
		for i, t := range v {
			w.point(first+4*i, w.table(t))
		}
	}
}

// flex writes a FlexBuffer that holds one map of numbers, as custom operators
// keep their options: all values are 32 bits wide.
func flex(options map[string]any) []byte {
	names := make([]string, 0, len(options))
	for n := range options {
		names = append(names, n)
	}
	slices.Sort(names)
	var b []byte
	at := make([]int, len(names))
	for i, n := range names {
		at[i] = len(b)
		b = append(append(b, n...), 0)
	}
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	word := func(v uint32) { b = binary.LittleEndian.AppendUint32(b, v) }
	word(uint32(len(names)))
	keys := len(b)
	for i := range names {
		word(uint32(len(b) - at[i]))
	}
	word(uint32(len(b) - keys))
	word(4)
	word(uint32(len(names)))
	values := len(b)
	kinds := make([]byte, 0, len(names))
	for _, n := range names {
		switch v := options[n].(type) {
		case int:
			word(uint32(int32(v)))
			kinds = append(kinds, 1<<2|2)
		case float32:
			word(math.Float32bits(v))
			kinds = append(kinds, 3<<2|2)
		case bool:
			n := uint32(0)
			if v {
				n = 1
			}
			word(n)
			kinds = append(kinds, 26<<2|2)
		}
	}
	b = append(b, kinds...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	word(uint32(len(b) - values))
	return append(b, 9<<2|2, 4)
}
