package identity

import (
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// The files of a household. Without the two keys it is what a viewer needs.
const (
	householdName = "household.json"
	ownerKeyFile  = "owner.key"
	authorityKey  = "ca.key"
	authorityCert = "ca.crt"
	viewersDir    = "viewers"
	camerasDir    = "cameras"
)

// Errors of a Household.
var (
	ErrExists       = errors.New("there is a household already")
	ErrNoHousehold  = errors.New("no household here")
	ErrNotOwner     = errors.New("this directory holds no owner key: it can look, but not change the household")
	ErrKnownName    = errors.New("that name is taken")
	ErrKnownCamera  = errors.New("that camera is in the household already")
	ErrNoSuchCamera = errors.New("no such camera in the household")
	ErrNoSuchViewer = errors.New("no such viewer in the household")
)

// Household is the owner's side: who may sign rosters and certificates. One
// program at a time changes a household (*LockedError); any number may read.
type Household struct {
	dir   string
	now   func() time.Time
	id    seal.HouseholdID
	owner *ecdsa.PrivateKey
	ca    *authority
	about householdFile
}

// householdFile is what everybody in the household knows of it.
type householdFile struct {
	Format    int              `json:"sealcam_household"`
	Household seal.HouseholdID `json:"household"`
	Broker    string           `json:"broker,omitempty"`
}

const householdFormat = 1

// CreateHousehold makes a household with an owner key, a certificate authority
// and an empty roster in dir, which is made. The broker's URL
// (mqtts://host:port) is told to cameras and viewers; it may be empty. now
// dates rosters and certificates.
func CreateHousehold(dir, broker string, now func() time.Time) (*Household, error) {
	return createHousehold(dir, broker, now, func(id seal.HouseholdID) (*authority, error) {
		return createAuthority(dir, "sealcam household "+string(id[:8]), now())
	})
}

// CreateHouseholdUnder is CreateHousehold for a fleet that has an authority for
// its broker: the household's certificates are signed by that one. key and cert
// are PEM; the household keeps both. The error is ErrAuthority for one that
// cannot sign clients and servers.
func CreateHouseholdUnder(dir, broker string, key, cert []byte, now func() time.Time) (*Household, error) {
	return createHousehold(dir, broker, now, func(seal.HouseholdID) (*authority, error) {
		return takeAuthority(dir, key, cert, now())
	})
}

func createHousehold(dir, broker string, now func() time.Time, authority func(seal.HouseholdID) (*authority, error)) (*Household, error) {
	if err := checkBroker(broker); err != nil {
		return nil, err
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	unlock, err := lock(dir, "household")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := os.Lstat(filepath.Join(dir, ownerKeyFile)); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrExists)
	}
	owner, err := newKey()
	if err != nil {
		return nil, err
	}
	h := &Household{dir: dir, now: now, owner: owner}
	if h.id, err = seal.HouseholdIDOf(owner.Public()); err != nil {
		return nil, err
	}
	h.about = householdFile{Format: householdFormat, Household: h.id, Broker: broker}
	if h.ca, err = authority(h.id); err != nil {
		return nil, err
	}
	if err := h.writeRoster(seal.Roster{Version: 1}); err != nil {
		return nil, err
	}
	if err := writeJSON(filepath.Join(dir, householdName), h.about); err != nil {
		return nil, err
	}
	// The owner key comes last: without it the rest is an attempt that the
	// power cut off, and is made anew.
	return h, writeKey(filepath.Join(dir, ownerKeyFile), owner)
}

// OpenHousehold opens a household as its owner. It is ErrNoHousehold when
// there is none in dir, ErrNotOwner when dir is a viewer's, ErrWithdrawn when its
// owner key was replaced.
func OpenHousehold(dir string, now func() time.Time) (*Household, error) {
	about, err := readAbout(dir)
	if err != nil {
		return nil, err
	}
	h := &Household{dir: dir, now: now, about: about, id: about.Household}
	r, _, err := h.Roster()
	if err != nil {
		return nil, err
	}
	if h.owner, err = readOwnerKey(dir, r); err != nil {
		return nil, err
	}
	h.ca, err = openAuthority(dir)
	return h, err
}

func readAbout(dir string) (about householdFile, err error) {
	path := filepath.Join(dir, householdName)
	text, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return about, fmt.Errorf("%s: %w", dir, ErrNoHousehold)
	}
	if err != nil {
		return about, err
	}
	if err := checkDir(dir); err != nil {
		return about, err
	}
	if about, err = parseAbout(text); err != nil {
		return about, fmt.Errorf("%s: %w", path, err)
	}
	return about, nil
}

func parseAbout(text []byte) (about householdFile, err error) {
	if err := strictJSON(text, &about); err != nil {
		return about, err
	}
	if about.Format != householdFormat {
		return about, fmt.Errorf("format %d, this program knows %d", about.Format, householdFormat)
	}
	if _, err := seal.ParseHouseholdID(string(about.Household)); err != nil {
		return about, err
	}
	return about, checkBroker(about.Broker)
}

func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, append(text, '\n'))
}

// ID returns the household's name, which is the hash of its owner key.
func (h *Household) ID() seal.HouseholdID { return h.id }

// Dir returns the household's directory.
func (h *Household) Dir() string { return h.dir }

// Broker returns the URL of the household's broker, or "".
func (h *Household) Broker() string { return h.about.Broker }

// SetBroker changes the broker that later pairings and viewers are told.
func (h *Household) SetBroker(broker string) error {
	if err := checkBroker(broker); err != nil {
		return err
	}
	unlock, err := lock(h.dir, "household")
	if err != nil {
		return err
	}
	defer unlock()
	about := h.about
	about.Broker = broker
	if err := writeJSON(filepath.Join(h.dir, householdName), about); err != nil {
		return err
	}
	h.about = about
	return nil
}

// Owner returns the key that signs rosters, and commands in the household's name.
func (h *Household) Owner() *ecdsa.PrivateKey { return h.owner }

// Authority returns the certificate of the household's authority, PEM.
func (h *Household) Authority() []byte { return certPEM(h.ca.cert) }

// Roster returns the household's newest roster, opened and as signed.
func (h *Household) Roster() (*seal.Roster, []byte, error) {
	return readRoster(filepath.Join(h.dir, rosterFile), h.id)
}

func readRoster(path string, id seal.HouseholdID) (*seal.Roster, []byte, error) {
	signed, err := readFile(path)
	if err != nil {
		return nil, nil, err
	}
	r, err := seal.OpenRoster(id, signed)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, signed, nil
}

// change makes the next version of the roster.
func (h *Household) change(edit func(r *seal.Roster) error) error {
	unlock, err := lock(h.dir, "household")
	if err != nil {
		return err
	}
	defer unlock()
	next, err := h.nextRoster(edit)
	if err != nil {
		return err
	}
	return h.writeRoster(next)
}

// nextRoster returns the roster after this one, not yet signed. The lock is held.
func (h *Household) nextRoster(edit func(r *seal.Roster) error) (next seal.Roster, err error) {
	old, _, err := h.Roster()
	if err != nil {
		return next, err
	}
	next = *old
	next.Cameras = slices.Clone(old.Cameras)
	next.Viewers = slices.Clone(old.Viewers)
	next.Revoked = slices.Clone(old.Revoked)
	next.Withdrawn = slices.Clone(old.Withdrawn)
	next.Keepers = slices.Clone(old.Keepers)
	next.Version++
	next.Prev = old.Hash()
	return next, edit(&next)
}

func (h *Household) writeRoster(r seal.Roster) error {
	signed, err := h.signRoster(r)
	if err != nil {
		return err
	}
	return h.storeRoster(signed)
}

func (h *Household) signRoster(r seal.Roster) ([]byte, error) {
	r.SortCameras()
	r.Issued = h.now().UTC().Truncate(time.Second)
	return seal.SignRoster(h.owner, r)
}

// checkBroker refuses what is not the URL of a broker with TLS, or of one on
// this machine.
func checkBroker(broker string) error {
	if broker == "" {
		return nil
	}
	u, err := url.Parse(broker)
	if err != nil || (u.Scheme != "mqtts" && u.Scheme != "mqtt") || u.Hostname() == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("broker %.80q: expected mqtts://HOST or mqtts://HOST:PORT", broker)
	}
	return nil
}
