package seal

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// Deletion is an owner's order to a keeper: what it keeps of a camera, or of a
// whole household, is to go for good.
type Deletion struct {
	Household HouseholdID
	Keeper    KeyID    // who is to delete; a keeper refuses what is for others
	Camera    CameraID // "" for all of the household's
	From, To  uint64   // sequences of Camera's durable stream, both included; 0 and 0 for all that is kept when the keeper obeys
	Counter   uint64   // per issuer, 1..MaxSeq, strictly rising: milliseconds since 1970 do well
	Issued    time.Time
	Expires   time.Time // after Issued: a deletion that was held back deletes nothing later

	// Filled by OpenDeletion.

	Issuer KeyID
	Hash   [32]byte // of the signed bytes, by which the answer names it
}

type deletionClaims struct {
	Issuer    string `cbor:"1,keyasint"` // key id of an owner
	Audience  string `cbor:"3,keyasint"` // key id of the keeper
	Expires   uint64 `cbor:"4,keyasint"`
	Issued    uint64 `cbor:"6,keyasint"`
	Version   uint64 `cbor:"-65537,keyasint"`
	Counter   uint64 `cbor:"-65550,keyasint"`
	From      uint64 `cbor:"-65553,keyasint,omitempty"`
	To        uint64 `cbor:"-65554,keyasint,omitempty"`
	Household string `cbor:"-65563,keyasint"`
	Camera    string `cbor:"-65564,keyasint,omitempty"`
}

// SignDeletion signs d with an owner's key.
func SignDeletion(owner crypto.Signer, d Deletion) ([]byte, error) {
	id, err := KeyIDOf(owner.Public())
	if err != nil {
		return nil, err
	}
	c := deletionClaims{
		Issuer: string(id), Audience: string(d.Keeper), Version: Version, Counter: d.Counter,
		From: d.From, To: d.To, Household: string(d.Household), Camera: string(d.Camera),
	}
	if c.Issued, err = seconds(d.Issued); err != nil {
		return nil, fmt.Errorf("seal: deletion: %w", err)
	}
	if c.Expires, err = seconds(d.Expires); err != nil {
		return nil, fmt.Errorf("seal: deletion: %w", err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("seal: deletion: %w", err)
	}
	return sign1(rand.Reader, owner, typeDeletion, c)
}

// OpenDeletion checks that b is a deletion by an owner of r's household. The
// caller compares Keeper with its own id, now with Expires, and Counter with the
// last one of Issuer; the same bytes again are answered as before. The camera need
// not be in the roster: what a removed camera left can be deleted too. The error is
// a *Refusal.
func OpenDeletion(r *Roster, b []byte) (*Deletion, error) {
	var c deletionClaims
	e, err := open1(b, typeDeletion, "deletion", MaxCommand, &c)
	if err != nil {
		return nil, err
	}
	who, err := r.signedBy(e, c.Issuer, "deletion")
	if err != nil {
		return nil, err
	}
	if c.Household != string(r.Household) {
		return nil, refuse(NotForYou, "deletion for household %s, not %s", c.Household, r.Household)
	}
	if !who.owner {
		return nil, refuse(Revoked, "deletion by %q, who is no owner", who.name)
	}
	return &Deletion{
		Household: r.Household, Keeper: KeyID(c.Audience), Camera: CameraID(c.Camera), From: c.From, To: c.To,
		Counter: c.Counter, Issued: fromSeconds(c.Issued), Expires: fromSeconds(c.Expires),
		Issuer: KeyID(c.Issuer), Hash: sha256.Sum256(b),
	}, nil
}

func (c *deletionClaims) check() error {
	if err := checkIDs(c.Issuer, c.Audience, c.Household); err != nil {
		return err
	}
	if c.Counter == 0 || c.Counter > MaxSeq || c.From > c.To || c.To > MaxSeq || c.From == 0 && c.To != 0 {
		return errors.New("counter or range out of range")
	}
	if c.Issued == 0 || c.Expires <= c.Issued || c.Expires > maxSeconds {
		return errors.New("must say when it was issued and when it expires")
	}
	if c.Camera == "" {
		if c.From != 0 {
			return errors.New("a range of no camera")
		}
		return nil
	}
	return checkIDs(c.Camera)
}

// Deleted is a keeper's answer to a Deletion: it has done it, for good.
type Deleted struct {
	Household HouseholdID
	Deletion  [32]byte // Deletion.Hash
	Messages  uint64   // that were deleted
	Bytes     uint64   // of them
	Issued    time.Time

	// Filled by OpenDeleted.

	Keeper KeyID  // who signed
	Name   string // its name in the roster
}

type deletedClaims struct {
	Issuer   string `cbor:"1,keyasint"` // key id of the keeper
	Audience string `cbor:"3,keyasint"` // household id
	Issued   uint64 `cbor:"6,keyasint"`
	Version  uint64 `cbor:"-65537,keyasint"`
	Deletion []byte `cbor:"-65565,keyasint"`
	Messages uint64 `cbor:"-65566,keyasint,omitempty"`
	Bytes    uint64 `cbor:"-65567,keyasint,omitempty"`
}

// SignDeleted signs d with the keeper's key.
func SignDeleted(keeper crypto.Signer, d Deleted) ([]byte, error) {
	id, err := KeyIDOf(keeper.Public())
	if err != nil {
		return nil, err
	}
	c := deletedClaims{
		Issuer: string(id), Audience: string(d.Household), Version: Version,
		Deletion: d.Deletion[:], Messages: d.Messages, Bytes: d.Bytes,
	}
	if c.Issued, err = seconds(d.Issued); err != nil {
		return nil, fmt.Errorf("seal: deleted: %w", err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("seal: deleted: %w", err)
	}
	return sign1(rand.Reader, keeper, typeDeleted, c)
}

// OpenDeleted checks that b is an answer by a keeper of r's household. The caller
// compares Deletion with the hash of what it sent, and Keeper with whom it sent it
// to. The error is a *Refusal.
func OpenDeleted(r *Roster, b []byte) (*Deleted, error) {
	var c deletedClaims
	e, err := open1(b, typeDeleted, "answer to a deletion", MaxCommand, &c)
	if err != nil {
		return nil, err
	}
	who, err := r.signedBy(e, c.Issuer, "answer to a deletion")
	if err != nil {
		return nil, err
	}
	if c.Audience != string(r.Household) {
		return nil, refuse(NotForYou, "answer to household %s, not %s", c.Audience, r.Household)
	}
	if !who.keeper {
		return nil, refuse(Revoked, "answer to a deletion by %s, who is no keeper", c.Issuer)
	}
	return &Deleted{
		Household: r.Household, Deletion: [32]byte(c.Deletion), Messages: c.Messages, Bytes: c.Bytes,
		Issued: fromSeconds(c.Issued), Keeper: KeyID(c.Issuer), Name: who.name,
	}, nil
}

func (c *deletedClaims) check() error {
	if err := checkIDs(c.Issuer, c.Audience); err != nil {
		return err
	}
	if c.Issued == 0 || c.Issued > maxSeconds || len(c.Deletion) != 32 || c.Messages > MaxSeq || c.Bytes > MaxSeq {
		return errors.New("time, hash or number out of range")
	}
	return nil
}
