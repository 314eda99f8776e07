package clip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/clip/cliptest"
	"github.com/sealcam/sealcam/uplink/seal"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// tape seals parts 1 to n of one take, a second each, from noon on.
func tape(s *cliptest.Studio, n int) (all []*seal.Verified) {
	var prev [32]byte
	for i := range n {
		v := s.Recorded(uint64(i+1), uint32(i), noon.Add(time.Duration(i)*time.Second), prev, cliptest.Part(uint32(i), "head"))
		prev, all = v.Hash(), append(all, v)
	}
	return all
}

func reel(t testing.TB, parts ...*seal.Verified) *Reel {
	t.Helper()
	r := NewReel(parts[0].Camera(), new(Memory))
	for _, v := range parts {
		if err := r.Add(v); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// times are when the fragments of a film begin, in its ticks, and their numbers.
func times(t testing.TB, k *Take) (begins []uint64) {
	t.Helper()
	var b bytes.Buffer
	if _, err := k.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	film := b.Bytes()
	for n := uint32(1); ; n++ {
		i := bytes.Index(film, []byte("moof"))
		if i < 0 {
			return begins
		}
		film = film[i-4:]
		if number(film) != n {
			t.Errorf("fragment %d is called %d", n, number(film))
		}
		begins = append(begins, binary.BigEndian.Uint64(find(film, "moof", "traf", "tfdt")[4:]))
		film = film[8:]
	}
}

// A span that begins in the middle of a take becomes a film that begins at 0,
// whatever the order in which its parts come.
func TestReel(t *testing.T) {
	p := tape(newStudio(t, 1), 6)
	r := reel(t, p[3], p[2], p[5], p[4])
	if b := r.Breaks(); len(b) != 0 || r.Parts() != 4 || r.Late() != 2 {
		t.Errorf("%v, %d parts, %d late", b, r.Parts(), r.Late())
	}
	takes := r.Takes()
	if len(takes) != 1 || takes[0].Length() != 4*time.Second || takes[0].Parts() != 4 {
		t.Fatalf("%d films, %v", len(takes), takes[0].Length())
	}
	if at, ok := takes[0].From(); !ok || !at.Equal(noon.Add(2*time.Second)) {
		t.Errorf("from %v", at)
	}
	if got, want := times(t, takes[0]), []uint64{0, 1000, 2000, 3000}; !slices.Equal(got, want) {
		t.Errorf("at %v, want %v", got, want)
	}
	if at, ok := r.Last(); !ok || !at.Equal(noon.Add(5*time.Second)) {
		t.Errorf("the part that came last ends at %v", at)
	}
}

// What is missing, doubled, out of order, left out by the camera, or contradicts
// itself is said by name; what is not there is a pause in the film.
func TestReelNames(t *testing.T) {
	s := newStudio(t, 1)
	p := tape(s, 6)
	skipped := s.Recorded(9, 8, noon.Add(8*time.Second), p[5].Hash(), cliptest.Part(8, "head"))
	forged := s.Recorded(10, 9, noon.Add(9*time.Second), p[0].Hash(), cliptest.Part(9, "head"))
	r := reel(t, p[0], p[1], p[4], p[5], skipped, forged)
	var got []string
	for _, b := range r.Breaks() {
		got = append(got, fmt.Sprintf("%v %.0f-%.0f", b, b.From.Sub(noon).Seconds(), b.To.Sub(noon).Seconds()))
	}
	want := []string{
		"parts 3 to 4 missing 2-4", "parts 7 to 8 left out by the camera 6-8",
		"part 10 does not continue part 9: the camera's key may be in two places 9-9",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if got, want := times(t, r.Takes()[0]), []uint64{0, 1000, 4000, 5000, 8000, 9000}; !slices.Equal(got, want) {
		t.Errorf("at %v, want %v", got, want)
	}
	if err := r.Add(p[1]); !errors.Is(err, ErrTwice) || r.Parts() != 6 {
		t.Errorf("twice: %v", err)
	}
	other := newStudio(t, 1)
	for name, v := range map[string]*seal.Verified{
		"two different parts have number 2": s.Recorded(2, 1, noon, p[0].Hash(), cliptest.Part(1, "other")),
		"it is of camera":                   tape(other, 1)[0],
		"is no recording":                   s.Clip(7, 1)[0],
		"no MP4":                            s.Recorded(20, 0, noon, [32]byte{}, []byte("nothing of the kind")),
		"does not say how long":             s.Recorded(21, 0, noon, [32]byte{}, bytes.Replace(cliptest.Part(0, "head"), []byte("mdhd"), []byte("xxxx"), 1)),
	} {
		if err := r.Add(v); !errors.Is(err, ErrPart) || !strings.Contains(err.Error(), name) || r.Parts() != 6 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Takes follow each other as the wall clock says, without it as they came; another
// format is another film, and boots stand in the order of their time.
func TestReelTakes(t *testing.T) {
	s := newStudio(t, 1)
	p := tape(s, 2)
	later := s.Recorded(3, 0, noon.Add(10*time.Second), p[1].Hash(), cliptest.Part(0, "head"))
	odd := s.Recorded(4, 0, noon.Add(20*time.Second), later.Hash(), cliptest.Part(0, "another head"))
	back := s.Recorded(5, 0, noon.Add(3*time.Second), odd.Hash(), cliptest.Part(0, "head")) // the clock was set back
	last := s.Recorded(6, 0, noon.Add(2*time.Second), back.Hash(), cliptest.Part(0, "head"))
	r := reel(t, p[0], p[1], later, odd, back, last)
	takes := r.Takes()
	if len(takes) != 3 || len(r.Breaks()) != 0 {
		t.Fatalf("%d films, %v", len(takes), r.Breaks())
	}
	for i, want := range [][]uint64{{0, 1000, 10000}, {0}, {0, 1000}} {
		if got := times(t, takes[i]); !slices.Equal(got, want) {
			t.Errorf("film %d: at %v, want %v", i, got, want)
		}
	}
}

// Whatever a camera signs as a part: nothing breaks, and no film goes backwards.
func FuzzReel(f *testing.F) {
	f.Add(cliptest.Part(0, "head"), cliptest.Part(1, "head"), uint64(2), uint32(1), int64(1e6))
	f.Add(cliptest.Part(5, "head"), cliptest.Part(1, "other"), uint64(1<<40), uint32(7), int64(-5e9))
	f.Fuzz(func(t *testing.T, a, b []byte, seq uint64, n uint32, us int64) {
		if len(a) == 0 || len(b) == 0 || seq < 2 || seq > seal.MaxSeq || us > 1e12 || us < -1e12 {
			return
		}
		r := NewReel("", new(Memory))
		m := seal.Meta{Stream: seal.Recording, Media: Media, Seq: 1, Clock: seal.ClockRTC, Taken: noon}
		next := m
		next.Seq, next.Part, next.Taken, next.Mono = seq, n, noon.Add(time.Duration(us)*time.Microsecond), time.Duration(us)
		for i, err := range []error{r.add(m, [32]byte{1}, a), r.add(next, [32]byte{2}, b)} {
			if err != nil && !errors.Is(err, ErrPart) {
				t.Fatal(i, err)
			}
		}
		for _, k := range r.Takes() {
			var out bytes.Buffer
			if n, err := k.WriteTo(&out); err == nil && n != int64(out.Len()) || err != nil && !errors.Is(err, ErrPart) {
				t.Fatal(n, err)
			}
			if !slices.IsSorted(k.begin) || k.Length() < 0 {
				t.Fatal(k.begin)
			}
		}
		r.Breaks()
	})
}
