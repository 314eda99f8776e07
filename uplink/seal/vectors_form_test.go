package seal_test

import (
	"bytes"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"github.com/sealcam/sealcam/uplink/seal"
)

// formCases break the encoding of a message: of the pair, of COSE_Sign1, of its
// headers.
func formCases() []vcase {
	bad := func(name, comment string, f filler) vcase { return vcase{"form-" + name, "malformed", comment, f} }
	return []vcase{
		bad("empty", "no bytes at all", message(func([]byte) []byte { return nil })),
		bad("one-byte", "one byte", message(func(b []byte) []byte { return b[:1] })),
		bad("text", "not CBOR", message(func([]byte) []byte { return []byte("<html>Bad gateway</html>") })),
		bad("jpeg", "a plain JPEG", message(func([]byte) []byte { return []byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00") })),
		bad("truncated-seal", "cut off within the seal", message(func(b []byte) []byte { return b[:200] })),
		bad("truncated-body", "the last byte is missing", message(func(b []byte) []byte { return b[:len(b)-1] })),
		bad("trailing", "one byte too many", message(func(b []byte) []byte { return append(b, 0) })),
		bad("array-of-three", "an array of three", message(func(b []byte) []byte { return append(append([]byte{0x83}, b[1:]...), 0xf6) })),
		bad("array-indefinite", "an array of indefinite length", message(func(b []byte) []byte { return append(append([]byte{0x9f}, b[1:]...), 0xff) })),
		bad("array-long-head", "the array's length in two bytes", message(func(b []byte) []byte { return append([]byte{0x98, 2}, b[1:]...) })),
		bad("self-described", "preceded by the tag for self-described CBOR", message(func(b []byte) []byte { return append([]byte{0xd9, 0xd9, 0xf7}, b...) })),
		bad("body-is-text", "the body is a text string", message(bodyHead(func(h []byte) []byte { h[0] |= 0x20; return h }))),
		bad("body-long-head", "the body's length in four bytes where two do", message(bodyHead(func(h []byte) []byte { return []byte{0x5a, 0, 0, h[1], h[2]} }))),
		bad("body-huge", "the body claims 4 GiB less one", message(bodyHead(func([]byte) []byte { return []byte{0x5a, 0xff, 0xff, 0xff, 0xff} }))),
		bad("body-huger", "the body claims 2^64-1 bytes", message(bodyHead(func([]byte) []byte { return []byte{0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff} }))),
		bad("body-indefinite", "the body is of indefinite length", message(func(b []byte) []byte {
			b = bodyHead(func(h []byte) []byte { return append([]byte{0x5f}, h...) })(b)
			return append(b, 0xff)
		})),
		bad("too-large", "a seal of more than 1,024 bytes", durable(func(c *cast, f *seal.Forge) { f.Protected = set(99, make([]byte, 600)) })),
		bad("nested", "arrays in arrays, 500 deep", message(func(b []byte) []byte { return append([]byte{0x82}, bytes.Repeat([]byte{0x81}, 500)...) })),

		bad("untagged", "COSE_Sign1 without its tag", durable(func(c *cast, f *seal.Forge) { f.Signed = func(b []byte) []byte { return b[1:] } })),
		bad("tag-sign", "the tag of COSE_Sign", durable(func(c *cast, f *seal.Forge) {
			f.Signed = func(b []byte) []byte { return append([]byte{0xd8, 98}, b[1:]...) }
		})),
		bad("tag-long", "the tag in two bytes", durable(func(c *cast, f *seal.Forge) {
			f.Signed = func(b []byte) []byte { return append([]byte{0xd8, 18}, b[1:]...) }
		})),
		bad("sign1-of-five", "COSE_Sign1 of five", durable(func(c *cast, f *seal.Forge) { f.Parts = func(p []any) []any { return append(p, 0) } })),
		bad("detached", "the payload is detached", durable(func(c *cast, f *seal.Forge) { f.Parts = func(p []any) []any { p[2] = nil; return p } })),
		bad("payload-tagged", "the payload carries the tag of a CWT", durable(func(c *cast, f *seal.Forge) {
			f.Payload = func(b []byte) []byte { return append([]byte{0xd8, 61}, b...) }
		})),
		bad("signature-empty", "no signature", durable(func(c *cast, f *seal.Forge) { f.Signature = func([]byte) []byte { return nil } })),
		bad("signature-short", "a signature of 63 bytes", durable(func(c *cast, f *seal.Forge) { f.Signature = func(s []byte) []byte { return s[:63] } })),
		bad("signature-long-head", "the signature's length in three bytes", durable(func(c *cast, f *seal.Forge) {
			f.Signed = func(b []byte) []byte { n := len(b); return slices.Concat(b[:n-66], []byte{0x59, 0}, b[n-65:]) }
		})),

		bad("header-unprotected", "an unprotected header", durable(func(c *cast, f *seal.Forge) { f.Unprotected = seal.Map{int64(4): []byte("x")} })),
		bad("header-unprotected-alg", "the algorithm is unprotected as well", durable(func(c *cast, f *seal.Forge) { f.Unprotected = seal.Map{int64(1): -7} })),
		bad("header-unknown", "a header that this version does not know", durable(func(c *cast, f *seal.Forge) { f.Protected = set(99, 1) })),
		bad("header-crit", "a critical header", durable(func(c *cast, f *seal.Forge) {
			f.Protected = func(m seal.Map) { m[int64(2)] = []any{99}; m[int64(99)] = 1 }
		})),
		bad("header-no-alg", "no algorithm", durable(func(c *cast, f *seal.Forge) { f.Protected = set(1, nil) })),
		bad("header-alg-es384", "algorithm ES384 over an ES256 signature", durable(func(c *cast, f *seal.Forge) { f.Protected = set(1, -35) })),
		bad("header-alg-eddsa", "algorithm EdDSA", durable(func(c *cast, f *seal.Forge) { f.Protected = set(1, -8) })),
		bad("header-alg-esp256", "algorithm ESP256 (RFC 9864): the same signature under another name", durable(func(c *cast, f *seal.Forge) { f.Protected = set(1, -9) })),
		bad("header-alg-hmac", "algorithm HMAC 256", durable(func(c *cast, f *seal.Forge) { f.Protected = set(1, 5) })),
		bad("header-alg-none", "algorithm 0", durable(func(c *cast, f *seal.Forge) { f.Protected = set(1, 0) })),
		bad("header-alg-text", "algorithm as a text", durable(func(c *cast, f *seal.Forge) { f.Protected = set(1, "ES256") })),
		bad("header-no-kid", "no key id", durable(func(c *cast, f *seal.Forge) { f.Protected = set(4, nil) })),
		bad("header-kid-short", "half a key id", durable(func(c *cast, f *seal.Forge) { f.Protected = set(4, make([]byte, 16)) })),
		bad("header-kid-text", "the key id as text", durable(func(c *cast, f *seal.Forge) { f.Protected = set(4, string(id(c.t, c.door))) })),
		bad("header-no-type", "no type", durable(func(c *cast, f *seal.Forge) { f.Protected = set(16, nil) })),
		bad("header-type-command", "signed as a command", durable(func(c *cast, f *seal.Forge) { f.Type = seal.TypeCommand })),
		bad("header-type-hello", "signed as a hello", durable(func(c *cast, f *seal.Forge) { f.Type = seal.TypeHello })),
		bad("header-type-case", "the type with a capital letter", durable(func(c *cast, f *seal.Forge) { f.Type = "application/vnd.sealcam.Seal" })),
		bad("header-empty", "an empty protected header", durable(func(c *cast, f *seal.Forge) { f.RawHeader = func([]byte) []byte { return nil } })),
		bad("header-unsorted", "the headers in another order", durable(func(c *cast, f *seal.Forge) { f.RawHeader = unsorted(c) })),
		bad("header-duplicate", "the algorithm twice", durable(func(c *cast, f *seal.Forge) {
			f.RawHeader = func(b []byte) []byte { return append([]byte{b[0] + 1}, append([]byte{0x01, 0x26}, b[1:]...)...) }
		})),
	}
}

// bodyHead changes the head of a message's body, which is three bytes long.
func bodyHead(change func([]byte) []byte) func([]byte) []byte {
	return func(b []byte) []byte {
		i := bytes.Index(b, []byte("age-encryption.org")) - 3
		return slices.Concat(b[:i], change(slices.Clone(b[i:i+3])), b[i+3:])
	}
}

// unsorted encodes a map with its keys falling.
func unsorted(c *cast) func([]byte) []byte {
	return func(b []byte) []byte {
		var m map[int64]cbor.RawMessage
		ok(c.t, cbor.Unmarshal(b, &m))
		out := []byte{0xa0 | byte(len(m))}
		if len(m) > 23 {
			c.t.Fatal("unsorted: too many")
		}
		var keys [][]byte
		values := map[string]cbor.RawMessage{}
		for k, v := range m {
			e, err := cbor.Marshal(k)
			ok(c.t, err)
			keys, values[string(e)] = append(keys, e), v
		}
		slices.SortFunc(keys, func(a, b []byte) int { return bytes.Compare(b, a) })
		for _, k := range keys {
			out = append(append(out, k...), values[string(k)]...)
		}
		return out
	}
}
