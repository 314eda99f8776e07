package identity

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// The files of one viewer, in viewers/NAME of a household's directory.
const (
	viewerKeyFile  = "viewer.key"
	viewerCertFile = "tls.crt"
	stateFile      = "state"
)

// Viewer is what one phone, screen or service needs to look. It lives in a
// household's directory, with or without the owner key beside it. Its methods
// are safe for concurrent use. What it remembers belongs to one program at a
// time, which says so with Lock.
type Viewer struct {
	home  string // directory of the household
	dir   string // of this viewer, in home
	name  string
	about householdFile
	key   *seal.ViewerKey
	tls   *tls.Config
	state []byte

	mu     sync.Mutex
	roster *seal.Roster
	signed []byte      // the roster's bytes
	read   fs.FileInfo // of the roster in home when it was read
}

// makeViewer makes a viewer's files, anew if there are any.
func (h *Household) makeViewer(dir, name string) (*seal.ViewerKey, error) {
	key, err := seal.NewViewerKey(nil)
	if err != nil {
		return nil, err
	}
	text, err := key.MarshalText()
	if err != nil {
		return nil, err
	}
	tlsKey, err := newKey()
	if err != nil {
		return nil, err
	}
	if err := h.ca.end(ViewerPrefix + name); err != nil {
		return nil, err
	}
	cert, err := h.ca.client(ViewerPrefix+name, &tlsKey.PublicKey, h.now())
	if err != nil {
		return nil, err
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	if err := remove(dir, rosterFile, stateFile); err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(dir, viewerKeyFile), append(text, '\n')); err != nil {
		return nil, err
	}
	if err := writeKey(filepath.Join(dir, tlsKeyFile), tlsKey); err != nil {
		return nil, err
	}
	return key, writeFile(filepath.Join(dir, viewerCertFile), cert)
}

// OpenViewer opens the viewer called name of the household in dir; with an
// empty name, the only one there is. It refuses keys that others can read
// (*PermissionError).
func OpenViewer(dir, name string) (*Viewer, error) {
	about, err := readAbout(dir)
	if err != nil {
		return nil, err
	}
	if name, err = pickViewer(dir, name); err != nil {
		return nil, err
	}
	v := &Viewer{home: dir, dir: filepath.Join(dir, viewersDir, name), name: name, about: about, key: new(seal.ViewerKey)}
	if err := checkDir(v.dir); err != nil {
		return nil, err
	}
	path := filepath.Join(v.dir, viewerKeyFile)
	text, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	if err := v.key.UnmarshalText(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := v.openTLS(); err != nil {
		return nil, err
	}
	if v.state, err = readFile(filepath.Join(v.dir, stateFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return v, v.openRoster()
}

// Lock makes this program the only one that remembers for this viewer, and reads
// again what was remembered last: two memories of one viewer would overwrite
// each other, and what one has seen could be replayed to the other. It does not
// wait: another program is a *LockedError. Without the lock a Viewer may look at
// single files (seal.Opener.Check), and not SetState.
func (v *Viewer) Lock() (unlock func(), err error) {
	if unlock, err = lock(v.dir, "viewer "+v.name); err != nil {
		return nil, err
	}
	state, err := readFile(filepath.Join(v.dir, stateFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		unlock()
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state = state
	return unlock, v.openRoster()
}

// pickViewer finds the viewer meant by an empty name.
func pickViewer(dir, name string) (string, error) {
	if name != "" {
		if err := CheckViewerName(name); err != nil {
			return "", err
		}
		if _, err := os.Stat(filepath.Join(dir, viewersDir, name)); errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("viewer %q: %w with keys in %s", name, ErrNoSuchViewer, dir)
		}
		return name, nil
	}
	entries, err := os.ReadDir(filepath.Join(dir, viewersDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && CheckViewerName(e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	switch len(names) {
	case 0:
		return "", fmt.Errorf("%s: %w with keys here", dir, ErrNoSuchViewer)
	case 1:
		return names[0], nil
	}
	return "", fmt.Errorf("%s holds several viewers, say which one: %s", dir, strings.Join(names, ", "))
}

func (v *Viewer) openTLS() error {
	authority, err := readFile(filepath.Join(v.home, authorityCert))
	if err != nil {
		return err
	}
	certificate, err := readFile(filepath.Join(v.dir, viewerCertFile))
	if err != nil {
		return err
	}
	key, err := readKey(filepath.Join(v.dir, tlsKeyFile))
	if err != nil {
		return err
	}
	if v.tls, err = clientTLS(authority, certificate, key); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(v.dir, viewerCertFile), err)
	}
	return nil
}

// openRoster takes the newer of the roster that this viewer was sent last and
// the one in the household's directory.
func (v *Viewer) openRoster() error {
	var err error
	path := filepath.Join(v.home, rosterFile)
	if v.read, err = os.Stat(path); err != nil {
		return err
	}
	if v.roster, v.signed, err = readRoster(path, v.about.Household); err != nil {
		return err
	}
	_, signed, err := readRoster(filepath.Join(v.dir, rosterFile), v.about.Household)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// What this viewer was sent may be newer, or say what others have added.
	if next, err := newerRoster(v.about.Household, v.roster, signed); err == nil && next != nil {
		v.roster, v.signed = next, next.Signed()
	}
	return nil
}

// keep stores next, durably, as the newest roster. The mutex is held.
func (v *Viewer) keep(next *seal.Roster) error {
	if err := writeFile(filepath.Join(v.dir, rosterFile), next.Signed()); err != nil {
		return err
	}
	v.roster, v.signed = next, next.Signed()
	return nil
}

// AddCamera takes a camera in as an operator: a viewer that may add, without the
// owner. It holds until the owner's next roster, which takes it in or drops it. The
// caller publishes SignedRoster.
func (v *Viewer) AddCamera(id seal.CameraID, name string, groups []string, now time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.roster.Cameras {
		if c.ID == id {
			return fmt.Errorf("%w: it is called %q", ErrKnownCamera, c.Name)
		}
		if c.Name == name {
			return fmt.Errorf("camera %q: %w, by camera %s", name, ErrKnownName, c.ID)
		}
	}
	addition, err := seal.SignAddition(v.key.Signer(), seal.Addition{
		Household: v.about.Household, Roster: v.roster.Version, Issued: now.UTC().Truncate(time.Second),
		Camera: seal.RosterCamera{ID: id, Name: name, Groups: slices.Compact(slices.Sorted(slices.Values(groups)))},
	})
	if err != nil {
		return err
	}
	next, err := v.roster.Add(addition)
	if err != nil {
		return err
	}
	return v.keep(next)
}

// Refresh looks whether the owner has changed the household in this directory
// since it was read, and takes its roster if it is newer. It tells whether it
// is. It costs next to nothing when nothing has changed.
func (v *Viewer) Refresh() (news bool, err error) {
	path := filepath.Join(v.home, rosterFile)
	now, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if now.ModTime().Equal(v.read.ModTime()) && now.Size() == v.read.Size() {
		return false, nil
	}
	signed, err := readFile(path)
	if err != nil {
		return false, err
	}
	next, err := newerRoster(v.about.Household, v.roster, signed)
	v.read = now
	if seal.ReasonOf(err) == seal.Replayed {
		return false, nil // this viewer was sent a newer one meanwhile
	}
	if next == nil || err != nil {
		return false, err
	}
	v.roster, v.signed = next, next.Signed()
	return true, nil
}

// Name returns the viewer's name in the household.
func (v *Viewer) Name() string { return v.name }

// Household returns the household whose pictures the viewer opens.
func (v *Viewer) Household() seal.HouseholdID { return v.about.Household }

// Broker returns the URL of the household's broker, or "".
func (v *Viewer) Broker() string { return v.about.Broker }

// Key returns the secret that opens and asks.
func (v *Viewer) Key() *seal.ViewerKey { return v.key }

// TLS returns how to reach the household's broker. The caller owns it.
func (v *Viewer) TLS() *tls.Config { return v.tls.Clone() }

// Roster returns the newest roster that the viewer knows. It is shared: nobody
// may write to it.
func (v *Viewer) Roster() *seal.Roster {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.roster
}

// SetRoster accepts a newer roster of the household, durably, as
// Camera.SetRoster does. It tells whether the roster is news.
func (v *Viewer) SetRoster(signed []byte) (news bool, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	next, err := newerRoster(v.about.Household, v.roster, signed)
	if next == nil || err != nil {
		return false, err
	}
	if err := v.keep(next); err != nil {
		return false, err
	}
	return true, nil
}

// SignedRoster returns the newest roster as it travels. Nobody may write to it.
func (v *Viewer) SignedRoster() []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.signed
}

// StatePath returns the file in which SetState stores.
func (v *Viewer) StatePath() string { return filepath.Join(v.dir, stateFile) }

// State returns what the viewer remembered of its cameras (seal.Opener) when
// it was opened, or locked, nil for nothing.
func (v *Viewer) State() []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state
}

// SetState stores what the viewer remembers of its cameras, durably.
func (v *Viewer) SetState(state []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return writeFile(filepath.Join(v.dir, stateFile), state)
}

// ExportViewer writes everything that the viewer called name needs, and no
// owner key, into a directory of its own, to be carried to where it looks.
func (h *Household) ExportViewer(name, dir string) error {
	v, err := OpenViewer(h.dir, name)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("%s: exists already, give the name of a new directory", dir)
	}
	target := filepath.Join(dir, viewersDir, v.name)
	if err := makeDir(target); err != nil {
		return err
	}
	for from, to := range map[string]string{
		filepath.Join(h.dir, authorityCert):  filepath.Join(dir, authorityCert),
		filepath.Join(h.dir, rosterFile):     filepath.Join(dir, rosterFile),
		filepath.Join(v.dir, viewerKeyFile):  filepath.Join(target, viewerKeyFile),
		filepath.Join(v.dir, viewerCertFile): filepath.Join(target, viewerCertFile),
		filepath.Join(v.dir, tlsKeyFile):     filepath.Join(target, tlsKeyFile),
		filepath.Join(h.dir, householdName):  filepath.Join(dir, householdName),
	} {
		data, err := readFile(from)
		if err != nil {
			return err
		}
		if err := writeFile(to, data); err != nil {
			return err
		}
	}
	return nil
}

// Summary is what everybody in a household knows of it.
type Summary struct {
	ID     seal.HouseholdID
	Broker string
	Roster *seal.Roster
}

// ReadHousehold reads the household in dir, which may be the owner's or a
// viewer's, without opening any key.
func ReadHousehold(dir string) (Summary, error) {
	about, err := readAbout(dir)
	if err != nil {
		return Summary{}, err
	}
	r, _, err := readRoster(filepath.Join(dir, rosterFile), about.Household)
	return Summary{about.Household, about.Broker, r}, err
}
