package seal

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Addition is a camera that an operator, a viewer with MayAdd, has taken in without
// the owner. It holds with exactly one roster of the owner's: the next one takes it in
// or drops it. Nobody adds a viewer so, who would see all cameras: that is the owner's
// alone to give.
type Addition struct {
	Household HouseholdID
	Roster    uint64       // version of the owner's roster that it adds to
	Camera    RosterCamera // Since is Issued; neither listed nor revoked in that roster
	Issued    time.Time    // whole seconds

	// Filled by OpenRoster.

	Issuer KeyID
	Name   string // of the operator in the roster
}

type additionClaims struct {
	Issuer   string       `cbor:"1,keyasint"` // key id of the operator
	Audience string       `cbor:"3,keyasint"` // household id
	Issued   uint64       `cbor:"6,keyasint"`
	Version  uint64       `cbor:"-65537,keyasint"`
	Roster   uint64       `cbor:"-65538,keyasint"`
	Camera   cameraClaims `cbor:"-65570,keyasint"`
}

// extendedClaims are a roster with additions, as they travel together. It is not
// signed as a whole: all of its parts are.
type extendedClaims struct {
	_         struct{} `cbor:",toarray"`
	Kind      string
	Version   uint64
	Roster    []byte
	Additions [][]byte // 1..MaxAdditions, rising by camera
}

const (
	extendedKind = "sealcam roster"
	extendedHead = 0x84 // array of four; a roster alone begins with a tag
	maxAddition  = 4 << 10
)

// SignAddition signs a with the key of a viewer that may add. Roster.Add takes it.
func SignAddition(operator crypto.Signer, a Addition) ([]byte, error) {
	id, err := KeyIDOf(operator.Public())
	if err != nil {
		return nil, err
	}
	c := additionClaims{
		Issuer: string(id), Audience: string(a.Household), Version: Version, Roster: a.Roster,
		Camera: cameraClaims{ID: string(a.Camera.ID), Name: a.Camera.Name, Groups: a.Camera.Groups},
	}
	if c.Issued, err = seconds(a.Issued); err != nil {
		return nil, fmt.Errorf("seal: addition: %w", err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("seal: addition: %w", err)
	}
	return sign1(rand.Reader, operator, typeAddition, c)
}

func (c *additionClaims) check() error {
	if err := checkIDs(c.Issuer, c.Audience, c.Camera.ID); err != nil {
		return err
	}
	if c.Roster == 0 || c.Roster > MaxSeq || c.Issued == 0 || c.Issued > maxSeconds || c.Camera.Since != 0 {
		return errors.New("version or time out of range")
	}
	if err := checkName(c.Camera.Name); err != nil {
		return err
	}
	return checkGroups(c.Camera.Groups)
}

// openExtended checks a roster with additions.
func openExtended(h HouseholdID, b []byte) (*Roster, error) {
	x, err := parseExtended(b)
	if err != nil {
		return nil, refuseErr(Malformed, "roster with additions", err)
	}
	r, err := openRoster(h, x.Roster)
	if err != nil {
		return nil, err
	}
	for _, b := range x.Additions {
		a, err := r.openAddition(b)
		if err != nil {
			return nil, err
		}
		if n := len(r.Additions); n > 0 && r.Additions[n-1].Camera.ID >= a.Camera.ID {
			return nil, refuse(Malformed, "additions not in rising order of camera")
		}
		r.Additions = append(r.Additions, *a)
	}
	if len(r.Cameras)+len(r.Additions) > MaxCameras {
		return nil, refuse(Malformed, "%d cameras and %d additions, at most %d together", len(r.Cameras), len(r.Additions), MaxCameras)
	}
	for _, a := range r.Additions {
		r.Cameras = append(r.Cameras, a.Camera)
	}
	r.SortCameras()
	r.parts = x
	return r, nil
}

func parseExtended(b []byte) (x extendedClaims, err error) {
	if err := decode(b, &x); err != nil {
		return x, err
	}
	if x.Version > Version {
		return x, fmt.Errorf("version %d: %w", x.Version, ErrNewer)
	}
	if x.Kind != extendedKind || x.Version != Version || len(x.Additions) == 0 || len(x.Additions) > MaxAdditions {
		return x, fmt.Errorf("version %d, %d additions", x.Version, len(x.Additions))
	}
	return x, nil
}

// openAddition checks that b may be added to r, of which it takes the owner's part.
func (r *Roster) openAddition(b []byte) (*Addition, error) {
	var c additionClaims
	e, err := open1(b, typeAddition, "addition", maxAddition, &c)
	if err != nil {
		return nil, err
	}
	who, err := r.signedBy(e, c.Issuer, "addition")
	if err != nil {
		return nil, err
	}
	id := CameraID(c.Camera.ID)
	_, listed := r.Camera(id)
	switch {
	case c.Audience != string(r.Household):
		return nil, refuse(NotForYou, "addition to household %s, not %s", c.Audience, r.Household)
	case c.Roster != r.Version:
		return nil, refuse(Replayed, "addition to roster %d, this is roster %d", c.Roster, r.Version)
	case who.owner || !who.may(MayAdd):
		return nil, refuse(Revoked, "addition by %q, who may not add", who.name)
	case slices.Contains(r.Revoked, id):
		return nil, refuse(Revoked, "addition of camera %s, which roster %d has revoked: only an owner brings it back", id, r.Version)
	case listed:
		return nil, refuse(Malformed, "addition of camera %s, which roster %d lists", id, r.Version)
	}
	issued := fromSeconds(c.Issued)
	return &Addition{
		Household: r.Household, Roster: r.Version, Issued: issued, Issuer: KeyID(c.Issuer), Name: who.name,
		Camera: RosterCamera{ID: id, Name: c.Camera.Name, Since: issued, Groups: c.Camera.Groups},
	}, nil
}

// Signed returns r as it travels and is stored, additions included. Nobody may write
// to it. It is nil if r was not opened.
func (r *Roster) Signed() []byte {
	if len(r.parts.Additions) == 0 {
		return r.parts.Roster
	}
	b, err := encode(r.parts)
	if err != nil {
		panic("seal: " + err.Error()) // nothing in it can fail to encode
	}
	return b
}

// Add returns r with one more addition, which SignAddition made. The error is a
// *Refusal.
func (r *Roster) Add(addition []byte) (*Roster, error) {
	if !r.opened() {
		return nil, errNotOpened
	}
	base, err := openRoster(r.Household, r.parts.Roster)
	if err != nil {
		return nil, err
	}
	a, err := base.openAddition(addition)
	if err != nil {
		return nil, err
	}
	return r.with(map[CameraID][]byte{a.Camera.ID: addition})
}

// with returns r with more additions, by camera. Of two for one camera that with the
// smaller bytes stays, so that all who see both agree.
func (r *Roster) with(more map[CameraID][]byte) (*Roster, error) {
	all := r.additions()
	for id, b := range more {
		if have, ok := all[id]; !ok || bytes.Compare(b, have) < 0 {
			all[id] = b
		}
	}
	if len(all) > MaxAdditions {
		return nil, refuse(Malformed, "%d additions to roster %d, at most %d: its owner must take them in", len(all), r.Version, MaxAdditions)
	}
	x := extendedClaims{Kind: extendedKind, Version: Version, Roster: r.parts.Roster}
	for _, id := range sortedIDs(all) {
		x.Additions = append(x.Additions, all[id])
	}
	b, err := encode(x)
	if err != nil {
		return nil, err
	}
	return OpenRoster(r.Household, b)
}

// additions returns the signed additions of r by camera.
func (r *Roster) additions() map[CameraID][]byte {
	all := map[CameraID][]byte{}
	for i, a := range r.Additions {
		all[a.Camera.ID] = r.parts.Additions[i]
	}
	return all
}

func sortedIDs(m map[CameraID][]byte) []CameraID {
	ids := make([]CameraID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Over returns the roster in force for who has old, which may be nil, once r has
// come: r if it is the owner's next, or of the same roster with what both of them
// add. The error is that of Follows.
func (r *Roster) Over(old *Roster) (*Roster, error) {
	if old == nil {
		return r, nil
	}
	err := r.follows(old)
	if err == nil {
		return r, nil
	}
	var f *Refusal
	if !errors.As(err, &f) || !f.Duplicate {
		return old, err
	}
	news := r.additions()
	for id, have := range old.additions() {
		if b, ok := news[id]; ok && bytes.Compare(b, have) >= 0 {
			delete(news, id)
		}
	}
	if len(news) == 0 {
		return old, err
	}
	return old.with(news)
}
