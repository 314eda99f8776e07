package seal

import (
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

const (
	// PassLife is how long a pass is valid at most.
	PassLife = 10 * time.Minute
	// PassSkew is how far ahead of the keeper's a viewer's clock may be.
	PassSkew = 2 * time.Minute
)

// Pass lets who shows it read the lists of one household at one keeper. It is not
// bound to a connection, so that it works through proxies: whoever sees it may use
// it until it expires, and gets sealed bytes.
type Pass struct {
	Household HouseholdID
	Keeper    KeyID     // whom it is shown to; a keeper refuses those of others
	Issued    time.Time // whole seconds
	Expires   time.Time // whole seconds, at most PassLife after Issued

	// Filled by OpenPass.

	Issuer KeyID
	Name   string // of the viewer in the roster; "" for an owner
	Owner  bool   // an owner signed
}

type passClaims struct {
	Issuer    string `cbor:"1,keyasint"` // key id
	Audience  string `cbor:"3,keyasint"` // key id of the keeper
	Expires   uint64 `cbor:"4,keyasint"`
	Issued    uint64 `cbor:"6,keyasint"`
	Version   uint64 `cbor:"-65537,keyasint"`
	Household string `cbor:"-65563,keyasint"`
}

// SignPass signs p with the key of a viewer that may watch, or of an owner.
func SignPass(key crypto.Signer, p Pass) ([]byte, error) {
	id, err := KeyIDOf(key.Public())
	if err != nil {
		return nil, err
	}
	c := passClaims{Issuer: string(id), Audience: string(p.Keeper), Version: Version, Household: string(p.Household)}
	if c.Issued, err = seconds(p.Issued); err != nil {
		return nil, fmt.Errorf("seal: pass: %w", err)
	}
	if c.Expires, err = seconds(p.Expires); err != nil {
		return nil, fmt.Errorf("seal: pass: %w", err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("seal: pass: %w", err)
	}
	return sign1(rand.Reader, key, typePass, c)
}

// OpenPass checks that b is a pass of r's household, by somebody who may watch
// there, and that it holds at now. Whether it is for this keeper is the caller's to
// compare: Keeper must be its own id. The error is a *Refusal.
func OpenPass(r *Roster, now time.Time, b []byte) (*Pass, error) {
	var c passClaims
	e, err := open1(b, typePass, "pass", MaxPass, &c)
	if err != nil {
		return nil, err
	}
	who, err := r.signedBy(e, c.Issuer, "pass")
	if err != nil {
		return nil, err
	}
	if c.Household != string(r.Household) {
		return nil, refuse(NotForYou, "pass for household %s, not %s", c.Household, r.Household)
	}
	if !who.may(MayWatch) {
		return nil, refuse(Revoked, "pass by %q, who may not watch", who.name)
	}
	p := &Pass{
		Household: r.Household, Keeper: KeyID(c.Audience), Issued: fromSeconds(c.Issued), Expires: fromSeconds(c.Expires),
		Issuer: KeyID(c.Issuer), Name: who.name, Owner: who.owner,
	}
	if !now.Before(p.Expires) || p.Issued.Sub(now) > PassSkew {
		return nil, refuse(Stale, "pass from %s to %s, now is %s", stamp(p.Issued), stamp(p.Expires), stamp(now))
	}
	return p, nil
}

func (c *passClaims) check() error {
	if err := checkIDs(c.Issuer, c.Audience, c.Household); err != nil {
		return err
	}
	if c.Issued == 0 || c.Expires <= c.Issued || c.Expires > maxSeconds || c.Expires-c.Issued > uint64(PassLife/time.Second) {
		return errors.New("must say when it was issued and when it expires, at most ten minutes later")
	}
	return nil
}
