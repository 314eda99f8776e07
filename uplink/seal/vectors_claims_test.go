package seal_test

import (
	"bytes"
	"strings"

	"github.com/sealcam/sealcam/uplink/seal"
)

// claimCases break the visible claims, signed all the same.
func claimCases() []vcase {
	bad := func(name, comment string, f filler) vcase { return vcase{"visible-" + name, "malformed", comment, f} }
	payload := func(change func(c *cast) func([]byte) []byte) filler {
		return durable(func(c *cast, f *seal.Forge) { f.Payload = change(c) })
	}
	return []vcase{
		bad("empty", "no claims", payload(func(*cast) func([]byte) []byte { return func([]byte) []byte { return []byte{0xa0} } })),
		bad("not-a-map", "claims that are an array", payload(func(*cast) func([]byte) []byte { return func([]byte) []byte { return []byte{0x80} } })),
		bad("trailing", "a byte after the claims", payload(func(*cast) func([]byte) []byte { return func(b []byte) []byte { return append(b, 0) } })),
		bad("unsorted", "claims in another order", payload(unsorted)),
		bad("duplicate", "the sequence twice", payload(func(*cast) func([]byte) []byte {
			return func(b []byte) []byte { return append(append([]byte{b[0] + 1}, b[1:]...), 0x3a, 0, 1, 0, 3, 2) }
		})),
		bad("long-integer", "a number not in its shortest form", payload(func(*cast) func([]byte) []byte {
			return func(b []byte) []byte { return replaced(b, "\x3a\x00\x01\x00\x03\x01", "\x3a\x00\x01\x00\x03\x18\x01") }
		})),
		bad("long-key", "a claim's number not in its shortest form", payload(func(*cast) func([]byte) []byte {
			return func(b []byte) []byte { return replaced(b, "\x03\x78\x34", "\x18\x03\x78\x34") }
		})),
		bad("indefinite-map", "claims of indefinite length", payload(func(*cast) func([]byte) []byte {
			return func(b []byte) []byte { return append(append([]byte{0xbf}, b[1:]...), 0xff) }
		})),
		bad("indefinite-text", "a camera id of indefinite length", payload(func(*cast) func([]byte) []byte {
			return func(b []byte) []byte {
				b = replaced(b, "\x01\x78\x34", "\x01\x7f\x78\x34")
				return append(append(bytes.Clone(b[:56]), 0xff), b[56:]...)
			}
		})),
		bad("float", "the sequence as a float", visible(-65540, 1.0)),
		bad("text-number", "the sequence as text", visible(-65540, "1")),
		bad("negative", "a negative sequence", visible(-65540, -1)),
		bad("null", "an expiry that is null", visible(4, rawNull)),
		bad("zero-expiry", "an expiry of zero instead of none", visible(4, 0)),
		bad("bool", "a roster version that is true", visible(-65538, true)),
		bad("unknown", "a claim that this version does not know", visible(-65560, 1)),
		bad("unknown-cwt", "a CWT claim that has no place here (nbf)", visible(5, 1)),
		bad("unknown-text", "a claim with a text for its number", durable(func(c *cast, f *seal.Forge) { f.Claims = func(m seal.Map) { m["note"] = 1 } })),

		bad("version-0", "format version 0", visible(-65537, 0)),
		bad("version-2", "a later format version", visible(-65537, 2)),
		bad("no-version", "no format version", visible(-65537, nil)),
		bad("no-camera", "no camera id", visible(1, nil)),
		bad("camera-upper-case", "the camera id in capitals", durable(func(c *cast, f *seal.Forge) {
			f.Claims = set(1, strings.ToUpper(string(id(c.t, c.door))))
		})),
		bad("camera-last-bits", "a camera id with its unused last bits set", durable(func(c *cast, f *seal.Forge) {
			s := string(id(c.t, c.door))
			f.Claims = set(1, s[:51]+string(s[51]+1))
		})),
		bad("camera-short", "a camera id that lacks a character", durable(func(c *cast, f *seal.Forge) {
			f.Claims = set(1, string(id(c.t, c.door))[:51])
		})),
		bad("camera-bytes", "the camera id as bytes", durable(func(c *cast, f *seal.Forge) { f.Claims = set(1, []byte(id(c.t, c.door))) })),
		bad("no-household", "no household", visible(3, nil)),
		bad("households", "two households", durable(func(c *cast, f *seal.Forge) {
			f.Claims = set(3, []any{string(c.home), string(c.elsewhere)})
		})),

		bad("no-key", "no key", visible(8, nil)),
		bad("key-only-kid", "a key id in place of the key", visible(8, map[int]any{3: hash("kid")})),
		bad("key-private", "the key with its private half", key8(func(c *cast, m map[int]any) { m[-4] = hash("d") })),
		bad("key-alg", "the key with an algorithm", key8(func(c *cast, m map[int]any) { m[3] = -7 })),
		bad("key-compressed", "the key with a sign bit for y", key8(func(c *cast, m map[int]any) { m[-3] = true })),
		bad("key-off-curve", "a key that is not on the curve", key8(func(c *cast, m map[int]any) { m[-3] = hash("y") })),
		bad("key-zero", "a key of zeros", key8(func(c *cast, m map[int]any) { m[-2], m[-3] = make([]byte, 32), make([]byte, 32) })),
		bad("key-curve", "a key of another curve", key8(func(c *cast, m map[int]any) { m[-1] = 2 })),
		bad("key-type", "a key of another type", key8(func(c *cast, m map[int]any) { m[1] = 1 })),
		bad("key-long-x", "a key whose x has a leading zero too many", key8(func(c *cast, m map[int]any) { m[-2] = append([]byte{0}, m[-2].([]byte)...) })),

		bad("stream-0", "stream 0", visible(-65539, 0)),
		bad("stream-5", "stream 5", visible(-65539, 5)),
		bad("stream-256", "stream 257, which is 1 to a careless reader", visible(-65539, 257)),
		bad("no-sequence", "no sequence", visible(-65540, nil)),
		bad("sequence-0", "sequence 0", visible(-65540, 0)),
		bad("sequence-too-high", "sequence 2^53", visible(-65540, uint64(1<<53))),
		bad("sequence-max", "sequence 2^64-1", visible(-65540, uint64(1<<64-1))),
		bad("sequence-bignum", "sequence as a bignum", visible(-65540, rawBignum)),
		bad("live-sequence-0", "a live message with sequence 0", live(func(c *cast, f *seal.Forge) { f.Meta.Seq = 0 })),
		bad("no-previous", "a durable message without the hash of the previous one", visible(-65541, nil)),
		bad("first-has-previous", "message 1 names a previous one", visible(-65541, hash("previous"))),
		bad("previous-short", "half a hash of the previous one", visible(-65541, hash("previous")[:16])),
		bad("live-previous", "a live message names a previous one", live(func(c *cast, f *seal.Forge) { f.Claims = set(-65541, hash("previous")) })),
		bad("will-previous", "a will names a previous one", will(func(c *cast, f *seal.Forge) { f.Claims = set(-65541, make([]byte, 32)) })),
		bad("durable-expires", "a durable message that expires", visible(4, uint64(4000000000))),
		bad("will-expires", "a will that expires", will(func(c *cast, f *seal.Forge) { f.Claims = set(4, uint64(4000000000)) })),
		bad("boot-short", "a boot id of 15 bytes", visible(-65542, make([]byte, 15))),
		bad("no-boot", "no boot id", visible(-65542, nil)),
		bad("body-hash-short", "half a hash of the body", visible(-65543, hash("body")[:16])),
		bad("no-plain-hash", "no hash of the plaintext", visible(-65544, nil)),
		bad("roster-0", "roster version 0", visible(-65538, 0)),
		bad("roster-too-high", "roster version 2^53", visible(-65538, uint64(1<<53))),
	}
}

// key8 changes the camera's public key within the claims.
func key8(change func(c *cast, m map[int]any)) filler {
	return durable(func(c *cast, f *seal.Forge) {
		f.Claims = func(m seal.Map) {
			x, y := coordinates(c.t, c.door)
			k := map[int]any{1: 2, -1: 1, -2: x, -3: y}
			change(c, k)
			m[int64(8)] = map[int]any{1: k}
		}
	})
}
