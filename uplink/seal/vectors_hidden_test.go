package seal_test

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/sealcam/sealcam/uplink/seal"
)

// hiddenCases break what is inside the encryption, or the encryption itself, by
// a camera that signs it all the same.
func hiddenCases() []vcase {
	return slices.Concat(plainCases(), metaCases(), bodyCases())
}

func plainCases() []vcase {
	bad := func(name, comment string, f filler) vcase { return vcase{"hidden-" + name, "malformed", comment, f} }
	raw := func(change func(c *cast) func([]byte) []byte) filler {
		return durable(func(c *cast, f *seal.Forge) { f.RawHidden = change(c) })
	}
	plain := func(change func([]byte) []byte) filler {
		return durable(func(c *cast, f *seal.Forge) { f.Plain = change })
	}
	return []vcase{
		bad("empty", "an empty plaintext", plain(func([]byte) []byte { return nil })),
		bad("not-a-pair", "media alone", plain(func(b []byte) []byte { return []byte("\xff\xd8\xff\xd9") })),
		bad("trailing", "a byte after the media", plain(func(b []byte) []byte { return append(b, 0) })),
		bad("truncated", "the last byte of the media is missing", plain(func(b []byte) []byte { return b[:len(b)-1] })),
		bad("no-claims", "no hidden claims", raw(func(*cast) func([]byte) []byte { return func([]byte) []byte { return []byte{0xa0} } })),
		bad("unsorted", "hidden claims in another order", raw(func(c *cast) func([]byte) []byte { return unsorted(c) })),
		bad("duplicate", "the kind twice", raw(func(*cast) func([]byte) []byte {
			return func(b []byte) []byte {
				return slices.Concat([]byte{b[0] + 1}, replaced(b[1:], "\x05\x68snapshot", "\x05\x68snapshot\x05\x68snapshot"))
			}
		})),
		bad("indefinite", "hidden claims of indefinite length", raw(func(*cast) func([]byte) []byte {
			return func(b []byte) []byte { return append(append([]byte{0xbf}, b[1:]...), 0xff) }
		})),
		bad("unknown", "a hidden claim that this version does not know", hidden(40, 1)),
		bad("invalid-utf8", "a label that is not UTF-8", raw(func(*cast) func([]byte) []byte {
			return func(b []byte) []byte { return replaced(b, "\x0c\x66motion", "\x0c\x66mot\xffon") }
		})),
		bad("no-salt", "no salt", hidden(4, nil)),
		bad("salt-short", "a salt of 16 bytes", hidden(4, make([]byte, 16))),
		bad("no-kind", "no kind", hidden(5, nil)),
		bad("kind-empty", "an empty kind", hidden(5, "")),
		bad("kind-upper-case", "a kind with a capital letter", hidden(5, "Snapshot")),
		bad("kind-long", "a kind of 65 bytes", hidden(5, strings.Repeat("k", 65))),
		bad("no-clock", "nothing about the clock", hidden(6, nil)),
		bad("clock-unknown", "a clock of unknown quality", hidden(6, "gps")),
		bad("clock-no-time", "a clock but no time", hidden(7, nil)),
		bad("time-too-high", "a time beyond 2^53 microseconds", hidden(7, uint64(1<<53))),
		bad("time-float", "the time as a float", hidden(7, 1.7635e15)),
		bad("mono-too-high", "monotonic time beyond 2^53 microseconds", hidden(8, uint64(1<<53))),
		bad("no-media-type", "media without a type", hidden(9, nil)),
		bad("media-type-control", "a media type with a line break", hidden(9, "image/jpeg\r\nX: y")),
		bad("media-type-long", "a media type of 129 bytes", hidden(9, strings.Repeat("m", 129))),
		bad("width-too-high", "a width of 65,537", hidden(10, 65537)),
		bad("width-overflow", "a width of 2^32+640, which is 640 to a careless reader", hidden(10, uint64(1<<32+640))),
		bad("part-overflow", "part 2^32", hidden(15, uint64(1<<32))),
		bad("last-false", "last as false instead of absent", hidden(16, false)),
		bad("cause-empty", "an empty cause instead of none", hidden(12, "")),
		bad("nonce-short", "an echo of 15 bytes", hidden(18, make([]byte, 15))),
		bad("nonce-long", "an echo of 33 bytes", hidden(18, make([]byte, 33))),
		bad("masks-short", "half a hash of the masks", hidden(19, make([]byte, 16))),
		bad("firmware-hash-short", "half a hash of the firmware", hidden(22, make([]byte, 16))),
	}
}

func metaCases() []vcase {
	bad := func(name, comment string, f filler) vcase { return vcase{"hidden-" + name, "malformed", comment, f} }
	meta := func(change func(m *seal.Meta)) filler {
		return durable(func(c *cast, f *seal.Forge) { change(&f.Meta) })
	}
	label := func(l seal.Label) filler { return meta(func(m *seal.Meta) { m.Labels = []seal.Label{l} }) }
	lost := func(r ...seal.Range) filler {
		return meta(func(m *seal.Meta) { m.Seq, m.Kind, m.Lost = 20, seal.KindGap, r })
	}
	return []vcase{
		bad("labels-many", "33 labels", meta(func(m *seal.Meta) { m.Labels = slices.Repeat([]seal.Label{{Name: "x"}}, 33) })),
		bad("label-no-name", "a label without a name", label(seal.Label{})),
		bad("label-control", "a label that moves the cursor", label(seal.Label{Name: "cat\x1b[2J"})),
		bad("label-direction", "a label that turns the direction of text", label(seal.Label{Name: "\u202egpj.tac"})),
		bad("label-score", "a label with 1,001 thousandths of confidence", label(seal.Label{Name: "cat", Score: 1001})),
		bad("label-box", "a label with a box that leaves the picture", label(seal.Label{Name: "cat", Box: seal.Box{X: 600, W: 401, H: 1}})),
		bad("label-box-five", "a label with a box of five numbers", hidden(17, []any{map[int]any{1: "cat", 3: []int{0, 0, 1, 1, 0}}})),
		bad("lost-not-gap", "ranges lost in a message that is not a gap record", meta(func(m *seal.Meta) { m.Seq, m.Lost = 20, []seal.Range{{First: 1, Last: 2}} })),
		bad("lost-none", "a gap record without ranges", meta(func(m *seal.Meta) { m.Kind = seal.KindGap })),
		bad("lost-zero", "lost from 0", lost(seal.Range{First: 0, Last: 2})),
		bad("lost-backwards", "a range from 5 to 3", lost(seal.Range{First: 5, Last: 3})),
		bad("lost-overlap", "ranges that overlap", lost(seal.Range{First: 1, Last: 5}, seal.Range{First: 5, Last: 7})),
		bad("lost-touch", "two ranges that are one", lost(seal.Range{First: 1, Last: 4}, seal.Range{First: 5, Last: 7})),
		bad("lost-falling", "ranges in falling order", lost(seal.Range{First: 8, Last: 9}, seal.Range{First: 1, Last: 2})),
		bad("lost-ahead", "the message itself among the lost", lost(seal.Range{First: 8, Last: 20})),
		bad("lost-live", "a gap record that is live", live(func(c *cast, f *seal.Forge) {
			f.Meta.Kind, f.Meta.Lost = seal.KindGap, []seal.Range{{First: 1, Last: 2}}
		})),
		bad("live-no-expiry", "a live message of a camera with a clock that does not say when it expires", live(func(c *cast, f *seal.Forge) {
			f.Meta.Expires = time.Time{}
		})),
		bad("live-expiry-no-clock", "a live message that expires by a clock that does not exist", live(func(c *cast, f *seal.Forge) {
			f.Meta.Clock = seal.ClockNone
		})),
		bad("live-expired-before", "a live message that expired before it was taken", live(func(c *cast, f *seal.Forge) {
			f.Meta.Taken = f.Meta.Expires.Add(time.Second)
		})),
	}
}

func bodyCases() []vcase {
	bad := func(name, expect, comment string, f filler) vcase { return vcase{"body-" + name, expect, comment, f} }
	body := func(change func(c *cast) func([]byte) []byte) filler {
		return durable(func(c *cast, f *seal.Forge) { f.Body = change(c) })
	}
	fixed := func(change func([]byte) []byte) filler {
		return body(func(*cast) func([]byte) []byte { return change })
	}
	to := func(recipients func(c *cast) []string) filler {
		return durable(func(c *cast, f *seal.Forge) { f.To = recipients(c) })
	}
	return []vcase{
		bad("plain", "malformed", "the camera did not encrypt", durable(func(c *cast, f *seal.Forge) { f.Encrypt = func(b []byte) []byte { return b } })),
		bad("empty", "malformed", "no body", fixed(func([]byte) []byte { return nil })),
		bad("armored", "malformed", "the body is armored", fixed(func(b []byte) []byte { return []byte("-----BEGIN AGE ENCRYPTED FILE-----\n") })),
		bad("header-cut", "malformed", "the age header has no end", fixed(func(b []byte) []byte { return b[:500] })),
		bad("x25519", "malformed", "encrypted to a recipient that a quantum computer can open", to(func(c *cast) []string {
			k, err := age.GenerateX25519Identity()
			ok(c.t, err)
			return []string{k.Recipient().String()}
		})),
		bad("65-viewers", "malformed", "encrypted to 65 viewers", to(func(c *cast) []string {
			return append(slices.Repeat([]string{c.laptop.Public().Recipient}, 64), c.phone.Public().Recipient)
		})),
		bad("unknown-stanza", "malformed", "a recipient of an unknown kind beside ours", fixed(func(b []byte) []byte {
			return bytes.Replace(b, []byte("\n-> "), []byte("\n-> grease x\n\n-> "), 1)
		})),
		bad("no-stanza", "malformed", "encrypted to nobody", fixed(func(b []byte) []byte {
			return append([]byte("age-encryption.org/v1\n"), b[bytes.Index(b, []byte("--- ")):]...)
		})),
		bad("stanza-garbled", "broken seal", "a line of the stanza is not base64", fixed(func(b []byte) []byte {
			i := bytes.Index(b, []byte("\n--- "))
			out := bytes.Clone(b)
			out[i-5] = '*'
			return out
		})),
		bad("stanza-short", "broken seal", "the key in a stanza before ours is too short", durable(func(c *cast, f *seal.Forge) {
			f.To = []string{c.laptop.Public().Recipient, c.phone.Public().Recipient}
			f.Body = func(b []byte) []byte { return slices.Concat(b[:60], b[64:]) }
		})),
		bad("not-for-us", "not for you", "encrypted to another viewer", to(func(c *cast) []string { return []string{c.laptop.Public().Recipient} })),
		bad("header-mac", "broken seal", "the MAC of the age header does not fit", fixed(func(b []byte) []byte {
			i := bytes.Index(b, []byte("\n--- "))
			out := bytes.Clone(b)
			if out[i+5] != 'A' {
				out[i+5] = 'A'
			} else {
				out[i+5] = 'B'
			}
			return out
		})),
		bad("chunk", "broken seal", "one bit of the encrypted payload flipped before it was signed", fixed(func(b []byte) []byte { return flip(b, -1) })),
		bad("chunk-cut", "broken seal", "the encrypted payload cut before it was signed", fixed(func(b []byte) []byte { return b[:len(b)-7] })),
		bad("payload-cut", "broken seal", "the age header without a payload", fixed(func(b []byte) []byte {
			i := bytes.Index(b, []byte("\n--- "))
			return b[:i+1+bytes.IndexByte(b[i+1:], '\n')+1]
		})),
		bad("last-chunk-missing", "broken seal", "the second of two chunks cut off before it was signed", durable(func(c *cast, f *seal.Forge) {
			f.Media = make([]byte, 70000)
			f.Body = func(b []byte) []byte {
				i := bytes.Index(b, []byte("\n--- "))
				return b[:i+1+bytes.IndexByte(b[i+1:], '\n')+1+16+64*1024+16]
			}
		})),
		bad("trailing", "broken seal", "a byte after the encrypted payload, signed", fixed(func(b []byte) []byte { return append(b, 0) })),
	}
}
