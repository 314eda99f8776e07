package seal

import (
	"crypto/sha256"
)

// Proven is what a proof shows about published media, without any key: that
// the camera Camera sealed exactly these bytes, saying Meta, for Household. It
// does not say whose camera that is.
type Proven struct {
	Camera    CameraID
	Household HouseholdID
	Meta      Meta
	Hash      [32]byte // of the message, as Sealed.Hash
}

type proofClaims struct {
	_       struct{} `cbor:",toarray"`
	Type    string
	Version uint64
	Seal    []byte
	Hidden  []byte
}

const proofType = "sealcam proof"

// Proof returns what a third party needs besides the media to check v without
// any key. It gives away the hidden claims of this one message: time, labels,
// light, and all else that Meta has.
func (v *Verified) Proof() []byte {
	b, err := encode(proofClaims{Type: proofType, Version: Version, Seal: v.seal, Hidden: v.hidden})
	if err != nil {
		panic("seal: " + err.Error()) // byte strings always encode
	}
	return b
}

// CheckProof checks media against a proof. The error is a *Refusal: Malformed,
// BrokenSeal or WrongCamera.
func CheckProof(proof, media []byte) (*Proven, error) {
	if len(proof) > MaxProof || len(media) > MaxSealed {
		return nil, refuse(Malformed, "proof of %d bytes for media of %d bytes: too large", len(proof), len(media))
	}
	var c proofClaims
	if err := decode(proof, &c); err != nil {
		return nil, refuseErr(Malformed, "proof", err)
	}
	if c.Type != proofType || c.Version != Version {
		return nil, refuse(Malformed, "not a proof, or of version %d, and this program knows %d", c.Version, Version)
	}
	if len(c.Seal) > maxSeal || len(c.Hidden) > maxHidden {
		return nil, refuse(Malformed, "proof with a seal or claims that are too large")
	}
	v, err := openSeal(c.Seal)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	sum.Write(appendBytesHead(append([]byte{pairHead}, c.Hidden...), len(media)))
	sum.Write(media)
	if [32]byte(sum.Sum(nil)) != [32]byte(v.PlainHash) {
		return nil, refuse(BrokenSeal, "the media, or what is said of it, is not what was sealed")
	}
	var h hiddenClaims
	if err := decode(c.Hidden, &h); err != nil {
		return nil, refuseErr(Malformed, "hidden claims", err)
	}
	meta, err := joinClaims(&v, &h, len(media))
	if err != nil {
		return nil, err
	}
	return &Proven{CameraID(v.Issuer), HouseholdID(v.Audience), meta, sha256.Sum256(c.Seal)}, nil
}
