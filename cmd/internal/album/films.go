package album

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Patience is how long after a part of a clip came the next is waited for before
// the clip is told of as it is. It leaves time to ask for what is missing.
const Patience = 30 * time.Second

// Bounds of Films: clips of which parts are coming, and clips that lack parts and
// are remembered, where nothing is stored.
const (
	maxOpen  = 32
	maxKnown = 256
)

// openEnding is after the name of a film, and of its proof, that parts are still
// coming to.
const openEnding = ".coming"

// Films joins parts of clips into films, and stores each as one MP4 with its proof
// beside it. A film is stored as its parts come: what Add returned without an
// error is on the disk, and a program that is started again goes on with it. It
// gets its name when it is whole, or when no more has come; what comes later is
// put in its place. It is not safe for concurrent use.
type Films struct {
	album *Album // nil stores nothing
	flat  bool   // without a directory for each camera
	reels map[clip.Key]*reel
}

// reel is a film that parts are coming to, or one that is remembered.
type reel struct {
	film         *clip.Film
	name         string // within the album, without openEnding
	media, proof *os.File
	came         time.Time // the newest part
	late         uint32    // parts that have come since it was told of
	told         bool
}

// Told is what there is to tell of a clip.
type Told struct {
	Film *clip.Film
	Name string // of its file within the album; "" where nothing is stored
	Late uint32 // parts that have come since it was told of before
}

// Films returns the films of an album; flat for films at its top instead of in a
// directory for each camera. A nil Album stores nothing, and its Films tell of
// clips all the same.
func (a *Album) Films(flat bool) (*Films, error) {
	f := &Films{album: a, flat: flat, reels: map[clip.Key]*reel{}}
	if a == nil {
		return f, nil
	}
	left, err := fs.Glob(a.root.FS(), path.Join(f.dir("*"), "*clip-*.mp4"+openEnding))
	for _, name := range left {
		if r := a.restore(strings.TrimSuffix(name, openEnding)); r != nil {
			f.reels[r.film.Key()] = r // an earlier program was stopped
		}
	}
	return f, err
}

// dir is where the films of a camera stand.
func (f *Films) dir(camera string) string {
	if f.flat {
		return "."
	}
	return camera
}

// Add takes a part of a clip that came at the time now. It returns what there is
// to tell if that makes a film whole, else nil. An error that wraps clip.ErrPart
// says that it does not belong into its film, and it was not stored; others are of
// the disk.
func (f *Films) Add(v *seal.Verified, now time.Time) (*Told, error) {
	k, ok := clip.KeyOf(v)
	if !ok {
		return nil, fmt.Errorf("%w: it is of no clip", clip.ErrPart)
	}
	_, data := v.Media()
	if _, _, err := clip.Split(data); err != nil {
		return nil, err
	}
	number := v.Meta().Part
	r := f.reels[k]
	if r == nil {
		var err error
		if r, err = f.find(k, v); err != nil {
			return nil, err
		}
		f.reels[k] = r
	}
	if r.film.Has(number) {
		if f.album != nil && r.told {
			delete(f.reels, k) // the disk remembers it
		}
		return nil, r.film.Add(v) // the same again, or another of its number
	}
	if err := f.open(r); err != nil {
		return nil, err
	}
	if err := r.add(v, number); err != nil {
		return nil, err
	}
	if r.came = now; r.told {
		r.late++
	}
	f.crowd()
	if !r.film.Whole() {
		return nil, nil
	}
	return f.end(k)
}

// add stores a part, durably.
func (r *reel) add(v *seal.Verified, number uint32) error {
	if err := r.film.Add(v); err != nil || r.media == nil {
		return err
	}
	if _, err := r.proof.Write(r.film.ProofOf(number)); err != nil {
		return err
	}
	return errors.Join(r.media.Sync(), r.proof.Sync())
}

// Ended returns what there is to tell at the time now of clips that nothing has
// come of for Patience.
func (f *Films) Ended(now time.Time) ([]Told, error) {
	return f.endAll(func(r *reel) bool { return now.Sub(r.came) >= Patience })
}

// Close ends all films, and returns what there is to tell.
func (f *Films) Close() ([]Told, error) { return f.endAll(func(*reel) bool { return true }) }

// coming reports whether there is something of r that was not told.
func (r *reel) coming() bool { return !r.told || r.late > 0 }

func (f *Films) endAll(over func(*reel) bool) (all []Told, err error) {
	var keys []clip.Key
	for k, r := range f.reels {
		if r.coming() && over(r) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b clip.Key) int { return f.reels[a].came.Compare(f.reels[b].came) })
	for _, k := range keys {
		told, endErr := f.end(k)
		if err = errors.Join(err, endErr); told != nil {
			all = append(all, *told)
		}
	}
	return all, err
}

// crowd bounds what is kept: beyond that the disk has to remember.
func (f *Films) crowd() {
	oldest := func(of func(*reel) bool) (key clip.Key, n int) {
		for k, r := range f.reels {
			if !of(r) {
				continue
			}
			if n++; n == 1 || r.came.Before(f.reels[key].came) {
				key = k
			}
		}
		return key, n
	}
	if k, n := oldest(func(r *reel) bool { return r.coming() }); n > maxOpen {
		f.reels[k].came = time.Time{} // its turn is next
	}
	if k, n := oldest(func(r *reel) bool { return !r.coming() }); n > maxKnown {
		delete(f.reels, k)
	}
}

// end gives a film its name, and returns what there is to tell.
func (f *Films) end(k clip.Key) (*Told, error) {
	r := f.reels[k]
	if len(r.film.Parts()) == 0 {
		delete(f.reels, k)
		return nil, nil
	}
	if err := f.open(r); err != nil {
		return nil, err
	}
	told := &Told{Film: r.film, Name: r.name, Late: r.late}
	r.told, r.late = true, 0
	if f.album == nil {
		return told, nil
	}
	delete(f.reels, k)
	return told, f.album.finish(r)
}

// find returns the reel of a clip: what the disk has of it, or a new one.
func (f *Films) find(k clip.Key, v *seal.Verified) (*reel, error) {
	if f.album == nil {
		return &reel{film: clip.NewOn(k, nil)}, nil
	}
	dir := f.dir(string(k.Camera))
	if err := f.album.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	ending := filmEnding(k)
	there, err := fs.Glob(f.album.root.FS(), path.Join(dir, "*"+ending+"*"))
	if err != nil {
		return nil, err
	}
	for _, name := range there {
		name = name[:strings.Index(name, ending)+len(ending)]
		if r := f.album.restore(name); r != nil && r.film.Key() == k {
			return r, nil
		}
	}
	return &reel{film: clip.New(k), name: path.Join(dir, FilmName(k, v.Meta()))}, nil
}

// FilmName names the film of a clip by what one of its parts says, so that names
// sort by time. A camera without a clock has its boot alone.
func FilmName(k clip.Key, m seal.Meta) string {
	when := ""
	if m.Clock != seal.ClockNone && !m.Taken.IsZero() {
		when = m.Taken.UTC().Format("20060102T150405.000Z-")
	}
	return when + filmEnding(k)
}

func filmEnding(k clip.Key) string { return fmt.Sprintf("clip-%x-%d.mp4", k.Boot[:4], k.Event) }

// restore returns a film that is on the disk, with or without its name; nil if
// there is none that can be read.
func (a *Album) restore(name string) *reel {
	for _, ending := range []string{openEnding, ""} {
		media, err := a.root.Open(name + ending)
		if err != nil {
			continue
		}
		defer media.Close()
		proof, err := a.root.Open(name + ProofEnding + ending)
		if err != nil {
			continue
		}
		defer proof.Close()
		film, err := clip.Restore(media, proof)
		if err != nil {
			continue
		}
		return &reel{film: film, name: name, told: ending == ""}
	}
	return nil
}

// open makes r ready to take a part: its film, as far as there is one, stands in
// a file without its name, in the order in which its parts came.
func (f *Films) open(r *reel) (err error) {
	if f.album == nil || r.media != nil {
		return nil
	}
	root, k := f.album.root, r.film.Key()
	had := len(r.film.Parts()) > 0
	if had && r.told {
		for _, ending := range []string{"", ProofEnding} {
			if err := f.album.copy(r.name+ending, r.name+ending+openEnding); err != nil {
				return err
			}
		}
	}
	flags := os.O_RDWR | os.O_CREATE
	if !had {
		flags |= os.O_TRUNC
	}
	media, err := root.OpenFile(r.name+openEnding, flags, 0o600)
	if err != nil {
		return err
	}
	proof, err := root.OpenFile(r.name+ProofEnding+openEnding, flags, 0o600)
	if err != nil {
		return errors.Join(err, media.Close())
	}
	if had {
		r.film, err = clip.Restore(media, proof)
	} else {
		r.film = clip.NewOn(k, media)
	}
	if err == nil {
		err = errors.Join(media.Truncate(r.film.Size()), rewriteProof(proof, r.film), f.album.syncDir(path.Dir(r.name)))
	}
	if err != nil {
		return errors.Join(err, media.Close(), proof.Close())
	}
	r.media, r.proof = media, proof
	return nil
}

// rewriteProof makes proof that of film, in the order of its media.
func rewriteProof(proof *os.File, film *clip.Film) error {
	if _, err := proof.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := proof.Truncate(0); err != nil {
		return err
	}
	return film.WriteProofStored(proof)
}

// copy copies a file within the album.
func (a *Album) copy(from, to string) error {
	in, err := a.root.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return a.writeFrom(to, func(w io.Writer) error { _, err := io.Copy(w, in); return err })
}

// finish gives a film and its proof their names, whole or not at all: the proof
// first, and what they were made of goes last.
func (a *Album) finish(r *reel) error {
	defer r.proof.Close()
	defer r.media.Close()
	err := a.writeFrom(r.name+ProofEnding, r.film.WriteProof)
	switch {
	case err != nil:
	case r.film.Ordered():
		err = a.root.Rename(r.name+openEnding, r.name)
	default:
		if err = a.writeFrom(r.name, func(w io.Writer) error { _, err := r.film.WriteTo(w); return err }); err == nil {
			err = a.root.Remove(r.name + openEnding)
		}
	}
	if err != nil {
		return err
	}
	return errors.Join(a.root.Remove(r.name+ProofEnding+openEnding), a.syncDir(path.Dir(r.name)))
}
