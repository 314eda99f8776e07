package mjpeg

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// Plane is where the samples of one colour component are in a raw frame: sample
// x of row y is Pix[y*Stride+x*Step]. So planar, packed and interleaved frames are
// all read where they are.
type Plane struct {
	Pix          []uint8
	Stride, Step int
}

// Raw is an uncompressed frame.
type Raw struct {
	Width, Height int // of brightness
	Y             Plane
	Cb, Cr        Plane // half as wide as Y, rounded up; without Pix in a grey frame
	FullColour    bool  // Cb and Cr are as high as Y (4:2:2), not half as high (4:2:0)
	Limited       bool  // black is 16 and white 235, colours are 16 to 240; JPEG has 0 to 255 for each
}

// Encoder compresses raw frames to baseline JPEG: 4:2:0 or grey, with the standard
// Huffman tables. It is several times as fast as image/jpeg, since it makes no
// copy of the frame, and its transform needs few multiplications (Arai, Agui and
// Nakajima, 1988), the rest of which are a part of quantization.
//
// The zero value is ready for use; one goroutine uses it at a time.
type Encoder struct {
	// Hide are blocks that become flat grey, with the MCUs (16x16 pixels, 8x8 in
	// grey) in which they lie. It must be of the frame's size; nil hides nothing.
	Hide *Blocks

	quality int  // that the tables are for
	limited bool // the same
	tables  [2]encTable
	places  [16][16]uint64 // of four coefficients that follow each other in a row, any of them: their bits in the zigzag
	pred    [3]int32
	out     []byte
	acc     uint64 // bits that are not in out yet, n of them
	n       uint
}

// encTable is all that is needed for a block of brightness (0) or colour (1).
// Arrays by coefficient are in the order of the zigzag.
type encTable struct {
	quant [64]uint8
	most  [64]int32  // row by row: what a transformed value may have at most, of either sign, and becomes zero
	recip [64]uint64 // what it is multiplied by, in Q30, instead of divided
	dc    [16]uint32 // codes by size: the code in front, its length in the low 8 bits
	ac    [256]uint32
	grey  int32 // what the first value of a transformed block lacks for 128 to become 0
}

// Append compresses r with a quality from 1 to 100, appends the JPEG to dst and
// returns the extended slice. It returns ErrHeader, and dst as it was, if r is
// larger than MaxPixels or JPEG can be, has less samples than its size says, or
// is of another size than Hide.
func (e *Encoder) Append(dst []byte, r *Raw, quality int) ([]byte, error) {
	if !r.valid() || e.Hide != nil && !e.Hide.fits(r.Width, r.Height) {
		return dst, ErrHeader
	}
	e.prepare(min(max(quality, 1), 100), r.Limited)
	e.out, e.pred, e.acc, e.n = dst, [3]int32{}, 0, 0
	e.header(r)
	var b [64]int32
	mcu := 16
	if r.Cb.Pix == nil {
		mcu = 8
	}
	cw, ch, rows := (r.Width+1)/2, (r.Height+1)/2, 1
	if r.FullColour {
		ch, rows = r.Height, 2
	}
	for y := 0; y < r.Height; y += mcu {
		for x := 0; x < r.Width; x += mcu {
			// So much, and no more, can the blocks of an MCU come to, each byte stuffed.
			e.out = slices.Grow(e.out, 6*2*64*4)
			if e.Hide != nil && e.Hide.Any(x/8, y/8, mcu/8, mcu/8) {
				e.flat(mcu == 8)
				continue
			}
			if mcu == 8 {
				r.Y.load(&b, x, y, r.Width, r.Height, 1)
				e.block(&b, 0, 0, e.tables[0].grey)
				continue
			}
			for i := range 4 {
				r.Y.load(&b, x+i%2*8, y+i/2*8, r.Width, r.Height, 1)
				e.block(&b, 0, 0, e.tables[0].grey)
			}
			r.Cb.load(&b, x/2, y/2*rows, cw, ch, rows)
			e.block(&b, 1, 1, e.tables[1].grey)
			r.Cr.load(&b, x/2, y/2*rows, cw, ch, rows)
			e.block(&b, 2, 1, e.tables[1].grey)
		}
	}
	e.flush()
	dst, e.out = append(e.out, 0xff, markEOI), nil
	return dst, nil
}

// flat codes one MCU without anything in it.
func (e *Encoder) flat(grey bool) {
	for i := range 6 {
		var zero [64]int32
		c := max(0, i-3)
		e.block(&zero, c, min(c, 1), 0)
		if grey {
			return
		}
	}
}

// valid says whether all samples of the frame are there.
func (r *Raw) valid() bool {
	const most = 1<<16 - 1
	if r.Width < 1 || r.Height < 1 || r.Width > most || r.Height > most || int64(r.Width)*int64(r.Height) > MaxPixels {
		return false
	}
	if r.Cb.Pix == nil && r.Cr.Pix == nil {
		return r.Y.holds(r.Width, r.Height)
	}
	cw, ch := (r.Width+1)/2, (r.Height+1)/2
	if r.FullColour {
		ch = r.Height
	}
	return r.Y.holds(r.Width, r.Height) && r.Cb.holds(cw, ch) && r.Cr.holds(cw, ch)
}

// holds says whether the plane has w x h samples.
func (p *Plane) holds(w, h int) bool {
	return p.Step >= 1 && p.Step <= 8 && p.Stride >= 0 && int64(len(p.Pix)) > int64(h-1)*int64(p.Stride)+int64(w-1)*int64(p.Step)
}

// load copies the block at x, y of a plane of w x h samples, with transformBits of
// fraction. Of rows 2, pairs of rows are averaged. Beyond the edge the last sample repeats.
func (p *Plane) load(b *[64]int32, x, y, w, h, rows int) {
	if p.Step == 1 && rows == 1 && x+8 <= w && y+8 <= h {
		p.loadWhole(b, x, y)
		return
	}
	for i := range 8 {
		above := p.Pix[min(y+i*rows, h-1)*p.Stride:]
		below := above
		if rows == 2 {
			below = p.Pix[min(y+2*i+1, h-1)*p.Stride:]
		}
		out := b[8*i : 8*i+8 : 8*i+8]
		if x+8 > w {
			for j := range out {
				at := min(x+j, w-1) * p.Step
				out[j] = (int32(above[at]) + int32(below[at]) + 1) >> 1 << transformBits
			}
			continue
		}
		s := p.Step
		above, below = above[x*s:], below[x*s:]
		_, _ = above[7*s], below[7*s]
		for j := range out {
			out[j] = (int32(above[j*s]) + int32(below[j*s])) << (transformBits - 1)
		}
	}
}

// loadWhole is load for most blocks of most frames: samples side by side, and no edge.
func (p *Plane) loadWhole(b *[64]int32, x, y int) {
	for i := range 8 {
		in := p.Pix[(y+i)*p.Stride+x:]
		in = in[:8]
		out := (*[8]int32)(b[8*i : 8*i+8])
		out[0], out[1] = int32(in[0])<<transformBits, int32(in[1])<<transformBits
		out[2], out[3] = int32(in[2])<<transformBits, int32(in[3])<<transformBits
		out[4], out[5] = int32(in[4])<<transformBits, int32(in[5])<<transformBits
		out[6], out[7] = int32(in[6])<<transformBits, int32(in[7])<<transformBits
	}
}

// zigzagOrder is the order of coefficients in a block (ITU T.81, figure A.6).
var zigzagOrder = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// block transforms, quantizes and codes one block of component c by table t, with
// its first value raised by lift.
func (e *Encoder) block(b *[64]int32, c, t int, lift int32) {
	transform(b)
	tab := &e.tables[t]
	acc, n, out := e.acc, e.n, e.out
	// What is whiter than white must not come to a difference that has no code.
	dc := min(max(quantize(b[0]+lift, tab.recip[0]), minDC), maxDC)
	diff := dc - e.pred[c]
	e.pred[c] = dc
	code := diff
	if diff < 0 {
		diff, code = -diff, code-1
	}
	size := uint(bits.Len32(uint32(diff)))
	entry := tab.dc[size&15]
	acc = acc<<(entry&255+uint32(size)) | uint64(entry>>8)<<size | uint64(code)&(1<<size-1)
	n += uint(entry&255) + size
	last := 0
	for set := e.kept(tab, b); set != 0; set &= set - 1 {
		k := bits.TrailingZeros64(set)
		if n >= 32 {
			n -= 32
			out = put32(out, uint32(acc>>n))
		}
		run := uint(k - last - 1)
		for last = k; run > 15; run -= 16 {
			entry := tab.ac[0xf0]
			acc, n = acc<<(entry&255)|uint64(entry>>8), n+uint(entry&255)
			if n >= 32 {
				n -= 32
				out = put32(out, uint32(acc>>n))
			}
		}
		v := min(max(quantize(b[zigzagOrder[k&63]&63], tab.recip[k&63]), -maxAC), maxAC)
		code := v
		if v < 0 {
			v, code = -v, code-1
		}
		size := uint(bits.Len32(uint32(v)))
		entry := tab.ac[(run<<4|size)&255]
		acc = acc<<(entry&255+uint32(size)) | uint64(entry>>8)<<size | uint64(code)&(1<<size-1)
		n += uint(entry&255) + size
	}
	if n >= 32 {
		n -= 32
		out = put32(out, uint32(acc>>n))
	}
	if last < 63 {
		entry := tab.ac[0]
		acc, n = acc<<(entry&255)|uint64(entry>>8), n+uint(entry&255)
		if n >= 32 {
			n -= 32
			out = put32(out, uint32(acc>>n))
		}
	}
	e.acc, e.n, e.out = acc, n, out
}

// kept returns a bit for each coefficient but the first that does not become zero, in the
// order of the zigzag. Which ones do is a matter of chance, so no branch depends on it.
func (e *Encoder) kept(t *encTable, b *[64]int32) (set uint64) {
	for i := range e.places {
		v, m := (*[4]int32)(b[4*i:4*i+4]), (*[4]int32)(t.most[4*i:4*i+4])
		large := uint32((m[0]-v[0])|(m[0]+v[0]))>>31 | uint32((m[1]-v[1])|(m[1]+v[1]))>>31<<1 |
			uint32((m[2]-v[2])|(m[2]+v[2]))>>31<<2 | uint32((m[3]-v[3])|(m[3]+v[3]))>>31<<3
		set |= e.places[i][large]
	}
	return set &^ 1
}

// quantize returns v times recip, rounded.
func quantize(v int32, recip uint64) int32 {
	sign := v >> 31
	q := int32((uint64(uint32((v^sign)-sign))*recip + 1<<29) >> 30)
	return (q ^ sign) - sign
}

// put32 appends four bytes of coded data, with a zero stuffed behind each 0xff.
func put32(out []byte, v uint32) []byte {
	if (^v-0x01010101)&v&0x80808080 == 0 { // none of them is 0xff
		return binary.BigEndian.AppendUint32(out, v)
	}
	for shift := 24; shift >= 0; shift -= 8 {
		out = append(out, byte(v>>shift))
		if byte(v>>shift) == 0xff {
			out = append(out, 0)
		}
	}
	return out
}

// flush writes the bits that are left, filled up with ones.
func (e *Encoder) flush() {
	if fill := (8 - e.n%8) % 8; fill > 0 {
		e.acc, e.n = e.acc<<fill|(1<<fill-1), e.n+fill
	}
	for e.n > 0 {
		e.n -= 8
		e.out = append(e.out, byte(e.acc>>e.n))
		if byte(e.acc>>e.n) == 0xff {
			e.out = append(e.out, 0)
		}
	}
}

// maxAC is the largest coefficient that baseline JPEG has a code for.
const maxAC = 1023

// scale returns by what transform's output for coefficient i exceeds the DCT.
func scale(i int) float64 {
	s := func(k int) float64 {
		if k == 0 {
			return 1
		}
		return math.Sqrt2 * math.Cos(float64(k)*math.Pi/16)
	}
	return 8 * s(i%8) * s(i/8) * (1 << transformBits)
}
