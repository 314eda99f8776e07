package identity

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// NotKeeperError says that a household's roster names no such keeper.
type NotKeeperError struct {
	Keeper seal.KeyID
	Roster uint64 // version
}

func (e *NotKeeperError) Error() string {
	return fmt.Sprintf("keeper %.60q is none of the household's, by its roster %d", string(e.Keeper), e.Roster)
}

// Hint says how to go on.
func (e *NotKeeperError) Hint() string {
	return "the owner takes a keeper in with: sealcam household keeper add"
}

// Pass signs what lets this viewer read the household's lists at a keeper, for
// seal.PassLife from now on. A keeper that the roster does not name is a
// *NotKeeperError.
func (v *Viewer) Pass(keeper seal.KeyID, now time.Time) ([]byte, error) {
	r := v.Roster()
	if _, ok := r.Keeper(keeper); !ok {
		return nil, &NotKeeperError{keeper, r.Version}
	}
	return seal.SignPass(v.key.Signer(), seal.Pass{Household: r.Household, Keeper: keeper, Issued: now, Expires: now.Add(seal.PassLife)})
}

// KeeperTLS returns how to reach a keeper, or what stands in front of it: by a
// certificate of the household's authority, or of one that this system trusts. Nothing
// is shown of this viewer; passes do that.
func (v *Viewer) KeeperTLS() (*tls.Config, error) {
	text, err := readFile(filepath.Join(v.home, authorityCert))
	if err != nil {
		return nil, err
	}
	ca, err := parseCert(text)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a system that trusts nobody
	}
	roots.AddCert(ca)
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}, nil
}
