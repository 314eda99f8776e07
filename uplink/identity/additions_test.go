package identity_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// operator adds a viewer who may add to h, and returns it in a directory of its own.
func operator(t *testing.T, h *identity.Household, name string) *identity.Viewer {
	t.Helper()
	if _, err := h.AddViewer(name); err != nil {
		t.Fatal(err)
	}
	if err := h.SetRoles(name, seal.MayWatch|seal.MayAdd); err != nil {
		t.Fatal(err)
	}
	away := filepath.Join(t.TempDir(), name)
	if err := h.ExportViewer(name, away); err != nil {
		t.Fatal(err)
	}
	v, err := identity.OpenViewer(away, "")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func added(t *testing.T, v *identity.Viewer, name string) seal.CameraID {
	t.Helper()
	c, _ := newCamera(t)
	if err := v.AddCamera(c.ID(), name, []string{"yard"}, someday); err != nil {
		t.Fatal(err)
	}
	return c.ID()
}

// What operators added to a roster before the owner's newest is taken in with the name
// of who did it, once, unless the owner has let it go, or they may not add any more.
func TestOwnerTakesAdditions(t *testing.T) {
	h := newHousehold(t)
	east, west := operator(t, h, "east"), operator(t, h, "west")
	if _, err := east.SetRoster(signed(t, h)); err != nil {
		t.Fatal(err)
	}
	shed, barn := added(t, east, "Shed"), added(t, west, strings.Repeat("ü", 32))
	gone := added(t, east, "Gone")
	for _, name := range []string{"Shed", "Shed 2"} { // names that an operator chose, too
		own, _ := newCamera(t)
		if err := h.AddCamera(own.ID(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.AddCamera(gone, "Gone"); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveCamera(gone); err != nil {
		t.Fatal(err)
	}
	if err := h.SetRoles("west", seal.MayWatch); err != nil {
		t.Fatal(err)
	}
	before := roster(t, h).Version
	taken, left, err := h.TakeAdditions(east.SignedRoster(), []byte("no roster"), west.SignedRoster(), east.SignedRoster())
	if err != nil || len(taken) != 1 || len(left) != 1 {
		t.Fatalf("%+v %+v %v", taken, left, err)
	}
	if a := taken[0]; a.Camera.ID != shed || a.Name != "east" || a.Camera.Name != "Shed 3" {
		t.Errorf("%+v", a)
	}
	if l := left[0]; l.Camera.ID != barn || l.Name != "west" || !strings.Contains(l.Why, "may add no cameras") {
		t.Errorf("%+v", l)
	}
	r := roster(t, h)
	c, ok := r.Camera(shed)
	if !ok || c.Name != "Shed 3" || len(c.Groups) != 1 || r.Version != before+1 {
		t.Errorf("%+v in roster %d", c, r.Version)
	}
	if err := h.SetRoles("west", seal.MayWatch|seal.MayAdd); err != nil {
		t.Fatal(err)
	}
	taken, left, err = h.TakeAdditions(east.SignedRoster(), west.SignedRoster())
	if err != nil || len(taken) != 1 || taken[0].Camera.ID != barn || len(left) != 0 {
		t.Errorf("again: %+v %+v %v", taken, left, err)
	}
	if r := roster(t, h); r.Version != before+3 || len(r.Cameras) != 4 {
		t.Errorf("roster %d of %d cameras", r.Version, len(r.Cameras))
	}
}

// What a viewer in the owner's directory was sent is looked through, too.
func TestOwnerTakesWhatItsViewersHeard(t *testing.T) {
	h := newHousehold(t)
	east := operator(t, h, "east")
	shed := added(t, east, "Shed")
	own, err := identity.OpenViewer(h.Dir(), "east")
	if err != nil {
		t.Fatal(err)
	}
	if news, err := own.SetRoster(east.SignedRoster()); err != nil || !news {
		t.Fatal(news, err)
	}
	if _, err := h.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	if taken, left, err := h.TakeAdditions(); err != nil || len(taken) != 1 || taken[0].Camera.ID != shed || len(left) != 0 {
		t.Errorf("%+v %+v %v", taken, left, err)
	}
}

// An operator whose addition the owner's roster does not know adds it again, and not
// what is another's, listed, or let go.
func TestOperatorAddsAgain(t *testing.T) {
	h := newHousehold(t)
	east, west := operator(t, h, "east"), operator(t, h, "west")
	if _, err := east.SetRoster(signed(t, h)); err != nil {
		t.Fatal(err)
	}
	shed, gone := added(t, east, "Shed"), added(t, east, "Gone")
	added(t, west, "Barn")
	if _, err := east.SetRoster(west.SignedRoster()); err != nil {
		t.Fatal(err)
	}
	before := east.Roster()
	if len(before.Additions) != 3 {
		t.Fatalf("%d additions", len(before.Additions))
	}
	if again, err := east.AddAgain(before, someday); err != nil || len(again) != 0 {
		t.Errorf("nothing was lost: %v %v", again, err)
	}
	if err := h.AddCamera(gone, "Gone"); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveCamera(gone); err != nil {
		t.Fatal(err)
	}
	if news, err := east.SetRoster(signed(t, h)); err != nil || !news {
		t.Fatal(news, err)
	}
	again, err := east.AddAgain(before, someday.Add(time.Hour))
	if err != nil || len(again) != 1 || again[0].ID != shed {
		t.Fatalf("%+v %v", again, err)
	}
	if news, err := h.TakeRoster(east.SignedRoster()); err != nil || !news {
		t.Error(news, err)
	}
	if _, ok := roster(t, h).Camera(shed); !ok {
		t.Error("the owner does not have it")
	}
	before = east.Roster()
	if err := h.SetRoles("east", seal.MayWatch); err != nil { // with the shed in it
		t.Fatal(err)
	}
	if err := h.RemoveCamera(shed); err != nil {
		t.Fatal(err)
	}
	if err := h.RotateOwner(); err != nil {
		t.Fatal(err)
	}
	if _, err := east.SetRoster(signed(t, h)); err != nil {
		t.Fatal(err)
	}
	if again, err := east.AddAgain(before, someday); err != nil || len(again) != 0 {
		t.Errorf("what was let go comes again: %+v %v", again, err)
	}
}
