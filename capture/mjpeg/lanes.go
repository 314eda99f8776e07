package mjpeg

import "encoding/binary"

// Entropy decoding is one long chain: where a code begins is known when the one
// before it has been looked up. A processor that could do four things at once
// does one, and waits. So a long stretch of data is read by several lanes, each
// in a part of its own and all in one loop, a step of each in turn: while one
// waits the others go on. Where the parts come from is in ahead.go.
//
// A step has no branches that depend on the data but one that is hardly ever taken,
// for a branch foreseen wrongly would stop all lanes. So it looks the same at
// the beginning of a block and within, in brightness and in colour: what
// differs is which table it looks into, and that is looked up too.

const (
	lanesN  = 3
	winSize = 512  // bytes of data that a lane has at hand
	outSize = 1024 // blocks that a lane reads at most before they are fetched

	// An entry of laneTables.tab says how many bits to step over (low 7 bits), the
	// difference to the DC coefficient of the block before (12 bits from diffAt on,
	// signed) and how many coefficients those are, plus endOfAC (8 bits from coefAt on).
	// What lanes have read of a block is the sum of its entries.
	laneBits = 1<<7 - 1
	diffAt   = 7
	coefAt   = 24

	// odd is set in an entry, or in a sum when the coefficients are 64 or more
	// without an end of block, where a step needs another look: see careful.
	odd = blockSize << coefAt

	// stepBits is the most that an entry steps over. Eight bytes hold 57 bits from
	// any bit on: enough for two steps of this and one more look.
	stepBits = 22

	laneSize = 8 * lookSize // of the tables of three components, and a power of two

	// An AC code that is longer than a look is found by a second one, for which the odd
	// entry of the first has a place in long in its low bits: there are 16 entries, one for
	// each way in which the bits go on. The standard tables have 8 such places each.
	longSize   = 1024 // of three components, and a power of two
	longPlaces = 20   // of each component; codes without one are for careful
	longEach   = 1 << (16 - lookBits)
)

// laneTables is what all lanes look into.
type laneTables struct {
	tab  [laneSize]uint32
	long [longSize]uint32 // the first longEach are odd, as is each that is no code
	// next says where to look after a step: which table (low 24 bits) and which state
	// that is (high 8). It is found by the state before, plus 1 if its block has ended.
	// States are four times the block's number in the MCU, plus 2 behind its first step.
	next [256 + 1]uint32
	// keep says what of a block's sum is kept after a step: all, or the bits alone
	// if the block has ended.
	keep   [2]uint32
	blocks []block
	from   [3][2]source // what tab was built from, by component
	lane   [lanesN]lane
}

// lane is one part of the data while it is read.
type lane struct {
	at   uint   // next bit to read, in win
	x    uint32 // where to look: an entry of next
	sum  uint32 // of the block's entries so far
	n    uint   // blocks in out
	win  [winSize + 16]byte
	out  [outSize]uint32 // sums of blocks
	base int             // the bit of the data where win begins
}

// build makes ready for MCUs of these blocks, whose tables it copies if they have changed.
func (t *laneTables) build(blocks []block) {
	t.blocks = blocks
	t.keep = [2]uint32{1<<32 - 1, laneBits}
	for i := range blocks {
		b := &blocks[i]
		if from := [2]source{b.fromDC, b.fromAC}; t.from[b.tables] != from {
			t.from[b.tables] = from
			t.copy(b)
		}
		lead, ac := uint32(b.tables)*2*lookSize, uint32(b.tables)*2*lookSize+lookSize
		state, before := uint32(4*i), uint32(4*((i+len(blocks)-1)%len(blocks)))
		t.next[before+1], t.next[before+3] = state<<24|lead, state<<24|lead
		t.next[state], t.next[state+2] = (state+2)<<24|ac, (state+2)<<24|ac
	}
}

// copy takes over the tables of b in the form that lanes need.
func (t *laneTables) copy(b *block) {
	lead := t.tab[int(b.tables)*2*lookSize:][:2*lookSize]
	ac := lead[lookSize:]
	for i, e := range b.lead {
		lead[i] = odd
		if bits := e & 31; bits != 0 && bits <= stepBits {
			lead[i] = bits | e>>16<<20>>(20-diffAt) | e>>5<<coefAt
		}
	}
	for i, e := range b.ac {
		ac[i] = odd
		if bits := uint32(e & 31); bits != 0 && bits <= stepBits {
			ac[i] = bits | uint32(e)>>5<<coefAt
		}
	}
	t.copyLong(b, ac)
}

// copyLong finds places in long for the codes of b that are longer than a look.
func (t *laneTables) copyLong(b *block, ac []uint32) {
	for i := range longEach {
		t.long[i] = odd
	}
	place := longEach * (1 + longPlaces*int(b.tables))
	last := place + longEach*longPlaces
	for i, e := range b.ac {
		if e != 0 || place == last {
			continue
		}
		ac[i] = odd | uint32(place)
		for j := range uint64(longEach) {
			t.long[place] = odd
			if bits, coefs := b.acDef.step((uint64(i)<<4 | j) << 48); bits != 0 && bits <= stepBits {
				t.long[place] = uint32(coefs<<coefAt | bits)
			}
			place++
		}
	}
}

// look returns the entry for what is at the top of w, of a lane at x.
func (t *laneTables) look(x uint32, w uint64) uint32 {
	return t.tab[(x+uint32(w>>(64-lookBits)))&(laneSize-1)]
}

// again returns the entry for a second look at what is at the top of w, 16 bits, where
// the first one gave e. It is odd, and nothing else, where that does not help.
func (t *laneTables) again(e uint32, w uint64) uint32 {
	if e&odd == 0 {
		return odd
	}
	return t.long[(e+uint32(w>>48)&(longEach-1))&(longSize-1)]
}

// step takes the step of entry e, which is in sum already, and returns a lane's
// variables after it.
func (t *laneTables) step(out *[outSize]uint32, e uint32, w uint64, x, sum uint32, n uint) (uint64, uint32, uint32, uint) {
	out[n] = sum // the next step overwrites it, unless the block ends with this one
	end := e >> 31
	return w << (e & 63), t.next[x>>24+end], sum & t.keep[end], n + uint(end)
}

// load returns the 57 bits or more from bit at of win, at the top.
func (l *lane) load(at uint) uint64 {
	return binary.BigEndian.Uint64(l.win[at>>3:at>>3+8]) << (at & 7)
}

// run takes steps of all lanes, until one stands before a step that is odd, whose
// number it returns, or has used up its window or its room for blocks: then it returns
// lanesN. It is written out, because what is in an array does not stay in registers. The
// third step of each is left to the next round if it is odd: there are no bits for a second look.
func (t *laneTables) run() (stopped int) {
	a, b, c := &t.lane[0], &t.lane[1], &t.lane[2]
	aAt, aX, aSum, aN := a.at, a.x, a.sum, a.n
	bAt, bX, bSum, bN := b.at, b.x, b.sum, b.n
	cAt, cX, cSum, cN := c.at, c.x, c.sum, c.n
	const bits, room = 8 * winSize, outSize - 2
	for {
		if aAt >= bits || bAt >= bits || cAt >= bits || aN >= room || bN >= room || cN >= room {
			stopped = lanesN
			break
		}
		aW, bW, cW := a.load(aAt), b.load(bAt), c.load(cAt)
		aE := t.look(aX, aW)
		if (aSum+aE)&odd != 0 {
			if aE = t.again(aE, aW); (aSum+aE)&odd != 0 {
				stopped = 0
				break
			}
		}
		aW, aX, aSum, aN = t.step(&a.out, aE, aW, aX, aSum+aE, aN)
		bE := t.look(bX, bW)
		if (bSum+bE)&odd != 0 {
			if bE = t.again(bE, bW); (bSum+bE)&odd != 0 {
				stopped = 1
				break
			}
		}
		bW, bX, bSum, bN = t.step(&b.out, bE, bW, bX, bSum+bE, bN)
		cE := t.look(cX, cW)
		if (cSum+cE)&odd != 0 {
			if cE = t.again(cE, cW); (cSum+cE)&odd != 0 {
				stopped = 2
				break
			}
		}
		cW, cX, cSum, cN = t.step(&c.out, cE, cW, cX, cSum+cE, cN)
		aE = t.look(aX, aW)
		if (aSum+aE)&odd != 0 {
			if aE = t.again(aE, aW); (aSum+aE)&odd != 0 {
				stopped = 0
				break
			}
		}
		aW, aX, aSum, aN = t.step(&a.out, aE, aW, aX, aSum+aE, aN)
		bE = t.look(bX, bW)
		if (bSum+bE)&odd != 0 {
			if bE = t.again(bE, bW); (bSum+bE)&odd != 0 {
				stopped = 1
				break
			}
		}
		bW, bX, bSum, bN = t.step(&b.out, bE, bW, bX, bSum+bE, bN)
		cE = t.look(cX, cW)
		if (cSum+cE)&odd != 0 {
			if cE = t.again(cE, cW); (cSum+cE)&odd != 0 {
				stopped = 2
				break
			}
		}
		cW, cX, cSum, cN = t.step(&c.out, cE, cW, cX, cSum+cE, cN)
		if aE = t.look(aX, aW); (aSum+aE)&odd == 0 {
			_, aX, aSum, aN = t.step(&a.out, aE, aW, aX, aSum+aE, aN)
		}
		if bE = t.look(bX, bW); (bSum+bE)&odd == 0 {
			_, bX, bSum, bN = t.step(&b.out, bE, bW, bX, bSum+bE, bN)
		}
		if cE = t.look(cX, cW); (cSum+cE)&odd == 0 {
			_, cX, cSum, cN = t.step(&c.out, cE, cW, cX, cSum+cE, cN)
		}
		aAt, aSum = aAt+uint(aSum&laneBits), aSum&^laneBits
		bAt, bSum = bAt+uint(bSum&laneBits), bSum&^laneBits
		cAt, cSum = cAt+uint(cSum&laneBits), cSum&^laneBits
	}
	a.at, a.x, a.sum, a.n = aAt+uint(aSum&laneBits), aX, aSum&^laneBits, aN
	b.at, b.x, b.sum, b.n = bAt+uint(bSum&laneBits), bX, bSum&^laneBits, bN
	c.at, c.x, c.sum, c.n = cAt+uint(cSum&laneBits), cX, cSum&^laneBits, cN
	return stopped
}

// careful takes one step of l of whatever kind, as decode does. It reports false,
// and stays, where there is no code.
func (t *laneTables) careful(l *lane) bool {
	w, state := l.load(l.at), l.x>>24
	b, k := &t.blocks[state>>2], uint(l.sum>>coefAt)
	var bits uint
	if state&2 == 0 {
		e := b.lead[w>>(64-lookBits)]
		diff := int32(e) >> 16
		bits, k = uint(e&31), uint(e>>5&255)
		if bits == 0 || k >= blockSize && k>>6 != 2 {
			bits, diff = b.difference(w)
			k = 1
		}
		l.sum = uint32(diff) << (32 - 12) >> (32 - 12 - diffAt)
	} else {
		e := uint(b.ac[w>>(64-lookBits)])
		next := k + e>>5
		if bits = e & 31; e == 0 || next > blockSize && next>>6 != 2 {
			bits, next = b.past(w, k)
		}
		k = next
	}
	if bits == 0 {
		return false
	}
	l.at += bits
	l.out[l.n], l.sum = l.sum, l.sum&(1<<coefAt-1)|uint32(k)<<coefAt
	if k >= blockSize {
		l.n, l.sum = l.n+1, 0
		state++
	}
	l.x = t.next[state]
	return true
}

// fill moves the window to where l stands, with zeros behind the end of seg.
func (l *lane) fill(seg []byte) {
	from := l.base/8 + int(l.at>>3)
	l.base, l.at = from*8, l.at&7
	clear(l.win[copy(l.win[:], seg[min(from, len(seg)):]):])
}
