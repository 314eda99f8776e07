package drill

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/uplink/seal"
)

// statement is what a viewer says of one clip: the film that it would show, and
// what it says is missing.
type statement struct {
	film    []byte   // nil: it knows of no such clip
	missing []uint32 // parts, up to the last that came
	whole   bool
}

// look compares what the viewer says of a clip with what came of it. counts says
// that it is an attack of its own, and not what followed one delivery.
func (j *judge) look(s subject, st step, counts bool) error {
	film, missing, whole := st.clip.film(func(m *message) bool { return j.memory[m] })
	said, ok, err := s.clip(st.clip.camera.id, st.clip.boot, st.clip.event)
	if err != nil || !ok {
		return err
	}
	row := &j.tally.clips
	if st.attack != honest {
		row = j.tally.row(st.attack)
	}
	wrong := ""
	switch {
	case !bytes.Equal(said.film, film):
		wrong = "a film of other parts than came"
	case said.whole && !whole:
		wrong = "a clip that lacks parts, as whole"
	case whole && !said.whole:
		wrong = "a whole clip, as lacking parts"
	case !slices.Equal(said.missing, missing):
		wrong = fmt.Sprintf("a clip without its parts %v, as without %v", missing, said.missing)
	}
	if counts && (film != nil || wrong != "") {
		row.Tried++
		switch {
		case wrong != "":
		case whole:
			row.Shown++
		default:
			row.Reported++
		}
	}
	if wrong != "" {
		row.Wrong++
		j.tally.example(fmt.Sprintf("%s: %s: event %d: %s", nameOf(st.attack), st.clip.camera.name, st.clip.event, wrong))
	}
	return nil
}

// films are the clips that an opener has parts of.
type films map[clip.Key]*clip.Film

// add takes what was shown, if it is a part of a clip.
func (f films) add(v *seal.Verified) {
	k, ok := clip.KeyOf(v)
	if !ok {
		return
	}
	if f[k] == nil {
		f[k] = clip.New(k)
	}
	_ = f[k].Add(v) // what does not belong into it is not in what is said of it
}

func (f films) say(k clip.Key) (s statement, err error) {
	film := f[k]
	if film == nil {
		return statement{}, nil
	}
	var b bytes.Buffer
	_, err = film.WriteTo(&b)
	s.film, s.whole = b.Bytes(), film.Whole()
	s.missing, _ = film.Missing()
	return s, err
}
