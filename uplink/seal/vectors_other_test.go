package seal_test

import (
	"crypto/ecdsa"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/sealcam/sealcam/uplink/seal"
	"github.com/sealcam/sealcam/uplink/seal/sealtest"
)

// commandCases hand a command to the front door.
func commandCases() []vcase {
	command := func(by func(c *cast) *ecdsa.PrivateKey, change func(c *cast, m *seal.Command)) filler {
		return func(c *cast, v *sealtest.Vector) {
			v.Op, v.Viewer = "command", nil
			v.Body = c.command(by(c), change)
		}
	}
	phone := func(c *cast) *ecdsa.PrivateKey { return c.phone.Signer().(*ecdsa.PrivateKey) }
	forged := func(change func(c *cast, e *seal.Envelope)) filler {
		return command(phone, nil).more(func(c *cast, v *sealtest.Vector) {
			e := seal.Envelope{Key: phone(c), Type: seal.TypeCommand}
			change(c, &e)
			v.Body = e.Sign(c.t, rawClaims(c.t, v.Body))
		})
	}
	claim := func(n int64, value any) filler {
		return forged(func(c *cast, e *seal.Envelope) { e.Claims = set(n, value) })
	}
	before := func(f filler, counter uint64) filler {
		return f.more(func(c *cast, v *sealtest.Vector) {
			v.Before = [][]byte{c.command(phone(c), func(c *cast, m *seal.Command) { m.Counter = counter })}
		})
	}
	late := func(verb string) filler {
		return command(phone, func(c *cast, m *seal.Command) { m.Verb, m.Nonce, m.From, m.To = verb, nil, 3, 9 }).
			with(func(v *sealtest.Vector) { v.Now = v.Now.Add(300 * 24 * time.Hour) })
	}
	return []vcase{
		{"command-viewer", "verified", "a viewer asks", command(phone, nil)},
		{"command-owner", "verified", "the owner asks", command(func(c *cast) *ecdsa.PrivateKey { return c.owner }, nil)},
		{"command-next", "verified", "the next command of a viewer", before(command(phone, nil), 99)},
		{"command-others-count", "verified", "issuers are counted apart", before(command(func(c *cast) *ecdsa.PrivateKey { return c.owner }, nil), 101)},
		{"command-receipt", "verified", "a receipt with gaps", command(phone, func(c *cast, m *seal.Command) {
			m.Verb, m.Nonce, m.From, m.To, m.Gaps = seal.VerbReceipt, nil, 1, 100, []seal.Range{{First: 1, Last: 3}, {First: 50, Last: 100}}
		})},
		{"command-no-clock", "verified", "expired, but the camera has no clock", command(phone, nil).with(func(v *sealtest.Vector) { v.Now = time.Time{} })},
		{"command-expired", "stale", "expired", command(phone, nil).with(func(v *sealtest.Vector) { v.Now = v.Now.Add(time.Hour) })},
		{"command-resend-late", "verified", "what is missing is missed, whatever the camera's clock says", late(seal.VerbResend)},
		{"command-receipt-late", "verified", "what has arrived stays so, whatever the camera's clock says", late(seal.VerbReceipt)},
		{"command-watch-late", "stale", "who watched an hour ago", command(phone, func(c *cast, m *seal.Command) { m.Verb = seal.VerbWatch }).with(func(v *sealtest.Vector) { v.Now = v.Now.Add(time.Hour) })},
		{"command-retained", "replayed", "kept by the broker", command(phone, nil).with(func(v *sealtest.Vector) { v.Retained = true })},
		{"command-again", "replayed", "the same command twice", command(phone, nil).with(func(v *sealtest.Vector) { v.Before = [][]byte{v.Body} })},
		{"command-lower", "replayed", "an earlier command after a later one", before(command(phone, nil), 101)},
		{"command-camera", "wrong camera", "for the garden camera", command(phone, func(c *cast, m *seal.Command) { m.Camera = id(c.t, c.garden) })},
		{"command-thief", "revoked", "by somebody who is no viewer", command(func(c *cast) *ecdsa.PrivateKey { return c.thief.Signer().(*ecdsa.PrivateKey) }, nil)},
		{"command-withdrawn-owner", "revoked", "by an owner key that the roster withdrew", command(func(c *cast) *ecdsa.PrivateKey { return c.owner }, nil).more(func(c *cast, v *sealtest.Vector) {
			v.Roster = c.signRoster(c.recovery, func(r *seal.Roster) {
				r.Owner, r.Grants = c.granted()
				r.Withdrawn = []seal.KeyID{seal.KeyID(c.home)}
			})
		})},
		{"command-granted-owner", "verified", "by a granted owner key", command(func(c *cast) *ecdsa.PrivateKey { return c.recovery }, nil).more(func(c *cast, v *sealtest.Vector) {
			v.Roster = c.signRoster(c.owner, func(r *seal.Roster) { r.Owner, r.Grants = c.granted() })
		})},
		{"command-by-camera", "revoked", "by the camera itself", command(func(c *cast) *ecdsa.PrivateKey { return c.door }, nil)},
		{"command-signature", "broken seal", "signed by somebody else in a viewer's name", forged(func(c *cast, e *seal.Envelope) { e.Signer = c.stranger })},
		{"command-high-s", "broken seal", "the other signature that anybody can make", forged(func(c *cast, e *seal.Envelope) { e.HighS = true })},
		{"command-kid", "broken seal", "the header names another key than the claims", forged(func(c *cast, e *seal.Envelope) { e.Protected = set(4, hash("another")) })},
		{"command-type", "malformed", "signed as a seal", forged(func(c *cast, e *seal.Envelope) { e.Type = seal.TypeSeal })},
		{"command-unknown-claim", "malformed", "a claim that this version does not know", claim(-65590, 1)},
		{"command-counter-0", "malformed", "counter 0", claim(-65550, 0)},
		{"command-no-expiry", "malformed", "without an expiry", claim(4, nil)},
		{"command-expires-before", "malformed", "expires before it was issued", claim(4, 1)},
		{"command-verb", "malformed", "a verb with a space", claim(-65551, "snap shot")},
		{"command-range", "malformed", "a range that ends before it begins", forged(func(c *cast, e *seal.Envelope) {
			e.Claims = func(m seal.Map) { m[int64(-65553)], m[int64(-65554)] = 5, 4 }
		})},
		{"command-gaps-outside", "malformed", "gaps outside the range", forged(func(c *cast, e *seal.Envelope) {
			e.Claims = func(m seal.Map) {
				m[int64(-65553)], m[int64(-65554)], m[int64(-65555)] = 5, 10, [][]int{{4, 6}}
			}
		})},
		{"command-too-large", "malformed", "more than 4,096 bytes", command(phone, nil).with(func(v *sealtest.Vector) { v.Body = make([]byte, seal.MaxCommand+1) })},
	}
}

// command returns an honest command for the front door, changed by change.
func (c *cast) command(by *ecdsa.PrivateKey, change func(c *cast, m *seal.Command)) []byte {
	m := seal.Command{
		Camera: id(c.t, c.door), Counter: 100, Verb: seal.VerbSnapshot, Nonce: hash("nonce")[:16],
		Issued: c.now, Expires: c.now.Add(time.Minute),
	}
	if change != nil {
		change(c, &m)
	}
	b, err := seal.SignCommand(by, m)
	ok(c.t, err)
	return b
}

// otherCases are hellos and proofs.
func otherCases() []vcase {
	return slices.Concat(helloCases(), proofCases())
}

func helloCases() []vcase {
	honest := func(c *cast) []byte {
		h := seal.Hello{Boot: [16]byte{1}, Model: "Sealcam One", Firmware: "1.0.0", CSR: []byte("stands for a certificate request")}
		ok(c.t, h.Bind(c.door.Public(), hash("secret")))
		b, err := seal.SignHello(c.door, h)
		ok(c.t, err)
		return b
	}
	hello := func(change func(c *cast, e *seal.Envelope)) filler {
		return func(c *cast, v *sealtest.Vector) {
			v.Op, v.Viewer, v.Camera, v.Roster, v.Household, v.Now = "hello", nil, "", nil, "", time.Time{}
			v.Secret, v.Body = hash("secret"), honest(c)
			if change != nil {
				e := seal.Envelope{Key: c.door, Type: seal.TypeHello}
				change(c, &e)
				v.Body = e.Sign(c.t, rawClaims(c.t, v.Body))
			}
		}
	}
	unbound := func(v *sealtest.Vector) { v.Secret = nil }
	return []vcase{
		{"hello", "verified", "a camera that has read our code", hello(nil)},
		{"hello-claimed", "verified", "a camera that has a household", func(c *cast, v *sealtest.Vector) {
			hello(nil)(c, v)
			b, err := seal.SignHello(c.door, seal.Hello{Household: c.home, Roster: 3})
			ok(c.t, err)
			v.Body, v.Secret = b, nil
		}},
		{"hello-other-code", "broken seal", "a camera that has read another code", hello(nil).with(func(v *sealtest.Vector) { v.Secret = hash("another") })},
		{"hello-no-mac", "broken seal", "a camera that has read no code", hello(func(c *cast, e *seal.Envelope) { e.Claims = set(-65559, nil) })},
		{"hello-mac-moved", "broken seal", "a camera with the MAC of another", hello(func(c *cast, e *seal.Envelope) {
			e.Key = c.garden
			x, y := coordinates(c.t, c.garden)
			e.Claims = func(m seal.Map) {
				m[int64(1)] = string(id(c.t, c.garden))
				m[int64(8)] = map[int]any{1: map[int]any{1: 2, -1: 1, -2: x, -3: y}}
			}
		})},
		{"hello-signature", "broken seal", "signed by another camera", hello(func(c *cast, e *seal.Envelope) { e.Signer = c.garden }).with(unbound)},
		{"hello-key", "broken seal", "the key is not that of the id", hello(func(c *cast, e *seal.Envelope) { e.Claims = set(1, string(id(c.t, c.garden))) }).with(unbound)},
		{"hello-kid", "broken seal", "the header names another key", hello(func(c *cast, e *seal.Envelope) { e.Protected = set(4, hash("another")) }).with(unbound)},
		{"hello-type", "malformed", "signed as a seal", hello(func(c *cast, e *seal.Envelope) { e.Type = seal.TypeSeal })},
		{"hello-csr", "malformed", "a certificate request of 4,097 bytes", hello(func(c *cast, e *seal.Envelope) { e.Claims = set(-65558, make([]byte, seal.MaxCSR+1)) })},
		{"hello-model", "malformed", "a model that is not ASCII", hello(func(c *cast, e *seal.Envelope) { e.Claims = set(-65556, "Cämera") })},
		{"hello-household", "malformed", "a household without a roster", hello(func(c *cast, e *seal.Envelope) { e.Claims = set(3, string(c.home)) })},
		{"hello-boot", "malformed", "no boot id", hello(func(c *cast, e *seal.Envelope) { e.Claims = set(-65542, nil) })},
	}
}

func proofCases() []vcase {
	proof := func(change func(c *cast, v *sealtest.Vector, p []any)) filler {
		return func(c *cast, v *sealtest.Vector) {
			v.Op, v.Viewer, v.Camera, v.Roster, v.Household, v.Now = "proof", nil, "", nil, "", time.Time{}
			f := c.base()
			opened := seal.OpenForTest(c.t, c.phone, c.roster, c.home, id(c.t, c.door), f.Make(c.t), c.now)
			_, v.Published = opened.Media()
			v.Body = opened.Proof()
			if change != nil {
				var p []any
				ok(c.t, cbor.Unmarshal(v.Body, &p))
				change(c, v, p)
				b, err := cbor.Marshal(p)
				ok(c.t, err)
				v.Body = b
			}
		}
	}
	return []vcase{
		{"proof", "verified", "media with its proof", proof(nil)},
		{"proof-media", "broken seal", "other media", proof(nil).with(func(v *sealtest.Vector) { v.Published = flip(v.Published, 4) })},
		{"proof-media-cut", "broken seal", "media that lack their last byte", proof(nil).with(func(v *sealtest.Vector) { v.Published = v.Published[:len(v.Published)-1] })},
		{"proof-hidden", "broken seal", "another light than was sealed", proof(func(c *cast, v *sealtest.Vector, p []any) {
			p[3] = replaced(p[3].([]byte), "\x63day", "\x63dax")
		})},
		{"proof-seal", "broken seal", "the seal of another message", proof(func(c *cast, v *sealtest.Vector, p []any) {
			f := c.base()
			f.Meta.Event = 8
			p[2] = seal.SealOf(c.t, f.Make(c.t))
		})},
		{"proof-signature", "broken seal", "a seal with a broken signature", proof(func(c *cast, v *sealtest.Vector, p []any) { p[2] = flip(p[2].([]byte), -1) })},
		{"proof-rewrapped", "wrong camera", "sealed by the front door, taken by the garden camera", proof(func(c *cast, v *sealtest.Vector, p []any) {
			f := c.base()
			f.Hidden = func(m seal.Map) { m[int64(1)] = string(id(c.t, c.garden)) }
			b := f.Make(c.t)
			p[2], p[3] = seal.SealOf(c.t, b), seal.HiddenOf(c.t, c.phone, b)
		})},
		{"proof-type", "malformed", "something else with the form of a proof", proof(func(c *cast, v *sealtest.Vector, p []any) { p[0] = "sealcam hint" })},
		{"proof-version", "malformed", "a proof of a later version", proof(func(c *cast, v *sealtest.Vector, p []any) { p[1] = 2 })},
		{"proof-trailing", "malformed", "a byte after the proof", proof(nil).with(func(v *sealtest.Vector) { v.Body = append(v.Body, 0) })},
		{"proof-too-large", "malformed", "a proof of more than 12,288 bytes", proof(nil).with(func(v *sealtest.Vector) { v.Body = make([]byte, seal.MaxProof+1) })},
	}
}
