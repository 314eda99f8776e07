package identity_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

func roster(t *testing.T, h *identity.Household) *seal.Roster {
	t.Helper()
	r, _, err := h.Roster()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHouseholdIsWhatWasCreated(t *testing.T) {
	h := newHousehold(t)
	again, err := identity.OpenHousehold(h.Dir(), clock)
	if err != nil {
		t.Fatal(err)
	}
	if again.ID() != h.ID() || again.Broker() != h.Broker() || !bytes.Equal(again.Authority(), h.Authority()) {
		t.Error("opened again it is another household")
	}
	if id, err := seal.HouseholdIDOf(h.Owner().Public()); err != nil || id != h.ID() {
		t.Errorf("id %s is not that of the owner key, %s, %v", h.ID(), id, err)
	}
	if r := roster(t, again); r.Version != 1 || len(r.Cameras)+len(r.Viewers) != 0 || !r.Issued.Equal(someday) {
		t.Errorf("first roster: %+v", r)
	}
	if _, err := identity.CreateHousehold(h.Dir(), "", clock); !errors.Is(err, identity.ErrExists) {
		t.Errorf("created twice: %v", err)
	}
}

func TestNoHousehold(t *testing.T) {
	dir := t.TempDir()
	for _, dir := range []string{dir, filepath.Join(dir, "absent")} {
		if _, err := identity.OpenHousehold(dir, clock); !errors.Is(err, identity.ErrNoHousehold) {
			t.Errorf("OpenHousehold(%s): %v", dir, err)
		}
		if _, err := identity.OpenViewer(dir, ""); !errors.Is(err, identity.ErrNoHousehold) {
			t.Errorf("OpenViewer(%s): %v", dir, err)
		}
	}
	for _, broker := range []string{"broker", "http://x", "mqtts://", "mqtts://u:p@x", "mqtts://x/y", "mqtts://x?y"} {
		if _, err := identity.CreateHousehold(filepath.Join(dir, "h"), broker, clock); err == nil {
			t.Errorf("broker %q accepted", broker)
		}
	}
}

func TestCreateAfterAPowerCut(t *testing.T) {
	h := newHousehold(t)
	if err := os.Remove(filepath.Join(h.Dir(), "owner.key")); err != nil { // the last file that is written
		t.Fatal(err)
	}
	again, err := identity.CreateHousehold(h.Dir(), "", clock)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := identity.OpenHousehold(h.Dir(), clock); err != nil || again.ID() == h.ID() {
		t.Errorf("not made anew: %v", err)
	}
}

func TestCamerasComeAndGo(t *testing.T) {
	h := newHousehold(t)
	a, _ := newCamera(t)
	b, _ := newCamera(t)
	for c, name := range map[*identity.Camera]string{a: "Garden", b: "Door"} {
		if err := h.AddCamera(c.ID(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.AddCamera(a.ID(), "Shed"); !errors.Is(err, identity.ErrKnownCamera) {
		t.Errorf("a camera twice: %v", err)
	}
	other, _ := newCamera(t)
	if err := h.AddCamera(other.ID(), "Door"); !errors.Is(err, identity.ErrKnownName) {
		t.Errorf("a name twice: %v", err)
	}
	if err := h.AddCamera("nonsense", "Shed"); err == nil {
		t.Error("nonsense has become a camera")
	}
	if err := h.AddCamera(other.ID(), "Shed\x1b[2J"); seal.ReasonOf(err) != seal.Malformed {
		t.Errorf("a name that clears the screen: %v", err)
	}
	if r := roster(t, h); r.Version != 3 || len(r.Cameras) != 2 {
		t.Errorf("roster %d with %d cameras, want 3 with 2", r.Version, len(r.Cameras))
	}

	if err := h.RemoveCamera(a.ID()); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveCamera(a.ID()); !errors.Is(err, identity.ErrNoSuchCamera) {
		t.Errorf("removed twice: %v", err)
	}
	if _, err := h.Pair(a.ID(), nil); !errors.Is(err, identity.ErrNoSuchCamera) {
		t.Errorf("paired after its removal: %v", err)
	}
	if r := roster(t, h); r.Version != 4 || len(r.Cameras) != 1 || !slices.Equal(r.Revoked, []seal.CameraID{a.ID()}) {
		t.Errorf("after a removal: roster %d, cameras %v, revoked %v", r.Version, r.Cameras, r.Revoked)
	}
	if err := h.AddCamera(a.ID(), "Garden"); err != nil {
		t.Fatal(err)
	}
	if r := roster(t, h); len(r.Cameras) != 2 || len(r.Revoked) != 0 {
		t.Errorf("after its return: cameras %v, revoked %v", r.Cameras, r.Revoked)
	}
}

func TestPairAgainFromTheStoredRequest(t *testing.T) {
	h := newHousehold(t)
	c, _ := newCamera(t)
	pair(t, h, c, "Garden")
	if err := h.SetBroker("mqtts://other.lan"); err != nil {
		t.Fatal(err)
	}
	p, err := h.Pair(c.ID(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Claim(p); err != nil || c.Broker() != "mqtts://other.lan" {
		t.Errorf("claimed with %v, broker %s", err, c.Broker())
	}
}

func TestViewersComeAndGo(t *testing.T) {
	h := newHousehold(t)
	if _, err := identity.OpenViewer(h.Dir(), ""); !errors.Is(err, identity.ErrNoSuchViewer) {
		t.Errorf("the only one of none: %v", err)
	}
	desk, err := h.AddViewer("desk")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := identity.OpenViewer(h.Dir(), ""); err != nil || v.Name() != "desk" || v.Key().ID() != desk.Key().ID() {
		t.Errorf("the only one: %v, %v", v, err)
	}
	if _, err := h.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.OpenViewer(h.Dir(), ""); err == nil || !strings.Contains(err.Error(), "desk, phone") {
		t.Errorf("the only one of two: %v", err)
	}
	if _, err := h.AddViewer("phone"); !errors.Is(err, identity.ErrKnownName) {
		t.Errorf("a name twice: %v", err)
	}
	for _, name := range []string{"", "Phone", "-x", "a/b", "..", "a b", "viewer\n", strings.Repeat("x", 33), "+", "#"} {
		if _, err := h.AddViewer(name); err == nil {
			t.Errorf("viewer %q accepted", name)
		}
	}
	if r := roster(t, h); r.Version != 3 || len(r.Viewers) != 2 {
		t.Errorf("roster %d with %d viewers", r.Version, len(r.Viewers))
	}
	if r := roster(t, h); r.Viewers[0].ID() != desk.Key().ID() || r.Viewers[0].Name != "desk" {
		t.Errorf("the roster does not list the desk's own key: %+v", r.Viewers[0])
	}

	if err := h.RemoveViewer("phone"); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveViewer("phone"); !errors.Is(err, identity.ErrNoSuchViewer) {
		t.Errorf("removed twice: %v", err)
	}
	if _, err := identity.OpenViewer(h.Dir(), "phone"); !errors.Is(err, identity.ErrNoSuchViewer) {
		t.Errorf("opened after its removal: %v", err)
	}
	if _, err := os.Stat(filepath.Join(h.Dir(), "removed", "phone-4", "viewer.key")); err != nil {
		t.Errorf("its key was not set aside: %v", err)
	}
	if r := roster(t, h); r.Version != 4 || len(r.Viewers) != 1 {
		t.Errorf("roster %d with %d viewers", r.Version, len(r.Viewers))
	}
	if again, err := h.AddViewer("phone"); err != nil || again.Key().ID() == desk.Key().ID() {
		t.Errorf("a new phone: %v", err)
	}
}

func TestOneAtATime(t *testing.T) {
	h := newHousehold(t)
	// What a power cut leaves of a lock is no lock.
	if err := os.WriteFile(filepath.Join(h.Dir(), "lock"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddViewer("desk"); err != nil {
		t.Errorf("after a power cut: %v", err)
	}

	// However many programs change a household at once, no change is lost.
	var added sync.Map
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			other, err := identity.OpenHousehold(h.Dir(), clock)
			if err != nil {
				t.Error(err)
				return
			}
			name := "v" + string(rune('a'+i))
			key, err := seal.NewViewerKey(nil)
			if err != nil {
				t.Error(err)
				return
			}
			public := key.Public()
			public.Name = name
			for {
				err := other.EnrollViewer(public)
				if errors.As(err, new(*identity.LockedError)) {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				added.Store(name, true)
				return
			}
		})
	}
	wg.Wait()
	r := roster(t, h)
	if len(r.Viewers) != 9 || r.Version != 10 {
		t.Errorf("%d viewers at version %d, want 9 at 10", len(r.Viewers), r.Version)
	}
}

func TestFullRoster(t *testing.T) {
	h := newHousehold(t)
	for i := range seal.MaxCameras + 1 {
		id := seal.CameraID(strings.Repeat(string([]byte{byte('a' + i/26%26), byte('a' + i%26)}), 25) + "aa")
		err := h.AddCamera(id, "c"+string(rune('0'+i/100))+string(rune('0'+i/10%10))+string(rune('0'+i%10)))
		if i < seal.MaxCameras && err != nil {
			t.Fatalf("camera %d: %v", i, err)
		}
		if i == seal.MaxCameras && (err == nil || len(roster(t, h).Cameras) != seal.MaxCameras) {
			t.Errorf("camera %d: %v, and the roster has %d", i, err, len(roster(t, h).Cameras))
		}
	}
}
