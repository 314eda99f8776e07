package encode

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// FuzzClip: whatever a camera sends, each part is a whole MP4 whose samples fill
// its mdat, times within a clip never go back, parts count up, and the last one
// says so.
func FuzzClip(f *testing.F) {
	sps, pps := "\x00\x00\x01\x67\x42\xc0\x0a\xd9\x1e\x84\x00\x00\x03\x00\x04\x00\x00\x03\x00\x50\x3c\x48\x99\x20", "\x00\x00\x01\x68\xcb\x83\xcb\x20"
	f.Add([]byte(sps+pps+"\x00\x00\x01\x65\x88\x84\x00\xffffff"+"\x00\x00\x01\x41\x9a\x24more"), uint8(30), uint8(20), byte(1))
	f.Add([]byte("\x00\x00\x01\x40\x01\x0c\x01\x00\x00\x01\x42\x01\x01\x00\x00\x01\x44\x01\xc1\x00\x00\x01\x26\x01\xaf"), uint8(9), uint8(40), byte(2))
	f.Add(jpegs(f, 1, 0)[0].Data, uint8(255), uint8(3), byte(0))
	f.Fuzz(func(t *testing.T, data []byte, cut, step uint8, kind byte) {
		format := capture.Format{Pixel: []capture.Pixel{capture.MJPEG, capture.H264, capture.H265}[kind%3], Width: 160, Height: 120}
		r := NewRing(1<<20, 2*time.Second)
		c := NewCutter(r, new(JPEG), CutterConfig{Before: time.Second, After: time.Second, Longest: 10 * time.Second})
		next := map[uint64]uint32{}
		take := func() {
			for {
				p, ok, err := c.Next()
				if err != nil {
					continue
				}
				if !ok {
					return
				}
				if next[p.Event] != p.Part {
					t.Fatalf("part %d of event %d, want %d", p.Part, p.Event, next[p.Event])
				}
				next[p.Event]++
				if p.Last {
					next[p.Event] = 1 << 30
				}
				wholePart(t, p.Data)
			}
		}
		for i := range 60 {
			frame := data
			if i%3 == 1 {
				frame = data[min(len(data), int(cut)):]
			}
			at := time.Duration(i) * time.Duration(step) * 10 * time.Millisecond
			if i%17 == 5 {
				c.Event(uint64(i), at, Moment{Frame: at})
				c.Ready(uint64(i))
			}
			c.Look(at, i%4 == 0)
			_ = r.Push(&capture.Frame{Format: format, Data: frame, Seq: uint64(i), Mono: at})
			take()
		}
		c.Close(EndStopped)
		take()
		if n := c.Waiting(); n != 0 {
			t.Fatalf("%d clips do not end", n)
		}
	})
}

// wholePart fails unless part is ftyp, moov, moof and mdat, and the samples of
// the one are the bytes of the other.
func wholePart(t *testing.T, part []byte) {
	t.Helper()
	mdat := 0
	for _, want := range []string{"ftyp", "moov", "moof", "mdat"} {
		if len(part) < 8 || string(part[4:8]) != want {
			t.Fatalf("no %s", want)
		}
		size := int(binary.BigEndian.Uint32(part))
		if size < 8 || size > len(part) {
			t.Fatalf("%s of %d bytes in %d", want, size, len(part))
		}
		if want == "moof" {
			trun := part[bytes.Index(part, []byte("trun")):]
			for n := range int(binary.BigEndian.Uint32(trun[8:])) {
				if d := binary.BigEndian.Uint32(trun[16+12*n:]); d == 0 || d > 1<<30 {
					t.Fatalf("sample %d is shown for %d ticks", n, d)
				}
				mdat += int(binary.BigEndian.Uint32(trun[20+12*n:]))
			}
		}
		if want == "mdat" && (size != 8+mdat || size != len(part)) {
			t.Fatalf("mdat of %d bytes for samples of %d", size, mdat)
		}
		part = part[size:]
	}
}
