package clip

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

func box(kind, content string) string {
	return string([]byte{0, 0, 0, byte(8 + len(content))}) + kind + content
}

// piece returns a part with a number, and what is said about it.
func piece(n uint32, last bool) (seal.Meta, []byte) {
	m := seal.Meta{Kind: seal.KindClip, Media: Media, Event: 5, Part: n, Last: last}
	marks := seal.ClipMarks{PreRoll: 5 * time.Second}
	if n > 1 {
		marks.Also = []uint64{6}
	}
	if last {
		marks.Ended = "camera"
	}
	m.Labels = marks.Labels()
	return m, []byte(box("ftyp", "iso") + box("moov", "head") + box("moof", string(rune('a'+n))) + box("mdat", "media"))
}

// Parts in any order, some twice, become the film in its order, and what is
// missing is said.
func TestFilm(t *testing.T) {
	f := New(Key{Event: 5})
	add := func(n uint32, last bool) {
		t.Helper()
		if err := f.add(piece(n, last)); err != nil {
			t.Fatal(err)
		}
	}
	add(2, false)
	add(0, false)
	add(4, true)
	add(2, false)
	missing, ended := f.Missing()
	if !slices.Equal(missing, []uint32{1, 3}) || !ended || f.Whole() {
		t.Errorf("missing %v, ended %v", missing, ended)
	}
	add(1, false)
	add(3, false)
	if !f.Whole() {
		t.Error("the film is not whole")
	}
	want := box("ftyp", "iso") + box("moov", "head")
	for _, c := range "abcde" {
		want += box("moof", string(c)) + box("mdat", "media")
	}
	var out bytes.Buffer
	if n, err := f.WriteTo(&out); err != nil || n != int64(len(want)) || out.String() != want {
		t.Errorf("%q (%d, %v), want %q", &out, n, err, want)
	}
	if m := f.Marks(); m.PreRoll != 5*time.Second || m.Ended != "camera" || !slices.Equal(m.Also, []uint64{6}) {
		t.Errorf("marks %+v", m)
	}
}

// What does not belong into the film is refused by name.
func TestNoPart(t *testing.T) {
	f := New(Key{Event: 5})
	if err := f.add(piece(3, true)); err != nil {
		t.Fatal(err)
	}
	later, data := piece(4, false)
	huge, _ := piece(MaxParts, false)
	_, other := piece(1, false)
	other[8] = 'x'
	early, _ := piece(1, false)
	for name, err := range map[string]error{
		"behind the last": f.add(later, data), "beyond the bound": f.add(huge, data), "another head": f.add(early, other), "no MP4": f.add(early, []byte("hello")),
	} {
		if !errors.Is(err, ErrPart) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if all := f.Parts(); !slices.Equal(all, []uint32{3}) {
		t.Errorf("the film has the parts %v", all)
	}
}

// Whatever the bytes: what is split is all there, and nothing else is a part.
func FuzzSplit(f *testing.F) {
	_, data := piece(0, false)
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Fuzz(func(t *testing.T, data []byte) {
		head, body, err := Split(data)
		if err != nil {
			if !errors.Is(err, ErrPart) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(slices.Concat(head, body), data) || !bytes.Contains(head, []byte("moov")) || !bytes.HasPrefix(body[4:], []byte("moof")) {
			t.Fatal("what was split is not what there was")
		}
	})
}
