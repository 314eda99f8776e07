package mjpeg

import (
	"image"
	"math"
)

// encoder writes baseline JPEG in the samplings and with the restart markers
// that image/jpeg does not write. Slow and plain, for tests alone.
type encoder struct {
	out   []byte
	acc   uint64
	bits  int
	codes [4]map[uint8][2]int // dcLuma, acLuma, dcChroma, acChroma: value to (length, code)
	quant [64]int
	pred  [3]int
}

// zigzag is the order of coefficients (ITU T.81, figure A.6).
var zigzag = func() (z [64]int) {
	x, y, up := 0, 0, true
	for i := range z {
		z[i] = 8*y + x
		switch {
		case up && x == 7, !up && y == 7:
			if up {
				y++
			} else {
				x++
			}
			up = !up
		case up && y == 0, !up && x == 0:
			if up {
				x++
			} else {
				y++
			}
			up = !up
		case up:
			x, y = x+1, y-1
		default:
			x, y = x-1, y+1
		}
	}
	return z
}()

func encodeYCbCr(m *image.YCbCr, step, restart int) []byte {
	e := &encoder{}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	sh, sv := 1, 1
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio420:
		sh, sv = 2, 2
	case image.YCbCrSubsampleRatio422:
		sh = 2
	case image.YCbCrSubsampleRatio440:
		sv = 2
	case image.YCbCrSubsampleRatio411:
		sh = 4
	}
	e.out = append(e.out, "\xff\xd8\xff\xdb\x00\x43\x00"...)
	for i := range e.quant {
		e.quant[i] = min(step+step*i/16, 255)
		e.out = append(e.out, byte(e.quant[i]))
	}
	e.out = append(e.out, 0xff, 0xc0, 0, 17, 8, byte(h>>8), byte(h), byte(w>>8), byte(w), 3, 1, byte(sh<<4|sv), 0, 2, 0x11, 0, 3, 0x11, 0)
	e.out = append(e.out, standardDHT...)
	e.out = append(e.out, 0xff, 0xdd, 0, 4, byte(restart>>8), byte(restart))
	e.out = append(e.out, "\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00"...)
	for i, def := range []string{dcLuma, acLuma, dcChroma, acChroma} {
		e.codes[i] = map[uint8][2]int{}
		code, v := 0, 17
		for n := 1; n <= 16; n++ {
			for range def[n] {
				e.codes[i][def[v]] = [2]int{n, code}
				code, v = code+1, v+1
			}
			code <<= 1
		}
	}
	across, down := (w+8*sh-1)/(8*sh), (h+8*sv-1)/(8*sv)
	for mcu := range across * down {
		if restart > 0 && mcu > 0 && mcu%restart == 0 {
			e.flush()
			e.out = append(e.out, 0xff, 0xd0|byte(mcu/restart-1)&7)
			e.pred = [3]int{}
		}
		mx, my := mcu%across, mcu/across
		for i := range sh * sv {
			e.block(m.Y, m.YStride, w, h, (mx*sh+i%sh)*8, (my*sv+i/sh)*8, 0)
		}
		cw, ch := (w+sh-1)/sh, (h+sv-1)/sv
		e.block(m.Cb, m.CStride, cw, ch, mx*8, my*8, 1)
		e.block(m.Cr, m.CStride, cw, ch, mx*8, my*8, 2)
	}
	e.flush()
	return append(e.out, 0xff, 0xd9)
}

func (e *encoder) put(code, n int) {
	e.acc, e.bits = e.acc<<n|uint64(code), e.bits+n
	for e.bits >= 8 {
		e.bits -= 8
		b := byte(e.acc >> e.bits)
		e.out = append(e.out, b)
		if b == 0xff {
			e.out = append(e.out, 0)
		}
	}
}

func (e *encoder) flush() {
	if e.bits > 0 {
		e.put(1<<(8-e.bits)-1, 8-e.bits)
	}
}

func (e *encoder) symbol(table int, v uint8) { c := e.codes[table][v]; e.put(c[1], c[0]) }

func (e *encoder) number(v int) int {
	n := 0
	for a := max(v, -v); a > 0; a >>= 1 {
		n++
	}
	return n
}

func (e *encoder) extra(v, n int) {
	if v < 0 {
		v += 1<<n - 1
	}
	e.put(v, n)
}

var cosines = func() (c [8][8]float64) {
	for u := range 8 {
		for x := range 8 {
			c[u][x] = math.Cos(float64(2*x+1)*float64(u)*math.Pi/16) / 2
			if u == 0 {
				c[u][x] /= math.Sqrt2
			}
		}
	}
	return c
}()

func (e *encoder) block(pix []uint8, stride, w, h, x0, y0, comp int) {
	var in, rows, coef [64]float64
	for i := range in {
		in[i] = float64(pix[min(y0+i/8, h-1)*stride+min(x0+i%8, w-1)]) - 128
	}
	for y := range 8 {
		for u := range 8 {
			for x := range 8 {
				rows[y*8+u] += in[y*8+x] * cosines[u][x]
			}
		}
	}
	for v := range 8 {
		for u := range 8 {
			for y := range 8 {
				coef[v*8+u] += rows[y*8+u] * cosines[v][y]
			}
		}
	}
	tables := min(comp, 1) * 2
	run := 0
	for k, at := range zigzag {
		q := int(math.Round(coef[at] / float64(e.quant[k])))
		if k == 0 {
			diff := q - e.pred[comp]
			e.pred[comp] = q
			e.symbol(tables, uint8(e.number(diff)))
			e.extra(diff, e.number(diff))
			continue
		}
		if q == 0 {
			run++
			continue
		}
		for ; run > 15; run -= 16 {
			e.symbol(tables+1, 0xf0)
		}
		n := e.number(q)
		e.symbol(tables+1, uint8(run<<4|n))
		e.extra(q, n)
		run = 0
	}
	if run > 0 {
		e.symbol(tables+1, 0)
	}
}
