package mjpeg_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"reflect"
	"testing"

	"github.com/sealcam/sealcam/capture/mjpeg"
)

func decode(tb testing.TB, b []byte) image.Image {
	tb.Helper()
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func TestAppendCompleteAddsMissingTables(t *testing.T) {
	whole := makeJPEG(t, 40, 24)
	bare := without(whole, 0xc4)
	if _, err := jpeg.Decode(bytes.NewReader(bare)); err == nil {
		t.Fatal("a frame without tables decoded: this test shows nothing")
	}
	got, err := mjpeg.AppendComplete([]byte("before"), append([]byte("junk"), append(bare, 0, 0, 0)...))
	if err != nil {
		t.Fatal(err)
	}
	got, ok := bytes.CutPrefix(got, []byte("before"))
	if !ok {
		t.Fatalf("did not append: % x", got[:8])
	}
	if !reflect.DeepEqual(decode(t, got), decode(t, whole)) {
		t.Error("decodes to something else than with its own tables")
	}
	if !bytes.Equal(only(got, 0xc4), only(whole, 0xc4)) {
		t.Error("tables differ from those that image/jpeg writes")
	}
}

func TestAppendCompletePutsTablesBehindAPPn(t *testing.T) {
	whole := makeJPEG(t, 40, 24)
	jfif := []byte("\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
	got, err := mjpeg.AppendComplete(nil, insert(without(whole, 0xc4), 2, jfif...))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(got[2:], append(jfif, 0xff, 0xc4)) {
		t.Errorf("begins % x", got[:32])
	}
}

// A frame may bring some tables of its own and rely on the standard for others.
func TestAppendCompleteKeepsTheFramesOwnTables(t *testing.T) {
	own := readTestdata(t, "optimized-grey.jpg")
	tables := only(own, 0xc4)
	dcOnly := append([]byte{}, tables[:4+17]...) // first table: DC 0
	codes := 0
	for _, n := range tables[5 : 5+16] {
		codes += int(n)
	}
	dcOnly = append(dcOnly, tables[4+17:4+17+codes]...)
	dcOnly[2], dcOnly[3] = 0, byte(len(dcOnly)-2)
	bare := without(own, 0xc4)
	sos := bytes.Index(bare, []byte{0xff, 0xda})
	got, err := mjpeg.AppendComplete(nil, insert(bare, sos, dcOnly...))
	if err != nil {
		t.Fatal(err)
	}
	std, own0 := bytes.Index(got, []byte{0xff, 0xc4, 0x01, 0xa2}), bytes.Index(got, dcOnly)
	if std < 0 || own0 < std {
		t.Errorf("standard tables at %d, the frame's own at %d", std, own0)
	}
}

func TestAppendCompleteLeavesWholeFramesAlone(t *testing.T) {
	for _, f := range []string{"progressive.jpg", "restart.jpg", "optimized-grey.jpg", "three-scans.jpg"} {
		in := readTestdata(t, f)
		got, err := mjpeg.AppendComplete(nil, in)
		if err != nil || !bytes.Equal(got, in) {
			t.Errorf("%s: changed (%v)", f, err)
		}
	}
}

func TestAppendCompleteReturnsDstOnError(t *testing.T) {
	dst := []byte("kept")
	if got, err := mjpeg.AppendComplete(dst, []byte{1, 2}); err == nil || string(got) != "kept" {
		t.Errorf("%q, %v", got, err)
	}
}

func BenchmarkAppendComplete1080p(b *testing.B) {
	in := without(makeJPEG(b, 1920, 1080), 0xc4)
	buf := make([]byte, 0, 2*len(in))
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mjpeg.AppendComplete(buf, in); err != nil {
			b.Fatal(err)
		}
	}
}
