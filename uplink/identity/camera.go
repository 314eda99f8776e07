package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/sealcam/sealcam/uplink/seal"
)

// The files of a camera. Keys first: Reset removes them in this order, and
// without the first the others are leftovers.
const (
	cameraKeyFile = "camera.key"
	tlsKeyFile    = "tls.key"
	pairingName   = "pairing.json"
	rosterFile    = "roster"
	guardFile     = "guard"
	codesFile     = "codes.json"
)

func cameraFiles() []string {
	names := []string{cameraKeyFile, tlsKeyFile, pairingName, rosterFile, guardFile, codesFile, string(Candidate), string(Proven), string(Anchors)}
	for _, name := range names {
		names = append(names, name+".new") // of a write that the power cut off
	}
	return names
}

// Errors of a Camera.
var (
	ErrUnclaimed = errors.New("this camera belongs to no household yet")
	ErrClaimed   = errors.New("this camera belongs to another household: reset it first")
)

// Camera is a camera's identity in a directory: its key, which is its name;
// whose it is; and which commands it has taken. Its methods are safe for
// concurrent use; only one process may use a directory.
type Camera struct {
	dir    string
	id     seal.CameraID
	key    *ecdsa.PrivateKey
	tlsKey *ecdsa.PrivateKey

	mu      sync.Mutex
	pairing *Pairing // nil while unclaimed
	roster  *seal.Roster
	guard   []byte
	codes   codesSeen
}

// OpenCamera opens the identity in dir, and makes a new one, unclaimed, if
// there is none. It refuses keys that others can read (*PermissionError).
func OpenCamera(dir string) (*Camera, error) {
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(filepath.Join(dir, cameraKeyFile)); errors.Is(err, fs.ErrNotExist) {
		// New, or a reset that the power cut off.
		if err := remove(dir, cameraFiles()...); err != nil {
			return nil, err
		}
	}
	c := &Camera{dir: dir}
	var err error
	if c.key, _, err = readOrMakeKey(c.path(cameraKeyFile)); err != nil {
		return nil, err
	}
	if c.tlsKey, _, err = readOrMakeKey(c.path(tlsKeyFile)); err != nil {
		return nil, err
	}
	if c.id, err = seal.CameraIDOf(c.key.Public()); err != nil {
		return nil, err
	}
	if err := c.loadCodes(); err != nil {
		return nil, err
	}
	return c, c.load()
}

// load reads whose the camera is.
func (c *Camera) load() error {
	text, err := readFile(c.path(pairingName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // unclaimed; a roster without pairing is a claim that the power cut off
	}
	if err != nil {
		return err
	}
	p, err := ParsePairing(text)
	if err != nil {
		return damaged(c.path(pairingName), err)
	}
	if p.Camera != c.id {
		return damaged(c.path(pairingName), fmt.Errorf("%w: it is for camera %s, the key here is of camera %s", ErrPairing, p.Camera, c.id))
	}
	if _, err := p.tls(c.tlsKey); err != nil {
		return damaged(c.path(pairingName), err)
	}
	signed, err := readFile(c.path(rosterFile))
	if err != nil {
		return damaged(c.path(rosterFile), err)
	}
	if c.roster, err = seal.OpenRoster(p.Household, signed); err != nil {
		return damaged(c.path(rosterFile), err)
	}
	if c.guard, err = readFile(c.path(guardFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.pairing = &p
	return nil
}

// DamagedError says that a file of a camera is not what was written.
type DamagedError struct {
	Path string
	Err  error
}

func damaged(path string, err error) error { return &DamagedError{path, err} }

func (e *DamagedError) Error() string { return fmt.Sprintf("%s: damaged: %v", e.Path, e.Err) }

func (e *DamagedError) Unwrap() error { return e.Err }

// Hint says how to get a working camera again.
func (e *DamagedError) Hint() string {
	return "put the file back from a copy, or reset this camera and pair it again: rm -r " + shellQuoted(filepath.Dir(e.Path))
}

func (c *Camera) path(name string) string { return filepath.Join(c.dir, name) }

// ID returns the camera's name, which is the hash of its key.
func (c *Camera) ID() seal.CameraID { return c.id }

// Signer returns the key that seals.
func (c *Camera) Signer() crypto.Signer { return c.key }

// Claimed says whether the camera belongs to a household.
func (c *Camera) Claimed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pairing != nil
}

// Household returns whose the camera is, "" while it is nobody's.
func (c *Camera) Household() seal.HouseholdID {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pairing == nil {
		return ""
	}
	return c.pairing.Household
}

// Broker returns the broker's URL as the household gave it, or "".
func (c *Camera) Broker() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pairing == nil {
		return ""
	}
	return c.pairing.Broker
}

// TLS returns how to reach the household's broker: whom to believe, and the
// camera's certificate. The caller owns it. It is ErrUnclaimed before Claim.
func (c *Camera) TLS() (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pairing == nil {
		return nil, ErrUnclaimed
	}
	return c.pairing.tls(c.tlsKey)
}

// Roster returns the newest roster, nil while the camera is nobody's. It is
// shared: nobody may write to it.
func (c *Camera) Roster() *seal.Roster {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roster
}

// SetRoster accepts a newer roster of the same household, durably. One that is
// older, different at the same version, or somebody else's is a *seal.Refusal;
// the one that the camera has already changes nothing.
func (c *Camera) SetRoster(signed []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pairing == nil {
		return ErrUnclaimed
	}
	next, err := newerRoster(c.pairing.Household, c.roster, signed)
	if next == nil || err != nil {
		return err
	}
	if err := writeFile(c.path(rosterFile), next.Signed()); err != nil {
		return err
	}
	c.roster = next
	return nil
}

// newerRoster opens a roster that is to replace old, and returns what is in force
// then. It returns nil without an error when old has all of it.
func newerRoster(h seal.HouseholdID, old *seal.Roster, signed []byte) (*seal.Roster, error) {
	next, err := seal.OpenRoster(h, signed)
	if err != nil {
		return nil, err
	}
	next, err = next.Over(old)
	var refusal *seal.Refusal
	if errors.As(err, &refusal) && refusal.Duplicate {
		return nil, nil
	}
	return next, err
}

// GuardState returns what SetGuardState stored last, nil if nothing.
func (c *Camera) GuardState() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.guard
}

// SetGuardState stores which commands the camera has taken (seal.Guard),
// durably: a command is obeyed only after this has returned. The bytes must not
// be written to any more.
func (c *Camera) SetGuardState(state []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := writeFile(c.path(guardFile), state); err != nil {
		return err
	}
	c.guard = state
	return nil
}

// CertificateRequest asks for the certificate that the broker wants (PKCS #10,
// DER). It has a key of its own, so that the key which seals never serves a
// network protocol, and can live where TLS cannot reach it.
func (c *Camera) CertificateRequest() ([]byte, error) {
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: string(c.id)}}
	return x509.CreateCertificateRequest(rand.Reader, template, c.tlsKey)
}

// Claim makes the camera a household's, durably. A camera that is claimed
// accepts a new Pairing of its own household (another broker, a new
// certificate), and ErrClaimed is its answer to any other.
func (c *Camera) Claim(p Pairing) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.claim(p)
}

func (c *Camera) claim(p Pairing) error {
	if c.pairing != nil && c.pairing.Household != p.Household {
		return ErrClaimed
	}
	if p.Camera != c.id {
		return fmt.Errorf("%w: it is for camera %s, this is camera %s", ErrPairing, p.Camera, c.id)
	}
	if _, err := p.tls(c.tlsKey); err != nil {
		return err
	}
	text, err := p.MarshalText()
	if err != nil {
		return err
	}
	if _, err := p.roster(); err != nil {
		return err
	}
	next, err := newerRoster(p.Household, c.roster, p.Roster)
	if err != nil {
		return err
	}
	if next != nil {
		if err := writeFile(c.path(rosterFile), next.Signed()); err != nil {
			return err
		}
	}
	if err := writeFile(c.path(pairingName), text); err != nil {
		return err
	}
	if next != nil {
		c.roster = next
	}
	c.pairing = &p
	return nil
}

// Reset destroys keys and household, as ResetCamera does. The Camera must not be
// used any more; OpenCamera then makes a new one, with another id.
func (c *Camera) Reset() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ResetCamera(c.dir)
}

// ResetCamera destroys the camera's identity in dir, also a damaged one; that
// there is none is fine. Secrets are overwritten before they are deleted, keys
// first. Flash and journalling file systems may keep an older copy of the bytes
// until they need the space.
func ResetCamera(dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	names := cameraFiles()
	for _, name := range names {
		if err := overwrite(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return remove(dir, names...)
}
