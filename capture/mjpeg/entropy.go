package mjpeg

import (
	"bytes"
	"encoding/binary"
)

// block is one block of an MCU: how to read it, and where it belongs.
type block struct {
	lead   *leadTable
	ac     *acTable
	dcDef  *huffman
	acDef  *huffman
	bright bool // of the first component: its value is wanted
	dx, dy int  // place in the MCU, in blocks

	tables         uint8  // which of the components' tables these are
	fromDC, fromAC source // and of what
}

// picture is the plan of the first component while a scan is read.
type picture struct {
	pix    []uint8 // w*h
	w, h   int
	across int   // MCUs in a row
	bw, bh int   // blocks of the picture in an MCU
	quant  int32 // of the DC coefficient
}

// put stores the mean brightness of a block whose DC coefficient is dc. Blocks
// that only fill up the last MCU of a row or column are dropped.
func (p *picture) put(x, y int, dc int32) {
	if x < p.w && y < p.h {
		p.pix[y*p.w+x] = p.grey(dc)
	}
}

// grey returns the mean brightness of a block whose DC coefficient is dc.
func (p *picture) grey(dc int32) uint8 {
	v := (dc*p.quant+4)>>3 + 128
	if uint32(v) > 255 {
		v = min(max(v, 0), 255)
	}
	return uint8(v)
}

// unstuff appends to dst the coded data at the front of b without its stuffed
// zeros. It ends before the next marker, or with b, and returns how much of b
// that is.
func unstuff(dst, b []byte) (data []byte, n int) {
	for {
		j := bytes.IndexByte(b[n:], 0xff)
		if j < 0 {
			return append(dst, b[n:]...), len(b)
		}
		end := n + j + 1
		if end == len(b) || b[end] != 0 {
			return append(dst, b[n:end-1]...), end - 1
		}
		dst = append(dst, b[n:end]...)
		n = end + 1
	}
}

// slack is how many bytes must follow coded data in its buffer, so that eight
// bytes can be read at once anywhere in it. They are zero, and to be found to
// have used one of them is an error.
const slack = 16

// place is the beginning of an MCU.
type place struct {
	bit  int // in the stretch of data
	mcu  int
	pred int32 // the DC coefficient of the first component's last block
}

// decode reads the MCUs from at to last (excluded) from seg, one stretch of
// unstuffed data between two restarts with its slack behind it, into p. It returns
// where it stopped: behind the last MCU, at the first that begins at bit until
// or behind it, or at the one that it could not read, and why.
//
// The bits to come stand at the top of buf, n of them at least. Each step takes at
// most 31, so that one check and one load before it suffice.
func decode(seg []byte, blocks []block, p *picture, at place, last, until int) (place, error) {
	pos, end := at.bit/8, (len(seg)-slack)*8 // in bytes, in bits
	if pos > len(seg)-8 {
		return at, ErrTruncated
	}
	buf, n, pos := refill(0, 0, pos, seg)
	buf, n = buf<<(at.bit&7), n-uint(at.bit&7)
	pred := at.pred
	mcu := at.mcu
	for ; mcu < last && pos*8-int(n) < until; mcu++ {
		mx, my := mcu%p.across*p.bw, mcu/p.across*p.bh
		for i := range blocks {
			b := &blocks[i]
			if n < 32 {
				if pos > len(seg)-8 {
					return place{pos*8 - int(n), mcu, pred}, ErrTruncated
				}
				buf, n, pos = refill(buf, n, pos, seg)
			}
			e := b.lead[buf>>(64-lookBits)]
			k := uint(e >> 5 & 255)
			diff := int32(e) >> 16
			bits := uint(e & 31)
			if bits == 0 || k >= blockSize && k>>6 != 2 {
				if bits, diff = b.difference(buf); bits == 0 {
					return place{pos*8 - int(n), mcu, pred}, ErrCorrupt
				}
				k = 1
			}
			buf <<= bits & 63
			n -= bits
			if b.bright {
				if pos*8-int(n) > end {
					return place{pos*8 - int(n), mcu, pred}, ErrTruncated
				}
				pred += diff
				p.put(mx+b.dx, my+b.dy, pred)
			}
			for k < blockSize {
				if n < 32 {
					if pos > len(seg)-8 {
						return place{pos*8 - int(n), mcu, pred}, ErrTruncated
					}
					buf, n, pos = refill(buf, n, pos, seg)
				}
				e := uint(b.ac[buf>>(64-lookBits)])
				bits, next := e&31, k+e>>5
				// Codes that reach over the block's end belong to the next one.
				if e == 0 || next > blockSize && next>>6 != 2 {
					if bits, next = b.past(buf, k); bits == 0 {
						return place{pos*8 - int(n), mcu, pred}, ErrCorrupt
					}
				}
				buf <<= bits & 63
				n -= bits
				k = next
			}
		}
	}
	at = place{pos*8 - int(n), mcu, pred}
	if at.bit > end {
		return at, ErrTruncated
	}
	return at, nil
}

// refill tops buf up to 56 bits or more. Eight bytes can be read at pos.
func refill(buf uint64, n uint, pos int, seg []byte) (uint64, uint, int) {
	return buf | binary.BigEndian.Uint64(seg[pos:])>>n, n | 56, pos + int((63-n)>>3)
}

// past steps over one AC code of b, or to the end of the block, k coefficients
// into it, where the table cannot tell. It returns 0 bits for what is no code.
func (b *block) past(buf uint64, k uint) (bits, next uint) {
	bits, coefs := b.acDef.step(buf)
	if coefs != endOfAC && k+coefs > blockSize {
		return 0, 0
	}
	return bits, k + coefs
}

// difference reads a DC difference on its own, without what follows it.
func (b *block) difference(buf uint64) (bits uint, diff int32) {
	size, n := b.dcDef.symbol(buf)
	if n == 0 || size > maxDCSize {
		return 0, 0
	}
	return n + uint(size), extend(buf<<n, uint(size))
}
