package motion

import (
	"math/bits"
	"time"
)

// background is what the picture looks like when nothing moves: for each pixel
// its mean, and how far it strays from it. Numbers are grey levels in Q8 (times 256).
type background struct {
	w, h   int
	floor  []uint16 // what a deviation must exceed beside noise
	mean   []uint16
	noise  []uint16      // what nine in ten deviations stay below
	since  []uint8       // how long the pixel has stood out, in sixteenths of a second
	share  float64       // part of the pixels that stood out last
	gain   int32         // of the exposure against the mean, Q12
	shift  int32         // Q8
	age    int           // frames since the seed
	before mask          // what stood out in the frame before
	carry  time.Duration // part of a sixteenth of a second that since has not counted yet
}

const (
	calmNoise = 128 // noise of a pixel at the start
	mostNoise = 40 * 256
)

func (b *background) resize(w, h int) {
	*b = background{w: w, h: h, floor: make([]uint16, w*h), mean: make([]uint16, w*h), noise: make([]uint16, w*h), since: make([]uint8, w*h)}
	b.before.resize(w, h)
}

// seed takes pix for the mean. The noise that was learned stays, unless forget.
func (b *background) seed(pix []uint8, forget bool) {
	for i, p := range pix {
		b.mean[i] = uint16(p) << 8
		if forget {
			b.noise[i] = calmNoise
		}
	}
	clear(b.since)
	b.before.reset()
	b.share, b.age = 0, 0
}

// compensate finds the gain and offset by which the exposure differs from the
// background's, from the pixels that did not stand out before.
func (b *background) compensate(pix []uint8, out mask) {
	near := b.fit(pix, out, 1<<12, 0, 10)
	if near.n*10 >= near.all*7 {
		b.gain, b.shift = near.line()
	} else {
		// More than a little: fit roughly to all, then again to what fits.
		gain, shift := b.fit(pix, out, 1<<12, 0, 255).line()
		b.gain, b.shift = b.fit(pix, out, gain, shift, 16).line()
	}
	if d := b.gain - 1<<12; d > -12 && d < 12 && b.shift > -128 && b.shift < 128 {
		b.gain, b.shift = 1<<12, 0 // too little to tell from noise
	}
}

// sums are those of a least squares fit of y (the frame) over x (the mean).
type sums struct {
	all, n       int
	x, y, xx, xy int64
}

// fit sums up one pixel in four of those within reach of the line given.
func (b *background) fit(pix []uint8, out mask, gain, shift int32, reach int32) sums {
	var s sums
	for y := 1; y < b.h; y += 2 {
		row, mean := pix[y*b.w:(y+1)*b.w], b.mean[y*b.w:(y+1)*b.w]
		skip := out.row(y)
		for x := 0; x < len(row); x += 2 {
			if skip[x>>6]>>(x&63)&1 != 0 {
				continue
			}
			vx, vy := int32(mean[x]), int32(row[x])
			if vy < 3 || vy > 250 || vx < 3<<8 || vx > 250<<8 {
				continue // clipped values follow no line
			}
			s.all++
			d := vy - (vx*gain>>12+shift)>>8
			if d > reach || d < -reach {
				continue
			}
			vx >>= 4 // Q4 keeps sums in 64 bits by far
			s.n++
			s.x += int64(vx)
			s.y += int64(vy)
			s.xx += int64(vx * vx)
			s.xy += int64(vx * vy)
		}
	}
	return s
}

// line solves the fit. A flat picture tells nothing about gain, so that is
// drawn towards 1.
func (s sums) line() (gain, shift int32) {
	if s.n < 64 {
		return 1 << 12, 0
	}
	n := float64(s.n)
	x, y := float64(s.x)/16/n, float64(s.y)/n
	const stiff = 4 // grey levels squared
	variance := float64(s.xx)/256/n - x*x + stiff
	a := (float64(s.xy)/16/n - x*y + stiff) / variance
	a = min(max(a, 0.25), 4)
	return int32(a*(1<<12) + 0.5), int32((y - a*x) * 256)
}

// step compares pix with the background, sets in out what stands out by more than
// its floor over its noise, and learns from the rest. Where the picture is dark, contrasts
// are smaller, and half of the floor suffices.
func (b *background) step(pix []uint8, out, held mask, dt time.Duration) {
	b.age++
	// The mean follows within 3 s, and faster after a seed, as the mean of the frames since.
	alpha := int32(min(dt.Seconds()/3, 0.25) * (1 << 12))
	if n := int32(1<<12) / int32(b.age+1); b.age < 16 && n > alpha {
		alpha = n
	}
	// The noise is the level that one deviation in ten exceeds: it rises nine
	// times as fast as it falls.
	up := int32(min(dt.Seconds(), 0.25) * 3 * 256)
	down := max(up/9, 1)
	r := rates{alpha, up, down}
	b.expose()
	for y := range b.h {
		row := pix[y*b.w : (y+1)*b.w]
		mean := b.mean[y*b.w : (y+1)*b.w][:len(row)]
		noise := b.noise[y*b.w : (y+1)*b.w][:len(row)]
		floor := b.floor[y*b.w : (y+1)*b.w][:len(row)]
		words, kept := out.row(y), held.row(y)
		for i := range words {
			from := i << 6
			to := min(from+64, len(row))
			if kept[i] != 0 {
				words[i] = compareHeld(row[from:to], floor[from:to], mean[from:to], noise[from:to], r, kept[i])
				continue
			}
			words[i] = compare(row[from:to], floor[from:to], mean[from:to], noise[from:to], r)
		}
	}
}

// expose brings the mean to the exposure of the frame.
func (b *background) expose() {
	if b.gain == 1<<12 && b.shift == 0 {
		return
	}
	for i, m := range b.mean {
		b.mean[i] = uint16(min(max(int32(m)*b.gain>>12+b.shift, 0), 255<<8))
	}
}

// rates are how fast the background learns from one frame: alpha of the difference
// in Q12, up and down grey levels of noise in Q8.
type rates struct{ alpha, up, down int32 }

// compare handles at most 64 pixels for step, and returns which stand out.
func compare(row []uint8, floor, mean, noise []uint16, r rates) (set uint64) {
	floor, mean, noise = floor[:len(row)], mean[:len(row)], noise[:len(row)]
	both := r.up + r.down
	for x := range row {
		e, n, f := int32(mean[x]), int32(noise[x]), int32(floor[x])
		most := f>>1 + f*(e>>8)>>8 + 2*n
		d := int32(row[x])<<8 - e
		sign := d >> 31
		ad := d ^ sign - sign
		if ad > most {
			set |= 1 << (x & 63)
		} else {
			mean[x] = uint16(e + (d*r.alpha+1<<11)>>12)
			// Whether noise rises is a matter of chance: no branch may depend on it.
			noise[x] = uint16(max(n-r.down+(n-ad)>>31&both, 0))
		}
	}
	return set
}

// compareHeld is compare where somebody is in some of the pixels. Of those it learns nothing, for
// what of him is nearly as bright as what he stands before would be learned, and he with it; and
// less tells that he is still there than it took to find him.
func compareHeld(row []uint8, floor, mean, noise []uint16, r rates, held uint64) (set uint64) {
	var means, noises [64]uint16
	copy(means[:], mean)
	copy(noises[:], noise)
	set = compare(row, floor, mean, noise, r)
	for ; held != 0; held &= held - 1 {
		x := bits.TrailingZeros64(held)
		mean[x], noise[x] = means[x], noises[x]
		e, f := int32(mean[x]), int32(floor[x])
		most := f>>1 + f*(e>>8)>>8 + 2*int32(noise[x])
		if d := int32(row[x])<<8 - e; 8*max(d, -d) > 5*most {
			set |= 1 << x
		}
	}
	return set
}

// absorb decides what becomes of the pixels that stand out: those in keep, which
// are somebody's, are left alone; what else stays for a second fades into
// the background, and what flickers raises its pixels' noise.
func (b *background) absorb(pix []uint8, out, keep mask, dt time.Duration) {
	alpha := int32(min(dt.Seconds()/1.2, 0.3) * (1 << 12))
	up := int32(min(dt.Seconds(), 0.25) * 3 * 256)
	b.carry += dt
	ticks := b.carry / (time.Second / 16)
	b.carry -= ticks * (time.Second / 16)
	for i, word := range out.bits {
		for gone := b.before.bits[i] &^ word; gone != 0; gone &= gone - 1 {
			b.since[b.pixel(i, gone)] = 0
		}
		b.before.bits[i] = word
		for word &^= keep.bits[i]; word != 0; word &= word - 1 {
			p := b.pixel(i, word)
			b.since[p] = uint8(min(int(b.since[p])+int(ticks), 255))
			if b.since[p] > 16 {
				m := int32(b.mean[p])
				b.mean[p] = uint16(m + ((int32(pix[p])<<8-m)*alpha+1<<11)>>12)
			}
			b.noise[p] = uint16(min(int32(b.noise[p])+up, mostNoise))
		}
	}
}

// pixel returns the index of the lowest pixel that is set in the i-th word of a mask.
func (b *background) pixel(i int, word uint64) int {
	return i/b.before.words*b.w + i%b.before.words<<6 + bits.TrailingZeros64(word)
}

// take makes pix the background where area is set.
func (b *background) take(pix []uint8, area mask) {
	for i, word := range area.bits {
		for ; word != 0; word &= word - 1 {
			p := b.pixel(i, word)
			b.mean[p] = uint16(pix[p]) << 8
		}
	}
}
