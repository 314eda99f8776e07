package mjpeg_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"reflect"
	"testing"

	"github.com/sealcam/sealcam/capture/mjpeg"
)

func seeds(f *testing.F) [][]byte {
	whole := makeJPEG(f, 24, 16)
	s := [][]byte{whole, without(whole, 0xc4), whole[:len(whole)/2], append(append([]byte{}, whole...), whole...), without(whole, 0xdb)}
	for _, name := range []string{"progressive.jpg", "restart.jpg", "optimized-grey.jpg", "three-scans.jpg", "arithmetic.jpg"} {
		b := readTestdata(f, name)
		s = append(s, b, without(b, 0xc4))
	}
	return s
}

// FuzzScan holds Scan to its offsets: what it calls a frame is one by itself.
func FuzzScan(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := mjpeg.Scan(b)
		if err != nil {
			if _, ok := err.(mjpeg.Error); !ok {
				t.Fatalf("error of type %T", err)
			}
			return
		}
		if h.Width < 1 || h.Height < 1 || int64(h.Width)*int64(h.Height) > mjpeg.MaxPixels {
			t.Fatalf("size %dx%d", h.Width, h.Height)
		}
		if !(h.Start+2 <= h.Tables && h.Tables <= h.SOS && h.SOS < h.Data && h.Data < h.End && h.End <= len(b)) {
			t.Fatalf("offsets %+v of %d bytes", h, len(b))
		}
		alone, err := mjpeg.Scan(b[h.Start:h.End])
		alone.Doubled = h.Doubled
		want := h
		want.Start, want.Tables, want.SOS, want.Data, want.End = 0, h.Tables-h.Start, h.SOS-h.Start, h.Data-h.Start, h.End-h.Start
		if err != nil || alone != want {
			t.Fatalf("the frame alone: %v\n%+v, want\n%+v", err, alone, want)
		}
	})
}

// FuzzAppendComplete compares with an independent reference: standard tables as
// image/jpeg writes them, put in front. Whenever that decodes, so must the
// completed frame, and to the same; and completing twice changes nothing.
func FuzzAppendComplete(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	whole := makeJPEG(f, 16, 16)
	dht := only(whole, 0xc4)
	var dqt []byte
	for id := range byte(4) {
		dqt = append(append(dqt, 0xff, 0xdb, 0, 67, id), bytes.Repeat([]byte{1}, 64)...)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := mjpeg.AppendComplete([]byte("x"), b)
		if got[0] != 'x' {
			t.Fatal("dst was changed")
		}
		got = got[1:]
		if err == nil {
			again, err := mjpeg.AppendComplete(nil, got)
			if err != nil || !bytes.Equal(again, got) {
				t.Fatalf("completing twice: %v", err)
			}
		}
		want := reference(b, dht)
		if want == nil {
			return
		}
		if err != nil {
			// image/jpeg takes undefined quantization tables for zeros. Other
			// decoders refuse them, and so do we; nothing else may be refused.
			if _, err := mjpeg.AppendComplete(nil, insert(b, 2, dqt...)); err != nil {
				t.Fatalf("image/jpeg decodes what is refused as %v", err)
			}
			return
		}
		if m, err := jpeg.Decode(bytes.NewReader(got)); err != nil || !reflect.DeepEqual(m, want) {
			t.Fatalf("decodes to something else: %v", err)
		}
	})
}

// reference decodes b with tables put in front, nil if it does not decode or is
// too large for a fuzz test.
func reference(b, dht []byte) image.Image {
	if len(b) < 2 {
		return nil
	}
	with := insert(b, 2, dht...)
	c, err := jpeg.DecodeConfig(bytes.NewReader(with))
	if err != nil || c.Width < 1 || c.Height < 1 || c.Width*c.Height > 1<<18 {
		return nil
	}
	m, err := jpeg.Decode(bytes.NewReader(with))
	if err != nil {
		return nil
	}
	return m
}
