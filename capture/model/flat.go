package model

import (
	"encoding/binary"
	"errors"
	"math"
)

// errFormat is the error of a file that is no sound flatbuffer.
var errFormat = errors.New("the file is damaged: it points outside of itself")

// flat reads a flatbuffer (flatbuffers.dev, "Internals"): little-endian, tables
// that point backwards to a table of field offsets, and vectors with their
// length in front. Every access is checked; the first bad one is remembered in
// err and reads as zero, as do all that follow it.
type flat struct {
	b   []byte
	err error
}

// at returns n bytes at pos.
func (f *flat) at(pos, n int) []byte {
	if pos < 0 || n < 0 || pos > len(f.b) || n > len(f.b)-pos {
		f.fail()
	}
	if f.err != nil {
		return nil
	}
	return f.b[pos : pos+n]
}

func (f *flat) fail() {
	if f.err == nil {
		f.err = errFormat
	}
}

func (f *flat) u16(pos int) int {
	if b := f.at(pos, 2); b != nil {
		return int(binary.LittleEndian.Uint16(b))
	}
	return 0
}

func (f *flat) u32(pos int) uint32 {
	if b := f.at(pos, 4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// follow returns where the offset at pos points, which is forward.
func (f *flat) follow(pos int) int {
	d := f.u32(pos)
	if int64(d) > int64(len(f.b)-pos) || d == 0 {
		f.fail()
		return 0
	}
	return pos + int(d)
}

// table is one table of a flatbuffer; the zero value has no fields.
type table struct {
	f      *flat
	pos    int
	vtable int // of field offsets
	fields int // how many offsets it has
}

// tableAt returns the table at pos.
func (f *flat) tableAt(pos int) table {
	back := int64(int32(f.u32(pos)))
	v := int64(pos) - back
	if v < 0 || v > int64(len(f.b)) {
		f.fail()
	}
	if f.err != nil {
		return table{}
	}
	size := f.u16(int(v))
	if size < 4 || size%2 != 0 {
		f.fail()
		return table{}
	}
	return table{f, pos, int(v), (size - 4) / 2}
}

// field returns where field i is; 0 if it is absent.
func (t table) field(i int) int {
	if t.f == nil || i >= t.fields {
		return 0
	}
	if d := t.f.u16(t.vtable + 4 + 2*i); d != 0 {
		return t.pos + d
	}
	return 0
}

func (t table) i32(i int, absent int32) int32 {
	if p := t.field(i); p != 0 {
		return int32(t.f.u32(p))
	}
	return absent
}

func (t table) f32(i int, absent float32) float32 {
	if p := t.field(i); p != 0 {
		return math.Float32frombits(t.f.u32(p))
	}
	return absent
}

func (t table) u8(i int) byte {
	if p := t.field(i); p != 0 {
		if b := t.f.at(p, 1); b != nil {
			return b[0]
		}
	}
	return 0
}

// sub returns the table that field i points at.
func (t table) sub(i int) (table, bool) {
	p := t.field(i)
	if p == 0 {
		return table{}, false
	}
	return t.f.tableAt(t.f.follow(p)), true
}

// vector is a vector of a flatbuffer whose elements lie within the file.
type vector struct {
	f   *flat
	pos int // of the first element
	n   int
}

// vec returns the vector of field i, whose elements have size bytes each; an
// empty one if the field is absent.
func (t table) vec(i, size int) vector {
	p := t.field(i)
	if p == 0 {
		return vector{}
	}
	pos := t.f.follow(p)
	n := int64(t.f.u32(pos))
	if n*int64(size) > int64(len(t.f.b)-pos-4) {
		t.f.fail()
	}
	if t.f.err != nil {
		return vector{}
	}
	return vector{t.f, pos + 4, int(n)}
}

func (v vector) i32(i int) int32   { return int32(v.f.u32(v.pos + 4*i)) }
func (v vector) f32(i int) float32 { return math.Float32frombits(v.f.u32(v.pos + 4*i)) }

// i64 returns element i of 64 bits, held within 32 bits.
func (v vector) i64(i int) int32 {
	b := v.f.at(v.pos+8*i, 8)
	if b == nil {
		return 0
	}
	x := int64(binary.LittleEndian.Uint64(b))
	return int32(max(min(x, math.MaxInt32), math.MinInt32))
}

// table returns element i of a vector of tables.
func (v vector) table(i int) table { return v.f.tableAt(v.f.follow(v.pos + 4*i)) }

// bytes returns a vector of bytes as it lies in the file.
func (v vector) bytes() []byte {
	if v.f == nil {
		return nil
	}
	return v.f.at(v.pos, v.n)
}

// text returns at most limit bytes of the string in field i.
func (t table) text(i, limit int) string {
	b := t.vec(i, 1).bytes()
	return string(b[:min(len(b), limit)])
}
