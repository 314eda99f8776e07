package identity

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sealcam/sealcam/uplink/seal"
)

// nextOwnerKey is where a new owner key waits until the roster that makes it one
// is written.
const nextOwnerKey = "owner.key.next"

// Errors about owner keys.
var (
	ErrWithdrawn  = errors.New("the household has withdrawn this owner key: a newer copy of it, or its recovery, is in control")
	ErrNoMoreKeys = fmt.Errorf("this household has named %d owner keys beside its first, which is all that it can: make a new household", seal.MaxGrants)
)

// NotOwnerError says that a directory can look, but not change the household.
type NotOwnerError struct{ Dir string }

func (e *NotOwnerError) Error() string { return e.Dir + ": " + ErrNotOwner.Error() }

func (e *NotOwnerError) Unwrap() error { return ErrNotOwner }

// Hint says what can be done when the owner key is nowhere any more.
func (e *NotOwnerError) Hint() string {
	return "use the owner's directory, or an export of it (sealcam household import); if all are lost, a recovery file (sealcam household recover); " +
		"without any of these nobody can change this household any more: make a new one, reset every camera by its button or with sealcamd reset -yes, and take it in there"
}

// readOwnerKey returns the key in dir that r names as an owner's. A change of
// keys that the power cut off is finished first.
func readOwnerKey(dir string, r *seal.Roster) (*ecdsa.PrivateKey, error) {
	path, next := filepath.Join(dir, ownerKeyFile), filepath.Join(dir, nextOwnerKey)
	key, err := readKey(path)
	if err == nil && owns(r, key) {
		return key, nil
	}
	if newer, nextErr := readKey(next); nextErr == nil && owns(r, newer) {
		return newer, errors.Join(os.Rename(next, path), syncDir(dir))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &NotOwnerError{dir}
	case err != nil:
		return nil, err
	}
	id, err := seal.KeyIDOf(key.Public())
	if err != nil {
		return nil, err
	}
	if slices.Contains(r.Withdrawn, id) {
		return nil, fmt.Errorf("%s: %w", path, ErrWithdrawn)
	}
	return nil, fmt.Errorf("%s is not an owner key of household %s", path, r.Household)
}

// owns tells whether key may sign rosters.
func owns(r *seal.Roster, key *ecdsa.PrivateKey) bool {
	id, err := seal.KeyIDOf(key.Public())
	return err == nil && slices.Contains(r.Owners(), id)
}

// RotateOwner makes a new owner key, has the present one name it, and withdraws
// the present one, all in one roster. Cameras and viewers follow when they get
// it; until then a camera still obeys the old key. The household's id, its
// recovery keys and its certificate authority stay.
func (h *Household) RotateOwner() error {
	key, err := newKey()
	if err != nil {
		return err
	}
	path, next := filepath.Join(h.dir, ownerKeyFile), filepath.Join(h.dir, nextOwnerKey)
	old := h.owner
	err = h.change(func(r *seal.Roster) error {
		if err := appoint(r, old, key); err != nil {
			return err
		}
		if err := withdraw(r, old); err != nil {
			return err
		}
		h.owner = key // signs the roster
		return writeKey(next, key)
	})
	if err != nil {
		h.owner = old
		return err
	}
	// The roster has decided: whatever happens here, readOwnerKey finds the new one.
	return errors.Join(overwrite(path), os.Rename(next, path), syncDir(h.dir))
}

// WithdrawOthers withdraws all owner keys but the present one: recovery files
// that were lost or seen by others. It returns how many there were.
func (h *Household) WithdrawOthers() (n int, err error) {
	own, err := seal.KeyIDOf(h.owner.Public())
	if err != nil {
		return 0, err
	}
	if r, _, err := h.Roster(); err != nil || len(r.Owners()) == 1 {
		return 0, err
	}
	return n, h.change(func(r *seal.Roster) error {
		for _, id := range r.Owners() {
			if id != own {
				r.Withdrawn = append(r.Withdrawn, id)
				n++
			}
		}
		return nil
	})
}

// appoint makes key an owner's, by a grant of by.
func appoint(r *seal.Roster, by, key *ecdsa.PrivateKey) error {
	if len(r.Grants) >= seal.MaxGrants {
		return ErrNoMoreKeys
	}
	spki, err := seal.MarshalPublicKey(key.Public())
	if err != nil {
		return err
	}
	grant, err := seal.SignGrant(by, r.Household, spki)
	if err != nil {
		return err
	}
	r.Grants = append(slices.Clone(r.Grants), grant)
	return nil
}

func withdraw(r *seal.Roster, key *ecdsa.PrivateKey) error {
	id, err := seal.KeyIDOf(key.Public())
	if err == nil {
		r.Withdrawn = append(r.Withdrawn, id)
	}
	return err
}

// TakeRoster takes over a roster of this household that is newer than the one
// here: another copy of the owner's directory has changed the household. It
// tells whether it is news. A roster that withdraws this copy's owner key is
// ErrWithdrawn; one that is older, or not the household's, a *seal.Refusal.
func (h *Household) TakeRoster(signed []byte) (news bool, err error) {
	unlock, err := lock(h.dir, "household")
	if err != nil {
		return false, err
	}
	defer unlock()
	old, _, err := h.Roster()
	if err != nil {
		return false, err
	}
	next, err := newerRoster(h.id, old, signed)
	if next == nil || err != nil {
		return false, err
	}
	if !owns(next, h.owner) {
		return false, fmt.Errorf("roster %d: %w", next.Version, ErrWithdrawn)
	}
	return true, h.storeRoster(next.Signed())
}

// RenameCamera changes the household's own label of a camera.
func (h *Household) RenameCamera(id seal.CameraID, name string) error {
	return h.change(func(r *seal.Roster) error {
		at := -1
		for i, c := range r.Cameras {
			switch {
			case c.ID == id:
				at = i
			case c.Name == name:
				return fmt.Errorf("camera %q: %w, by camera %s", name, ErrKnownName, c.ID)
			}
		}
		if at < 0 {
			return fmt.Errorf("camera %.60s: %w", id, ErrNoSuchCamera)
		}
		r.Cameras[at].Name = name
		return nil
	})
}
