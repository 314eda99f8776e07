package seal_test

import (
	"crypto/ecdsa"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"github.com/sealcam/sealcam/uplink/seal"
	"github.com/sealcam/sealcam/uplink/seal/sealtest"
)

// The people of a site: the laptop may watch, the operator may command and add, and
// the keeper keeps.
func (c *cast) keeper() *ecdsa.PrivateKey   { return key(c.t, "keeper") }
func (c *cast) operator() *ecdsa.PrivateKey { return signer(viewer(c.t, "operator")) }
func (c *cast) watcher() *ecdsa.PrivateKey  { return signer(c.laptop) }

func signer(k *seal.ViewerKey) *ecdsa.PrivateKey { return k.Signer().(*ecdsa.PrivateKey) }

// site makes r the roster of the home as a site.
func (c *cast) site(r *seal.Roster) {
	spki, err := seal.MarshalPublicKey(c.keeper().Public())
	ok(c.t, err)
	r.Keepers = []seal.Keeper{{Name: "cellar", Key: spki, URL: "https://cellar.example:8443"}}
	watcher, operator := named(c.laptop, "watcher"), named(viewer(c.t, "operator"), "operator")
	watcher.Roles, operator.Roles = seal.MayWatch, seal.MayCommand|seal.MayAdd
	r.Viewers = append(r.Viewers, watcher, operator)
	for i := range r.Cameras {
		if r.Cameras[i].ID == id(c.t, c.door) {
			r.Cameras[i].Groups = []string{"east", "gates"}
		}
	}
}

// addition is of the spare camera.
func (c *cast) addition(by *ecdsa.PrivateKey, change func(a *seal.Addition)) []byte {
	a := seal.Addition{Household: c.home, Roster: 3, Camera: seal.RosterCamera{ID: id(c.t, c.spare), Name: "Shed", Groups: []string{"east"}}, Issued: c.now}
	if change != nil {
		change(&a)
	}
	b, err := seal.SignAddition(by, a)
	ok(c.t, err)
	return b
}

// extended is a roster with additions, as anybody could put them together.
func extended(c *cast, roster []byte, additions ...[]byte) []byte {
	b, err := cbor.Marshal([]any{"sealcam roster", 1, roster, additions})
	ok(c.t, err)
	return b
}

// siteCases are rosters with keepers, roles, groups and additions.
func siteCases() []vcase {
	roster := func(change func(c *cast, r *seal.Roster)) filler {
		return func(c *cast, v *sealtest.Vector) {
			v.Op, v.Viewer, v.Camera = "roster", nil, ""
			v.Body = c.signRoster(c.owner, func(r *seal.Roster) {
				r.Version = 4
				c.site(r)
				change(c, r)
			})
		}
	}
	bad := func(name, comment string, change func(c *cast, m seal.Map)) vcase {
		return vcase{"site-" + name, "malformed", comment, roster(func(*cast, *seal.Roster) {}).more(func(c *cast, v *sealtest.Vector) {
			e := seal.Envelope{Key: c.owner, Type: seal.TypeRoster, Claims: func(m seal.Map) { change(c, m) }}
			v.Body = e.Sign(c.t, rawClaims(c.t, v.Body))
		})}
	}
	entry := func(m seal.Map, claim int64, n int) map[any]any { return m[claim].([]any)[n].(map[any]any) }
	return slices.Concat([]vcase{
		{"site", "verified", "keepers, roles and groups", roster(func(*cast, *seal.Roster) {})},
		{"site-prev", "verified", "the hash of the roster before", roster(func(c *cast, r *seal.Roster) { r.Prev = [32]byte(hash("before")) })},
		bad("prev-short", "a hash of 31 bytes", func(c *cast, m seal.Map) { m[int64(-65562)] = make([]byte, 31) }),
		bad("roles-usual", "the usual roles, which are said by saying nothing", func(c *cast, m seal.Map) { entry(m, -65546, 1)[uint64(4)] = 3 }),
		bad("roles-0", "no role", func(c *cast, m seal.Map) { entry(m, -65546, 1)[uint64(4)] = 0 }),
		bad("roles-8", "a role that this version does not know", func(c *cast, m seal.Map) { entry(m, -65546, 1)[uint64(4)] = 8 }),
		bad("roles-no-key", "a viewer that may add, and has no key", func(c *cast, m seal.Map) { delete(entry(m, -65546, 2), uint64(3)) }),
		bad("keeper-no-name", "a keeper without a name", func(c *cast, m seal.Map) { delete(entry(m, -65561, 0), uint64(1)) }),
		bad("keeper-twice", "a keeper twice", func(c *cast, m seal.Map) {
			l := m[int64(-65561)].([]any)
			m[int64(-65561)] = []any{l[0], l[0]}
		}),
		bad("keeper-viewer", "a keeper with a viewer's key", func(c *cast, m seal.Map) { entry(m, -65561, 0)[uint64(2)] = entry(m, -65546, 0)[uint64(3)] }),
		bad("keeper-http", "a keeper without TLS", func(c *cast, m seal.Map) { entry(m, -65561, 0)[uint64(3)] = "http://cellar.example" }),
		bad("keeper-path", "a URL with a path", func(c *cast, m seal.Map) { entry(m, -65561, 0)[uint64(3)] = "https://cellar.example/a" }),
		bad("group-words", "a group that is no token", func(c *cast, m seal.Map) { groups(c, m, "East wing") }),
		bad("groups-unsorted", "groups in falling order", func(c *cast, m seal.Map) { groups(c, m, "gates", "east") }),
		bad("group-twice", "a group twice", func(c *cast, m seal.Map) { groups(c, m, "east", "east") }),
	}, additionCases())
}

// groups changes those of the front door.
func groups(c *cast, m seal.Map, all ...string) {
	for _, v := range m[int64(-65545)].([]any) {
		if camera := v.(map[any]any); camera[uint64(1)] == string(id(c.t, c.door)) {
			camera[uint64(4)] = all
		}
	}
}

func additionCases() []vcase {
	with := func(additions func(c *cast) [][]byte) filler {
		return func(c *cast, v *sealtest.Vector) {
			v.Op, v.Viewer, v.Camera = "roster", nil, ""
			v.Roster = c.signRoster(c.owner, c.site)
			v.Body = extended(c, v.Roster, additions(c)...)
		}
	}
	one := func(by func(c *cast) *ecdsa.PrivateKey, change func(c *cast, a *seal.Addition)) filler {
		return with(func(c *cast) [][]byte {
			return [][]byte{c.addition(by(c), func(a *seal.Addition) {
				if change != nil {
					change(c, a)
				}
			})}
		})
	}
	forged := func(change func(c *cast, e *seal.Envelope)) filler {
		return with(func(c *cast) [][]byte {
			e := seal.Envelope{Key: c.operator(), Type: seal.TypeAddition}
			change(c, &e)
			return [][]byte{e.Sign(c.t, rawClaims(c.t, c.addition(c.operator(), nil)))}
		})
	}
	two := func(c *cast) [][]byte {
		b := [][]byte{c.addition(c.operator(), nil), c.addition(c.operator(), func(a *seal.Addition) { a.Camera.ID = id(c.t, c.foreign) })}
		if id(c.t, c.foreign) < id(c.t, c.spare) {
			slices.Reverse(b)
		}
		return b
	}
	parts := func(change func(p []any)) filler {
		return with(two).more(func(c *cast, v *sealtest.Vector) {
			var p []any
			ok(c.t, cbor.Unmarshal(v.Body, &p))
			change(p)
			b, err := cbor.Marshal(p)
			ok(c.t, err)
			v.Body = b
		})
	}
	operator := (*cast).operator
	return []vcase{
		{"addition", "verified", "an operator adds a camera", one(operator, nil)},
		{"addition-two", "verified", "two cameras, with a roster that comes with them", with(two).with(func(v *sealtest.Vector) { v.Roster = nil })},
		{"addition-again", "replayed", "the same roster with the same addition", one(operator, nil).with(func(v *sealtest.Vector) { v.Roster = v.Body }).flags("duplicate")},
		{"addition-fewer", "replayed", "the same roster with one of the two additions", with(two).more(func(c *cast, v *sealtest.Vector) {
			v.Roster, v.Body = v.Body, extended(c, v.Roster, two(c)[0])
		}).flags("duplicate")},
		{"addition-watcher", "revoked", "by a viewer that may not add", one((*cast).watcher, nil)},
		{"addition-owner", "revoked", "by the owner, who makes a roster instead", one(func(c *cast) *ecdsa.PrivateKey { return c.owner }, nil)},
		{"addition-keeper", "revoked", "by a keeper", one((*cast).keeper, nil)},
		{"addition-thief", "revoked", "by somebody who is no viewer", one(func(c *cast) *ecdsa.PrivateKey { return signer(c.thief) }, nil)},
		{"addition-revoked", "revoked", "of a camera that the owner has revoked", one(operator, func(c *cast, a *seal.Addition) { a.Camera.ID = id(c.t, c.sold) })},
		{"addition-listed", "malformed", "of a camera that the owner lists", one(operator, func(c *cast, a *seal.Addition) { a.Camera.ID = id(c.t, c.garden) })},
		{"addition-older", "replayed", "to the roster before", one(operator, func(c *cast, a *seal.Addition) { a.Roster = 2 })},
		{"addition-household", "not for you", "to another household", one(operator, func(c *cast, a *seal.Addition) { a.Household = c.elsewhere })},
		{"addition-signature", "broken seal", "signed by somebody else", forged(func(c *cast, e *seal.Envelope) { e.Signer = c.stranger })},
		{"addition-kid", "broken seal", "the header names another key", forged(func(c *cast, e *seal.Envelope) { e.Protected = set(4, hash("another")) })},
		{"addition-type", "malformed", "signed as a command", forged(func(c *cast, e *seal.Envelope) { e.Type = seal.TypeCommand })},
		{"addition-since", "malformed", "a camera with a time of its own", forged(func(c *cast, e *seal.Envelope) {
			e.Claims = func(m seal.Map) { m[int64(-65570)].(map[any]any)[uint64(3)] = 5 }
		})},
		{"addition-no-time", "malformed", "without a time", forged(func(c *cast, e *seal.Envelope) { e.Claims = set(6, nil) })},
		{"addition-unsorted", "malformed", "additions in falling order", parts(func(p []any) { slices.Reverse(p[3].([]any)) })},
		{"addition-twice", "malformed", "an addition twice", parts(func(p []any) { p[3] = []any{p[3].([]any)[0], p[3].([]any)[0]} })},
		{"addition-none", "malformed", "a list of no additions", parts(func(p []any) { p[3] = []any{} })},
		{"addition-kind", "malformed", "something else of this form", parts(func(p []any) { p[0] = "sealcam rooster" })},
		{"addition-version", "malformed", "of a later version", parts(func(p []any) { p[1] = 2 })},
		{"addition-trailing", "malformed", "a byte after the end", one(operator, nil).with(func(v *sealtest.Vector) { v.Body = append(v.Body, 0) })},
	}
}
