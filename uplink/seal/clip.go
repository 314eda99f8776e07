package seal

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// ClipMarks are what a part of a clip says of its clip, beside what Meta has of
// its own (Event, Part, Last, Taken, Mono). They travel as labels without a score
// and a box, whose names begin with "clip."; SPEC.md, section 5, has them.
type ClipMarks struct {
	// PreRoll is how long after the clip's first frame its event began, in whole
	// milliseconds, on the clock of the parts' decode times. Every part says it.
	PreRoll time.Duration
	// Also are further events that the clip shows up to this part, at most
	// MaxAlso of them. They have no clip of their own.
	Also []uint64
	// Ended is a token that says why the clip ended early, in its last part; "" if
	// it did not: "longest", "camera", "format", "stopped", "no-key-frame"; others
	// may come.
	Ended string
}

// MaxAlso bounds ClipMarks.Also.
const MaxAlso = 8

// The names of the labels, in front of their values.
const (
	markClip    = "clip."
	markPreRoll = markClip + "pre-roll="
	markAlso    = markClip + "also="
	markEnded   = markClip + "ended="
)

// Labels returns the labels that say c.
func (c ClipMarks) Labels() []Label {
	labels := []Label{{Name: markPreRoll + strconv.FormatInt(max(0, c.PreRoll.Milliseconds()), 10)}}
	for _, e := range c.Also[:min(len(c.Also), MaxAlso)] {
		labels = append(labels, Label{Name: markAlso + strconv.FormatUint(e, 10)})
	}
	if c.Ended != "" {
		labels = append(labels, Label{Name: markEnded + c.Ended})
	}
	return labels
}

// Clip returns what m says of its clip, and the labels that say something else.
// Marks that make no sense are passed over: they are the camera's word, and no
// viewer may depend on them.
func (m *Meta) Clip() (c ClipMarks, rest []Label) {
	for _, l := range m.Labels {
		name, value, _ := strings.Cut(l.Name, "=")
		switch {
		case m.Kind != KindClip || !strings.HasPrefix(name, markClip):
			rest = append(rest, l)
		case name+"=" == markPreRoll:
			if ms, err := strconv.ParseUint(value, 10, 32); err == nil {
				c.PreRoll = time.Duration(ms) * time.Millisecond
			}
		case name+"=" == markAlso:
			if e, err := strconv.ParseUint(value, 10, 64); err == nil && e <= MaxSeq && len(c.Also) < MaxAlso && !slices.Contains(c.Also, e) {
				c.Also = append(c.Also, e)
			}
		case name+"=" == markEnded:
			if checkToken(value) == nil {
				c.Ended = value
			}
		}
	}
	return c, rest
}
