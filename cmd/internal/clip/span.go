package clip

import (
	"encoding/binary"
	"time"
)

// span is when a part begins and ends on its clip's own clock. Both are zero
// where the part does not say.
type span struct{ begin, end time.Duration }

// Bounds of what a clip's clock is believed to say.
const (
	maxScale = 1 << 30 // ticks a second
	maxTicks = 1 << 50
)

// spanOf reads a part's times out of its boxes (ISO/IEC 14496-12, sections 8.4.2
// and 8.8). They are the camera's word, like all else in a part.
func spanOf(head, body []byte) span {
	scale := timescale(head)
	traf := find(body, "moof", "traf")
	tfdt, tfhd, trun := find(traf, "tfdt"), find(traf, "tfhd"), find(traf, "trun")
	if scale == 0 || len(tfdt) < 8 || len(trun) < 8 {
		return span{}
	}
	begin := uint64(binary.BigEndian.Uint32(tfdt[4:]))
	if tfdt[0] == 1 {
		if len(tfdt) < 12 {
			return span{}
		}
		begin = binary.BigEndian.Uint64(tfdt[4:])
	}
	length, ok := trunLength(trun, defaultDuration(tfhd))
	if !ok || begin > maxTicks {
		return span{}
	}
	return span{ticks(begin, scale), ticks(begin+length, scale)}
}

// number returns the number in a fragment's head, from 1; 0 for none.
func number(body []byte) uint32 {
	mfhd := find(body, "moof", "mfhd")
	if len(mfhd) < 8 {
		return 0
	}
	return binary.BigEndian.Uint32(mfhd[4:])
}

func timescale(head []byte) uint64 {
	mdhd := find(head, "moov", "trak", "mdia", "mdhd")
	at := 12
	if len(mdhd) > 0 && mdhd[0] == 1 {
		at = 20
	}
	if len(mdhd) < at+4 {
		return 0
	}
	if scale := uint64(binary.BigEndian.Uint32(mdhd[at:])); scale <= maxScale {
		return scale
	}
	return 0
}

// flags are the lower three bytes of a box's first word.
func flags(box []byte) uint32 { return binary.BigEndian.Uint32(box) & 0xffffff }

// defaultDuration is how long samples last that do not say so, in ticks.
func defaultDuration(tfhd []byte) uint64 {
	if len(tfhd) < 8 || flags(tfhd)&0x08 == 0 {
		return 0
	}
	at := 8
	for flag, size := range map[uint32]int{0x01: 8, 0x02: 4} { // base offset, description
		if flags(tfhd)&flag != 0 {
			at += size
		}
	}
	if len(tfhd) < at+4 {
		return 0
	}
	return uint64(binary.BigEndian.Uint32(tfhd[at:]))
}

// trunLength adds up the durations of samples, in ticks.
func trunLength(trun []byte, each uint64) (sum uint64, ok bool) {
	f, samples, at, size := flags(trun), uint64(binary.BigEndian.Uint32(trun[4:])), 8, 0
	for flag := uint32(1); flag <= 4; flag <<= 2 { // data offset, first sample's flags
		if f&flag != 0 {
			at += 4
		}
	}
	for flag := uint32(0x100); flag <= 0x800; flag <<= 1 {
		if f&flag != 0 {
			size += 4
		}
	}
	if f&0x100 == 0 {
		return samples * each, samples <= 1<<20
	}
	if at > len(trun) || samples > uint64((len(trun)-at)/size) {
		return 0, false
	}
	for i := range samples {
		sum += uint64(binary.BigEndian.Uint32(trun[at+int(i)*size:]))
	}
	return sum, true
}

// ticks converts n ticks of scale a second.
func ticks(n, scale uint64) time.Duration {
	const most = 1 << 31 // seconds
	if n/scale >= most {
		return most * time.Second
	}
	return time.Duration(n/scale)*time.Second + time.Duration(n%scale*uint64(time.Second)/scale)
}

// find returns the content of the first box on a path of kinds, nil for none.
func find(b []byte, path ...string) []byte {
	for _, kind := range path {
		for {
			if len(b) < 8 {
				return nil
			}
			size := uint64(binary.BigEndian.Uint32(b))
			if size < 8 || size > uint64(len(b)) {
				return nil
			}
			if string(b[4:8]) == kind {
				b = b[8:size]
				break
			}
			b = b[size:]
		}
	}
	return b
}
