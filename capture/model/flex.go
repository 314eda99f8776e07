package model

import (
	"encoding/binary"
	"errors"
	"math"
)

// flexMap reads the numbers of a FlexBuffer that holds one map, by their keys
// (flatbuffers.dev, "FlexBuffers"). It is how custom operators keep their
// options. What is no number is left out.
func flexMap(b []byte) (map[string]float64, error) {
	x := flex{b: b}
	if len(b) < 3 {
		return nil, errFlex
	}
	width, kind := int(b[len(b)-1]), b[len(b)-2]
	at := x.behind(len(b)-2-width, width)
	if kind>>2 != 9 {
		return nil, errors.New("its options are no map")
	}
	width = 1 << (kind & 3)
	size := x.unsigned(at-width, width)
	keys, keyWidth := x.behind(at-3*width, width), x.unsigned(at-2*width, width)
	if x.bad || size > 64 || keyWidth != 1 && keyWidth != 2 && keyWidth != 4 && keyWidth != 8 {
		return nil, errFlex
	}
	out := map[string]float64{}
	for i := range size {
		name := x.name(x.behind(keys+i*keyWidth, keyWidth))
		kind := x.unsigned(at+size*width+i, 1)
		if v, ok := x.number(at+i*width, width, kind); ok {
			out[name] = v
		}
	}
	if x.bad {
		return nil, errFlex
	}
	return out, nil
}

var errFlex = errors.New("its options are damaged")

// flex reads a FlexBuffer; bad remembers that it points outside of itself.
type flex struct {
	b   []byte
	bad bool
}

func (x *flex) unsigned(at, width int) int {
	if at < 0 || width < 1 || width > 8 || at > len(x.b)-width {
		x.bad = true
		return 0
	}
	var wide [8]byte
	copy(wide[:], x.b[at:at+width])
	v := binary.LittleEndian.Uint64(wide[:])
	if v > math.MaxInt32 {
		v = math.MaxInt32 // no size or offset in here is that large
	}
	return int(v)
}

// behind follows the offset at a place, which leads back from there.
func (x *flex) behind(at, width int) int { return at - x.unsigned(at, width) }

// name returns the text at a place, which ends with a zero byte.
func (x *flex) name(at int) string {
	for i := at; i >= 0 && at >= 0 && i < len(x.b) && i < at+maxName; i++ {
		if x.b[i] == 0 {
			return string(x.b[at:i])
		}
	}
	x.bad = true
	return ""
}

// number returns the number at a place, whose type and width kind says.
func (x *flex) number(at, width, kind int) (float64, bool) {
	if kind>>2 >= 6 && kind>>2 <= 8 { // kept elsewhere
		at, width, kind = x.behind(at, width), 1<<(kind&3), kind-5<<2
	}
	if at < 0 || at > len(x.b)-width {
		x.bad = true
		return 0, false
	}
	var wide [8]byte
	b := x.b[at : at+width]
	copy(wide[:], b)
	bits := binary.LittleEndian.Uint64(wide[:])
	switch kind >> 2 {
	case 1: // signed
		shift := 64 - 8*width
		return float64(int64(bits<<shift) >> shift), true
	case 2, 26: // unsigned, boolean
		return float64(bits), true
	case 3:
		switch width {
		case 4:
			return float64(math.Float32frombits(uint32(bits))), true
		case 8:
			return math.Float64frombits(bits), true
		}
	}
	return 0, false
}
