package identity_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

func TestViewerRosterOnlyRises(t *testing.T) {
	h := newHousehold(t)
	if _, err := h.AddViewer("desk"); err != nil {
		t.Fatal(err)
	}
	_, first, err := h.Roster()
	if err != nil {
		t.Fatal(err)
	}
	away := filepath.Join(t.TempDir(), "away")
	if err := h.ExportViewer("desk", away); err != nil {
		t.Fatal(err)
	}
	v, err := identity.OpenViewer(away, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveViewer("desk"); err != nil {
		t.Fatal(err)
	}
	_, second, err := h.Roster()
	if err != nil {
		t.Fatal(err)
	}
	if news, err := v.SetRoster(second); err != nil || !news {
		t.Errorf("a newer roster: news %v, %v", news, err)
	}
	if news, err := v.SetRoster(second); err != nil || news {
		t.Errorf("the same again: news %v, %v", news, err)
	}
	again, err := identity.OpenViewer(away, "desk")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.SetRoster(first); seal.ReasonOf(err) != seal.Replayed || again.Roster().Version != 3 {
		t.Errorf("an older roster after a restart: %v, has %d", err, again.Roster().Version)
	}
}

func TestExportedViewerHoldsNoOwnerKey(t *testing.T) {
	h := newHousehold(t)
	if _, err := h.AddViewer("desk"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	away := filepath.Join(t.TempDir(), "away")
	if err := h.ExportViewer("phone", away); err != nil {
		t.Fatal(err)
	}
	var files []string
	err := filepath.WalkDir(away, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(away, path)
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	})
	want := []string{"ca.crt", "household.json", "roster", "viewers/phone/tls.crt", "viewers/phone/tls.key", "viewers/phone/viewer.key"}
	if err != nil || !slices.Equal(files, want) {
		t.Errorf("exported %v, want %v, %v", files, want, err)
	}
	if _, err := identity.OpenHousehold(away, clock); !errors.Is(err, identity.ErrNotOwner) {
		t.Errorf("opened as owner: %v", err)
	}
	if err := h.ExportViewer("phone", away); err == nil {
		t.Error("exported over an existing directory")
	}
}

func TestViewerStateSurvives(t *testing.T) {
	h := newHousehold(t)
	v, err := h.AddViewer("desk")
	if err != nil {
		t.Fatal(err)
	}
	if v.State() != nil {
		t.Error("a new viewer remembers something")
	}
	if err := v.SetState(bytes.Repeat([]byte("s"), 3<<20)); err != nil {
		t.Fatal(err)
	}
	if v, err = identity.OpenViewer(h.Dir(), ""); err != nil || len(v.State()) != 3<<20 {
		t.Errorf("opened again: %d bytes, %v", len(v.State()), err)
	}
}

func TestViewerFollowsItsHouseholdsDirectory(t *testing.T) {
	h := newHousehold(t)
	v, err := h.AddViewer("desk")
	if err != nil {
		t.Fatal(err)
	}
	if news, err := v.Refresh(); news || err != nil {
		t.Errorf("nothing has changed: news %v, %v", news, err)
	}
	if _, err := h.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	_, signed, err := h.Roster()
	if err != nil {
		t.Fatal(err)
	}
	if news, err := v.Refresh(); !news || err != nil || v.Roster().Version != 3 || !bytes.Equal(v.SignedRoster(), signed) {
		t.Errorf("a viewer more: news %v, roster %d, %v", news, v.Roster().Version, err)
	}
	if news, err := v.Refresh(); news || err != nil {
		t.Errorf("nothing more has changed: news %v, %v", news, err)
	}
	ahead, err := seal.SignRoster(h.Owner(), seal.Roster{Version: 9, Issued: someday})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.SetRoster(ahead); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveViewer("phone"); err != nil {
		t.Fatal(err)
	}
	if news, err := v.Refresh(); news || err != nil || v.Roster().Version != 9 {
		t.Errorf("the directory is behind: news %v, roster %d, %v", news, v.Roster().Version, err)
	}
}

// A viewer has one memory, and one program at a time has it.
func TestOneProgramAViewer(t *testing.T) {
	h := newHousehold(t)
	desk, err := h.AddViewer("desk")
	if err != nil {
		t.Fatal(err)
	}
	other, err := identity.OpenViewer(h.Dir(), "desk")
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := desk.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if err := desk.SetState([]byte("seen")); err != nil {
		t.Fatal(err)
	}
	_, err = other.Lock()
	var locked *identity.LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() && locked.PID != 0 || !strings.Contains(locked.Error(), "viewer desk") || !strings.Contains(locked.Hint(), "add-viewer") {
		t.Errorf("the second program: %v", err)
	}
	if _, err := h.AddViewer("phone"); err != nil {
		t.Errorf("the household cannot be changed while a viewer looks: %v", err)
	}
	unlock()
	if unlock, err = other.Lock(); err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if string(other.State()) != "seen" {
		t.Errorf("it goes on from %q, not from what the first has seen", other.State())
	}
}
