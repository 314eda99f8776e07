package mjpeg_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"
)

// makeJPEG returns a baseline 4:2:0 JPEG of w x h pixels with its tables.
func makeJPEG(tb testing.TB, w, h int) []byte {
	tb.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(x * 3), uint8(y * 5), uint8(x ^ y*7), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 80}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// segments calls each for every segment of a well-formed JPEG up to its first
// SOS, with the segment's bytes from marker to end.
func segments(jpeg []byte, each func(at int, seg []byte)) {
	for i := 2; jpeg[i+1] != 0xda; {
		n := 2 + int(jpeg[i+2])<<8 + int(jpeg[i+3])
		each(i, jpeg[i:i+n])
		i += n
	}
}

// without returns jpeg without its segments of the given marker.
func without(jpeg []byte, marker byte) []byte {
	out, from := []byte{}, 0
	segments(jpeg, func(at int, seg []byte) {
		if seg[1] == marker {
			out = append(out, jpeg[from:at]...)
			from = at + len(seg)
		}
	})
	return append(out, jpeg[from:]...)
}

// only returns the concatenated segments of the given marker.
func only(jpeg []byte, marker byte) []byte {
	var out []byte
	segments(jpeg, func(_ int, seg []byte) {
		if seg[1] == marker {
			out = append(out, seg...)
		}
	})
	return out
}

// insert returns b with ins at offset at.
func insert(b []byte, at int, ins ...byte) []byte {
	return append(append(append([]byte{}, b[:at]...), ins...), b[at:]...)
}

// readTestdata returns a file made with libjpeg-turbo's cjpeg: 40x24 pixels.
func readTestdata(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
