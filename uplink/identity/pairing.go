package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sealcam/sealcam/uplink/seal"
)

// MaxPairing bounds a pairing, in bytes: a roster of the largest size in
// base64, and what else there is.
const MaxPairing = seal.MaxRoster/3*4 + 32<<10

// ErrPairing says that something is not a pairing that this camera can accept.
var ErrPairing = errors.New("not a usable pairing")

// Pairing is what a household gives a camera to make it its own. It holds no
// secret. Whoever can hand a Pairing to an unclaimed camera becomes its owner,
// so it is handed over by hand, or by a channel that proves itself.
type Pairing struct {
	Camera      seal.CameraID    // the camera it is for
	Household   seal.HouseholdID // pinned from now on
	Broker      string           // mqtts://host:port; may be empty: then the camera's settings say it
	Authority   []byte           // certificate that signed the broker's, PEM
	Certificate []byte           // the camera's own for the broker, PEM
	Roster      []byte           // signed roster that lists the camera
}

// pairingFile is a Pairing as it is written: JSON, because a person may have
// to look at it.
type pairingFile struct {
	Format      int              `json:"sealcam_pairing"`
	Camera      seal.CameraID    `json:"camera"`
	Household   seal.HouseholdID `json:"household"`
	Broker      string           `json:"broker,omitempty"`
	Authority   string           `json:"authority"`
	Certificate string           `json:"certificate"`
	Roster      []byte           `json:"roster"`
}

const pairingFormat = 1

// MarshalText returns the pairing as the text of a file.
func (p Pairing) MarshalText() ([]byte, error) {
	text, err := json.MarshalIndent(pairingFile{
		Format: pairingFormat, Camera: p.Camera, Household: p.Household, Broker: p.Broker,
		Authority: string(p.Authority), Certificate: string(p.Certificate), Roster: p.Roster,
	}, "", "  ")
	return append(text, '\n'), err
}

// ParsePairing reads the text of a pairing file. It checks its form; whether a
// camera can accept it, Camera.Claim says. The error is ErrPairing.
func ParsePairing(text []byte) (Pairing, error) {
	var f pairingFile
	if len(text) > MaxPairing {
		return Pairing{}, fmt.Errorf("%w: larger than %d KiB", ErrPairing, MaxPairing>>10)
	}
	if err := strictJSON(text, &f); err != nil {
		return Pairing{}, fmt.Errorf("%w: %v", ErrPairing, err)
	}
	if f.Format != pairingFormat {
		return Pairing{}, fmt.Errorf("%w: format %d, this program knows %d", ErrPairing, f.Format, pairingFormat)
	}
	if _, err := seal.ParseCameraID(string(f.Camera)); err != nil {
		return Pairing{}, fmt.Errorf("%w: %v", ErrPairing, err)
	}
	if _, err := seal.ParseHouseholdID(string(f.Household)); err != nil {
		return Pairing{}, fmt.Errorf("%w: %v", ErrPairing, err)
	}
	return Pairing{Camera: f.Camera, Household: f.Household, Broker: f.Broker,
		Authority: []byte(f.Authority), Certificate: []byte(f.Certificate), Roster: f.Roster}, nil
}

// roster opens the pairing's roster, which must list the camera.
func (p Pairing) roster() (*seal.Roster, error) {
	r, err := seal.OpenRoster(p.Household, p.Roster)
	if err != nil {
		return nil, err
	}
	if _, ok := r.Camera(p.Camera); !ok {
		return nil, fmt.Errorf("%w: its roster does not list camera %s", ErrPairing, p.Camera)
	}
	return r, nil
}

// tls returns how to reach the broker with the pairing's certificates, for the
// holder of key.
func (p Pairing) tls(key *ecdsa.PrivateKey) (*tls.Config, error) {
	conf, err := clientTLS(p.Authority, p.Certificate, key)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrPairing, err)
	}
	if name := conf.Certificates[0].Leaf.Subject.CommonName; name != string(p.Camera) {
		return nil, fmt.Errorf("%w: its certificate names %.60q, not camera %s", ErrPairing, name, p.Camera)
	}
	return conf, nil
}

// clientTLS returns how to reach a broker whose certificate the authority
// signed, with a certificate of the same authority. Dates are left to the
// handshake: a camera's clock may be wrong when it is paired.
func clientTLS(authority, certificate []byte, key *ecdsa.PrivateKey) (*tls.Config, error) {
	ca, err := parseCert(authority)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	leaf, err := parseCert(certificate)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if pub, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || !pub.Equal(key.Public()) {
		return nil, errors.New("certificate: it is for another key")
	}
	if err := leaf.CheckSignatureFrom(ca); err != nil {
		return nil, fmt.Errorf("certificate: not signed by the authority: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		RootCAs:      roots,
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}},
	}, nil
}

// strictJSON reads one JSON value that has the fields of v and no others.
func strictJSON(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows after its end")
	}
	return nil
}
