package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

const (
	// rostersDir holds the rosters that the owner's directory has had, as they were
	// signed, one file each, named by its version.
	rostersDir = "rosters"
	// maxRosters is how many of them are kept: the newest.
	maxRosters = 1000
)

// Change is one roster of a household, and what it changed.
type Change struct {
	Version uint64
	Issued  time.Time
	Signer  seal.KeyID // the owner key that signed
	// Follows says how the roster stands to the one listed before it: "" if it names
	// that one's hash, and otherwise why that cannot be said.
	Follows string
	What    []string // in words: `camera "Gate" added`
}

// storeRoster makes signed the household's roster, and keeps it for History.
func (h *Household) storeRoster(signed []byte) error {
	if old, err := readFile(filepath.Join(h.dir, rosterFile)); err == nil {
		if err := h.keepRoster(old); err != nil { // of a directory from before there was a history
			return err
		}
	}
	if err := h.keepRoster(signed); err != nil {
		return err
	}
	return writeFile(filepath.Join(h.dir, rosterFile), signed)
}

func (h *Household) keepRoster(signed []byte) error {
	_, version, err := seal.PeekRoster(signed)
	if err != nil {
		return err
	}
	dir := filepath.Join(h.dir, rostersDir)
	if err := makeDir(dir); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, strconv.FormatUint(version, 10)), signed); err != nil {
		return err
	}
	versions, err := keptRosters(dir)
	if err != nil || len(versions) <= maxRosters {
		return err
	}
	var old []string
	for _, v := range versions[:len(versions)-maxRosters] {
		old = append(old, strconv.FormatUint(v, 10))
	}
	return remove(dir, old...)
}

// keptRosters returns the versions of the rosters in dir, rising.
func keptRosters(dir string) (versions []uint64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if v, err := strconv.ParseUint(e.Name(), 10, 64); err == nil {
			versions = append(versions, v)
		}
	}
	slices.Sort(versions)
	return versions, nil
}

// ReadHistory returns what every roster that the household's directory dir has had
// changed, the oldest first, by the signed bytes alone. A file that is no roster of
// the household, or not of the version in its name, is an error.
func ReadHistory(dir string) ([]Change, error) {
	about, err := readAbout(dir)
	if err != nil {
		return nil, err
	}
	versions, err := keptRosters(filepath.Join(dir, rostersDir))
	if err != nil {
		return nil, err
	}
	var rosters []*seal.Roster
	for _, v := range versions {
		path := filepath.Join(dir, rostersDir, strconv.FormatUint(v, 10))
		r, _, err := readRoster(path, about.Household)
		if err != nil {
			return nil, err
		}
		if r.Version != v {
			return nil, fmt.Errorf("%s: it is roster %d", path, r.Version)
		}
		rosters = append(rosters, r)
	}
	newest, _, err := readRoster(filepath.Join(dir, rosterFile), about.Household)
	if err != nil {
		return nil, err
	}
	if n := len(rosters); n == 0 || rosters[n-1].Version < newest.Version {
		rosters = append(rosters, newest)
	}
	return changes(rosters), nil
}

func changes(rosters []*seal.Roster) (all []Change) {
	before := &seal.Roster{}
	for i, r := range rosters {
		c := Change{Version: r.Version, Issued: r.Issued, Signer: r.Signer, What: difference(before, r)}
		switch {
		case i == 0 && r.Version > 1:
			c.Follows = "the rosters before it are not here"
		case i == 0:
		case r.Version != before.Version+1:
			c.Follows = fmt.Sprintf("the rosters after %d are not here", before.Version)
		case r.Prev == [32]byte{}:
			c.Follows = "it does not say which roster it follows"
		case r.Prev != before.Hash():
			c.Follows = fmt.Sprintf("it follows another roster %d than the one here: two copies of the household were changed", before.Version)
		}
		all = append(all, c)
		before = r
	}
	return all
}

// difference says in words what new has that old has not, and the other way round.
func difference(old, new *seal.Roster) (what []string) {
	say := func(format string, args ...any) { what = append(what, fmt.Sprintf(format, args...)) }
	listed := owned(old)
	for _, c := range owned(new) {
		i := slices.IndexFunc(listed, func(o seal.RosterCamera) bool { return o.ID == c.ID })
		if i < 0 {
			say("camera %q added (%s)%s", c.Name, c.ID, whose(old, c.ID))
			continue
		}
		if listed[i].Name != c.Name {
			say("camera %q renamed %q", listed[i].Name, c.Name)
		}
		if !slices.Equal(listed[i].Groups, c.Groups) {
			say("camera %q in groups %q", c.Name, strings.Join(c.Groups, ","))
		}
	}
	for _, c := range old.Cameras {
		if _, ok := new.Camera(c.ID); !ok {
			say("camera %q removed (%s)", c.Name, c.ID)
		}
	}
	what = append(what, people(old, new)...)
	for _, id := range new.Owners() {
		if !slices.Contains(old.Owners(), id) {
			say("owner key %s", id)
		}
	}
	for _, id := range new.Withdrawn {
		if !slices.Contains(old.Withdrawn, id) {
			say("owner key %s withdrawn", id)
		}
	}
	for _, a := range new.Additions {
		say("camera %q added by %s at %s (%s)", a.Camera.Name, a.Name, a.Issued.Format(time.RFC3339), a.Camera.ID)
	}
	return what
}

// owned are the cameras of r that its owner listed.
func owned(r *seal.Roster) []seal.RosterCamera {
	return slices.DeleteFunc(slices.Clone(r.Cameras), func(c seal.RosterCamera) bool { return whose(r, c.ID) != "" })
}

// whose tells which operator added a camera to r, if one did.
func whose(r *seal.Roster, id seal.CameraID) string {
	for _, a := range r.Additions {
		if a.Camera.ID == id {
			return ", taken over from " + a.Name
		}
	}
	return ""
}

// people is difference for viewers and keepers.
func people(old, new *seal.Roster) (what []string) {
	say := func(format string, args ...any) { what = append(what, fmt.Sprintf(format, args...)) }
	same := func(v seal.Viewer) func(seal.Viewer) bool {
		return func(o seal.Viewer) bool { return o.Recipient == v.Recipient }
	}
	for _, v := range new.Viewers {
		i := slices.IndexFunc(old.Viewers, same(v))
		switch {
		case i < 0:
			say("viewer %q added, may %s", v.Name, v.Roles)
		case old.Viewers[i].Roles != v.Roles:
			say("viewer %q may %s", v.Name, v.Roles)
		}
	}
	for _, v := range old.Viewers {
		if !slices.ContainsFunc(new.Viewers, same(v)) {
			say("viewer %q removed", v.Name)
		}
	}
	for _, k := range new.Keepers {
		if o, ok := old.Keeper(k.ID()); !ok || o.URL != k.URL {
			say("keeper %q added, at %q", k.Name, k.URL)
		}
	}
	for _, k := range old.Keepers {
		if _, ok := new.Keeper(k.ID()); !ok {
			say("keeper %q removed", k.Name)
		}
	}
	return what
}
