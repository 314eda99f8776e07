package mjpeg

import (
	"bytes"
	"image"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// alone is a reader without lanes; early one that has them for small frames too.
func alone() *DC { return &DC{lanes: &lanes{least: 1 << 30}} }
func early() *DC { return &DC{lanes: &lanes{warmUp: 1024, least: 8 << 10}} }

// noisyFrames returns frames of some 10 to 50 KB: every sampling, coarse and fine,
// with restart markers and without, blocks that end without saying so among them.
func noisyFrames(tb testing.TB) map[string][]byte {
	rng := rand.New(rand.NewPCG(5, 6))
	frames := map[string][]byte{}
	noisy := func(w, h int, sub image.YCbCrSubsampleRatio) *image.YCbCr {
		m := soft(rng, w, h, sub)
		for i := range m.Y {
			m.Y[i] += uint8(rng.IntN(48))
		}
		return m
	}
	for _, sub := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411} {
		frames[sub.String()] = encodeYCbCr(noisy(232, 168, sub), 3, 0)
		frames["fine "+sub.String()] = encodeYCbCr(noisy(168, 104, sub), 1, 0)
		frames["restarts "+sub.String()] = encodeYCbCr(noisy(232, 168, sub), 2, 150)
	}
	grey := image.NewGray(image.Rect(0, 0, 232, 168))
	for i := range grey.Pix {
		grey.Pix[i] = uint8(96 + rng.IntN(64))
	}
	frames["grey"] = encode(tb, grey, 90)
	frames["image/jpeg"] = encode(tb, noisy(232, 168, image.YCbCrSubsampleRatio420), 90)
	return frames
}

// same reads b with both readers and complains of any difference, also in what they keep.
func same(tb testing.TB, name string, one, lanes *DC, b []byte) {
	tb.Helper()
	w, h, want, wantErr := one.Read(b)
	gw, gh, got, err := lanes.Read(b)
	if w != gw || h != gh || err != wantErr || !bytes.Equal(got, want) || !bytes.Equal(one.pix, lanes.pix) {
		tb.Errorf("%s: in lanes %dx%d, %v; alone %dx%d, %v; the same pixels: %v", name, gw, gh, err, w, h, wantErr, bytes.Equal(one.pix, lanes.pix))
	}
}

// Of sound frames lanes read nearly all, and stand where one alone would.
func TestLanesMeets(t *testing.T) {
	for name, b := range noisyFrames(t) {
		d := early()
		s := scanner{cursor: cursor{b: b, i: 2}}
		sos, err := d.nextScan(&s)
		if err != nil {
			t.Fatal(name, err)
		}
		p := picture{w: (s.h.Width + 7) / 8, h: (s.h.Height + 7) / 8, quant: d.quant[s.h.Component[0].Tq]}
		blocks := d.plan(&s, sos, &p)
		p.pix = make([]uint8, p.w*p.h)
		last := p.across * ((p.h + p.bh - 1) / p.bh)
		if s.h.RestartInterval > 0 {
			last = s.h.RestartInterval
		}
		seg, _ := unstuff(nil, s.b[s.i:])
		seg = append(seg, make([]byte, slack)...)
		at := d.inLanes(seg).ahead(seg, blocks, &p, place{}, last)
		// In noise alone, without an end to a block, it takes long to meet.
		if at.mcu < last*7/10 && name[:4] != "fine" {
			t.Errorf("%s: lanes read %d of %d MCUs, %d bytes", name, at.mcu, last, len(seg))
		}
		if want, err := decode(seg, blocks, &p, place{}, last, at.bit); err != nil || at != want {
			t.Errorf("%s: lanes stand at %v, one alone at %v, %v", name, at, want, err)
		}
	}
}

// Whatever is wrong with a frame, lanes read of it what one alone reads, and keep the same.
func TestLanesOfDamagedFrames(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	one, lanes := alone(), early()
	for name, sound := range noisyFrames(t) {
		same(t, name, one, lanes, sound)
		for range 40 {
			b := bytes.Clone(sound)
			at := len(b)/20 + rng.IntN(len(b)-len(b)/20)
			switch rng.IntN(7) {
			case 0:
				b = b[:at]
			case 1:
				b[at] ^= 1 << rng.IntN(8)
			case 2:
				clear(b[at:min(at+rng.IntN(400), len(b))])
			case 3:
				b = append(b[:at], b[at+min(rng.IntN(400), len(b)-at):]...)
			case 4: // ones are no code
				for i := at; i < min(at+40, len(b)-1); i += 2 {
					b[i], b[i+1] = 0xff, 0
				}
			case 5: // other tables from now on
				b[bytes.Index(b, []byte{0xff, markDHT})+5+rng.IntN(len(standardDHT)-5)] = uint8(rng.IntN(256))
			case 6: // with steps as long as there can be
				ac := b[bytes.Index(b, []byte(acLuma)):]
				for i := 17 + rng.IntN(100); i < len(acLuma); i++ {
					ac[i] |= 15
				}
			}
			same(t, name, one, lanes, b)
		}
	}
}

// Long stretches of one symbol, which lanes never get out of, or never agree in.
func TestLanesOfDullFrames(t *testing.T) {
	one, lanes := alone(), early()
	for _, fill := range []byte{0x00, 0xaa, 0x33, 0xfe} {
		for name, b := range noisyFrames(t) {
			h, err := Scan(b)
			if err != nil {
				t.Fatal(err)
			}
			for i := h.Data; i < len(b)-2; i++ {
				b[i] = fill
			}
			same(t, name, one, lanes, b)
		}
	}
}

func TestLanesAllocatesNothing(t *testing.T) {
	frame, d := frame1080(t), early()
	if n := testing.AllocsPerRun(3, func() {
		if _, _, _, err := d.Read(frame); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Three steps need no more than the 57 bits that are loaded for them, whatever the tables.
func TestLanesStepNoFurtherThanTheyCanSee(t *testing.T) {
	if 2*stepBits+lookBits > 57 || stepBits+16 > 57 {
		t.Errorf("%d and %d bits", 2*stepBits+lookBits, stepBits+16)
	}
	def := make([]byte, 16+255)
	def[11] = 255 // codes of 12 bits, each with 15 more behind it
	for i := range def[16:] {
		def[16+i] = 0x0f
	}
	var b block
	var h huffman
	if err := h.set(def); err != nil {
		t.Fatal(err)
	}
	b.lead, b.ac, b.acDef, b.fromAC.version = new(leadTable), new(acTable), &h, 1
	b.lead.build(&h, &h, false)
	b.ac.build(&h)
	var l lanes
	l.build([]block{b})
	for i, e := range append(l.tab[:], l.long[:]...) {
		if e&odd == 0 && e&laneBits > stepBits {
			t.Fatalf("entry %d steps %d bits", i, e&laneBits)
		}
	}
}

// What a second look finds is the one code that the definition has there; of the standard
// tables it finds every code that is longer than a look and no longer than a step.
func TestLanesLookAgain(t *testing.T) {
	var tables laneTables
	for i, def := range []string{acLuma, acChroma} {
		var h huffman
		if err := h.set([]byte(def[1:])); err != nil {
			t.Fatal(err)
		}
		b := block{lead: new(leadTable), ac: new(acTable), acDef: &h, tables: uint8(2 * i)}
		b.ac.build(&h)
		tables.copy(&b)
		found := 0
		for code := range uint64(1 << 16) {
			w := code << 48
			e := tables.again(tables.look(uint32(b.tables)*2*lookSize+lookSize, w), w)
			_, n := h.symbol(w)
			bits, coefs := h.step(w)
			switch want := uint32(coefs<<coefAt | bits); {
			case n <= lookBits || bits > stepBits:
				if e != odd {
					t.Fatalf("%s: %016b gives %#x", def[:1], code, e)
				}
			case e != want:
				t.Fatalf("%016b gives %#x, want %#x", code, e, want)
			default:
				found++
			}
		}
		if found < 50 {
			t.Errorf("%d codes", found)
		}
	}
}

// FuzzLanes compares lanes with one alone, who keeps all from one frame to the next as they do.
func FuzzLanes(f *testing.F) {
	for _, b := range noisyFrames(f) {
		f.Add(b, uint16(256))
		f.Add(b, uint16(0))
	}
	names, _ := filepath.Glob("testdata/dc/*.jpg")
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint16(16))
	}
	one, lanes := alone(), early()
	f.Fuzz(func(t *testing.T, b []byte, warmUp uint16) {
		if hd, _ := Scan(b); hd.Width*hd.Height > 1<<22 {
			return // takes long
		}
		lanes.lanes.warmUp = int(warmUp) % 2048
		same(t, "", one, lanes, b)
	})
}
