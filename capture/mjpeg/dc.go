package mjpeg

import (
	"bytes"
	"math"
)

// DC reads the small grey picture that a JPEG carries within: the DC
// coefficients of its brightness, which are the means of 8x8 blocks. Nothing is
// transformed, and colour and detail are stepped over as fast as their codes
// allow.
//
// It reads sequential Huffman-coded JPEG of 8 bits (baseline and extended), grey
// or YCbCr in any sampling, in one scan or several. Huffman tables that are
// missing are the standard ones. Tables are kept from frame to frame, as long as
// they stay the same.
//
// The zero value is ready for use. It owns its buffers and allocates only when
// frames grow. One goroutine uses it at a time.
type DC struct {
	dht    [8]huffman // by id, DC at 0..3 and AC at 4..7
	lead   [3]leads   // by component
	ac     [3]acs
	quant  [4]int32  // first entry of each quantization table
	dqt    [4][]byte // each quantization table as the frame that is being read defines it
	adobe  bool      // the frame says that its colours are not YCbCr
	data   []byte    // one stretch of coded data without stuffing
	lanes  *lanes    // for long stretches, or nil
	blocks [10]block
	pix    []uint8 // w*h
	w, h   int
}

// leads is a leadTable with the versions of what it was built from.
type leads struct {
	table  *leadTable
	dc, ac source
}

type acs struct {
	table *acTable
	ac    source
}

// source is one version of a Huffman table.
type source struct {
	id      uint8
	version uint32
}

// maxLost is the part of a frame that may be lost between restart markers with
// the frame still being of use: one in so many MCUs.
const maxLost = 4

// Read returns the picture of 1/8 the frame's size, rounded up, row by row in
// pix, which is valid until the next Read and must not be changed. Each pixel
// is within 1 of the mean of the 64 it stands for, as long as those are not
// clipped to black or white. A block that reaches over the frame's edge counts
// with what the encoder filled it up with.
//
// Where restart markers allow it, reading goes on behind damaged data: up to a
// quarter of the blocks may be lost, and keep what they were in the frame before.
//
// The error is always an Error: ErrUnsupported for progressive, arithmetic-coded,
// lossless and 12-bit JPEG, CMYK and RGB; ErrTruncated when data ends too soon;
// ErrCorrupt for codes that mean nothing.
func (d *DC) Read(jpeg []byte) (w, h int, pix []uint8, err error) {
	if len(jpeg) == 0 {
		return 0, 0, nil, ErrEmpty
	}
	start := findSOI(jpeg)
	if start < 0 {
		return 0, 0, nil, ErrNotJPEG
	}
	s := scanner{cursor: cursor{b: jpeg, i: start + 2}}
	d.adobe = false
	for {
		sos, err := d.nextScan(&s)
		if err != nil {
			return 0, 0, nil, err
		}
		if contains(sos, s.h.Component[0].ID) {
			return d.readScan(&s, sos)
		}
	}
}

// nextScan takes in everything up to the next scan header, and returns that. s
// then stands in front of the scan's coded data.
func (d *DC) nextScan(s *scanner) (sos []byte, err error) {
	for {
		m, ok := s.marker()
		switch {
		case !ok || m == markSOI:
			return nil, ErrTruncated
		case isRST(m):
			continue
		case m == markEOI || m < markSOF0:
			return nil, ErrHeader // the end, and no brightness was in it
		}
		at := s.i - 2
		seg, ok := s.segment()
		if !ok {
			return nil, ErrTruncated
		}
		if err := s.read(m, at, seg); err != nil {
			return nil, err
		}
		switch m {
		case markDHT:
			err = d.readDHT(seg)
		case markDQT:
			d.readDQT(seg)
		case markAPP0 + 14:
			d.adobe = len(seg) >= 12 && bytes.HasPrefix(seg, []byte("Adobe")) && seg[11] == 0
		case markSOF0, markSOF1, markSOF2:
			err = d.check(&s.h)
		case markSOS:
			return seg, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// contains says whether a scan header names a component.
func contains(sos []byte, id uint8) bool {
	for i := range int(sos[0]) {
		if sos[1+2*i] == id {
			return true
		}
	}
	return false
}

// check refuses the kinds of frame that Read does not read.
func (d *DC) check(h *Header) error {
	if h.Progressive || h.Components == 4 || d.adobe && h.Components == 3 {
		return ErrUnsupported
	}
	blocks := 0
	for _, c := range h.Component[:h.Components] {
		if c.H > h.Component[0].H || c.V > h.Component[0].V {
			return ErrUnsupported // brightness coarser than colour
		}
		blocks += int(c.H) * int(c.V)
	}
	if h.Components > 1 && blocks > len(d.blocks) {
		return ErrHeader // T.81, B.2.3
	}
	return nil
}

// readDHT takes in the tables of a segment that the scanner found well formed.
func (d *DC) readDHT(seg []byte) error {
	for len(seg) > 0 {
		n := 16
		for _, c := range seg[1:17] {
			n += int(c)
		}
		if err := d.dht[seg[0]>>4*4+seg[0]&3].set(seg[1 : 1+n]); err != nil {
			return err
		}
		seg = seg[1+n:]
	}
	return nil
}

func (d *DC) readDQT(seg []byte) {
	for len(seg) > 1 {
		id, n := seg[0]&3, 1+64
		d.quant[id] = int32(seg[1])
		if seg[0]>>4 != 0 {
			n = 1 + 128
			d.quant[id] = int32(seg[1])<<8 | int32(seg[2])
		}
		d.dqt[id], seg = seg[:n], seg[n:]
	}
}

// standard returns the table that an absent one stands for.
func standard(id uint8) string {
	return [8]string{0: dcLuma, 1: dcChroma, 4: acLuma, 5: acChroma}[id][1:]
}

// table returns the Huffman table that a scan uses under id.
func (d *DC) table(s *scanner, id uint8) *huffman {
	h := &d.dht[id]
	if s.dht>>id&1 == 0 {
		var def [16 + 256]uint8
		n := copy(def[:], standard(id)) // ids 2 and 3 the scanner has refused
		h.set(def[:n])                  // never fails for a standard table
	}
	return h
}

// plan fills in d.blocks for a scan and the shape of p, and returns the blocks of one MCU.
func (d *DC) plan(s *scanner, sos []byte, p *picture) []block {
	n := 0
	for i := range int(sos[0]) {
		c := 0
		for s.h.Component[c].ID != sos[1+2*i] {
			c++
		}
		bw, bh := int(s.h.Component[c].H), int(s.h.Component[c].V)
		if sos[0] == 1 {
			bw, bh = 1, 1 // a component alone comes block by block
		}
		b := d.reading(s, c, sos[2+2*i]>>4, 4+sos[2+2*i]&15)
		if b.bright {
			p.bw, p.bh = bw, bh
		}
		for j := range bw * bh {
			b.dx, b.dy = j%bw, j/bw
			d.blocks[n] = b
			n++
		}
	}
	p.across = (p.w + p.bw - 1) / p.bw
	return d.blocks[:n]
}

// reading returns how to read the blocks of component c with these tables.
func (d *DC) reading(s *scanner, c int, dc, ac uint8) block {
	b := block{dcDef: d.table(s, dc), acDef: d.table(s, ac), bright: c == 0}
	from, more := source{dc, b.dcDef.version}, source{ac, b.acDef.version}
	// The second colour nearly always shares its tables with the first.
	if c == 2 && d.lead[1].table != nil && d.lead[1].dc == from && d.lead[1].ac == more {
		c = 1
	}
	if l := &d.lead[c]; l.table == nil || l.dc != from || l.ac != more {
		if l.table == nil {
			l.table = new(leadTable)
		}
		l.dc, l.ac = from, more
		l.table.build(b.dcDef, b.acDef, b.bright)
	}
	if a := &d.ac[c]; a.table == nil || a.ac != more {
		if a.table == nil {
			a.table = new(acTable)
		}
		a.ac = more
		a.table.build(b.acDef)
	}
	b.lead, b.ac = d.lead[c].table, d.ac[c].table
	b.tables, b.fromDC, b.fromAC = uint8(c), from, more
	return b
}

// readScan reads the coded data that s stands in front of.
func (d *DC) readScan(s *scanner, sos []byte) (w, h int, pix []uint8, err error) {
	p := picture{w: (s.h.Width + 7) / 8, h: (s.h.Height + 7) / 8, quant: d.quant[s.h.Component[0].Tq]}
	blocks := d.plan(s, sos, &p)
	d.resize(p.w, p.h)
	p.pix = d.pix
	mcus := p.across * ((p.h + p.bh - 1) / p.bh)
	lost, err := d.readIntervals(s, blocks, &p, mcus)
	if err != nil && (s.h.RestartInterval == 0 || lost > mcus/maxLost) {
		return 0, 0, nil, err
	}
	return p.w, p.h, p.pix, nil
}

// resize makes room for w x h pixels. Those of another size were of another picture.
func (d *DC) resize(w, h int) {
	if w == d.w && h == d.h {
		return
	}
	if cap(d.pix) < w*h {
		d.pix = make([]uint8, w*h)
	}
	d.w, d.h, d.pix = w, h, d.pix[:w*h]
	for i := range d.pix {
		d.pix[i] = 128
	}
}

// readIntervals reads the stretches of data between restart markers, each on its
// own, and returns how many MCUs were lost and the first reason.
func (d *DC) readIntervals(s *scanner, blocks []block, p *picture, mcus int) (lost int, err error) {
	each := s.h.RestartInterval
	if each == 0 {
		each = mcus
	}
	rest := s.b[s.i:]
	for first := 0; first < mcus; first += each {
		var n int
		d.data, n = unstuff(d.data[:0], rest)
		d.data = append(d.data, make([]byte, slack)...)
		last := min(first+each, mcus)
		if got, e := d.stretch(blocks, p, first, last); e != nil {
			lost += max(last-got, 1)
			if err == nil {
				err = e
			}
		}
		if last == mcus {
			break
		}
		rest = rest[n:]
		skipped, ok := restart(&rest, first/each)
		if !ok { // data ends here
			skipped = mcus / each
		}
		if skipped > 0 {
			lost += min(skipped*each, mcus-last)
			first += skipped * each
			if err == nil {
				err = ErrCorrupt
			}
			if !ok {
				err = ErrTruncated
			}
		}
	}
	return lost, err
}

// stretch reads the MCUs from first to last (excluded) from d.data into p. It returns
// the number of the MCU that it could not read, and why.
func (d *DC) stretch(blocks []block, p *picture, first, last int) (int, error) {
	at := place{mcu: first}
	if s := d.inLanes(d.data); s != nil {
		at = s.ahead(d.data, blocks, p, at, last)
	}
	at, err := decode(d.data, blocks, p, at, last, math.MaxInt)
	return at.mcu, err
}

// restart moves rest behind the next restart marker, and returns how many
// intervals are missing before it, by its number, when the n-th was read
// last. It reports false when coded data ends instead.
func restart(rest *[]byte, n int) (missing int, ok bool) {
	for {
		c := cursor{b: *rest}
		m, ok := c.marker()
		if !ok || !isRST(m) {
			return 0, false
		}
		*rest = (*rest)[c.i:]
		// Numbers go round by eight: up to half of that ahead is a loss, behind
		// is a stray marker, whose data is passed over with it.
		if missing = (int(m-markRST0) - n) & 7; missing < 4 {
			return missing, true
		}
	}
}
