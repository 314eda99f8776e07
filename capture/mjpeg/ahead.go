package mjpeg

import (
	"math"
	"runtime"
)

// Where a part begins that a lane is to read, nobody has read up to, so that
// nobody knows where in that place a code begins, and of which block. But
// Huffman codes find their way by themselves: whoever begins anywhere as if it were
// the beginning of an MCU soon reads the same as one who has read all before (S. T.
// Klein and Y. Wiseman, "Parallel Huffman decoding with applications to JPEG files",
// 2003). So each lane but the first warms up in front of its part, and its part begins
// where that ends. If the lane before it comes to the end of an MCU at the very same
// bit, all that was read from there on was right, and needs only the DC coefficient and
// the number of the MCU from which to count on. If not, it is thrown away, and one
// reads the rest alone. Whatever the data, each bit is read twice at most, and what
// comes out is the same.

const (
	warmUp     = 768      // bytes in front of a part
	margin     = 512      // bytes at its end, in which an MCU surely ends
	worthwhile = 16 << 10 // bytes that are worth it
)

// interleaves says whether the processor has registers for the variables of all lanes,
// and goes on with one instruction while another one waits.
const interleaves = runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"

// lanes reads long stretches of data in lanes.
type lanes struct {
	laneTables
	warmUp, least int // bytes
	parts         [lanesN]part
	first, bright int // the blocks of an MCU that are wanted
}

// part is what one lane reads.
type part struct {
	begin, end int     // bits; all but the part's last MCUs are to be read
	diffs      []int16 // of the DC coefficients that are wanted
	lost       bool    // the lane met what is no code
}

// inLanes returns what reads seg in lanes, or nil if that is not worth it.
func (d *DC) inLanes(seg []byte) *lanes {
	if d.lanes == nil && interleaves && len(seg) >= worthwhile {
		d.lanes = &lanes{warmUp: warmUp, least: worthwhile}
	}
	if d.lanes == nil || len(seg) < d.lanes.least {
		return nil
	}
	return d.lanes
}

// ahead reads what lanes can read of the MCUs to last (excluded) that begin at at,
// and returns how far p is done. From there on decode has to read.
func (s *lanes) ahead(seg []byte, blocks []block, p *picture, at place, last int) place {
	if !s.start(seg, blocks, p, last-at.mcu) {
		return at
	}
	s.race(seg)
	for i := range s.parts {
		if at.bit != s.parts[i].begin {
			return at // they never met
		}
		s.finish(i, seg)
		at = s.settle(i, p, at, last)
		if i+1 < len(s.parts) {
			next, err := decode(seg, blocks, p, at, last, s.parts[i+1].begin)
			if err != nil {
				return at // to meet it again
			}
			at = next
		}
	}
	return at
}

// start places the lanes. It reports false if there is too little to do.
func (s *lanes) start(seg []byte, blocks []block, p *picture, mcus int) bool {
	s.build(blocks)
	s.first, s.bright = -1, 0
	for i := range blocks {
		if blocks[i].bright {
			if s.bright++; s.first < 0 {
				s.first = i
			}
		}
	}
	nowhere := *p
	nowhere.w = 0
	end := (len(seg) - slack) * 8
	for i := range s.parts {
		s.parts[i].begin = end / lanesN * i &^ 7
		at := place{bit: s.parts[i].begin - 8*s.warmUp}
		for i > 0 && at.bit < s.parts[i].begin {
			var err error
			if at, err = decode(seg, blocks, &nowhere, at, math.MaxInt, s.parts[i].begin); err != nil {
				at = place{bit: at.bit + 1}
			}
		}
		if i > 0 {
			s.parts[i].begin = at.bit
			s.parts[i-1].end = at.bit - 8*margin
		}
		if room := mcus*s.bright/2 + 2*outSize; cap(s.parts[i].diffs) < room {
			s.parts[i].diffs = make([]int16, 0, room)
		}
		s.parts[i].diffs, s.parts[i].lost = s.parts[i].diffs[:0], false
	}
	s.parts[lanesN-1].end = end - 8*margin
	for i := range s.parts {
		if s.parts[i].begin+8*winSize > s.parts[i].end {
			return false
		}
		l := &s.lane[i]
		l.at, l.base = uint(s.parts[i].begin), 0
		l.x, l.sum, l.n = s.next[4*len(blocks)-3], 0, 0
		l.fill(seg)
	}
	return true
}

// race lets the lanes run until one is through, or can go no further.
func (s *lanes) race(seg []byte) {
	for {
		if i := s.run(); i < lanesN {
			if s.parts[i].lost = !s.careful(&s.lane[i]); s.parts[i].lost {
				return
			}
			continue
		}
		for i := range s.lane {
			l, p := &s.lane[i], &s.parts[i]
			if l.at < 8*winSize && l.n < outSize-2 {
				continue
			}
			s.fetch(i)
			l.fill(seg)
			if l.base+8*winSize > p.end || cap(p.diffs)-len(p.diffs) < outSize {
				return
			}
		}
	}
}

// fetch takes from lane i what it has read of whole MCUs.
func (s *lanes) fetch(i int) {
	l, p := &s.lane[i], &s.parts[i]
	each := uint(len(s.blocks))
	whole := l.n - l.n%each
	for j := uint(s.first); j < whole; j += each {
		for _, sum := range l.out[j : j+uint(s.bright)] {
			p.diffs = append(p.diffs, int16(int32(sum<<(32-12-diffAt))>>(32-12)))
		}
	}
	l.n = uint(copy(l.out[:], l.out[whole:l.n]))
}

// finish takes lane i to the end of the MCU that it is in.
func (s *lanes) finish(i int, seg []byte) {
	s.fetch(i)
	l, p := &s.lane[i], &s.parts[i]
	for !p.lost && l.x>>24 != 0 {
		if l.at >= 8*winSize {
			l.fill(seg)
		}
		p.lost = l.n == outSize || !s.careful(l)
	}
	if l.base+int(l.at) > (len(seg)-slack)*8 {
		p.lost = true
	}
	s.fetch(i)
}

// settle puts what lane i has read into p, from at on, and returns the place behind it.
func (s *lanes) settle(i int, p *picture, at place, last int) place {
	if s.parts[i].lost {
		return at
	}
	at.bit = s.lane[i].base + int(s.lane[i].at)
	bright := s.blocks[s.first : s.first+s.bright]
	var offset [len(DC{}.blocks)]int // of the blocks of an MCU, in pix
	for j, b := range bright {
		offset[j] = b.dy*p.w + b.dx
	}
	x, y := at.mcu%p.across*p.bw, at.mcu/p.across*p.bh
	for diffs := s.parts[i].diffs; len(diffs) >= len(bright) && at.mcu < last; at.mcu++ {
		if x+p.bw <= p.w && y+p.bh <= p.h {
			pix := p.pix[y*p.w+x:]
			for j, diff := range diffs[:len(bright)] {
				at.pred += int32(diff)
				pix[offset[j%len(offset)]] = p.grey(at.pred)
			}
		} else {
			for j, b := range bright {
				at.pred += int32(diffs[j])
				p.put(x+b.dx, y+b.dy, at.pred)
			}
		}
		diffs = diffs[len(bright):]
		if x += p.bw; x >= p.across*p.bw {
			x, y = 0, y+p.bh
		}
	}
	return at
}
