// Package clip joins the verified parts of clips into films, on the viewer's
// side: bench, watch, the page and whoever fetches recordings.
//
// Each part is a whole MP4 that plays alone; the film is the first part and what
// stands behind the heads of the others. Because every part says when it begins on
// the clip's own clock, a part that is missing is a pause in the film, and the
// rest stands where it belongs.
//
// What this package does not do: it verifies nothing, which is why it takes
// nothing but *seal.Verified; it decodes nothing, stores nothing, and links no
// camera code, so that it builds for js/wasm too.
package clip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Media is the media type of a part and of a film.
const Media = "video/mp4"

// MaxParts bounds the number of parts that a Film takes: an hour of seconds,
// and as many again. What a camera numbers beyond that is no part of a clip.
const MaxParts = 7200

// ErrPart is the error for what is no part of the film.
var ErrPart = errors.New("not a part of this clip")

// Key names a clip: no other has the same, of any camera at any time.
type Key struct {
	Camera seal.CameraID
	Boot   [16]byte
	Event  uint64
}

// KeyOf returns the clip that v is a part of. It reports false for other messages.
func KeyOf(v *seal.Verified) (Key, bool) {
	m := v.Meta()
	camera, _ := v.Media()
	return Key{camera, m.Boot, m.Event}, m.Kind == seal.KindClip && m.Media == Media && m.Event != 0
}

// Film is a clip of which parts have come, in any order. It keeps their bytes.
// The zero value is not ready: see New.
type Film struct {
	key   Key
	head  []byte // of the first part that came; all have the same
	parts map[uint32]part
	last  int64 // number of the last part, -1 while it has not come
	marks seal.ClipMarks
}

type part struct {
	meta seal.Meta
	body []byte // moof and mdat
}

// New returns the film of a clip, without a part.
func New(k Key) *Film { return &Film{key: k, parts: map[uint32]part{}, last: -1} }

// Add adds a part. One that is there already changes nothing. The error wraps
// ErrPart for a part of another clip, of no MP4, with another head than the parts
// before, or with a number that cannot be.
func (f *Film) Add(v *seal.Verified) error {
	k, ok := KeyOf(v)
	if !ok || k != f.key {
		return fmt.Errorf("%w: it is of event %d", ErrPart, v.Meta().Event)
	}
	_, data := v.Media()
	return f.add(v.Meta(), data)
}

func (f *Film) add(m seal.Meta, data []byte) error {
	head, body, err := Split(data)
	switch {
	case err != nil:
		return err
	case m.Part >= MaxParts || f.last >= 0 && int64(m.Part) > f.last:
		return fmt.Errorf("%w: number %d", ErrPart, m.Part)
	case f.head != nil && !slices.Equal(head, f.head):
		return fmt.Errorf("%w: number %d is of another format", ErrPart, m.Part)
	}
	if _, ok := f.parts[m.Part]; ok {
		return nil
	}
	if m.Last {
		for n := range f.parts {
			if n > m.Part {
				return fmt.Errorf("%w: number %d says it is the last, and there is number %d", ErrPart, m.Part, n)
			}
		}
		f.last = int64(m.Part)
	}
	f.head, f.parts[m.Part] = head, part{m, body}
	marks, _ := m.Clip()
	f.marks.PreRoll = marks.PreRoll
	if len(marks.Also) > len(f.marks.Also) {
		f.marks.Also = marks.Also
	}
	if m.Last {
		f.marks.Ended = marks.Ended
	}
	return nil
}

// Whole reports whether all parts have come, the last one included.
func (f *Film) Whole() bool { return f.last >= 0 && int64(len(f.parts)) == f.last+1 }

// Parts returns the numbers of the parts that have come, rising.
func (f *Film) Parts() []uint32 {
	var all []uint32
	for n := range f.parts {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// Missing returns the numbers of the parts that have not come, rising, up to the
// highest that has; ended says whether that is the clip's last.
func (f *Film) Missing() (numbers []uint32, ended bool) {
	next := uint32(0)
	for _, n := range f.Parts() {
		for ; next < n; next++ {
			numbers = append(numbers, next)
		}
		next = n + 1
	}
	return numbers, f.last >= 0
}

// Marks returns what the parts that have come say of the clip.
func (f *Film) Marks() seal.ClipMarks { return f.marks }

// First returns what is said about the first part that has come; false when none has.
func (f *Film) First() (seal.Meta, bool) {
	all := f.Parts()
	if len(all) == 0 {
		return seal.Meta{}, false
	}
	return f.parts[all[0]].meta, true
}

// WriteTo writes the film of the parts that have come.
func (f *Film) WriteTo(w io.Writer) (written int64, err error) {
	write := func(b []byte) {
		if err == nil {
			var n int
			n, err = w.Write(b)
			written += int64(n)
		}
	}
	write(f.head)
	for _, n := range f.Parts() {
		write(f.parts[n].body)
	}
	return written, err
}

// Split divides a part into its head (ftyp, moov: how the media is decoded) and
// its body (moof, mdat: the media and its times). Both lie in data. The error
// wraps ErrPart for everything else than a part as cameras make them.
func Split(data []byte) (head, body []byte, err error) {
	order := []string{"ftyp", "moov", "moof", "mdat"}
	cut := 0
	for at, i := 0, 0; at < len(data) || i < len(order); i++ {
		if i == len(order) || len(data)-at < 8 || string(data[at+4:at+8]) != order[i] {
			return nil, nil, fmt.Errorf("%w: no MP4 of one fragment", ErrPart)
		}
		size := int64(binary.BigEndian.Uint32(data[at:]))
		if size < 8 || size > int64(len(data)-at) {
			return nil, nil, fmt.Errorf("%w: a box of %d bytes in %d", ErrPart, size, len(data)-at)
		}
		if at += int(size); order[i] == "moov" {
			cut = at
		}
	}
	return data[:cut:cut], data[cut:], nil
}
