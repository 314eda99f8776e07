package mjpeg

import "bytes"

// Huffman tables for reading past coefficients. Of a block only the DC
// coefficient's value is wanted; all else is stepped over. So one look at the next
// lookBits bits is answered with how far to step: as many whole codes as fit, each
// with its extra bits, up to the end of the block.

const (
	lookBits  = 12
	lookSize  = 1 << lookBits
	endOfAC   = 128 // added to an entry's coefficients when the block ends with it
	blockSize = 64
)

// An acTable says for the next bits how many bits to step over (low 5 bits) and
// how many coefficients those are (the rest), plus endOfAC. 0: look it up in the
// definition.
type acTable [lookSize]uint16

// A leadTable does the same from the beginning of a block. Bits 0..4 are how many
// bits to step over, bits 5..12 coefficients plus endOfAC, bits 16..31 the
// difference to the DC coefficient of the block before.
type leadTable [lookSize]uint32

// huffman is one table as a DHT segment defines it (ITU T.81, C.2 and F.2.2.3).
type huffman struct {
	def     [16 + 256]uint8 // counts of codes by length, then the values
	first   [17]uint32      // by length: the first code, left aligned in 16 bits ...
	limit   [17]uint32      // ... the first beyond its codes ...
	offset  [17]int32       // ... and where its values begin
	version uint32          // counts changes of def, 0 for never set
}

// set takes in the counts and values of a segment that readDHT has checked. It
// returns at once when they are what it holds already, as in every frame but
// the first.
func (h *huffman) set(def []byte) error {
	if h.version != 0 && bytes.Equal(h.def[:len(def)], def) {
		return nil
	}
	h.version++
	clear(h.def[copy(h.def[:], def):])
	code, values := uint32(0), int32(0)
	for n := 1; n <= 16; n++ {
		count := uint32(h.def[n-1])
		h.first[n], h.offset[n] = code, values
		code += count << (16 - n)
		h.limit[n] = code
		values += int32(count)
		if code > 1<<16 {
			h.def[0], h.def[1] = 255, 255 // never equal to a valid one
			return ErrHeader              // more codes than there can be of this length
		}
	}
	return nil
}

// used returns the part of def that says something: counts, and as many values.
func (h *huffman) used() []byte {
	n := 16
	for _, c := range h.def[:16] {
		n += int(c)
	}
	return h.def[:n]
}

// each calls f for every code with its value and its length in bits.
func (h *huffman) each(f func(value uint8, code uint32, n uint)) {
	code, next := uint32(0), 16
	for n := uint(1); n <= 16; n++ {
		for range h.def[n-1] {
			f(h.def[next], code, n)
			code, next = code+1, next+1
		}
		code <<= 1
	}
}

// symbol returns the value whose code begins buf, and the code's length, which
// is 0 for what is no code.
func (h *huffman) symbol(buf uint64) (value uint8, n uint) {
	code := uint32(buf >> 48)
	shortest := 1
	if code >= h.limit[lookBits] {
		shortest = lookBits + 1 // nearly always: others are in tables
	}
	for n := shortest; n <= 16; n++ {
		if code < h.limit[n] {
			return h.def[16+h.offset[n]+int32((code-h.first[n])>>(16-n))], uint(n)
		}
	}
	return 0, 0
}

// step describes one AC code: the bits of code and extra bits, and how many
// coefficients it takes up, or endOfAC.
func (h *huffman) step(buf uint64) (bits, coefs uint) {
	v, n := h.symbol(buf)
	run, size := uint(v>>4), uint(v&15)
	switch {
	case n == 0:
		return 0, 0
	case size != 0:
		return n + size, run + 1
	case run == 15:
		return n, 16
	}
	return n, endOfAC
}

// follow steps from the front of buf over whole AC codes as far as the lookBits
// reach, where used of them are behind it already. The last code's extra bits may
// reach further, for nobody looks at them.
func (h *huffman) follow(buf uint64, used uint) (bits, coefs uint) {
	for used < lookBits {
		_, n := h.symbol(buf)
		b, c := h.step(buf)
		if n == 0 || used+n > lookBits || (coefs+c > blockSize && c != endOfAC) {
			break
		}
		bits, coefs, used = bits+b, coefs+c, used+b
		buf <<= b
		if c == endOfAC {
			break
		}
	}
	return bits, coefs
}

func (t *acTable) build(ac *huffman) {
	for i := range t {
		bits, coefs := ac.follow(uint64(i)<<(64-lookBits), 0)
		t[i] = uint16(coefs<<5 | bits)
	}
}

// build makes the table for blocks with the given definitions. Differences are
// filled in only if they are wanted; a component without them can be stepped over
// sooner.
func (t *leadTable) build(dc, ac *huffman, wanted bool) {
	for i := range t {
		buf := uint64(i) << (64 - lookBits)
		t[i] = 0
		size, n := dc.symbol(buf)
		bits := n + uint(size)
		if n == 0 || n > lookBits || size > maxDCSize || wanted && bits > lookBits {
			continue
		}
		diff := int32(0)
		if wanted {
			diff = extend(buf<<n, uint(size))
		}
		more, coefs := uint(0), uint(0)
		if bits < lookBits {
			more, coefs = ac.follow(buf<<bits, bits)
		}
		t[i] = uint32(diff)<<16 | uint32((coefs+1)<<5|bits+more)
	}
}

// maxDCSize is the most extra bits of a difference in 8-bit JPEG (F.1.2.1.1).
const maxDCSize = 11

// extend returns the signed number in the first size bits of buf (F.2.2.1).
func extend(buf uint64, size uint) int32 {
	if size == 0 {
		return 0
	}
	v := int32(buf >> (64 - size))
	if buf>>63 == 0 {
		v -= 1<<size - 1
	}
	return v
}
