package clip

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/clip/cliptest"
	"github.com/sealcam/sealcam/uplink/seal"
)

func newStudio(t *testing.T, boot byte) *cliptest.Studio {
	t.Helper()
	return cliptest.New(t, boot)
}

// film returns the film of parts, and the first error.
func film(parts ...*seal.Verified) (*Film, error) {
	k, _ := KeyOf(parts[0])
	f := New(k)
	for _, v := range parts {
		if err := f.Add(v); err != nil {
			return f, err
		}
	}
	return f, nil
}

func written(t *testing.T, f *Film) []byte {
	t.Helper()
	var out bytes.Buffer
	if n, err := f.WriteTo(&out); err != nil || n != int64(out.Len()) {
		t.Fatalf("%d bytes of %d written: %v", n, out.Len(), err)
	}
	return out.Bytes()
}

// Parts in any order, some twice, become the film in its order, and what is
// missing is said.
func TestFilm(t *testing.T) {
	p := newStudio(t, 1).Clip(5, 5)
	f, err := film(p[2], p[0], p[4], p[2])
	if err != nil {
		t.Fatal(err)
	}
	missing, ended := f.Missing()
	if !slices.Equal(missing, []uint32{1, 3}) || !ended || f.Whole() || f.Ordered() {
		t.Errorf("missing %v, ended %v", missing, ended)
	}
	for _, n := range []int{1, 3} {
		if err := f.Add(p[n]); err != nil {
			t.Fatal(err)
		}
	}
	if !f.Whole() {
		t.Error("the film is not whole")
	}
	_, want := p[0].Media()
	want = slices.Clone(want)
	for _, v := range p[1:] {
		_, data := v.Media()
		_, body, err := Split(data)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, body...)
	}
	if got := written(t, f); !bytes.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if m := f.Marks(); m.PreRoll != 1500*time.Millisecond || m.Ended != "camera" || !slices.Equal(m.Also, []uint64{6}) {
		t.Errorf("marks %+v", m)
	}
}

// What a person is told of a clip.
func TestWords(t *testing.T) {
	p := newStudio(t, 1).Clip(5, 7)
	for _, c := range []struct {
		parts []int
		want  string
	}{
		{[]int{0, 1, 2, 3, 4, 5, 6}, "clip of event 5: 7 parts, 7.0 s, from 1.5 s before, with event 6; ended early: the camera was lost"},
		{[]int{0, 1, 3, 4, 5, 6}, "clip of event 5: 6 of 7 parts, 7.0 s, from 1.5 s before, with event 6; ended early: the camera was lost; part 3 missing (2.0 s to 3.0 s)"},
		{[]int{0, 1}, "clip of event 5: 2 parts, 2.0 s, from 1.5 s before; its end has not come"},
		{[]int{1}, "clip of event 5: 1 part, 2.0 s, from 1.5 s before; part 1 missing (0.0 s to 1.0 s), its end has not come"},
		{[]int{1, 4}, "clip of event 5: 2 parts, 5.0 s, from 1.5 s before, with event 6; part 1 missing (0.0 s to 1.0 s), parts 3 to 4 missing (2.0 s to 4.0 s), its end has not come"},
	} {
		var some []*seal.Verified
		for _, n := range c.parts {
			some = append(some, p[n])
		}
		f, err := film(some...)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Words(); got != c.want {
			t.Errorf("%v:\n got %q\nwant %q", c.parts, got, c.want)
		}
	}
}

// What does not belong into the film is refused by name.
func TestNoPart(t *testing.T) {
	s := newStudio(t, 1)
	p := s.Clip(5, 4)
	part := func(n uint32, data []byte) *seal.Verified {
		return s.Send(seal.Meta{Kind: seal.KindClip, Media: Media, Event: 5, Part: n}, data)
	}
	rebooted := newStudio(t, 2).Clip(5, 2)
	for name, c := range map[string]struct {
		v    *seal.Verified
		want string
	}{
		"another clip":    {s.Clip(6, 2)[1], "not a part of this clip: it is of event 6"},
		"another camera":  {rebooted[1], "not a part of this clip: it is of camera " + string(rebooted[1].Camera()[:12])},
		"no clip":         {s.Send(seal.Meta{Kind: seal.KindSnapshot, Media: "image/jpeg", Event: 5}, []byte("x")), "not a part of this clip: it is of no clip"},
		"behind the last": {part(4, cliptest.Part(4, "head")), "not a part of this clip: part 5 is behind the clip's end"},
		"beyond all":      {part(MaxParts, cliptest.Part(9, "head")), "not a part of this clip: part 7201 is behind the clip's end"},
		"another head":    {part(2, cliptest.Part(2, "other")), "not a part of this clip: part 3 is of another format"},
		"another part":    {part(1, cliptest.Part(1, "head")), "not a part of this clip: part 2 came twice, and not as the same"},
		"no MP4":          {part(2, []byte("hello")), "not a part of this clip: no MP4 of one fragment"},
	} {
		f, err := film(p[0], p[1], p[3])
		if err != nil {
			t.Fatal(err)
		}
		before := written(t, f)
		if err := f.Add(c.v); !errors.Is(err, ErrPart) || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if !bytes.Equal(written(t, f), before) {
			t.Errorf("%s: the film has changed", name)
		}
	}
	k := Key{Camera: s.Camera, Boot: [16]byte{1}, Event: 5}
	if err := (Key{s.Camera, [16]byte{2}, 5}).differs(k); err == nil || err.Error() != "not a part of this clip: it is of an event 5 before or after the camera was restarted" {
		t.Errorf("two boots: %v", err)
	}
}

// failing is a disk that is full.
type failing struct{ Memory }

func (failing) WriteAt([]byte, int64) (int, error) { return 0, errFull }

var errFull = errors.New("full")

// What could not be stored has not come.
func TestStoreFails(t *testing.T) {
	p := newStudio(t, 1).Clip(5, 1)
	k, _ := KeyOf(p[0])
	f := NewOn(k, &failing{})
	if err := f.Add(p[0]); !errors.Is(err, errFull) || f.Has(0) || f.Size() != 0 {
		t.Errorf("%v, and the part is there: %v", err, f.Has(0))
	}
}

// Whatever the bytes: what is split is all there, and nothing else is a part.
func FuzzSplit(f *testing.F) {
	data := cliptest.Part(0, "head")
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

// Whatever the boxes say of time, it is a time, and the end is not before the begin.
func FuzzSpan(f *testing.F) {
	f.Add(cliptest.Part(3, "head"))
	head := cliptest.Box("moov", cliptest.Box("trak", cliptest.Box("mdia", cliptest.Box("mdhd", cliptest.Words(1<<24, 0, 0, 0, 0, 90000, 0)))))
	f.Add(slices.Concat(cliptest.Box("ftyp"), head, cliptest.Box("moof", cliptest.Box("traf", cliptest.Box("tfhd", cliptest.Words(0x2b, 1, 0, 0, 0, 3000)), cliptest.Box("tfdt", cliptest.Words(0, 5)), cliptest.Box("trun", cliptest.Words(0, 7)))), cliptest.Box("mdat")))
	f.Fuzz(func(t *testing.T, data []byte) {
		head, body, err := Split(data)
		if err != nil {
			return
		}
		number(body)
		if s := spanOf(head, body); s.begin < 0 || s.end < s.begin {
			t.Fatalf("%+v", s)
		}
	})
}
