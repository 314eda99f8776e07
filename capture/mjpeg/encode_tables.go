package mjpeg

import "math"

// The quantization tables of ITU T.81, K.1, for quality 50, row by row.
var quantLuma = [64]uint8{
	16, 11, 10, 16, 24, 40, 51, 61,
	12, 12, 14, 19, 26, 58, 60, 55,
	14, 13, 16, 24, 40, 57, 69, 56,
	14, 17, 22, 29, 51, 87, 80, 62,
	18, 22, 37, 56, 68, 109, 103, 77,
	24, 35, 55, 64, 81, 104, 113, 92,
	49, 64, 78, 87, 103, 121, 120, 101,
	72, 92, 95, 98, 112, 100, 103, 99,
}

var quantChroma = [64]uint8{
	17, 18, 24, 47, 99, 99, 99, 99,
	18, 21, 26, 66, 99, 99, 99, 99,
	24, 26, 56, 99, 99, 99, 99, 99,
	47, 66, 99, 99, 99, 99, 99, 99,
	99, 99, 99, 99, 99, 99, 99, 99,
	99, 99, 99, 99, 99, 99, 99, 99,
	99, 99, 99, 99, 99, 99, 99, 99,
	99, 99, 99, 99, 99, 99, 99, 99,
}

// prepare fills in the tables for a quality, by the rule that libjpeg made common.
//
// Limited samples are stretched to those of JPEG here, where it costs nothing: the
// transform is linear, so what it gives is stretched by dividing by less, and black
// moved from 16 to 0 by its first value.
func (e *Encoder) prepare(quality int, limited bool) {
	if quality == e.quality && limited == e.limited {
		return
	}
	e.quality, e.limited = quality, limited
	stretch := [2]float64{1, 1}
	if limited {
		stretch = [2]float64{255.0 / 219, 255.0 / 224}
	}
	percent := 200 - 2*quality
	if quality < 50 {
		percent = 5000 / quality
	}
	for i, base := range [2]*[64]uint8{&quantLuma, &quantChroma} {
		t := &e.tables[i]
		t.grey = int32(math.Round(-128 * scale(0) * 8))
		if limited && i == 0 {
			// 16 is to become -128.
			t.grey = int32(math.Round((-16 - 128/stretch[0]) * scale(0) * 8))
		}
		for k, at := range zigzagOrder {
			q := min(max((int(base[at])*percent+50)/100, 1), 255)
			by := float64(q) * scale(int(at)) / stretch[i]
			t.quant[k] = uint8(q)
			t.recip[k] = uint64((1<<30)/by + 0.5)
			for some := range e.places[at/4] {
				if some>>(at%4)&1 != 0 {
					e.places[at/4][some] |= 1 << k
				}
			}
			t.most[at] = int32(math.Ceil(float64(1<<29)/float64(t.recip[k]))) - 1
		}
		codes([2]string{dcLuma, dcChroma}[i], t.dc[:])
		codes([2]string{acLuma, acChroma}[i], t.ac[:])
	}
}

// codes fills in the codes of a table as a DHT segment defines it: class and id,
// sixteen counts, values.
func codes(def string, out []uint32) {
	code, next := uint32(0), 17
	for n := uint32(1); n <= 16; n++ {
		for range def[n] {
			out[def[next]] = code<<8 | n
			code, next = code+1, next+1
		}
		code <<= 1
	}
}

// header writes everything in front of the coded data.
func (e *Encoder) header(r *Raw) {
	e.out = append(e.out, "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"...)
	e.out = append(e.out, "\xff\xdb\x00\x84\x00"...)
	e.out = append(e.out, e.tables[0].quant[:]...)
	e.out = append(e.out, 1)
	e.out = append(e.out, e.tables[1].quant[:]...)
	size := []byte{8, byte(r.Height >> 8), byte(r.Height), byte(r.Width >> 8), byte(r.Width)}
	if r.Cb.Pix == nil {
		e.out = append(append(e.out, 0xff, markSOF0, 0, 11), size...)
		e.out = append(e.out, 1, 1, 0x11, 0)
		e.out = append(e.out, standardDHT...)
		e.out = append(e.out, "\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"...)
		return
	}
	e.out = append(append(e.out, 0xff, markSOF0, 0, 17), size...)
	e.out = append(e.out, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1)
	e.out = append(e.out, standardDHT...)
	e.out = append(e.out, "\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00"...)
}
