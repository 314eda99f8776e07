package seal

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// Viewer is who can open what a household's cameras seal: a phone, a display,
// a service.
type Viewer struct {
	Name      string // the household's own label
	Recipient string // age1pq1..., post-quantum hybrid
	Key       []byte // P-256, SubjectPublicKeyInfo: signs receipts and requests; nil for a viewer that may not
	Roles     Roles  // 0 for DefaultRoles; OpenRoster always says which
}

// ID returns the id of the viewer's signing key, or "" if it has none.
func (v Viewer) ID() KeyID {
	pub, err := ParsePublicKey(v.Key)
	if err != nil {
		return ""
	}
	id, _ := KeyIDOf(pub)
	return id
}

// ViewerKey is a viewer's secret: it opens messages and signs commands.
type ViewerKey struct {
	seed     [32]byte // of the age hybrid key
	identity *age.HybridIdentity
	signer   *ecdsa.PrivateKey
	id       KeyID
}

const viewerKeyPrefix = "SEALCAM-VIEWER-1"

// ErrViewerKey says that a text is not a viewer key.
var ErrViewerKey = errors.New("seal: not a viewer key: it is one line that starts with " + viewerKeyPrefix + ", copy it whole")

// NewViewerKey makes a viewer key from random, crypto/rand if nil.
func NewViewerKey(random io.Reader) (*ViewerKey, error) {
	random = randomOr(random)
	var seed, scalar [32]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return nil, fmt.Errorf("seal: no randomness for a key: %w", err)
	}
	for range 16 { // a scalar is out of range once in 2^32
		if _, err := io.ReadFull(random, scalar[:]); err != nil {
			return nil, fmt.Errorf("seal: no randomness for a key: %w", err)
		}
		if k, err := viewerKey(seed, scalar); err == nil {
			return k, nil
		}
	}
	return nil, errors.New("seal: the source of randomness gives no usable key")
}

func viewerKey(seed, scalar [32]byte) (*ViewerKey, error) {
	signer, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
	if err != nil {
		return nil, err
	}
	text := strings.ToUpper(bech32Encode("age-secret-key-pq-", seed[:]))
	identity, err := age.ParseHybridIdentity(text)
	if err != nil {
		return nil, err
	}
	id, err := KeyIDOf(signer.Public())
	return &ViewerKey{seed: seed, identity: identity, signer: signer, id: id}, err
}

// MarshalText returns the secret as one line.
func (k *ViewerKey) MarshalText() ([]byte, error) {
	scalar, err := k.signer.Bytes()
	if err != nil {
		return nil, err
	}
	raw := append(k.seed[:len(k.seed):len(k.seed)], scalar...)
	raw = append(raw, viewerKeySum(raw)...)
	return []byte(viewerKeyPrefix + viewerKeyText().EncodeToString(raw)), nil
}

// UnmarshalText is the inverse of MarshalText; white space around the line is
// ignored. The error is ErrViewerKey and never holds any of the text.
func (k *ViewerKey) UnmarshalText(text []byte) error {
	line := strings.TrimSpace(string(text))
	body, ok := strings.CutPrefix(line, viewerKeyPrefix)
	raw, err := viewerKeyText().DecodeString(body)
	if !ok || err != nil || len(raw) != 68 {
		return ErrViewerKey
	}
	// Written again it must be the same line: that compares the checksum too.
	again, err := viewerKey([32]byte(raw[:32]), [32]byte(raw[32:64]))
	if err != nil {
		return ErrViewerKey
	}
	if t, err := again.MarshalText(); err != nil || string(t) != line {
		return ErrViewerKey
	}
	*k = *again
	return nil
}

// Public returns what a roster says of this viewer, without a name.
func (k *ViewerKey) Public() Viewer {
	spki, err := MarshalPublicKey(k.signer.Public())
	if err != nil {
		panic("seal: " + err.Error()) // viewerKey makes P-256 keys only
	}
	return Viewer{Recipient: k.identity.Recipient().String(), Key: spki}
}

// ID returns the id of the signing key, which is how cameras know the viewer.
func (k *ViewerKey) ID() KeyID { return k.id }

// Signer returns the key that signs this viewer's commands.
func (k *ViewerKey) Signer() crypto.Signer { return k.signer }

// AgeIdentity returns the secret that decrypts bodies, in the form that the age
// tool reads (AGE-SECRET-KEY-PQ-1...).
func (k *ViewerKey) AgeIdentity() string { return k.identity.String() }

// String keeps the secret out of logs.
func (k *ViewerKey) String() string { return "viewer key " + string(k.id) }

// GoString keeps the secret out of logs.
func (k *ViewerKey) GoString() string { return k.String() }

func viewerKeyText() *base32.Encoding { return base32.StdEncoding.WithPadding(base32.NoPadding) }

// viewerKeySum lets a line that was copied in part, or mistyped, be told from a
// key.
func viewerKeySum(raw []byte) []byte {
	sum := sha256.Sum256(append([]byte(viewerKeyPrefix), raw...))
	return sum[:4]
}

// bech32Encode encodes as BIP 173 does, without its limit of length, as age
// does. It is here because age has no way to make a key from given randomness.
func bech32Encode(hrp string, data []byte) string {
	const charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	var values []byte
	acc, bits := uint32(0), 0
	for _, b := range data {
		acc, bits = acc<<8|uint32(b), bits+8
		for bits >= 5 {
			bits -= 5
			values = append(values, byte(acc>>bits)&31)
		}
	}
	if bits > 0 {
		values = append(values, byte(acc<<(5-bits))&31)
	}
	var expanded []byte
	for i := range len(hrp) {
		expanded = append(expanded, hrp[i]>>5)
	}
	expanded = append(expanded, 0)
	for i := range len(hrp) {
		expanded = append(expanded, hrp[i]&31)
	}
	expanded = append(append(expanded, values...), 0, 0, 0, 0, 0, 0)
	mod := bech32Polymod(expanded) ^ 1
	out := []byte(hrp + "1")
	for _, v := range values {
		out = append(out, charset[v])
	}
	for i := range 6 {
		out = append(out, charset[byte(mod>>(5*(5-i)))&31])
	}
	return string(out)
}

func bech32Polymod(values []byte) uint32 {
	chk := uint32(1)
	for _, v := range values {
		top := chk >> 25
		chk = chk&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				chk ^= g
			}
		}
	}
	return chk
}

// newRecipient parses a viewer's recipient and refuses any other spelling of
// it (bech32 may also be all upper case).
func newRecipient(s string) (*age.HybridRecipient, error) {
	if len(s) > 2048 {
		return nil, errors.New("recipient too long")
	}
	r, err := age.ParseHybridRecipient(s)
	if err != nil {
		return nil, errors.New("recipient is not an age1pq1... recipient")
	}
	if r.String() != s {
		return nil, errors.New("recipient is not in its canonical form")
	}
	return r, nil
}
