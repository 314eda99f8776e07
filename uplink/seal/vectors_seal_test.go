package seal_test

import (
	"slices"
	"testing"

	"github.com/sealcam/sealcam/uplink/seal"
	"github.com/sealcam/sealcam/uplink/seal/sealtest"
)

// sealCases are messages of the right form whose seal does not hold, or not
// here.
func sealCases() []vcase {
	return slices.Concat(brokenCases(), elsewhereCases(), firstCases())
}

func brokenCases() []vcase {
	bad := func(name, comment string, f filler) vcase { return vcase{"broken-" + name, "broken seal", comment, f} }
	return []vcase{
		bad("signature", "one bit of the signature flipped", durable(func(c *cast, f *seal.Forge) { f.Signature = func(s []byte) []byte { return flip(s, 5) } })),
		bad("signature-zero", "a signature of zeros", durable(func(c *cast, f *seal.Forge) { f.Signature = func(s []byte) []byte { return make([]byte, 64) } })),
		bad("signature-high-s", "the other signature that anybody can make from the valid one", durable(func(c *cast, f *seal.Forge) { f.HighS = true })),
		bad("signature-swapped", "R and S swapped", durable(func(c *cast, f *seal.Forge) {
			f.Signature = func(s []byte) []byte { return slices.Concat(s[32:], s[:32]) }
		})),
		bad("signature-stranger", "signed by a stranger in the camera's name", durable(func(c *cast, f *seal.Forge) { f.Signer = c.foreign })),
		bad("signature-sibling", "signed by another camera of the household in the camera's name", durable(func(c *cast, f *seal.Forge) { f.Signer = c.garden })),
		bad("signature-owner", "signed by the owner in the camera's name", durable(func(c *cast, f *seal.Forge) { f.Signer = c.owner })),
		bad("key-stranger", "a stranger's key and signature under the camera's id", durable(func(c *cast, f *seal.Forge) {
			f.Signer, f.Protected = c.foreign, nil
			x, y := coordinates(c.t, c.foreign)
			f.Claims = set(8, map[int]any{1: map[int]any{1: 2, -1: 1, -2: x, -3: y}})
		})),
		bad("key-stranger-kid", "the same, with the stranger's key id too", durable(func(c *cast, f *seal.Forge) {
			f.Key = c.foreign
			f.Claims = set(1, string(id(c.t, c.door)))
			f.Hidden = set(1, string(id(c.t, c.door)))
		})),
		bad("kid", "the key id of another camera in the header", durable(func(c *cast, f *seal.Forge) { f.Protected = set(4, hash("another")) })),
		bad("claims", "the sequence changed after signing", message(func(b []byte) []byte {
			return replaced(b, "\x3a\x00\x01\x00\x03\x01", "\x3a\x00\x01\x00\x03\x02")
		})),
		bad("household", "the household changed after signing", durable(func(c *cast, f *seal.Forge) {
			f.Household = c.elsewhere
			f.Message = func(b []byte) []byte { return replaced(b, string(c.elsewhere), string(c.home)) }
		})),
		bad("body-bit", "one bit of the body flipped", message(func(b []byte) []byte { return flip(b, -1) })),
		bad("body-header-bit", "one bit of the age header flipped", message(func(b []byte) []byte { return flip(b, 700) })),
		bad("body-swapped", "the body of another message of the same camera", durable(func(c *cast, f *seal.Forge) {
			f.Carried = func([]byte) []byte { return seal.EncryptTo(c.t, []byte("another"), c.phone.Public().Recipient) }
		})),
		bad("body-rewrapped", "the same plaintext encrypted anew, to somebody else too", durable(func(c *cast, f *seal.Forge) {
			var plain []byte
			f.Swap = func(b []byte) []byte { plain = b; return b }
			f.Carried = func([]byte) []byte {
				return seal.EncryptTo(c.t, plain, c.phone.Public().Recipient, c.thief.Public().Recipient)
			}
		})),
		bad("plain-hash", "the body holds something else than was hashed", durable(func(c *cast, f *seal.Forge) {
			f.Swap = func(b []byte) []byte { return flip(b, -1) }
		})),
		bad("plain-hash-media", "the hash of the media alone, without salt", durable(func(c *cast, f *seal.Forge) { f.Claims = set(-65544, hash(string(f.Media))) })),
		bad("inner-sequence", "another sequence inside than outside", hidden(3, 2)),
		bad("inner-stream", "durable outside, live inside", hidden(2, 2)),
		bad("peek", "peeking checks the signature too", durable(func(c *cast, f *seal.Forge) { f.Signer = c.foreign }).op("peek")),
		bad("check", "checking checks the signature too", durable(func(c *cast, f *seal.Forge) { f.Signer = c.foreign }).op("check")),
	}
}

// elsewhereCases are genuine seals that do not belong on this screen.
func elsewhereCases() []vcase {
	return []vcase{
		{"wrong-camera-sibling", "wrong camera", "a genuine message of the garden camera on the front door's screen", durable(func(c *cast, f *seal.Forge) { f.Key = c.garden })},
		{"wrong-camera-stranger", "wrong camera", "a genuine message of another household's camera", durable(func(c *cast, f *seal.Forge) {
			f.Key, f.Household, f.To = c.foreign, c.elsewhere, []string{c.thief.Public().Recipient}
		})},
		{"wrong-camera-live", "wrong camera", "a genuine live message of the garden camera", live(func(c *cast, f *seal.Forge) { f.Key = c.garden })},
		{"wrong-camera-will", "wrong camera", "the will of the garden camera", will(func(c *cast, f *seal.Forge) { f.Key = c.garden })},
		{"wrong-camera-rewrapped", "wrong camera", "the front door seals, as its own, a body that the garden camera made", hidden(1, idText("garden"))},
		{"wrong-camera-check", "wrong camera", "checking compares the camera too", durable(func(c *cast, f *seal.Forge) { f.Key = c.garden }).op("check")},
		{"not-for-you-household", "not for you", "sealed for another household", durable(func(c *cast, f *seal.Forge) { f.Household = c.elsewhere })},
		{"not-for-you-check", "not for you", "checking compares the household too", durable(func(c *cast, f *seal.Forge) { f.Household = c.elsewhere }).op("check")},
		{"revoked-listed", "revoked", "a camera that the roster has revoked", durable(func(c *cast, f *seal.Forge) { f.Key = c.sold }).with(about("sold"))},
		{"revoked-unlisted", "revoked", "a camera that the roster does not name", durable(func(c *cast, f *seal.Forge) { f.Key = c.spare }).with(about("spare"))},
		{"revoked-check", "revoked", "checking looks into the roster too", durable(func(c *cast, f *seal.Forge) { f.Key = c.spare }).op("check").with(about("spare"))},
	}
}

// firstCases have two faults each: the one that is looked for first is told.
func firstCases() []vcase {
	return []vcase{
		{"first-form-then-signature", "malformed", "an unknown claim, and a stranger's signature", durable(func(c *cast, f *seal.Forge) {
			f.Claims, f.Signer = set(-65560, 1), c.foreign
		})},
		{"first-signature-then-camera", "broken seal", "of the garden camera, and broken", durable(func(c *cast, f *seal.Forge) { f.Key, f.Signer = c.garden, c.door })},
		{"first-body-then-camera", "broken seal", "of the garden camera, and its body does not fit", durable(func(c *cast, f *seal.Forge) {
			f.Key, f.Carried = c.garden, func(b []byte) []byte { return flip(b, -1) }
		})},
		{"first-camera-then-household", "wrong camera", "of another household's camera", durable(func(c *cast, f *seal.Forge) { f.Key, f.Household = c.foreign, c.elsewhere })},
		{"first-household-then-roster", "not for you", "of a revoked camera, for another household", durable(func(c *cast, f *seal.Forge) {
			f.Key, f.Household = c.sold, c.elsewhere
		}).with(about("sold"))},
		{"first-order-then-viewer", "replayed", "older than what was seen, and encrypted to another viewer", func(c *cast, v *sealtest.Vector) {
			f := c.live()
			v.Before = [][]byte{f.Make(c.t)}
			f.Meta.Seq, f.To = f.Meta.Seq-1, []string{c.laptop.Public().Recipient}
			v.Body = f.Make(c.t)
		}},
		{"first-viewer-then-time", "not for you", "expired, and encrypted to another viewer", live(func(c *cast, f *seal.Forge) {
			f.To, f.Meta.Taken, f.Meta.Expires = []string{c.laptop.Public().Recipient}, f.Meta.Taken.Add(-3600e9), f.Meta.Expires.Add(-3600e9)
		})},
		{"first-order-then-time", "replayed", "seen before, and now expired", func(c *cast, v *sealtest.Vector) {
			f := c.live()
			m := f.Make(c.t)
			f.Meta.Seq++
			v.Before = [][]byte{m, f.Make(c.t)}
			f.Meta.Seq -= 2
			f.Meta.Taken, f.Meta.Expires = f.Meta.Taken.Add(-3600e9), f.Meta.Expires.Add(-3600e9)
			v.Body = f.Make(c.t)
		}},
	}
}

// about makes the screen be about another camera.
func about(camera string) func(v *sealtest.Vector) {
	return func(v *sealtest.Vector) { v.Camera = idText(camera) }
}

func idText(camera string) seal.CameraID {
	return id(panicking{}, key(panicking{}, camera))
}

// panicking stands for a test where there is none.
type panicking struct{ testing.TB }

func (panicking) Helper()           {}
func (panicking) Fatal(args ...any) { panic(args) }
