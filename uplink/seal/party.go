package seal

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
)

// Keeper is a service that a household lets keep what its cameras seal. It opens
// nothing: it may say what has arrived, and ask a camera for what is missing.
type Keeper struct {
	Name string // the household's own label
	Key  []byte // P-256, SubjectPublicKeyInfo: signs receipts, requests and answers
	URL  string // https://host[:port], where viewers read; "" for none
}

// ID returns the id of the keeper's key, or "" if that is none.
func (k Keeper) ID() KeyID {
	pub, err := ParsePublicKey(k.Key)
	if err != nil {
		return ""
	}
	id, _ := KeyIDOf(pub)
	return id
}

// Keeper returns the keeper with the key of that id.
func (r *Roster) Keeper(id KeyID) (Keeper, bool) {
	for _, k := range r.Keepers {
		if id != "" && k.ID() == id {
			return k, true
		}
	}
	return Keeper{}, false
}

type keeperClaims struct {
	Name string  `cbor:"1,keyasint"`
	Key  coseKey `cbor:"2,keyasint"`
	URL  string  `cbor:"3,keyasint,omitempty"`
}

// keepers is called after the viewers: nobody is a viewer and a keeper with one key.
func (c *rosterClaims) addKeepers(r *Roster) error {
	if len(c.Keepers) > MaxKeepers {
		return errRosterBounds
	}
	names, keys := map[string]bool{}, map[KeyID]bool{KeyID(c.Audience): true}
	for _, v := range r.Viewers {
		if v.Key != nil {
			keys[KeyID(formatID(sha256.Sum256(v.Key)))] = true
		}
	}
	for _, k := range c.Keepers {
		if err := checkName(k.Name); err != nil {
			return err
		}
		_, spki, err := k.Key.parse()
		if err != nil {
			return err
		}
		id := KeyID(formatID(sha256.Sum256(spki)))
		if k.Name == "" || names[k.Name] || keys[id] {
			return errors.New("a keeper without a name, or with the name or key of somebody else")
		}
		if err := checkKeeperURL(k.URL); err != nil {
			return err
		}
		names[k.Name], keys[id] = true, true
		r.Keepers = append(r.Keepers, Keeper{k.Name, spki, k.URL})
	}
	return nil
}

// checkKeeperURL looks at the form that every program can rely on. Whether a host
// can be reached there is for who tries it to find out.
func checkKeeperURL(s string) error {
	if s == "" {
		return nil
	}
	host, ok := strings.CutPrefix(s, "https://")
	if !ok || host == "" || len(s) > MaxURL || strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") != "" {
		return errors.New("a keeper's URL is https://host or https://host:port")
	}
	return nil
}

// party is who somebody is by the word of a roster.
type party struct {
	key    *ecdsa.PublicKey
	name   string
	owner  bool
	keeper bool
	viewer Viewer
}

// may reports whether p is an owner or a viewer with these roles.
func (p *party) may(roles Roles) bool {
	return p.owner || !p.keeper && p.viewer.May(roles)
}

// party returns who signs with the key of that id, nil for a stranger.
func (r *Roster) party(id KeyID) *party {
	if pub := r.owners[id]; pub != nil && !slices.Contains(r.Withdrawn, id) {
		return &party{key: pub, owner: true}
	}
	if v, ok := r.Viewer(id); ok {
		pub, err := ParsePublicKey(v.Key)
		if err != nil {
			return nil
		}
		return &party{key: pub, name: v.Name, viewer: v}
	}
	if k, ok := r.Keeper(id); ok {
		pub, err := ParsePublicKey(k.Key)
		if err != nil {
			return nil
		}
		return &party{key: pub, name: k.Name, keeper: true}
	}
	return nil
}

// signedBy returns who of r signed e, which says that the key of that id did.
func (r *Roster) signedBy(e *envelope, issuer, what string) (*party, error) {
	if formatID(e.kid) != issuer {
		return nil, refuse(BrokenSeal, "%s: header names another issuer than the claims", what)
	}
	p := r.party(KeyID(issuer))
	if p == nil {
		return nil, refuse(Revoked, "%s by %s, who is nobody in roster %d", what, issuer, r.Version)
	}
	if err := e.verify(p.key); err != nil {
		return nil, refuseErr(BrokenSeal, what, err)
	}
	return p, nil
}

// claims are signed, and can say whether they are in their bounds.
type claims interface{ check() error }

// open1 reads what is signed as typ into c, which points to a zero value: size,
// form, version and bounds, and not yet the signature. The error is a *Refusal.
func open1(b []byte, typ, what string, limit int, c claims) (*envelope, error) {
	if len(b) > limit {
		return nil, refuse(Malformed, "%s of %d bytes, at most %d", what, len(b), limit)
	}
	e, err := parse1(b, typ)
	if err != nil {
		return nil, refuseErr(Malformed, what, err)
	}
	if err := decodeClaims(e.payload, c); err != nil {
		return nil, refuseErr(Malformed, what, err)
	}
	if err := c.check(); err != nil {
		return nil, refuseErr(Malformed, what, err)
	}
	return e, nil
}

// checkIDs says whether all of ids have the form of one.
func checkIDs(ids ...string) error {
	for _, id := range ids {
		if _, err := parseID(id); err != nil {
			return err
		}
	}
	return nil
}
