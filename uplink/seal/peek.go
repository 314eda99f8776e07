package seal

import (
	"crypto/sha256"
	"time"
)

// Visible is what a message shows to everybody who sees it pass.
type Visible struct {
	Camera    CameraID
	Household HouseholdID
	Roster    uint64 // version of the roster it was sealed under
	Stream    Stream
	Seq       uint64
	Prev      [32]byte
	Boot      [16]byte
	Expires   time.Time // zero for never, or unknown
	Hash      [32]byte  // of the message, as Sealed.Hash
	Size      int       // bytes of the message
}

// Peek reads the visible claims. That they are one camera's own words is
// checked (its signature, under the id that the message itself gives, and the
// hash of the body); whose camera it is, is not, so nothing may be shown on the
// strength of it. It is for spools, keepers and inspection. The error is a
// *Refusal, Malformed or BrokenSeal.
func Peek(b []byte) (Visible, error) {
	m, err := parseMessage(b)
	if err != nil {
		return Visible{}, err
	}
	return m.visible(), nil
}

// message is a sealed message whose signature fits the id it gives.
type message struct {
	size   int
	hash   [32]byte
	seal   []byte // COSE_Sign1, part of the message
	body   []byte // age file, part of the message
	claims visibleClaims
}

// parseMessage is the part of opening that needs no knowledge: encoding, then
// key and signature, then the body's hash.
func parseMessage(b []byte) (*message, error) {
	if len(b) > MaxSealed {
		return nil, refuse(Malformed, "%d bytes, at most %d", len(b), MaxSealed)
	}
	sealed, body, err := splitPair(b, maxSeal)
	if err != nil {
		return nil, refuseErr(Malformed, "message", err)
	}
	m := &message{size: len(b), seal: sealed, body: body}
	if m.claims, err = openSeal(sealed); err != nil {
		return nil, err
	}
	if sha256.Sum256(body) != [32]byte(m.claims.BodyHash) {
		r := refuse(BrokenSeal, "the body is not the one that was sealed")
		if Stream(m.claims.Stream) == Durable {
			r.Seq = m.claims.Seq
		}
		return nil, r
	}
	m.hash = sha256.Sum256(sealed)
	return m, nil
}

// openSeal checks a seal as far as it speaks for itself.
func openSeal(sealed []byte) (v visibleClaims, err error) {
	e, err := parse1(sealed, typeSeal)
	if err != nil {
		return v, refuseErr(Malformed, "seal", err)
	}
	if err := decodeClaims(e.payload, &v); err != nil {
		return v, refuseErr(Malformed, "visible claims", err)
	}
	if err := v.check(); err != nil {
		return v, refuseErr(Malformed, "visible claims", err)
	}
	pub, spki, err := v.Confirm.Key.parse()
	if err != nil {
		return v, refuseErr(Malformed, "visible claims", err)
	}
	if sum := sha256.Sum256(spki); formatID(sum) != v.Issuer || sum != e.kid {
		return v, refuse(BrokenSeal, "the key is not that of camera %s", v.Issuer)
	}
	if err := e.verify(pub); err != nil {
		return v, refuseErr(BrokenSeal, "camera "+v.Issuer, err)
	}
	return v, nil
}

func (m *message) visible() Visible {
	meta := m.claims.meta()
	return Visible{
		Camera: CameraID(m.claims.Issuer), Household: HouseholdID(m.claims.Audience),
		Roster: meta.Roster, Stream: meta.Stream, Seq: meta.Seq, Prev: meta.Prev,
		Boot: meta.Boot, Expires: meta.Expires, Hash: m.hash, Size: m.size,
	}
}
