package identity_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// history is what ReadHistory says of h, in one text.
func history(t *testing.T, h *identity.Household) (all []identity.Change, text string) {
	t.Helper()
	all, err := identity.ReadHistory(h.Dir())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		text += strings.Join(append([]string{c.Follows}, c.What...), "; ") + "\n"
	}
	return all, text
}

// TestOperatorAdds: what an operator adds reaches the owner's copy with the roster,
// goes into the owner's next one, and is on record with the operator's name; a set of
// additions meets another.
func TestOperatorAdds(t *testing.T) {
	h := newHousehold(t)
	var cameras []seal.CameraID
	for range 3 {
		c, _ := newCamera(t)
		cameras = append(cameras, c.ID())
	}
	var guards []*identity.Viewer
	for _, name := range []string{"east", "west"} {
		if _, err := h.AddViewer(name); err != nil {
			t.Fatal(err)
		}
		if err := h.SetRoles(name, seal.MayWatch|seal.MayAdd); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.AddCamera(cameras[0], "Gate"); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"east", "west"} {
		away := filepath.Join(t.TempDir(), name)
		if err := h.ExportViewer(name, away); err != nil {
			t.Fatal(err)
		}
		v, err := identity.OpenViewer(away, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := v.AddCamera(cameras[i+1], "Shed "+name, []string{name}, someday); err != nil {
			t.Fatal(err)
		}
		if err := v.AddCamera(cameras[0], "Gate again", nil, someday); err == nil {
			t.Error("added what is there")
		}
		if again, err := identity.OpenViewer(away, ""); err != nil || len(again.Roster().Additions) != 1 {
			t.Errorf("opened again: %v", err)
		}
		guards = append(guards, v)
	}
	for _, from := range [][2]int{{0, 1}, {1, 0}} {
		if news, err := guards[from[1]].SetRoster(guards[from[0]].SignedRoster()); err != nil || !news && from[0] == 0 {
			t.Errorf("%v, %v", news, err)
		}
	}
	if a, b := guards[0].SignedRoster(), guards[1].SignedRoster(); string(a) != string(b) || len(guards[0].Roster().Cameras) != 3 {
		t.Errorf("they differ: %d and %d cameras", len(guards[0].Roster().Cameras), len(guards[1].Roster().Cameras))
	}
	if news, err := h.TakeRoster(guards[0].SignedRoster()); !news || err != nil {
		t.Fatal(news, err)
	}
	if err := h.AddCamera(cameras[1], "Barn"); err != nil {
		t.Errorf("the owner takes one in: %v", err)
	}
	r := roster(t, h)
	if c, _ := r.Camera(cameras[1]); len(r.Cameras) != 3 || len(r.Additions) != 0 || c.Name != "Barn" {
		t.Errorf("%d cameras, %d additions", len(r.Cameras), len(r.Additions))
	}
	if c, ok := r.Camera(cameras[2]); !ok || c.Name != "Shed west" || strings.Join(c.Groups, " ") != "west" {
		t.Errorf("%+v", c)
	}
	_, text := history(t, h)
	for _, want := range []string{`camera "Shed east" added by east at `, `camera "Shed west" added by west at `, `camera "Barn" added (` + string(cameras[1]) + `), taken over from east`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestHistory: every roster follows the one before by its signed word; what is
// missing, changed or of another household is told.
func TestHistory(t *testing.T) {
	h := newHousehold(t)
	for _, name := range []string{"phone", "tablet"} {
		if _, err := h.AddViewer(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.RemoveViewer("tablet"); err != nil {
		t.Fatal(err)
	}
	if err := h.RotateOwner(); err != nil {
		t.Fatal(err)
	}
	all, text := history(t, h)
	if len(all) != 5 || all[4].Signer == all[3].Signer || all[0].Version != 1 {
		t.Errorf("%+v", all)
	}
	for _, c := range all {
		if c.Follows != "" {
			t.Errorf("roster %d: %s", c.Version, c.Follows)
		}
	}
	for _, want := range []string{"viewer \"tablet\" added, may watch,command\n", "viewer \"tablet\" removed\n", "owner key " + string(all[4].Signer), "owner key " + string(h.ID()) + " withdrawn"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	file := func(version string) string { return filepath.Join(h.Dir(), "rosters", version) }
	kept, err := os.ReadFile(file("3"))
	if err != nil {
		t.Fatal(err)
	}
	// A roster that the owner really signed, and that never was the household's third.
	forked := *roster(t, h)
	forked.Version = 3
	fork, err := seal.SignRoster(h.Owner(), forked)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"absent": {nil, "the rosters after 2 are not here"},
		"forked": {fork, "it follows another roster 3 than the one here"},
	} {
		if err := os.Remove(file("3")); err != nil {
			t.Fatal(err)
		}
		if c.content != nil {
			if err := os.WriteFile(file("3"), c.content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, text := history(t, h); !strings.Contains(text, c.want) {
			t.Errorf("%s: no %q in\n%s", name, c.want, text)
		}
		if err := os.WriteFile(file("3"), kept, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept[len(kept)-1] ^= 1
	if err := os.WriteFile(file("3"), kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.ReadHistory(h.Dir()); seal.ReasonOf(err) == "" {
		t.Errorf("a changed roster: %v", err)
	}
}
