package seal_test

import (
	"crypto/ecdsa"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/sealcam/sealcam/uplink/seal"
	"github.com/sealcam/sealcam/uplink/seal/sealtest"
)

// rosterCases hand a roster to somebody who has version 3, or none.
func rosterCases() []vcase {
	return slices.Concat(rosterTrust(), rosterForm())
}

func rosterTrust() []vcase {
	roster := func(pinned bool, by func(c *cast) *ecdsa.PrivateKey, change func(c *cast, r *seal.Roster)) filler {
		return func(c *cast, v *sealtest.Vector) {
			v.Op, v.Viewer, v.Camera = "roster", nil, ""
			v.Body = c.signRoster(by(c), func(r *seal.Roster) {
				r.Version = 4
				change(c, r)
			})
			if !pinned {
				v.Roster = nil
			}
		}
	}
	owner := func(c *cast) *ecdsa.PrivateKey { return c.owner }
	recovery := func(c *cast) *ecdsa.PrivateKey { return c.recovery }
	same := func(*cast, *seal.Roster) {}
	return []vcase{
		{"roster-first", "verified", "a first roster", roster(false, owner, same)},
		{"roster-next", "verified", "a roster that follows", roster(true, owner, same)},
		{"roster-skips", "verified", "a roster that skips versions", roster(true, owner, func(c *cast, r *seal.Roster) { r.Version = 99 })},
		{"roster-empty", "verified", "a household without cameras and viewers", roster(true, owner, func(c *cast, r *seal.Roster) {
			r.Cameras, r.Viewers, r.Revoked = nil, nil, nil
		})},
		{"roster-same", "replayed", "the pinned roster again", filler(func(c *cast, v *sealtest.Vector) {
			v.Op, v.Viewer, v.Camera, v.Body = "roster", nil, "", v.Roster
		}).flags("duplicate")},
		{"roster-lower", "replayed", "an older roster", roster(true, owner, func(c *cast, r *seal.Roster) { r.Version = 2 })},
		{"roster-fork", "broken seal", "another roster of the same version", roster(true, owner, func(c *cast, r *seal.Roster) {
			r.Version, r.Revoked = 3, nil
		}).flags("alarm")},
		{"roster-household", "not for you", "a genuine roster of another household", roster(true, func(c *cast) *ecdsa.PrivateKey { return c.stranger }, same)},
		{"roster-granted", "verified", "signed by a second owner key", roster(true, recovery, func(c *cast, r *seal.Roster) { r.Owner, r.Grants = c.granted() })},
		{"roster-granted-chain", "verified", "signed by a third owner key that the second granted", roster(true, func(c *cast) *ecdsa.PrivateKey { return c.spare }, func(c *cast, r *seal.Roster) {
			r.Owner, r.Grants = c.granted()
			r.Grants = append(r.Grants, c.grant(c.recovery, c.spare, c.home))
		})},
		{"roster-rotated", "verified", "the second owner key withdraws the founding one", roster(true, recovery, func(c *cast, r *seal.Roster) {
			r.Owner, r.Grants = c.granted()
			r.Withdrawn = []seal.KeyID{seal.KeyID(c.home)}
		})},
		{"roster-withdrawn-earlier", "revoked", "signed by an owner key that the pinned roster withdrew", func(c *cast, v *sealtest.Vector) {
			v.Op, v.Viewer, v.Camera = "roster", nil, ""
			v.Roster = c.signRoster(c.recovery, func(r *seal.Roster) {
				r.Owner, r.Grants = c.granted()
				r.Withdrawn = []seal.KeyID{seal.KeyID(c.home)}
			})
			v.Body = c.signRoster(c.owner, func(r *seal.Roster) { r.Version = 5 })
		}},
	}
}

// granted returns the founding key, and the grant of the recovery key.
func (c *cast) granted() (owner []byte, grants [][]byte) {
	owner, err := seal.MarshalPublicKey(c.owner.Public())
	ok(c.t, err)
	return owner, [][]byte{c.grant(c.owner, c.recovery, c.home)}
}

func (c *cast) grant(by, to *ecdsa.PrivateKey, h seal.HouseholdID) []byte {
	spki, err := seal.MarshalPublicKey(to.Public())
	ok(c.t, err)
	g, err := seal.SignGrant(by, h, spki)
	ok(c.t, err)
	return g
}

// rosterForm takes an honest version 4 apart and signs what it has become.
func rosterForm() []vcase {
	forged := func(change func(c *cast, m seal.Map), adorn func(c *cast, e *seal.Envelope)) filler {
		return func(c *cast, v *sealtest.Vector) {
			v.Op, v.Viewer, v.Camera = "roster", nil, ""
			honest := c.signRoster(c.owner, func(r *seal.Roster) { r.Version = 4 })
			e := seal.Envelope{Key: c.owner, Type: seal.TypeRoster, Claims: func(m seal.Map) { change(c, m) }}
			if adorn != nil {
				adorn(c, &e)
			}
			v.Body = e.Sign(c.t, rawClaims(c.t, honest))
		}
	}
	bad := func(name, comment string, change func(c *cast, m seal.Map)) vcase {
		return vcase{"roster-" + name, "malformed", comment, forged(change, nil)}
	}
	broken := func(name, comment string, change func(c *cast, m seal.Map), adorn func(c *cast, e *seal.Envelope)) vcase {
		return vcase{"roster-" + name, "broken seal", comment, forged(change, adorn)}
	}
	same := func(*cast, seal.Map) {}
	byRecovery := func(c *cast, e *seal.Envelope) { e.Key = c.recovery }
	grants := func(grant func(c *cast) []byte) func(c *cast, m seal.Map) {
		return func(c *cast, m seal.Map) {
			m[int64(1)] = string(id(c.t, c.recovery))
			m[int64(-65548)] = [][]byte{grant(c)}
		}
	}
	return []vcase{
		bad("unknown-claim", "a claim that this version does not know", func(c *cast, m seal.Map) { m[int64(-65560)] = 1 }),
		bad("version-2", "a later format version", func(c *cast, m seal.Map) { m[int64(-65537)] = 2 }),
		bad("zero", "roster version 0", func(c *cast, m seal.Map) { m[int64(-65538)] = 0 }),
		bad("cameras-unsorted", "cameras in falling order", func(c *cast, m seal.Map) { slices.Reverse(m[int64(-65545)].([]any)) }),
		bad("camera-twice", "a camera twice", func(c *cast, m seal.Map) {
			l := m[int64(-65545)].([]any)
			m[int64(-65545)] = []any{l[0], l[0]}
		}),
		bad("camera-revoked", "a camera that is listed and revoked", func(c *cast, m seal.Map) { m[int64(-65547)] = []any{string(id(c.t, c.door))} }),
		bad("name-direction", "a camera's name that turns the direction of text", func(c *cast, m seal.Map) {
			m[int64(-65545)].([]any)[0].(map[any]any)[uint64(2)] = "\u202eroodraeR"
		}),
		bad("name-long", "a camera's name of 65 bytes", func(c *cast, m seal.Map) {
			m[int64(-65545)].([]any)[0].(map[any]any)[uint64(2)] = strings.Repeat("x", 65)
		}),
		bad("viewer-twice", "a viewer twice", func(c *cast, m seal.Map) {
			l := m[int64(-65546)].([]any)
			m[int64(-65546)] = []any{l[0], l[0]}
		}),
		bad("viewer-same-name", "two viewers of one name", func(c *cast, m seal.Map) {
			first := m[int64(-65546)].([]any)[0].(map[any]any)
			m[int64(-65546)] = []any{first, map[any]any{1: first[uint64(1)], 2: c.laptop.Public().Recipient}}
		}),
		bad("viewer-same-recipient", "two viewers with one recipient", func(c *cast, m seal.Map) {
			first := m[int64(-65546)].([]any)[0].(map[any]any)
			m[int64(-65546)] = []any{first, map[any]any{1: "another", 2: first[uint64(2)]}}
		}),
		bad("viewer-same-key", "two viewers with one key", func(c *cast, m seal.Map) {
			first := m[int64(-65546)].([]any)[0].(map[any]any)
			m[int64(-65546)] = []any{first, map[any]any{1: "another", 2: c.laptop.Public().Recipient, 3: first[uint64(3)]}}
		}),
		bad("viewer-x25519", "a viewer whose recipient a quantum computer can open", func(c *cast, m seal.Map) {
			k, err := age.GenerateX25519Identity()
			ok(c.t, err)
			m[int64(-65546)].([]any)[0].(map[any]any)[uint64(2)] = k.Recipient().String()
		}),
		bad("viewer-upper-case", "a viewer's recipient in capitals", func(c *cast, m seal.Map) {
			v := m[int64(-65546)].([]any)[0].(map[any]any)
			v[uint64(2)] = strings.ToUpper(v[uint64(2)].(string))
		}),
		bad("viewer-owner-key", "a viewer with the owner's key", func(c *cast, m seal.Map) {
			m[int64(-65546)].([]any)[0].(map[any]any)[uint64(3)] = m[int64(8)].(map[any]any)[uint64(1)]
		}),
		bad("65-viewers", "65 viewers", func(c *cast, m seal.Map) {
			first := m[int64(-65546)].([]any)[0].(map[any]any)
			var l []any
			for i := range 65 {
				l = append(l, map[any]any{1: fmt.Sprint(i), 2: first[uint64(2)]})
			}
			m[int64(-65546)] = l
		}),
		broken("stranger", "signed by a stranger in the owner's name", same, func(c *cast, e *seal.Envelope) { e.Signer = c.stranger }),
		broken("founder", "a stranger's founding key under this household's id", func(c *cast, m seal.Map) {
			x, y := coordinates(c.t, c.stranger)
			m[int64(8)] = map[int]any{1: map[int]any{1: 2, -1: 1, -2: x, -3: y}}
		}, func(c *cast, e *seal.Envelope) { e.Signer = c.stranger }),
		broken("ungranted", "signed by a key that nobody granted", func(c *cast, m seal.Map) {
			m[int64(1)] = string(id(c.t, c.recovery))
		}, func(c *cast, e *seal.Envelope) { e.Key = c.recovery }),
		broken("viewer-signs", "signed by a viewer", func(c *cast, m seal.Map) { m[int64(1)] = string(c.phone.ID()) }, func(c *cast, e *seal.Envelope) {
			e.Key = c.phone.Signer().(*ecdsa.PrivateKey)
		}),
		broken("grant-stranger", "a grant by a stranger", func(c *cast, m seal.Map) {
			m[int64(1)] = string(id(c.t, c.recovery))
			m[int64(-65548)] = [][]byte{c.grant(c.stranger, c.recovery, c.home)}
		}, func(c *cast, e *seal.Envelope) { e.Key = c.recovery }),
		broken("grant-household", "a grant for another household", func(c *cast, m seal.Map) {
			m[int64(1)] = string(id(c.t, c.recovery))
			m[int64(-65548)] = [][]byte{c.grant(c.owner, c.recovery, c.elsewhere)}
		}, func(c *cast, e *seal.Envelope) { e.Key = c.recovery }),
		broken("kid", "the header names another key than the claims", same, func(c *cast, e *seal.Envelope) { e.Protected = set(4, hash("another")) }),
		broken("grant-signature", "a grant in the owner's name, signed by a stranger", grants(func(c *cast) []byte {
			return seal.Envelope{Key: c.owner, Signer: c.stranger, Type: seal.TypeGrant}.Sign(c.t, rawClaims(c.t, c.grant(c.owner, c.recovery, c.home)))
		}), byRecovery),
		broken("grant-kid", "a grant whose header names another key than its claims", grants(func(c *cast) []byte {
			return seal.Envelope{Key: c.owner, Type: seal.TypeGrant, Protected: set(4, hash("another"))}.Sign(c.t, rawClaims(c.t, c.grant(c.owner, c.recovery, c.home)))
		}), byRecovery),
		broken("grant-later", "a grant by a key that only a later grant names", func(c *cast, m seal.Map) {
			m[int64(1)] = string(id(c.t, c.recovery))
			m[int64(-65548)] = [][]byte{c.grant(c.recovery, c.spare, c.home), c.grant(c.owner, c.recovery, c.home)}
		}, byRecovery),
		{"roster-grant-twice", "malformed", "one key granted twice", forged(func(c *cast, m seal.Map) {
			g := c.grant(c.owner, c.recovery, c.home)
			m[int64(-65548)] = [][]byte{g, g}
		}, nil)},
		{"roster-grant-form", "malformed", "a grant that is signed as a command", forged(grants(func(c *cast) []byte {
			return seal.Envelope{Key: c.owner, Type: seal.TypeCommand}.Sign(c.t, rawClaims(c.t, c.grant(c.owner, c.recovery, c.home)))
		}), byRecovery)},
		broken("high-s", "the other signature that anybody can make", same, func(c *cast, e *seal.Envelope) { e.HighS = true }),
		{"roster-type", "malformed", "signed as a grant", forged(same, func(c *cast, e *seal.Envelope) { e.Type = seal.TypeGrant })},
		{"roster-self-withdrawn", "revoked", "signed by a key that it withdraws", forged(func(c *cast, m seal.Map) { m[int64(-65549)] = []any{string(c.home)} }, nil)},
	}
}
