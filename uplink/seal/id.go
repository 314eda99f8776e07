package seal

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
)

// CameraID names a camera: the SHA-256 of its public key (SubjectPublicKeyInfo,
// DER), in lower-case base32 without padding, 52 characters. A camera that is
// reset has a new key and so a new name.
type CameraID string

// HouseholdID names a household by its founding owner key, in the same way.
type HouseholdID string

// KeyID names a viewer's or an owner's signing key, in the same way.
type KeyID string

const idLen = 52

// spkiP256 is what stands before the 64 bytes of X and Y in the
// SubjectPublicKeyInfo of every uncompressed P-256 key (RFC 5480).
const spkiP256 = "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04"

// ErrKey says that a key is of a kind this format has no place for.
var ErrKey = errors.New("seal: not an ECDSA P-256 key: make one with openssl ecparam -name prime256v1, or let sealcam make it")

// CameraIDOf returns the id of the camera that holds the private half of pub,
// an *ecdsa.PublicKey on P-256; any other key is ErrKey.
func CameraIDOf(pub crypto.PublicKey) (CameraID, error) {
	id, err := idOf(pub)
	return CameraID(id), err
}

// HouseholdIDOf returns the id of the household founded by an owner key.
func HouseholdIDOf(owner crypto.PublicKey) (HouseholdID, error) {
	id, err := idOf(owner)
	return HouseholdID(id), err
}

// KeyIDOf returns the id of a viewer's or an owner's key.
func KeyIDOf(pub crypto.PublicKey) (KeyID, error) {
	id, err := idOf(pub)
	return KeyID(id), err
}

// ParseCameraID returns s as a camera id if it has the form of one.
func ParseCameraID(s string) (CameraID, error) {
	if _, err := parseID(s); err != nil {
		return "", fmt.Errorf("seal: camera id %.60q: %w", s, err)
	}
	return CameraID(s), nil
}

// ParseHouseholdID returns s as a household id if it has the form of one.
func ParseHouseholdID(s string) (HouseholdID, error) {
	if _, err := parseID(s); err != nil {
		return "", fmt.Errorf("seal: household id %.60q: %w", s, err)
	}
	return HouseholdID(s), nil
}

// MarshalPublicKey returns pub (P-256) as SubjectPublicKeyInfo, DER: the bytes
// whose hash is an id, and the form of every key in this package's structs.
func MarshalPublicKey(pub crypto.PublicKey) ([]byte, error) {
	k, ok := pub.(*ecdsa.PublicKey)
	if !ok || k == nil || k.Curve != elliptic.P256() {
		return nil, ErrKey
	}
	point, err := k.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrKey, err)
	}
	return append([]byte(spkiP256), point[1:]...), nil
}

// ParsePublicKey is the inverse of MarshalPublicKey. It refuses any other
// encoding of the same key.
func ParsePublicKey(spki []byte) (*ecdsa.PublicKey, error) {
	if len(spki) != len(spkiP256)+64 || !bytes.HasPrefix(spki, []byte(spkiP256)) {
		return nil, ErrKey
	}
	k, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), spki[len(spkiP256)-1:])
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrKey, err)
	}
	return k, nil
}

func idOf(pub crypto.PublicKey) (string, error) {
	spki, err := MarshalPublicKey(pub)
	if err != nil {
		return "", err
	}
	return formatID(sha256.Sum256(spki)), nil
}

func base32Lower() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}

func formatID(sum [32]byte) string { return base32Lower().EncodeToString(sum[:]) }

// parseID accepts exactly what formatID makes: the last character carries four
// unused bits, and the decoder overlooks line breaks, so compare again.
func parseID(s string) (sum [32]byte, err error) {
	if len(s) != idLen {
		return sum, fmt.Errorf("%d characters, want %d", len(s), idLen)
	}
	b, err := base32Lower().DecodeString(s)
	if err != nil || len(b) != len(sum) {
		return sum, errors.New("not lower-case base32")
	}
	copy(sum[:], b)
	if formatID(sum) != s {
		return sum, errors.New("not canonical base32")
	}
	return sum, nil
}

// coseKey is a public key as it travels (RFC 9052 section 7): kty EC2, crv
// P-256, x and y of 32 bytes each, nothing else.
type coseKey struct {
	Kty int    `cbor:"1,keyasint"`
	Crv int    `cbor:"-1,keyasint"`
	X   []byte `cbor:"-2,keyasint"`
	Y   []byte `cbor:"-3,keyasint"`
}

func newCOSEKey(spki []byte) (coseKey, error) {
	if _, err := ParsePublicKey(spki); err != nil {
		return coseKey{}, err
	}
	xy := spki[len(spkiP256):]
	return coseKey{Kty: 2, Crv: 1, X: bytes.Clone(xy[:32]), Y: bytes.Clone(xy[32:])}, nil
}

// parse returns the key and its SubjectPublicKeyInfo.
func (k coseKey) parse() (*ecdsa.PublicKey, []byte, error) {
	if k.Kty != 2 || k.Crv != 1 || len(k.X) != 32 || len(k.Y) != 32 {
		return nil, nil, errPoint
	}
	spki := append(append([]byte(spkiP256), k.X...), k.Y...)
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), spki[len(spkiP256)-1:]) // from the 04 on
	if err != nil {
		return nil, nil, errPoint
	}
	return pub, spki, nil
}

var errPoint = errors.New("not a COSE_Key with the two coordinates of a point on P-256, and nothing else")

// confirmation is the CWT claim cnf with a COSE_Key (RFC 8747).
type confirmation struct {
	Key coseKey `cbor:"1,keyasint"`
}
