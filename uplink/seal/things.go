package seal

import (
	"encoding/base32"
	"slices"
	"strings"
)

// markModel stands in front of a model's name in a label.
const markModel = "model="

var modelCode = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ModelLabel returns the label that says which model recognised what the other
// labels of a snapshot name: hash is the SHA-256 of its file. SPEC.md, section 5.
func ModelLabel(hash [32]byte) Label {
	return Label{Name: markModel + modelCode.EncodeToString(hash[:])}
}

// Things returns what a snapshot shows by the word of its camera, the surest
// first, and the model that recognised it: the base32 of its SHA-256, "" when
// nobody looked. With a model and without things somebody looked and knew nothing
// of it.
func (m *Meta) Things() (things []Label, model string) {
	if m.Kind != KindSnapshot {
		return nil, ""
	}
	for _, l := range m.Labels {
		name, value, marked := strings.Cut(l.Name, "=")
		switch {
		case name+"=" == markModel && len(value) == modelCode.EncodedLen(32) && checkToken(value) == nil:
			model = value
		case !marked && l.Score > 0:
			things = append(things, l)
		}
	}
	slices.SortStableFunc(things, func(a, b Label) int { return int(b.Score) - int(a.Score) })
	return things, model
}
