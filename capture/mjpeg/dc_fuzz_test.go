package mjpeg

import (
	"bytes"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// slowDC reads what DC reads, by the letter of ITU T.81 and bit by bit, from
// a frame without damage. It shares nothing with DC but the marker scanner.
type slowDC struct {
	data  []byte // of one interval, unstuffed
	bit   int
	codes [8]map[[2]int]uint8 // (length, code) to value, DC at 0..3 and AC at 4..7
}

func (s *slowDC) next() int {
	if s.bit >= 8*len(s.data) {
		panic(ErrTruncated)
	}
	v := int(s.data[s.bit/8]>>(7-s.bit%8)) & 1
	s.bit++
	return v
}

func (s *slowDC) receive(n int) int {
	v := 0
	for range n {
		v = v<<1 | s.next()
	}
	return v
}

func (s *slowDC) value(table int) int {
	code := 0
	for n := 1; n <= 16; n++ {
		code = code<<1 | s.next()
		if v, ok := s.codes[table][[2]int{n, code}]; ok {
			return int(v)
		}
	}
	panic(ErrCorrupt)
}

func (s *slowDC) define(table int, def []byte) error {
	s.codes[table] = map[[2]int]uint8{}
	code, i := 0, 16
	for n := 1; n <= 16; n++ {
		for range def[n-1] {
			if code >= 1<<n {
				return ErrHeader
			}
			s.codes[table][[2]int{n, code}] = def[i]
			code++
			i++
		}
		code <<= 1
	}
	return nil
}

// block reads one block and returns the difference of its DC coefficient.
func (s *slowDC) block(dc, ac int) int {
	size := s.value(dc)
	if size > 11 {
		panic(ErrCorrupt)
	}
	diff := s.receive(size)
	if size > 0 && diff < 1<<(size-1) {
		diff -= 1<<size - 1
	}
	for k := 1; k < 64; k++ {
		v := s.value(4 + ac)
		run, size := v>>4, v&15
		if size == 0 && run != 15 {
			break
		}
		if k += run; k > 63 {
			panic(ErrCorrupt)
		}
		s.receive(size)
	}
	return diff
}

// readSlowly decodes a frame; ok is false for those of which the scan with the
// brightness is not the first, and for those with restart markers that are damaged,
// which DC may still make something of.
func readSlowly(b []byte) (w, h int, pix []uint8, ok bool, err error) {
	var slow slowDC
	restarts := 0
	defer func() {
		if e := recover(); e != nil {
			if w, h, pix, ok, err = 0, 0, nil, false, nil; restarts == 0 {
				ok, err = true, e.(Error)
			}
		}
	}()
	at := findSOI(b)
	if len(b) == 0 || at < 0 {
		return 0, 0, nil, false, nil
	}
	s := scanner{cursor: cursor{b: b, i: at + 2}}
	quant := [4]int{}
	adobe := false
	for {
		m, more := s.marker()
		if !more || m == markEOI || m == markSOI || m < markSOF0 {
			return 0, 0, nil, false, nil
		}
		if isRST(m) {
			continue
		}
		seg, more := s.segment()
		if !more || s.read(m, s.i, seg) != nil {
			return 0, 0, nil, false, nil
		}
		switch m {
		case markDHT:
			for len(seg) > 0 {
				n := 17
				for _, c := range seg[1:17] {
					n += int(c)
				}
				if err := slow.define(int(seg[0]>>4*4+seg[0]&3), seg[1:n]); err != nil {
					return 0, 0, nil, true, err
				}
				seg = seg[n:]
			}
		case markDQT:
			for len(seg) > 1 {
				if seg[0]>>4 == 0 {
					quant[seg[0]&3] = int(seg[1])
					seg = seg[65:]
				} else {
					quant[seg[0]&3] = int(seg[1])<<8 + int(seg[2])
					seg = seg[129:]
				}
			}
		case markAPP0 + 14:
			adobe = len(seg) >= 12 && string(seg[:5]) == "Adobe" && seg[11] == 0
		case markSOS:
			if s.h.Progressive || s.h.Components == 4 || adobe || seg[1] != s.h.Component[0].ID {
				return 0, 0, nil, false, nil
			}
			blocks := 0
			for _, c := range s.h.Component[:s.h.Components] {
				blocks += int(c.H) * int(c.V)
				if c.H > s.h.Component[0].H || c.V > s.h.Component[0].V || blocks > 10 && s.h.Components > 1 {
					return 0, 0, nil, false, nil
				}
			}
			for id, def := range map[int]string{0: dcLuma, 1: dcChroma, 4: acLuma, 5: acChroma} {
				if slow.codes[id] == nil {
					slow.define(id, []byte(def[1:]))
				}
			}
			restarts = s.h.RestartInterval
			w, h, pix = slow.scan(&s, seg, quant[s.h.Component[0].Tq])
			return w, h, pix, true, nil
		}
	}
}

// interval takes in the coded data from b[i], up to the next marker, and returns
// where that is.
func (slow *slowDC) interval(b []byte, i int) int {
	slow.data, slow.bit = nil, 0
	for ; i < len(b); i++ {
		if b[i] == 0xff {
			if i+1 == len(b) || b[i+1] != 0 {
				break
			}
			i++
			slow.data = append(slow.data, 0xff)
			continue
		}
		slow.data = append(slow.data, b[i])
	}
	return i
}

// restart goes on behind the n-th restart marker, which must stand at b[i].
func (slow *slowDC) restart(b []byte, i, n int) int {
	for i+1 < len(b) && b[i+1] == 0xff {
		i++
	}
	if i+1 >= len(b) || b[i+1] != markRST0+byte(n&7) {
		panic(ErrCorrupt)
	}
	return slow.interval(b, i+2)
}

func (slow *slowDC) scan(s *scanner, sos []byte, quant int) (w, h int, pix []uint8) {
	end, mcus := slow.interval(s.b, s.i), 0
	w, h = (s.h.Width+7)/8, (s.h.Height+7)/8
	pix = make([]uint8, w*h)
	bw, bh := int(s.h.Component[0].H), int(s.h.Component[0].V)
	if sos[0] == 1 {
		bw, bh = 1, 1
	}
	pred := int32(0)
	for my := 0; my*bh < h; my++ {
		for mx := 0; mx*bw < w; mx++ {
			if each := s.h.RestartInterval; each > 0 && mcus > 0 && mcus%each == 0 {
				end, pred = slow.restart(s.b, end, mcus/each-1), 0
			}
			mcus++
			for i := range int(sos[0]) {
				c := 0
				for s.h.Component[c].ID != sos[1+2*i] {
					c++
				}
				n := int(s.h.Component[c].H) * int(s.h.Component[c].V)
				if sos[0] == 1 {
					n = 1
				}
				for j := range n {
					diff := slow.block(int(sos[2+2*i]>>4), int(sos[2+2*i]&15))
					if c != 0 {
						continue
					}
					pred += int32(diff)
					v := math.Floor(float64(pred*int32(quant)+4)/8) + 128
					if x, y := mx*bw+j%bw, my*bh+j/bw; x < w && y < h {
						pix[y*w+x] = uint8(min(max(v, 0), 255))
					}
				}
			}
		}
	}
	return w, h, pix
}

func FuzzDC(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.jpg")
	more, _ := filepath.Glob("testdata/dc/*.jpg")
	for _, name := range append(files, more...) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)*3/4])
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for _, q := range []int{5, 50, 95, 100} {
		f.Add(encode(f, soft(rng, 40, 24, image.YCbCrSubsampleRatio420), q))
	}
	kept := new(DC)
	f.Fuzz(func(t *testing.T, b []byte) {
		if hd, _ := Scan(b); hd.Width*hd.Height > 1<<20 {
			return // not for the slow one
		}
		w, h, got, err := kept.Read(b)
		if _, typed := err.(Error); err != nil && !typed {
			t.Fatalf("error of type %T", err)
		}
		if err == nil && (len(got) != w*h || w < 1 || h < 1) {
			t.Fatalf("%d pixels for %dx%d", len(got), w, h)
		}
		sw, sh, want, ok, slowErr := readSlowly(b)
		if !ok && slowErr == nil {
			return
		}
		if (slowErr == nil) != (err == nil) || err == nil && (sw != w || sh != h || !bytes.Equal(got, want)) {
			t.Fatalf("%dx%d, %v; slowly %dx%d, %v", w, h, err, sw, sh, slowErr)
		}
	})
}
