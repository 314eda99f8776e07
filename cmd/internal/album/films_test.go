package album

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/cmd/internal/clip/cliptest"
	"github.com/sealcam/sealcam/uplink/seal"
)

// desk stores films in a directory, as programs do that are started now and then.
type desk struct {
	t     *testing.T
	dir   string
	films *Films
	now   time.Time
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, dir: t.TempDir(), now: time.Now()}
	d.start()
	return d
}

// start starts a program; the one before was killed.
func (d *desk) start() {
	d.t.Helper()
	a, err := Open(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(a.Close)
	if d.films, err = a.Films(false); err != nil {
		d.t.Fatal(err)
	}
}

// add hands over parts, and returns what was told.
func (d *desk) add(parts ...*seal.Verified) (told []Told) {
	d.t.Helper()
	for _, v := range parts {
		got, err := d.films.Add(v, d.now)
		if err != nil {
			d.t.Fatal(err)
		}
		if got != nil {
			told = append(told, *got)
		}
	}
	return told
}

// pass lets time pass, and returns what was told.
func (d *desk) pass(span time.Duration) []Told {
	d.t.Helper()
	d.now = d.now.Add(span)
	told, err := d.films.Ended(d.now)
	if err != nil {
		d.t.Fatal(err)
	}
	return told
}

// files lists what there is, without its directory.
func (d *desk) files() (names []string) {
	d.t.Helper()
	all, err := filepath.Glob(filepath.Join(d.dir, "*", "*"))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, f := range all {
		names = append(names, filepath.Base(f))
	}
	return names
}

// holds checks that the one film there is consists of these parts, that its proof
// proves it, and that nothing else is left.
func (d *desk) holds(parts ...*seal.Verified) {
	d.t.Helper()
	names := d.files()
	if len(names) != 2 || names[1] != names[0]+ProofEnding || !strings.HasSuffix(names[0], ".mp4") {
		d.t.Fatalf("there are %q", names)
	}
	want, err := cliptestFilm(parts)
	if err != nil {
		d.t.Fatal(err)
	}
	base := filepath.Join(d.dir, string(parts[0].Camera()), names[0])
	media, err := os.ReadFile(base)
	if err != nil || !bytes.Equal(media, want) {
		d.t.Errorf("%d bytes of film (%v), want %d", len(media), err, len(want))
	}
	proof, err := os.ReadFile(base + ProofEnding)
	if err != nil {
		d.t.Fatal(err)
	}
	_, sound, err := clip.Check(bytes.NewReader(media), bytes.NewReader(proof), func(p clip.Piece) {
		if p.Err != nil {
			d.t.Error(p.Err)
		}
	})
	if !sound || err != nil {
		d.t.Errorf("the film is not proven: %v", err)
	}
}

func cliptestFilm(parts []*seal.Verified) ([]byte, error) {
	k, _ := clip.KeyOf(parts[0])
	f := clip.New(k)
	for _, v := range parts {
		if err := f.Add(v); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	_, err := f.WriteTo(&b)
	return b.Bytes(), err
}

// A film stands on the disk as soon as its parts are there, and gets its name with
// the last; nothing is left over, whatever the order.
func TestFilms(t *testing.T) {
	for name, order := range map[string][]int{"in order": {0, 1, 2, 3, 4}, "late": {0, 2, 3, 1, 4}, "last first": {4, 3, 2, 1, 0}, "twice": {0, 0, 1, 2, 2, 3, 4}} {
		t.Run(name, func(t *testing.T) {
			d, p := newDesk(t), cliptest.New(t, 1).Clip(5, 5)
			var told []Told
			for i, n := range order {
				if i > 0 {
					if files := d.files(); !slices.ContainsFunc(files, func(f string) bool { return strings.HasSuffix(f, ".mp4"+openEnding) }) {
						t.Errorf("after %d parts there are %q", i, files)
					}
				}
				told = append(told, d.add(p[n])...)
			}
			if len(told) != 1 || !told[0].Film.Whole() || told[0].Late != 0 || told[0].Name != filepath.Join(string(p[0].Camera()), d.files()[0]) {
				t.Errorf("told %+v", told)
			}
			d.holds(p...)
			if more := d.pass(time.Hour); len(more) != 0 {
				t.Errorf("told again: %+v", more)
			}
		})
	}
}

// A clip that lacks parts is told of after a while, and is playable then; what
// comes late is put where it belongs, and that is told too.
func TestLateParts(t *testing.T) {
	d, p := newDesk(t), cliptest.New(t, 1).Clip(5, 5)
	d.add(p[0], p[1], p[3])
	if told := d.pass(Patience - 1); len(told) != 0 {
		t.Errorf("told early: %+v", told)
	}
	d.add(p[4])
	told := d.pass(Patience)
	if len(told) != 1 || told[0].Film.Whole() || !strings.Contains(told[0].Film.Words(), "part 3 missing (2.0 s to 3.0 s)") {
		t.Errorf("told %+v", told)
	}
	d.holds(p[0], p[1], p[3], p[4])
	if told := d.pass(time.Hour); len(told) != 0 {
		t.Errorf("told again: %+v", told)
	}
	told = d.add(p[2])
	if len(told) != 1 || !told[0].Film.Whole() || told[0].Late != 1 {
		t.Errorf("told of the late part: %+v", told)
	}
	d.holds(p...)
	if told := append(d.add(p[2], p[0]), d.pass(time.Hour)...); len(told) != 0 {
		t.Errorf("told of what is known: %+v", told)
	}
	d.holds(p...)
}

// A program that is killed loses nothing: the next one goes on, or ends the film.
func TestFilmsAfterAKill(t *testing.T) {
	p := cliptest.New(t, 1).Clip(5, 4)
	for _, torn := range []bool{false, true} {
		d := newDesk(t)
		d.add(p[0], p[1])
		if torn { // it was killed while it wrote
			for _, name := range d.files() {
				f, err := os.OpenFile(filepath.Join(d.dir, string(p[0].Camera()), name), os.O_WRONLY|os.O_APPEND, 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.WriteString(strings.Repeat("torn", 1000)); err != nil {
					t.Fatal(err)
				}
				f.Close()
			}
		}
		d.start()
		d.add(p[3])
		d.start()
		told := d.pass(time.Second)
		if len(told) != 1 || !slices.Equal(told[0].Film.Parts(), []uint32{0, 1, 3}) {
			t.Fatalf("after a kill: told %+v", told)
		}
		d.holds(p[0], p[1], p[3])
		d.start()
		if told := d.add(p[2]); len(told) != 1 || !told[0].Film.Whole() || told[0].Late != 1 {
			t.Errorf("told %+v", told)
		}
		d.holds(p...)
	}
}

// Clips are kept apart: of two boots, of two cameras, and what is of none.
func TestFilmsApart(t *testing.T) {
	d := newDesk(t)
	a, b := cliptest.New(t, 1), cliptest.New(t, 2)
	pa, pb := a.Clip(5, 3), b.Clip(5, 3)
	told := d.add(pa[0], pb[0], pa[1], pb[1], pb[2], pa[2])
	if len(told) != 2 || !told[0].Film.Whole() || !told[1].Film.Whole() || told[0].Film.Key() == told[1].Film.Key() || len(d.files()) != 4 {
		t.Errorf("told %+v; there are %q", told, d.files())
	}
	other := a.Send(seal.Meta{Kind: seal.KindClip, Media: clip.Media, Event: 5, Part: 1}, cliptest.Part(1, "head"))
	if _, err := d.films.Add(other, d.now); !errors.Is(err, clip.ErrPart) {
		t.Errorf("another part of a number that is there: %v", err)
	}
	if _, err := d.films.Add(a.Send(seal.Meta{Kind: seal.KindClip, Media: clip.Media, Event: 6}, []byte("x")), d.now); !errors.Is(err, clip.ErrPart) || len(d.files()) != 4 {
		t.Errorf("no MP4: %v; there are %q", err, d.files())
	}
}

// Without an album the same is told, and nothing stored.
func TestFilmsOfNoAlbum(t *testing.T) {
	films, err := (*Album)(nil).Films(false)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, dir: t.TempDir(), films: films, now: time.Now()}
	p := cliptest.New(t, 1).Clip(5, 3)
	d.add(p[0], p[2])
	if told := d.pass(Patience); len(told) != 1 || told[0].Name != "" || told[0].Film.Whole() {
		t.Errorf("told %+v", told)
	}
	if told := d.add(p[1]); len(told) != 1 || !told[0].Film.Whole() || told[0].Late != 1 {
		t.Errorf("told %+v", told)
	}
}

// However many clips are begun, so many only are kept open.
func TestFilmsAreBounded(t *testing.T) {
	d, s := newDesk(t), cliptest.New(t, 1)
	for event := range uint64(maxOpen + 8) {
		d.add(s.Clip(event+1, 2)[0])
		d.pass(time.Second)
	}
	if n := len(d.films.reels); n > maxOpen+1 {
		t.Errorf("%d films are open", n)
	}
}
