package seal

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What a part says of its clip comes back, beside what else is labelled.
func TestClipMarks(t *testing.T) {
	dog := Label{Name: "dog", Score: 900}
	for _, c := range []ClipMarks{
		{},
		{PreRoll: 4980 * time.Millisecond, Also: []uint64{8, 9}, Ended: "camera"},
		{PreRoll: time.Hour, Also: []uint64{MaxSeq}},
	} {
		m := Meta{Kind: KindClip, Labels: append([]Label{dog}, c.Labels()...)}
		for _, l := range m.Labels {
			if err := l.check(); err != nil {
				t.Errorf("%+v: %v", l, err)
			}
		}
		got, rest := m.Clip()
		if diff := cmp.Diff(c, got); diff != "" {
			t.Error(diff)
		}
		if len(rest) != 1 || rest[0] != dog {
			t.Errorf("the rest is %v", rest)
		}
	}
}

// Marks that no camera of ours makes are passed over.
func TestClipMarksOfOthers(t *testing.T) {
	m := Meta{Kind: KindClip}
	for _, name := range []string{
		"clip.pre-roll=-5", "clip.pre-roll=99999999999999", "clip.pre-roll", "clip.also=x", "clip.also=18446744073709551615",
		"clip.ended=Not A Token", "clip.new=1", "clip.", "clip.also=3", "clip.also=3",
	} {
		m.Labels = append(m.Labels, Label{Name: name})
	}
	got, rest := m.Clip()
	if diff := cmp.Diff(ClipMarks{Also: []uint64{3}}, got); diff != "" || len(rest) != 0 {
		t.Errorf("%s; the rest is %v", diff, rest)
	}
	m.Kind = KindSnapshot
	if got, rest := m.Clip(); len(rest) != len(m.Labels) || got.Also != nil {
		t.Error("a snapshot has marks of a clip")
	}
}
