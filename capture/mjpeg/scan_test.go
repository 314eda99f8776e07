package mjpeg_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sealcam/sealcam/capture/mjpeg"
)

func TestScanTellsSizeSamplingAndOffsets(t *testing.T) {
	whole := makeJPEG(t, 40, 24)
	padded := append(append([]byte("junk"), whole...), make([]byte, 9000)...)
	h, err := mjpeg.Scan(padded)
	if err != nil {
		t.Fatal(err)
	}
	if h.Start != 4 || h.End != 4+len(whole) {
		t.Errorf("frame at %d..%d, want 4..%d", h.Start, h.End, 4+len(whole))
	}
	if got := h.String(); got != "40x24 4:2:0" {
		t.Errorf("header is %q", got)
	}
	if !h.HasDHT || h.Progressive || h.Doubled || h.RestartInterval != 0 {
		t.Errorf("header is %+v", h)
	}
	if !bytes.HasPrefix(padded[h.SOS:], []byte{0xff, 0xda}) {
		t.Errorf("SOS offset %d points at % x", h.SOS, padded[h.SOS:h.SOS+2])
	}
	if want := h.SOS + 2 + 12; h.Data != want {
		t.Errorf("data begins at %d, want %d", h.Data, want)
	}
}

func TestScanReadsOtherEncoders(t *testing.T) {
	for _, c := range []struct {
		file, want  string
		progressive bool
		restart     int
	}{
		{"progressive.jpg", "40x24 4:2:2", true, 0},
		{"restart.jpg", "40x24 4:2:2", false, 3},
		{"optimized-grey.jpg", "40x24 grey", false, 0},
		{"three-scans.jpg", "40x24 4:2:0", false, 0},
	} {
		b := readTestdata(t, c.file)
		h, err := mjpeg.Scan(b)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		if h.String() != c.want || h.Progressive != c.progressive || h.RestartInterval != c.restart || !h.HasDHT || h.End != len(b) {
			t.Errorf("%s: %v %+v", c.file, h, h)
		}
	}
}

func TestScanRefuses(t *testing.T) {
	whole := makeJPEG(t, 64, 48)
	sof := bytes.Index(whole, []byte{0xff, 0xc0})
	sos := bytes.Index(whole, []byte{0xff, 0xda})
	dht := bytes.Index(whole, []byte{0xff, 0xc4})
	patch := func(at int, with ...byte) []byte {
		b := append([]byte{}, whole...)
		copy(b[at:], with)
		return b
	}
	for _, c := range []struct {
		name string
		in   []byte
		want mjpeg.Error
	}{
		{"nothing", nil, mjpeg.ErrEmpty},
		{"a whole buffer of zeros", make([]byte, 1<<20), mjpeg.ErrNotJPEG},
		{"text", []byte("HTTP/1.1 200 OK"), mjpeg.ErrNotJPEG},
		{"half a start marker", []byte{0xff}, mjpeg.ErrNotJPEG},
		{"only a start marker", whole[:2], mjpeg.ErrTruncated},
		{"start and end", []byte{0xff, 0xd8, 0xff, 0xd9}, mjpeg.ErrHeader},
		{"header alone", whole[:sos], mjpeg.ErrTruncated},
		{"cut in the frame header", whole[:sof+6], mjpeg.ErrTruncated},
		{"cut in the data", whole[:len(whole)-20], mjpeg.ErrTruncated},
		{"cut in the end marker", whole[:len(whole)-1], mjpeg.ErrTruncated},
		{"cut, then the next frame", append(append([]byte{}, whole[:len(whole)-20]...), whole...), mjpeg.ErrTruncated},
		{"cut, then a frame of more than 64 KiB", append(append([]byte{}, whole[:len(whole)-20]...), makeJPEG(t, 1000, 1000)...), mjpeg.ErrTruncated},
		{"no frame header", without(whole, 0xc0), mjpeg.ErrHeader},
		{"no quantization tables", without(whole, 0xdb), mjpeg.ErrHeader},
		{"two frame headers", insert(whole, sos, whole[sof:sof+19]...), mjpeg.ErrHeader},
		{"65535x65535", patch(sof+5, 0xff, 0xff, 0xff, 0xff), mjpeg.ErrTooLarge},
		{"8K and one row", patch(sof+5, 0x10, 0xe1, 0x1e, 0x00), mjpeg.ErrTooLarge},
		{"width 0", patch(sof+7, 0, 0), mjpeg.ErrHeader},
		{"height 0", patch(sof+5, 0, 0), mjpeg.ErrUnsupported},
		{"12 bits", patch(sof+4, 12), mjpeg.ErrUnsupported},
		{"two components", patch(sof+9, 2), mjpeg.ErrHeader},
		{"sampling factor 0", patch(sof+11, 0x01), mjpeg.ErrHeader},
		{"sampling factor 5", patch(sof+11, 0x51), mjpeg.ErrHeader},
		{"quantization table 4", patch(sof+12, 4), mjpeg.ErrHeader},
		{"the same component twice", patch(sof+13, 1), mjpeg.ErrHeader},
		{"scan of an unknown component", patch(sos+5, 9), mjpeg.ErrHeader},
		{"scan of no component", patch(sos+4, 0), mjpeg.ErrHeader},
		{"Huffman table 4", patch(dht+4, 4), mjpeg.ErrHeader},
		{"Huffman table with more codes than bytes", patch(dht+5, 0xff, 0xff), mjpeg.ErrHeader},
		{"segment length 1", patch(dht+2, 0, 1), mjpeg.ErrHeader},
		{"segment longer than the buffer", patch(dht+2, 0xff, 0xff), mjpeg.ErrTruncated},
		{"unknown segment", insert(whole, dht, 0xff, 0xdc, 0, 4, 0, 9), mjpeg.ErrUnsupported},
		{"reserved marker in the header", insert(whole, dht, 0xff, 0x02), mjpeg.ErrHeader},
		{"reserved marker in the data", patch(len(whole)-10, 0xff, 0x41), mjpeg.ErrCorrupt},
		{"arithmetic coding", readTestdata(t, "arithmetic.jpg"), mjpeg.ErrUnsupported},
	} {
		if _, err := mjpeg.Scan(c.in); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func TestScanLimitIsExactly8K(t *testing.T) {
	b := makeJPEG(t, 16, 16)
	sof := bytes.Index(b, []byte{0xff, 0xc0})
	copy(b[sof+5:], []byte{0x10, 0xe0, 0x1e, 0x00}) // 7680x4320
	if h, err := mjpeg.Scan(b); err != nil {
		t.Errorf("%v: %v", h, err)
	}
}

func TestScanTakesTheFirstOfTwo(t *testing.T) {
	first, second := makeJPEG(t, 32, 16), makeJPEG(t, 48, 16)
	h, err := mjpeg.Scan(append(append(append([]byte{}, first...), 0, 0, 0), second...))
	if err != nil {
		t.Fatal(err)
	}
	if !h.Doubled || h.Width != 32 || h.End != len(first) {
		t.Errorf("%+v", h)
	}
}

func TestScanStepsOverWhatDecodersStepOver(t *testing.T) {
	whole := makeJPEG(t, 40, 24)
	dht := bytes.Index(whole, []byte{0xff, 0xc4})
	for name, b := range map[string][]byte{
		"fill bytes":            insert(whole, dht, 0xff, 0xff, 0xff),
		"stray bytes":           insert(whole, dht, 1, 2, 3),
		"stray stuffed byte":    insert(whole, dht, 0xff, 0x00),
		"a restart marker":      insert(whole, len(whole)-2, 0xff, 0xd0),
		"end marker in comment": insert(whole, dht, 0xff, 0xfe, 0, 4, 0xff, 0xd9),
		"frame in a comment":    insert(whole, dht, 0xff, 0xfe, 0, 5, 0xff, 0xd8, 0xff),
	} {
		if h, err := mjpeg.Scan(b); err != nil || h.End != len(b) || h.Width != 40 {
			t.Errorf("%s: %v %+v", name, err, h)
		}
	}
}

func TestErrorsReadAsSentences(t *testing.T) {
	for _, e := range []mjpeg.Error{mjpeg.ErrEmpty, mjpeg.ErrNotJPEG, mjpeg.ErrTruncated, mjpeg.ErrHeader,
		mjpeg.ErrCorrupt, mjpeg.ErrTooLarge, mjpeg.ErrUnsupported} {
		if e.Error() == "JPEG: "+string(e) {
			t.Errorf("%q has no text", string(e))
		}
	}
}

func BenchmarkScan1080p(b *testing.B) {
	in := without(makeJPEG(b, 1920, 1080), 0xc4)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mjpeg.Scan(in); err != nil {
			b.Fatal(err)
		}
	}
}
