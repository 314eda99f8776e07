package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// NotTaken is a camera that an operator has added and that the owner's newest roster
// does not take in by itself, and why not.
type NotTaken struct {
	seal.Addition
	Why string
}

// TakeAdditions takes in what operators have added to rosters that are older than the
// one here, of which the owner's next ones were made without knowing: else it would
// be dropped with no word. rosters are such rosters with their additions, from
// anywhere; those that the viewers in this directory were sent are looked through too.
//
// An addition counts if its operator may add by the newest roster, whatever the one
// said that it was made to. What the newest roster lists, or has revoked, is left as
// it is. A name that is taken gets a number behind it.
func (h *Household) TakeAdditions(rosters ...[]byte) (taken []seal.Addition, left []NotTaken, err error) {
	own, err := h.viewersRosters()
	if err != nil {
		return nil, nil, err
	}
	now, _, err := h.Roster()
	if err != nil {
		return nil, nil, err
	}
	seen := map[seal.CameraID]bool{}
	for _, signed := range append(own, rosters...) {
		old, err := seal.OpenRoster(h.id, signed)
		if err != nil || old.Version >= now.Version {
			continue // none of the household's, or TakeRoster takes it
		}
		for _, a := range old.Additions {
			_, listed := now.Camera(a.Camera.ID)
			if listed || seen[a.Camera.ID] || slices.Contains(now.Revoked, a.Camera.ID) {
				continue
			}
			seen[a.Camera.ID] = true
			if by, ok := now.Viewer(a.Issuer); !ok || !by.May(seal.MayAdd) {
				left = append(left, NotTaken{a, fmt.Sprintf("%s may add no cameras any more", a.Name)})
				continue
			}
			taken = append(taken, a)
		}
	}
	if room := seal.MaxCameras - len(now.Cameras); len(taken) > room {
		for _, a := range taken[room:] {
			left = append(left, NotTaken{a, fmt.Sprintf("the household has %d cameras, which is all that it can", seal.MaxCameras)})
		}
		taken = taken[:room]
	}
	if len(taken) == 0 {
		return nil, left, nil
	}
	return taken, left, h.change(func(r *seal.Roster) error {
		for i, a := range taken {
			taken[i].Camera.Name = freeName(r, a.Camera.Name)
			r.Cameras = append(r.Cameras, taken[i].Camera)
		}
		return nil
	})
}

// freeName returns name, or one like it that no camera of r has.
func freeName(r *seal.Roster, name string) string {
	free := name
	for n := 2; slices.ContainsFunc(r.Cameras, func(c seal.RosterCamera) bool { return c.Name == free }); n++ {
		number := fmt.Sprintf(" %d", n)
		free = strings.ToValidUTF8(name[:min(len(name), seal.MaxName-len(number))], "") + number
	}
	return free
}

// viewersRosters returns what the viewers in this directory were sent.
func (h *Household) viewersRosters() (all [][]byte, err error) {
	entries, err := os.ReadDir(filepath.Join(h.dir, viewersDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		signed, err := readFile(filepath.Join(h.dir, viewersDir, e.Name(), rosterFile))
		if err == nil {
			all = append(all, signed)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return all, nil
}

// AddAgain adds what this viewer has added to the roster before, as an operator, and
// the newest one neither lists nor has revoked: the owner made it without knowing. It
// returns what it has added; the caller publishes SignedRoster. Who may not add any
// more gets the refusal of AddCamera.
func (v *Viewer) AddAgain(before *seal.Roster, now time.Time) (added []seal.RosterCamera, err error) {
	for _, a := range before.Additions {
		r := v.Roster()
		_, listed := r.Camera(a.Camera.ID)
		if a.Issuer != v.key.ID() || listed || slices.Contains(r.Revoked, a.Camera.ID) {
			continue
		}
		a.Camera.Name = freeName(r, a.Camera.Name)
		if err := v.AddCamera(a.Camera.ID, a.Camera.Name, a.Camera.Groups, now); err != nil {
			return added, fmt.Errorf("camera %q, which was added here, is not in roster %d: %w", a.Camera.Name, r.Version, err)
		}
		added = append(added, a.Camera)
	}
	return added, nil
}
