package identity

import (
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// recoveryKeyFile is an owner key that lies in no directory, only in a recovery
// file.
const recoveryKeyFile = "recovery.key"

// CreateRecovery makes a further owner key and writes it to w, encrypted under
// code, with the household's authority and roster: what it takes to be in control
// again without this directory. It is in force once CreateRecovery has returned;
// cameras need not have heard of it, as its roster names it for itself.
func (h *Household) CreateRecovery(w io.Writer, code string) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	text, err := keyPEM(key)
	if err != nil {
		return err
	}
	unlock, err := lock(h.dir, "household")
	if err != nil {
		return err
	}
	defer unlock()
	next, err := h.nextRoster(func(r *seal.Roster) error { return appoint(r, h.owner, key) })
	if err != nil {
		return err
	}
	signed, err := h.signRoster(next)
	if err != nil {
		return err
	}
	files := []archived{{recoveryKeyFile, text}, {rosterFile, signed}}
	for _, name := range []string{householdName, authorityKey, authorityCert} {
		data, err := readFile(filepath.Join(h.dir, name))
		if err != nil {
			return err
		}
		files = append(files, archived{name, data})
	}
	if err := writeArchive(w, code, files); err != nil {
		return err
	}
	return h.storeRoster(signed)
}

// Recovery is a recovery file that was opened, before it is used.
type Recovery struct {
	about  householdFile
	key    *ecdsa.PrivateKey
	ca     *authority
	caKey  []byte // PEM
	roster *seal.Roster
	floor  uint64 // cameras have been heard to have a roster of this version
}

// OpenRecovery reads what CreateRecovery wrote.
func OpenRecovery(r io.Reader, code string) (*Recovery, error) {
	files := map[string][]byte{}
	err := readArchive(r, code, func(f archived) error {
		if f.name == ownerKeyFile {
			return ErrExportFile
		}
		files[f.name] = f.data
		return nil
	})
	if err != nil {
		return nil, err
	}
	rec, err := parseRecovery(files)
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrArchive, err)
	}
	return rec, nil
}

func parseRecovery(files map[string][]byte) (*Recovery, error) {
	rec := &Recovery{caKey: files[authorityKey]}
	var err error
	if rec.about, err = parseAbout(files[householdName]); err != nil {
		return nil, err
	}
	if rec.key, err = parseKey(files[recoveryKeyFile]); err != nil {
		return nil, err
	}
	if rec.ca, err = parseAuthority(files[authorityKey], files[authorityCert]); err != nil {
		return nil, err
	}
	if rec.roster, err = seal.OpenRoster(rec.about.Household, files[rosterFile]); err != nil {
		return nil, err
	}
	if !owns(rec.roster, rec.key) {
		return nil, errors.New("its key is no owner's")
	}
	return rec, nil
}

// Household returns whose recovery it is.
func (r *Recovery) Household() seal.HouseholdID { return r.about.Household }

// Broker returns the URL of the household's broker, or "".
func (r *Recovery) Broker() string { return r.about.Broker }

// Roster returns the newest roster that was offered, or the one in the file.
func (r *Recovery) Roster() *seal.Roster { return r.roster }

// Offer takes a roster that was found elsewhere, if it is newer: what has
// happened since the recovery file was written is kept then. One that withdraws
// the recovery key is ErrWithdrawn.
func (r *Recovery) Offer(signed []byte) (news bool, err error) {
	next, err := newerRoster(r.about.Household, r.roster, signed)
	if next == nil || err != nil {
		return false, err
	}
	if !owns(next, r.key) {
		return false, fmt.Errorf("roster %d: %w", next.Version, ErrWithdrawn)
	}
	r.roster = next
	return true, nil
}

// Raise makes the recovered household's roster newer than version, which a camera
// was heard to have.
func (r *Recovery) Raise(version uint64) {
	if version < seal.MaxSeq {
		r.floor = max(r.floor, version)
	}
}

// TLS returns how to reach the household's broker before there is a viewer here:
// with a certificate in the name of one that the roster has, and that the broker's
// rules know. It is good for a day.
func (r *Recovery) TLS(now time.Time) (*tls.Config, error) {
	name := "recovery"
	if len(r.roster.Viewers) > 0 {
		name = r.roster.Viewers[0].Name
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	cert, err := r.ca.clientUntil(ViewerPrefix+name, &key.PublicKey, now, now.AddDate(0, 0, 1))
	if err != nil {
		return nil, err
	}
	return clientTLS(certPEM(r.ca.cert), cert, key)
}

// Restore makes dir, which must not exist, the owner's directory: with a new
// owner key that the recovery key names, and all others withdrawn but the
// recovery key itself, whose file stays good. Cameras and viewers are those of
// the newest roster that is known.
func (r *Recovery) Restore(dir string, now func() time.Time) (*Household, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	recovery, err := seal.KeyIDOf(r.key.Public())
	if err != nil {
		return nil, err
	}
	next := *r.roster
	next.Version = max(next.Version, r.floor) + 1
	next.Withdrawn = slices.Clone(next.Withdrawn)
	for _, id := range r.roster.Owners() {
		if id != recovery {
			next.Withdrawn = append(next.Withdrawn, id)
		}
	}
	if err := appoint(&next, r.key, key); err != nil {
		return nil, err
	}
	err = makeWhole(dir, func(tmp string) error {
		h := &Household{dir: tmp, now: now, id: r.about.Household, owner: key, ca: r.ca, about: r.about}
		if err := h.writeRoster(next); err != nil {
			return err
		}
		return errors.Join(
			writeFile(filepath.Join(tmp, authorityKey), r.caKey),
			writeFile(filepath.Join(tmp, authorityCert), certPEM(r.ca.cert)),
			writeJSON(filepath.Join(tmp, householdName), r.about),
			writeKey(filepath.Join(tmp, ownerKeyFile), key),
		)
	})
	if err != nil {
		return nil, err
	}
	return OpenHousehold(dir, now)
}

// WriteBackupFile has write fill a new file at path, durably, for its owner's eyes
// only. Nothing is overwritten, and nothing is left of a failure.
func WriteBackupFile(path string, write func(w io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return syncDir(filepath.Dir(path))
}
