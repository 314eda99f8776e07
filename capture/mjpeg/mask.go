package mjpeg

import "math/bits"

// Masker takes parts out of JPEG frames without decoding them. Each MCU (16x16
// pixels at 4:2:0, 16x8 at 4:2:2, 8x8 at 4:4:4 and in grey) that has one of the
// blocks to be hidden becomes flat grey in all of its blocks: brightness and
// colours 128. All other coefficients stay what they are, bit by bit: only the
// differences of DC coefficients across a flat part are coded anew.
//
// What comes out is made anew from what was understood, and holds nothing
// else: no thumbnail in EXIF or other APPn segments, no comment, nothing that
// stands behind the last MCU. A frame that is not understood to its last
// coefficient is refused, so that no decoder can find another picture in it.
//
// The zero value is ready for use. It owns its buffers and allocates only when
// frames grow. One goroutine uses it at a time.
type Masker struct {
	tables DC // Huffman and quantization tables as frames bring them
	dc     [4]dcTable
	ac     [4]acs
	eob    [4]uint32 // by AC table: length and code of the end of a block
	blocks [10]maskBlock
	data   []byte // one stretch of coded data without stuffing
	w      bitWriter
}

// dcTable reads and writes the DC differences of one Huffman table.
type dcTable struct {
	from  source
	read  [lookSize]uint32      // bits 0..4: length of code and number; 16..31: the number. 0: not within lookBits
	write [maxDCSize + 1]uint32 // by size: code in front, its length in the low 8 bits
	own   bool                  // the frame's table lacks codes: write is the standard one
}

// maskBlock is one block of an MCU.
type maskBlock struct {
	c     int // component
	dc    *dcTable
	ac    *acTable
	eob   uint32
	block // dcDef and acDef
}

// Append appends the first JPEG in jpeg to dst, without what hide covers, and
// returns the extended slice. hide must be of the frame's size: else the error
// is ErrHeader.
//
// dst and jpeg must not overlap. The error is always an Error, and dst then
// returned as it was: ErrUnsupported for what DC does not read, and for frames in
// several scans; anything that is missing or wrong in the coded data is
// ErrTruncated or ErrCorrupt.
func (m *Masker) Append(dst, jpeg []byte, hide *Blocks) ([]byte, error) {
	start := findSOI(jpeg)
	switch {
	case len(jpeg) == 0:
		return dst, ErrEmpty
	case start < 0:
		return dst, ErrNotJPEG
	}
	s := scanner{cursor: cursor{b: jpeg, i: start + 2}}
	m.tables.adobe = false
	sos, err := m.tables.nextScan(&s)
	if err != nil {
		return dst, err
	}
	if int(sos[0]) != s.h.Components {
		return dst, ErrUnsupported
	}
	if !hide.fits(s.h.Width, s.h.Height) {
		return dst, ErrHeader
	}
	blocks, err := m.plan(&s, sos)
	if err != nil {
		return dst, err
	}
	m.w = bitWriter{out: m.header(dst, &s.h, sos)}
	err = m.scan(&s, blocks, hide)
	out := m.w.out
	m.w.out = nil
	if err != nil {
		return dst, err
	}
	return append(out, 0xff, markEOI), nil
}

// plan prepares the tables of a scan, and returns the blocks of one MCU.
func (m *Masker) plan(s *scanner, sos []byte) ([]maskBlock, error) {
	n := 0
	for i := range int(sos[0]) {
		c := 0
		for s.h.Component[c].ID != sos[1+2*i] {
			c++
		}
		b := maskBlock{c: c}
		var err error
		dc, ac := sos[2+2*i]>>4, sos[2+2*i]&15
		if b.dcDef, b.dc, err = m.readDC(s, dc); err != nil {
			return nil, err
		}
		if b.acDef, b.ac, err = m.readAC(s, ac); err != nil {
			return nil, err
		}
		b.eob = m.eob[ac]
		bw, bh := int(s.h.Component[c].H), int(s.h.Component[c].V)
		if s.h.Components == 1 {
			bw, bh = 1, 1 // a component alone comes block by block
		}
		for range bw * bh {
			m.blocks[n] = b
			n++
		}
	}
	return m.blocks[:n], nil
}

// readDC returns the DC table id, ready for reading and writing.
func (m *Masker) readDC(s *scanner, id uint8) (*huffman, *dcTable, error) {
	def, t := m.tables.table(s, id), &m.dc[id]
	if t.from != (source{id, def.version}) {
		t.from = source{id, def.version}
		t.build(def)
	}
	return def, t, nil
}

// readAC returns the AC table id. Baseline decoders differ in what they make of
// runs without a number (runs of blocks in progressive JPEG), so a table with
// such codes is refused, as is one without a code for the end of a block.
func (m *Masker) readAC(s *scanner, id uint8) (*huffman, *acTable, error) {
	def, t := m.tables.table(s, 4+id), &m.ac[id]
	if from := (source{id, def.version}); t.table == nil || t.ac != from {
		if t.table == nil {
			t.table = new(acTable)
		}
		t.ac = from
		t.table.build(def)
		m.eob[id] = 0
		def.each(func(v uint8, code uint32, n uint) {
			switch {
			case v == 0:
				m.eob[id] = code<<8 | uint32(n)
			case v&15 == 0 && v != 0xf0:
				t.table = nil
			}
		})
	}
	if t.table == nil || m.eob[id] == 0 {
		t.table = nil
		return nil, nil, ErrUnsupported
	}
	return def, t.table, nil
}

func (t *dcTable) build(def *huffman) {
	for i := range t.read {
		buf := uint64(i) << (64 - lookBits)
		t.read[i] = 0
		if size, n := def.symbol(buf); n > 0 && size <= maxDCSize && n+uint(size) <= lookBits {
			t.read[i] = uint32(extend(buf<<n, uint(size)))<<16 | uint32(n) + uint32(size)
		}
	}
	t.write = [maxDCSize + 1]uint32{}
	def.each(func(v uint8, code uint32, n uint) {
		if v <= maxDCSize {
			t.write[v] = code<<8 | uint32(n)
		}
	})
	t.own = false
	for _, e := range t.write {
		t.own = t.own || e == 0
	}
	if t.own {
		codes(dcLuma, t.write[:])
	}
}

// scan reads the coded data that s stands in front of, and writes it. Every
// interval between restart markers must be there, in its place and whole.
func (m *Masker) scan(s *scanner, blocks []maskBlock, hide *Blocks) error {
	p := mcus{bw: 1, bh: 1, hide: hide}
	if s.h.Components > 1 {
		p.bw, p.bh = int(s.h.Component[0].H), int(s.h.Component[0].V)
	}
	p.across = (hide.w + p.bw - 1) / p.bw
	count := p.across * ((hide.h + p.bh - 1) / p.bh)
	each := s.h.RestartInterval
	if each == 0 {
		each = count
	}
	rest := s.b[s.i:]
	for first := 0; first < count; first += each {
		if first > 0 {
			c := cursor{b: rest}
			number := byte(first/each - 1)
			if got, ok := c.marker(); !ok || got != markRST0+number&7 {
				return ErrCorrupt
			}
			rest = rest[c.i:]
			m.w.out = append(m.w.out, 0xff, markRST0+number&7)
		}
		var n int
		m.data, n = unstuff(m.data[:0], rest)
		m.data = append(m.data, make([]byte, slack)...)
		rest = rest[n:]
		if err := m.interval(blocks, p, first, min(first+each, count)); err != nil {
			return err
		}
	}
	return nil
}

// mcus says which MCUs are hidden.
type mcus struct {
	bw, bh int // blocks of 8x8 pixels in an MCU
	across int // MCUs in a row
	hide   *Blocks
}

// interval reads and writes the MCUs from first to last (excluded). Bits are read
// as in decode.
func (m *Masker) interval(blocks []maskBlock, p mcus, first, last int) error {
	seg := m.data
	w := m.w
	var read, wrote [3]int32 // DC coefficients of the block before
	var buf uint64
	var n uint
	pos, end := 0, (len(seg)-slack)*8
	for mcu := first; mcu < last; mcu++ {
		hidden := p.hide.Any(mcu%p.across*p.bw, mcu/p.across*p.bh, p.bw, p.bh)
		for i := range blocks {
			b := &blocks[i]
			if n < 32 {
				if pos > len(seg)-8 {
					return ErrTruncated
				}
				buf, n, pos = refill(buf, n, pos, seg)
			}
			size, diff := b.lead(buf)
			buf <<= size & 63
			n -= size
			dc := read[b.c] + diff
			if size == 0 || dc < minDC || dc > maxDC {
				return ErrCorrupt
			}
			read[b.c] = dc
			if hidden {
				dc = 0
			}
			w.difference(b.dc, dc-wrote[b.c])
			wrote[b.c] = dc
			if hidden {
				w.put(uint64(b.eob>>8), uint(b.eob&255))
			}
			for k := uint(1); k < blockSize; {
				if n < 32 {
					if pos > len(seg)-8 {
						return ErrTruncated
					}
					buf, n, pos = refill(buf, n, pos, seg)
				}
				e := uint(b.ac[buf>>(64-lookBits)])
				size, next := e&31, k+e>>5
				// Codes that reach over the block's end belong to the next one.
				if e == 0 || next > blockSize && next>>6 != 2 {
					if size, next = b.past(buf, k); size == 0 {
						return ErrCorrupt
					}
				}
				if !hidden {
					w.put(buf>>(64-size), size)
				}
				buf <<= size & 63
				n -= size
				k = next
			}
		}
	}
	if pos*8-int(n) > end {
		return ErrTruncated
	}
	w.flush()
	m.w = w
	return nil
}

// lead reads the DC difference at the front of buf. It returns 0 bits for what is
// no code.
func (b *maskBlock) lead(buf uint64) (size uint, diff int32) {
	if e := b.dc.read[buf>>(64-lookBits)]; e != 0 {
		return uint(e & 31), int32(e) >> 16
	}
	return b.difference(buf)
}

// The least and the largest DC coefficient of 8-bit JPEG. So no difference needs
// more than maxDCSize bits.
const minDC, maxDC = -1024, 1023

// bitWriter writes coded data.
type bitWriter struct {
	out []byte
	acc uint64 // bits that are not in out yet, n of them, less than 32
	n   uint
}

// put writes the low size bits of v, at most 32, above which v is zero.
func (w *bitWriter) put(v uint64, size uint) {
	w.acc = w.acc<<(size&63) | v
	w.n += size
	if w.n >= 32 {
		w.n -= 32
		w.out = put32(w.out, uint32(w.acc>>w.n))
	}
}

// difference writes the difference of a DC coefficient.
func (w *bitWriter) difference(t *dcTable, diff int32) {
	code := diff
	if diff < 0 {
		diff, code = -diff, code-1
	}
	size := uint(bits.Len32(uint32(diff)))
	e := t.write[size]
	w.put(uint64(e>>8)<<size|uint64(code)&(1<<size-1), uint(e&255)+size)
}

// flush fills the last byte up with ones.
func (w *bitWriter) flush() {
	if fill := (8 - w.n%8) % 8; fill > 0 {
		w.acc, w.n = w.acc<<fill|(1<<fill-1), w.n+fill
	}
	for w.n > 0 {
		w.n -= 8
		w.out = append(w.out, byte(w.acc>>w.n))
		if byte(w.acc>>w.n) == 0xff {
			w.out = append(w.out, 0)
		}
	}
}
