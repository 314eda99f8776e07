package seal_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
	"github.com/sealcam/sealcam/uplink/seal/sealtest"
)

// recording is an honest part of the front door's recording: the first of a boot.
func (c *cast) recording() seal.Forge {
	f := c.base()
	f.Meta.Stream, f.Meta.Kind, f.Meta.Media, f.Meta.Cause, f.Meta.Event = seal.Recording, seal.KindRecording, "video/mp4", "", 0
	f.Media = []byte("stands for a second of MP4")
	return f
}

// recordingCases are parts of recordings, which are recalled and never opened as
// news.
func recordingCases() []vcase {
	recording := func(change func(c *cast, f *seal.Forge)) filler {
		return one((*cast).recording, change).with(func(v *sealtest.Vector) { v.Op = "recall" })
	}
	bad := func(name, comment string, f filler) vcase { return vcase{"recording-" + name, "malformed", comment, f} }
	meta := func(change func(m *seal.Meta)) filler {
		return recording(func(_ *cast, f *seal.Forge) { change(&f.Meta) })
	}
	return []vcase{
		{"good-recording", "verified", "the first part of a boot's recording", recording(nil)},
		{"good-recording-second", "verified", "a later part, which names the one before", recording(func(c *cast, f *seal.Forge) {
			first := c.recording().Make(c.t)
			f.Meta.Seq, f.Meta.Part, f.Meta.Prev = 2, 1, seal.HashOf(c.t, first)
		})},
		{"good-recording-no-clock", "verified", "by a camera that does not know the time", meta(func(m *seal.Meta) {
			m.Clock, m.Taken = seal.ClockNone, time.Time{}
		})},
		{"good-recording-again", "verified", "a part is recalled as often as it comes, and stands in the way of nothing", func(c *cast, v *sealtest.Vector) {
			f := c.recording()
			v.Op, v.Before, v.Body = "recall", c.chain(2), f.Make(c.t)
			sum := sha256.Sum256(f.Media)
			v.Media = hex.EncodeToString(sum[:])
		}},
		{"good-recording-check", "verified", "a part in a file", recording(nil).with(func(v *sealtest.Vector) { v.Op = "check" })},

		{"replayed-recording-opened", "replayed", "a part of a recording comes as news", recording(nil).op("open")},
		{"replayed-durable-recalled", "replayed", "an event's picture where a recording was asked for", durable(nil).op("recall")},
		{"replayed-live-recalled", "replayed", "a live picture where a recording was asked for", live(nil).op("recall")},
		{"replayed-will-recalled", "replayed", "a will where a recording was asked for", will(nil).op("recall")},
		{"wrong-camera-recording", "wrong camera", "the recording of another camera of the household", recording(func(c *cast, f *seal.Forge) { f.Key = c.garden })},
		{"not-for-you-recording", "not for you", "the recording of another household", recording(func(c *cast, f *seal.Forge) { f.Household = c.elsewhere })},
		{"broken-recording-signature", "broken seal", "a part that another camera has signed", recording(func(c *cast, f *seal.Forge) { f.Signer = c.garden })},
		{"broken-recording-inside", "broken seal", "a durable message inside of a recording's", recording(func(_ *cast, f *seal.Forge) { f.Hidden = set(2, 1) })},

		bad("no-previous", "without the hash of the part before", recording(func(_ *cast, f *seal.Forge) { f.Claims = set(-65541, nil) })),
		bad("first-has-previous", "part 1 names one before it", recording(func(_ *cast, f *seal.Forge) { f.Claims = set(-65541, hash("previous")) })),
		bad("sequence-0", "part 0", recording(func(_ *cast, f *seal.Forge) { f.Meta.Seq = 0 })),
		bad("expires", "a recording that expires", recording(func(_ *cast, f *seal.Forge) { f.Claims = set(4, uint64(4000000000)) })),
		bad("kind", "a clip in the stream of recordings", meta(func(m *seal.Meta) { m.Kind = seal.KindClip })),
		bad("event", "a recording of an event", meta(func(m *seal.Meta) { m.Event = 7 })),
		bad("nonce", "a recording that claims to answer", meta(func(m *seal.Meta) { m.Nonce = hash("nonce")[:16] })),
		{"hidden-recording-durable", "malformed", "a recording in the stream of what is new", durable(func(_ *cast, f *seal.Forge) { f.Meta.Kind = seal.KindRecording })},
		{"command-fetch", "verified", "a viewer fetches an hour of the recording", func(c *cast, v *sealtest.Vector) {
			v.Op, v.Viewer = "command", nil
			v.Body = c.command(c.phone.Signer().(*ecdsa.PrivateKey), func(c *cast, m *seal.Command) {
				m.Verb, m.From, m.To = seal.VerbFetch, uint64(c.now.Unix())-3600, uint64(c.now.Unix())
			})
		}},
	}
}
