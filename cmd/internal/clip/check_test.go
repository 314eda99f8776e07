package clip

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/clip/cliptest"
	"github.com/sealcam/sealcam/uplink/seal"
)

// published is a film and its proof.
func published(t *testing.T, parts ...*seal.Verified) (media, proof []byte) {
	t.Helper()
	media, proof, err := Publish(parts)
	if err != nil {
		t.Fatal(err)
	}
	return media, proof
}

// checked returns what Check says, with what it found wrong.
func checked(media, proof []byte) (f *Film, proven int, faults []string, err error) {
	f, sound, err := Check(bytes.NewReader(media), bytes.NewReader(proof), func(p Piece) {
		if p.Err != nil {
			faults = append(faults, p.Err.Error())
		} else {
			proven++
		}
	})
	if err == nil && sound != (len(faults) == 0) {
		faults = append(faults, "sound is wrong")
	}
	return f, proven, faults, err
}

// A film is proven part by part, without a key; one that lacks parts says so.
func TestCheck(t *testing.T) {
	p := newStudio(t, 1).Clip(5, 4)
	f, proven, faults, err := checked(published(t, p...))
	if err != nil || len(faults) != 0 || proven != 4 || !f.Whole() || f.Key() != (Key{p[0].Camera(), [16]byte{1}, 5}) {
		t.Errorf("%d proven, %q, %v", proven, faults, err)
	}
	f, proven, faults, err = checked(published(t, p[3], p[0], p[2]))
	if err != nil || len(faults) != 0 || proven != 3 || f.Whole() || !strings.Contains(f.Words(), "3 of 4 parts") || !strings.Contains(f.Words(), "part 2 missing (1.0 s to 2.0 s)") {
		t.Errorf("%d proven, %q, %v: %s", proven, faults, err, f.Words())
	}
}

// bodyOf returns the moof and mdat of a part.
func bodyOf(v *seal.Verified) []byte {
	_, data := v.Media()
	_, body, _ := Split(data)
	return body
}

// What was done to a film, or to its proof, is said by name.
func TestCheckNames(t *testing.T) {
	s := newStudio(t, 1)
	p, other := s.Clip(5, 4), s.Clip(6, 4)
	stranger := newStudio(t, 1).Clip(5, 4)
	media, proof := published(t, p...)
	head := bytes.Index(media, []byte("moof")) - 4
	made := func(parts ...*seal.Verified) []byte {
		b := slices.Clone(media[:head])
		for _, v := range parts {
			b = append(b, bodyOf(v)...)
		}
		return b
	}
	proofs := func(parts ...*seal.Verified) []byte {
		b := []byte(ProofMagic)
		for _, v := range parts {
			b = AppendProof(b, v.Meta().Part, v.Proof())
		}
		return b
	}
	renumbered := bytes.Replace(proof, AppendProof(nil, 3, p[3].Proof())[:8], AppendProof(nil, 4, p[3].Proof())[:8], 1)
	last := bodyOf(p[3])
	grown := slices.Concat(media[:len(media)-len(last)], bytes.Replace(last, []byte{0, 0, 0, 4, 0, 0}, []byte{0, 0, 0, 5, 0, 0}, 1))
	changed := slices.Clone(media)
	changed[len(changed)-1] ^= 1
	for name, c := range map[string]struct {
		media, proof []byte
		proven       int
		want         []string
	}{
		"changed":                 {changed, proof, 3, []string{"refused: broken seal: the media, or what is said of it, is not what was sealed"}},
		"dropped":                 {made(p[0], p[1], p[3]), proof, 3, []string{"not a part of this clip: part 3 was dropped: the proof has it, and the film has not"}},
		"cut short":               {made(p[0], p[1]), proof, 2, []string{"not a part of this clip: part 3 was dropped: the proof has it, and the film has not", "not a part of this clip: part 4 was dropped: the proof has it, and the film has not"}},
		"doubled":                 {made(p[0], p[1], p[1], p[2], p[3]), proof, 4, []string{"not a part of this clip: part 2 stands in the film twice"}},
		"reordered":               {made(p[0], p[2], p[1], p[3]), proof, 3, []string{"not a part of this clip: part 2 stands behind part 3"}},
		"reordered with proof":    {made(p[0], p[2], p[1], p[3]), proofs(p[0], p[2], p[1], p[3]), 3, []string{"not a part of this clip: in the proof part 2 stands behind part 3", "not a part of this clip: part 2 stands behind part 3"}},
		"swapped":                 {made(p[0], other[1], p[2], p[3]), proof, 3, []string{"refused: broken seal: the media, or what is said of it, is not what was sealed"}},
		"swapped with proof":      {made(p[0], other[1], p[2], p[3]), proofs(p[0], other[1], p[2], p[3]), 3, []string{"not a part of this clip: it is of event 6"}},
		"of another camera":       {made(p[0], stranger[1], p[2], p[3]), proofs(p[0], stranger[1], p[2], p[3]), 3, []string{"not a part of this clip: it is of camera " + string(stranger[1].Camera()[:12])}},
		"number changed":          {made(p[0], p[1], p[2], p[3]), renumbered, 3, []string{"not a part of this clip: the film has a part that its proof is not about", "not a part of this clip: part 5 was dropped: the proof has it, and the film has not"}},
		"number changed in both":  {grown, renumbered, 3, []string{"refused: broken seal: the media, or what is said of it, is not what was sealed"}},
		"of another proof":        {media, proofs(p[0], p[1], p[2]), 3, []string{"not a part of this clip: the film has a part that its proof is not about"}},
		"cut off":                 {media[:len(media)-1], proof, 3, []string{"not a part of this clip: it is cut off", "not a part of this clip: part 4 was dropped: the proof has it, and the film has not"}},
		"something behind it all": {append(slices.Clone(media), cliptest.Box("free")...), proof, 4, []string{"not a part of this clip: at byte " + strconv.Itoa(len(media)) + " stands no moof box of a clip"}},
	} {
		_, proven, faults, err := checked(c.media, c.proof)
		if err != nil || proven != c.proven || !slices.Equal(faults, c.want) {
			t.Errorf("%s: %d proven, %v\n got %q\nwant %q", name, proven, err, faults, c.want)
		}
	}
	if _, _, err := Publish(nil); !errors.Is(err, ErrPart) {
		t.Errorf("a film of nothing: %v", err)
	}
	for name, c := range map[string][2][]byte{
		"no film": {[]byte("hello"), proof}, "nothing": {nil, proof}, "a proof of nothing": {media, []byte(ProofMagic)}, "no proof": {media, media},
		"a proof cut off": {media, proof[:len(proof)-1]}, "twice the same proof": {media, proofs(p[0], p[0])}, "another clip's": {media, proofs(other...)},
	} {
		if _, _, _, err := checked(c[0], c[1]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What was left of a film that was being written is taken up again, as far as it
// is whole.
func TestRestore(t *testing.T) {
	p := newStudio(t, 1).Clip(5, 4)
	k, _ := KeyOf(p[0])
	store := new(Memory)
	f := NewOn(k, store)
	proof := []byte(ProofMagic)
	for _, n := range []uint32{0, 2, 1} {
		if err := f.Add(p[n]); err != nil {
			t.Fatal(err)
		}
		proof = append(proof, f.ProofOf(n)...)
	}
	for cut := range 40 {
		torn := &Memory{b: slices.Clone(store.b)}
		left := proof
		want := []uint32{0, 1, 2}
		switch {
		case cut == 0:
		case cut%2 == 0:
			torn.b, want = torn.b[:len(torn.b)-cut], []uint32{0, 2}
		default:
			left, want = proof[:len(proof)-cut], []uint32{0, 2}
		}
		got, err := Restore(torn, bytes.NewReader(left))
		if err != nil || !slices.Equal(got.Parts(), want) || got.Key() != k {
			t.Fatalf("cut by %d: %v, want %v", cut, err, want)
		}
		for _, n := range []int{1, 3} {
			if err := got.Add(p[n]); err != nil {
				t.Fatal(err)
			}
		}
		whole, err := film(p...)
		if err != nil || !got.Whole() || !bytes.Equal(written(t, got), written(t, whole)) {
			t.Fatalf("cut by %d: the film that was taken up is another (%v)", cut, err)
		}
	}
	for name, left := range map[string][]byte{"nothing": nil, "no proof": []byte("x"), "of nothing": []byte(ProofMagic)} {
		if _, err := Restore(store, bytes.NewReader(left)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Restore(new(Memory), bytes.NewReader(proof)); !errors.Is(err, ErrPart) {
		t.Errorf("no film: %v", err)
	}
}

// Whatever film and proof are, what is proven was sealed, and Check ends.
func FuzzCheck(f *testing.F) {
	s := cliptest.New(f, 1)
	whole, err := film(s.Clip(5, 2)...)
	if err != nil {
		f.Fatal(err)
	}
	var media, proof bytes.Buffer
	if _, err := whole.WriteTo(&media); err != nil {
		f.Fatal(err)
	}
	if err := whole.WriteProof(&proof); err != nil {
		f.Fatal(err)
	}
	f.Add(media.Bytes(), proof.Bytes())
	f.Add(media.Bytes()[:40], proof.Bytes()[:40])
	f.Add([]byte{}, []byte(ProofMagic))
	f.Fuzz(func(t *testing.T, film, proofs []byte) {
		got, _, faults, err := checked(film, proofs)
		if (err == nil) != (got != nil) {
			t.Fatalf("%v and %v", got, err)
		}
		if err == nil && len(faults) == 0 {
			if got.Key() == whole.Key() && got.Whole() && !bytes.Equal(film, media.Bytes()) {
				t.Fatal("another film is proven")
			}
		}
		if got, err := Restore(&Memory{b: film}, bytes.NewReader(proofs)); err == nil && got.Size() > int64(len(film)) {
			t.Fatalf("%d bytes of %d", got.Size(), len(film))
		}
	})
}
