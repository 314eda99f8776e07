package seal

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Roster says whose cameras and whose viewers: what a household's owner signs,
// and what cameras and viewers are given. Treat one that was opened as
// immutable.
type Roster struct {
	Household HouseholdID    // SignRoster fills it if empty
	Owner     []byte         // founding owner key, SubjectPublicKeyInfo; SignRoster fills it if empty
	Version   uint64         // from 1, only rises
	Issued    time.Time      // whole seconds; zero if unknown
	Cameras   []RosterCamera // rising by ID
	Viewers   []Viewer       // no two of one name, recipient or key
	Keepers   []Keeper       // no two of one name or key, none with a viewer's
	Revoked   []CameraID     // cameras that were the household's and are not; rising
	// Grants make further owner keys: each is a SignGrant by the founding key or
	// by one that an earlier grant named.
	Grants [][]byte
	// Withdrawn are owner keys that sign no more from this version on; rising.
	Withdrawn []KeyID
	// Prev is the SHA-256 of the signed bytes of the roster before this one, so that
	// the household's changes can be listed without a hole; zero if it is not said.
	Prev [32]byte

	// Signer is the owner key that signed, filled by OpenRoster.
	Signer KeyID

	// Additions are what operators added to the owner's roster, rising by camera,
	// filled by OpenRoster. Their cameras are among Cameras; SignRoster takes those
	// in, and leaves Additions alone.
	Additions []Addition

	digest [32]byte // of the owner's signed bytes, filled by OpenRoster
	owners map[KeyID]*ecdsa.PublicKey
	parts  extendedClaims // the bytes that it was opened from
}

// RosterCamera is a camera of a household.
type RosterCamera struct {
	ID    CameraID
	Name  string    // the household's own label, never proof of anything
	Since time.Time // whole seconds; zero if unknown
	// Groups are tokens, rising: what Settings are signed for together.
	Groups []string
}

type rosterClaims struct {
	Issuer    string         `cbor:"1,keyasint"` // id of the key that signed
	Audience  string         `cbor:"3,keyasint"` // household id
	Issued    uint64         `cbor:"6,keyasint,omitempty"`
	Confirm   confirmation   `cbor:"8,keyasint"` // founding owner key
	Version   uint64         `cbor:"-65537,keyasint"`
	Roster    uint64         `cbor:"-65538,keyasint"`
	Cameras   []cameraClaims `cbor:"-65545,keyasint,omitempty"`
	Viewers   []viewerClaims `cbor:"-65546,keyasint,omitempty"`
	Revoked   []string       `cbor:"-65547,keyasint,omitempty"`
	Grants    [][]byte       `cbor:"-65548,keyasint,omitempty"`
	Withdrawn []string       `cbor:"-65549,keyasint,omitempty"`
	Keepers   []keeperClaims `cbor:"-65561,keyasint,omitempty"`
	Prev      []byte         `cbor:"-65562,keyasint,omitempty"`
}

type cameraClaims struct {
	ID    string `cbor:"1,keyasint"`
	Name  string `cbor:"2,keyasint,omitempty"`
	Since uint64 `cbor:"3,keyasint,omitempty"`

	Groups []string `cbor:"4,keyasint,omitempty"`
}

type viewerClaims struct {
	Name      string   `cbor:"1,keyasint,omitempty"`
	Recipient string   `cbor:"2,keyasint"`
	Key       *coseKey `cbor:"3,keyasint,omitempty"`
	Roles     uint64   `cbor:"4,keyasint,omitempty"` // absent for DefaultRoles
}

type grantClaims struct {
	Issuer   string       `cbor:"1,keyasint"` // id of the key that signed
	Audience string       `cbor:"3,keyasint"` // household id
	Confirm  confirmation `cbor:"8,keyasint"` // the key that becomes an owner's
	Version  uint64       `cbor:"-65537,keyasint"`
}

// SignRoster signs r with an owner key. It sorts nothing and leaves r alone;
// what OpenRoster would refuse is an error here.
func SignRoster(owner crypto.Signer, r Roster) ([]byte, error) {
	spki, err := MarshalPublicKey(owner.Public())
	if err != nil {
		return nil, err
	}
	if len(r.Owner) == 0 {
		r.Owner = spki
	}
	r.Household = HouseholdID(formatID(sha256.Sum256(r.Owner)))
	claims, err := r.claims(formatID(sha256.Sum256(spki)))
	if err != nil {
		return nil, fmt.Errorf("seal: roster: %w", err)
	}
	b, err := sign1(rand.Reader, owner, typeRoster, claims)
	if err != nil {
		return nil, err
	}
	if _, err := OpenRoster(r.Household, b); err != nil {
		return nil, fmt.Errorf("seal: roster: %w", err)
	}
	return b, nil
}

// SignGrant signs that key (SubjectPublicKeyInfo) is an owner key of the
// household too, for Roster.Grants.
func SignGrant(owner crypto.Signer, household HouseholdID, key []byte) ([]byte, error) {
	id, err := KeyIDOf(owner.Public())
	if err != nil {
		return nil, err
	}
	granted, err := newCOSEKey(key)
	if err != nil {
		return nil, err
	}
	return sign1(rand.Reader, owner, typeGrant, grantClaims{
		Issuer: string(id), Audience: string(household), Confirm: confirmation{granted}, Version: Version,
	})
}

// OpenRoster checks that b is a roster of the household h, alone or with operators'
// additions. The error is a *Refusal. What it is to who has an older one, Over tells.
func OpenRoster(h HouseholdID, b []byte) (*Roster, error) {
	if len(b) > MaxRoster {
		return nil, refuse(Malformed, "roster of %d bytes, at most %d", len(b), MaxRoster)
	}
	if len(b) > 0 && b[0] == extendedHead {
		return openExtended(h, b)
	}
	return openRoster(h, b)
}

// openRoster checks what an owner signed.
func openRoster(h HouseholdID, b []byte) (*Roster, error) {
	e, err := parse1(b, typeRoster)
	if err != nil {
		return nil, refuseErr(Malformed, "roster", err)
	}
	var c rosterClaims
	if err := decodeClaims(e.payload, &c); err != nil {
		return nil, refuseErr(Malformed, "roster", err)
	}
	r, err := c.roster()
	if err != nil {
		return nil, refuseErr(Malformed, "roster", err)
	}
	if err := r.checkSignature(e, c); err != nil {
		return nil, err
	}
	if r.Household != h {
		return nil, refuse(NotForYou, "roster of household %s, not %.60s", r.Household, h)
	}
	if slices.Contains(r.Withdrawn, r.Signer) {
		return nil, refuse(Revoked, "roster signed by the owner key %s, which it withdraws", r.Signer)
	}
	r.digest, r.parts = sha256.Sum256(b), extendedClaims{Roster: bytes.Clone(b)}
	return r, nil
}

// Hash returns the SHA-256 of the owner's signed bytes that r was opened from, which
// is the Prev of the roster after it; zero if r was not opened.
func (r *Roster) Hash() [32]byte { return r.digest }

// PeekRoster reads of which household b says to be a roster, and which version.
// Nothing of it is checked: it is for finding out what to hand to OpenRoster. The
// error is a *Refusal, Malformed.
func PeekRoster(b []byte) (h HouseholdID, version uint64, err error) {
	if len(b) > MaxRoster {
		return "", 0, refuse(Malformed, "roster of %d bytes, at most %d", len(b), MaxRoster)
	}
	if len(b) > 0 && b[0] == extendedHead {
		x, err := parseExtended(b)
		if err != nil {
			return "", 0, refuseErr(Malformed, "roster with additions", err)
		}
		b = x.Roster
	}
	e, err := parse1(b, typeRoster)
	if err != nil {
		return "", 0, refuseErr(Malformed, "roster", err)
	}
	var c struct {
		Audience string `cbor:"3,keyasint"`
		Roster   uint64 `cbor:"-65538,keyasint"`
	}
	if err := lax.Unmarshal(e.payload, &c); err != nil {
		return "", 0, refuseErr(Malformed, "roster", err)
	}
	if err := checkIDs(c.Audience); err != nil {
		return "", 0, refuseErr(Malformed, "roster", err)
	}
	return HouseholdID(c.Audience), c.Roster, nil
}

func (r *Roster) checkSignature(e *envelope, c rosterClaims) error {
	if formatID(sha256.Sum256(r.Owner)) != c.Audience {
		return refuse(BrokenSeal, "the founding key does not belong to household %s", c.Audience)
	}
	if err := r.checkGrants(); err != nil {
		return err
	}
	if formatID(e.kid) != c.Issuer {
		return refuse(BrokenSeal, "header names another signer than the claims")
	}
	pub := r.owners[r.Signer]
	if pub == nil {
		return refuse(BrokenSeal, "roster signed by %s, which is no owner key of household %s", r.Signer, r.Household)
	}
	if err := e.verify(pub); err != nil {
		return refuseErr(BrokenSeal, "roster", err)
	}
	return nil
}

// checkGrants fills r.owners.
func (r *Roster) checkGrants() error {
	founder, err := ParsePublicKey(r.Owner)
	if err != nil {
		return refuseErr(Malformed, "roster", err)
	}
	r.owners = map[KeyID]*ecdsa.PublicKey{KeyID(r.Household): founder}
	for i, g := range r.Grants {
		e, err := parse1(g, typeGrant)
		if err != nil {
			return refuseErr(Malformed, fmt.Sprintf("grant %d", i), err)
		}
		var c grantClaims
		if err := decodeClaims(e.payload, &c); err != nil {
			return refuseErr(Malformed, fmt.Sprintf("grant %d", i), err)
		}
		pub, spki, err := c.Confirm.Key.parse()
		if err != nil {
			return refuseErr(Malformed, fmt.Sprintf("grant %d", i), err)
		}
		by := r.owners[KeyID(c.Issuer)]
		if by == nil || formatID(e.kid) != c.Issuer || c.Audience != string(r.Household) {
			return refuse(BrokenSeal, "grant %d is not by an owner of household %s", i, r.Household)
		}
		if err := e.verify(by); err != nil {
			return refuseErr(BrokenSeal, fmt.Sprintf("grant %d", i), err)
		}
		id := KeyID(formatID(sha256.Sum256(spki)))
		if r.owners[id] != nil {
			return refuse(Malformed, "grant %d names an owner key again", i)
		}
		r.owners[id] = pub
	}
	return nil
}

// Follows says whether r may replace old, which may be nil: it must be of the
// same household, of a higher version, and not signed by a key that old has
// withdrawn; or it is the same roster with an addition that old lacks. One that
// brings nothing is Replayed with Duplicate. The error is a *Refusal. Who has old goes
// on with what Over returns.
func (r *Roster) Follows(old *Roster) error {
	_, err := r.Over(old)
	return err
}

// follows is Follows for the owner's parts.
func (r *Roster) follows(old *Roster) error {
	if r.Household != old.Household {
		return refuse(NotForYou, "roster of household %s, not %s", r.Household, old.Household)
	}
	for _, id := range old.Withdrawn {
		if !slices.Contains(r.Withdrawn, id) { // a roster by that key is among these: none withdraws its own signer
			return refuse(Revoked, "roster %d is by, or gives back, the owner key %s, which roster %d withdrew", r.Version, id, old.Version)
		}
	}
	return checkRosterVersion(r.Version, r.digest, old.Version, old.digest)
}

func checkRosterVersion(version uint64, digest [32]byte, old uint64, oldDigest [32]byte) error {
	switch {
	case version < old:
		return refuse(Replayed, "roster %d, but roster %d was seen", version, old)
	case version == old && digest == oldDigest:
		f := refuse(Replayed, "roster %d again", version)
		f.Duplicate = true
		return f
	case version == old:
		return alarm("two different rosters of version %d", version)
	}
	return nil
}

// Camera returns the roster's entry for id.
func (r *Roster) Camera(id CameraID) (RosterCamera, bool) {
	for _, c := range r.Cameras {
		if c.ID == id {
			return c, true
		}
	}
	return RosterCamera{}, false
}

// Viewer returns the viewer with the signing key of that id.
func (r *Roster) Viewer(id KeyID) (Viewer, bool) {
	for _, v := range r.Viewers {
		if id != "" && v.ID() == id {
			return v, true
		}
	}
	return Viewer{}, false
}

// Owners returns the ids of the owner keys that may sign, rising. The founding
// key's is the household's id.
func (r *Roster) Owners() []KeyID {
	var ids []KeyID
	for _, id := range slices.Sorted(maps.Keys(r.owners)) {
		if !slices.Contains(r.Withdrawn, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// opened reports whether r came out of OpenRoster: nothing else may decide whom
// to trust.
func (r *Roster) opened() bool { return r.owners != nil }

var errNotOpened = errors.New("seal: this roster was not checked: take it from OpenRoster")

var errRosterBounds = errors.New("too many cameras, viewers, grants or withdrawn keys")
