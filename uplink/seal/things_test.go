package seal

import (
	"crypto/sha256"
	"strings"
	"testing"
)

func TestThings(t *testing.T) {
	mark := ModelLabel(sha256.Sum256([]byte("model")))
	if err := mark.check(); err != nil {
		t.Fatal(err)
	}
	m := Meta{Kind: KindSnapshot, Labels: []Label{{Name: "cat", Score: 400}, mark, {Name: "clip.also=3"}, {Name: "person", Score: 900}, {Name: "ghost"}, {Name: "model=../../x"}}}
	things, model := m.Things()
	if len(things) != 2 || things[0].Name != "person" || things[1].Name != "cat" {
		t.Errorf("things %v", things)
	}
	if "model="+model != mark.Name || len(model) != 52 || strings.ToLower(model) != model {
		t.Errorf("model %q", model)
	}
	m.Kind = KindClip
	if things, model := m.Things(); things != nil || model != "" {
		t.Errorf("a part of a clip shows %v by %q", things, model)
	}
}
