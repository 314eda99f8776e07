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
			if l.base+8*winSize > p.end || cap(p.diffs)-len(p.diffs) < 2*outSize { // for one more fetch here, and those of finish
				return
			}
		}
	}
}

// fetch takes from lane i what it has read of whole MCUs.
func (s *lanes) fetch(i int) {
	l, p := &s.lane[i], &s.parts[i]
	each, bright := uint(len(s.blocks)), uint(s.bright)
	whole := l.n - l.n%each
	at := len(p.diffs)
	p.diffs = p.diffs[:at+int(whole/each*bright)]
	for j := uint(s.first); j < whole; j += each {
		for k := j; k < j+bright; k++ {
			p.diffs[at] = int16(int32(l.out[k%outSize]<<(32-12-diffAt)) >> (32 - 12))
			at++
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
	for diffs := s.parts[i].diffs; len(diffs) >= s.bright && at.mcu < last; {
		x, y := at.mcu%p.across, at.mcu/p.across
		n := min(len(diffs)/s.bright, last-at.mcu, p.across-x)
		at.pred = p.putRow(x, y, diffs[:n*s.bright], at.pred)
		diffs = diffs[n*s.bright:]
		at.mcu += n
	}
	return at
}

// putRow stores the blocks of MCUs one behind the other, from column x of row y on. The
// first one's DC coefficient differs from pred, each other's from the one before, by
// diffs. It returns the last one's.
func (p *picture) putRow(x, y int, diffs []int16, pred int32) int32 {
	n := 0 // MCUs that lie in the picture as a whole
	if (y+1)*p.bh <= p.h {
		n = min(len(diffs)/(p.bw*p.bh), p.w/p.bw-x)
	}
	switch {
	case n <= 0:
		n = 0
	case p.bh == 1:
		n *= p.bw
		to := p.pix[y*p.w+x*p.bw:][:n]
		for i, diff := range diffs[:n] {
			pred += int32(diff)
			to[i] = p.grey(pred)
		}
	case p.bh == 2 && p.bw == 2:
		above := p.pix[2*y*p.w+2*x:][:2*n]
		below := p.pix[(2*y+1)*p.w+2*x:][:2*n]
		n *= 4
		for i := 0; i < n; i += 4 {
			d := diffs[i : i+4 : i+4]
			a, b := above[i/2:i/2+2], below[i/2:i/2+2]
			pred += int32(d[0])
			a[0] = p.grey(pred)
			pred += int32(d[1])
			a[1] = p.grey(pred)
			pred += int32(d[2])
			b[0] = p.grey(pred)
			pred += int32(d[3])
			b[1] = p.grey(pred)
		}
	default:
		n = 0
	}
	for i, diff := range diffs[n:] {
		pred += int32(diff)
		mcu, j := (n+i)/(p.bw*p.bh), (n+i)%(p.bw*p.bh)
		p.put((x+mcu)*p.bw+j%p.bw, y*p.bh+j/p.bw, pred)
	}
	return pred
}
