package seal_test

import (
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
	"github.com/sealcam/sealcam/uplink/seal/sealtest"
)

// goodCases are messages that open.
func goodCases() []vcase {
	return []vcase{
		{"good-first", "verified", "the first message of a camera", durable(nil)},
		{"good-second", "verified", "the next one", func(c *cast, v *sealtest.Vector) {
			m := c.chain(2)
			v.Before, v.Body = m[:1], m[1]
		}},
		{"good-gap", "verified", "two messages are missing before this one", func(c *cast, v *sealtest.Vector) {
			m := c.chain(4)
			v.Before, v.Body, v.Gaps = m[:1], m[3], []string{"2-3"}
		}},
		{"good-late-part", "verified", "a late message closes one half of a gap", func(c *cast, v *sealtest.Vector) {
			m := c.chain(4)
			v.Before, v.Body, v.Gaps, v.Flags = [][]byte{m[0], m[3]}, m[1], []string{"3-3"}, []string{"late"}
		}},
		{"good-late-middle", "verified", "a late message splits a gap", func(c *cast, v *sealtest.Vector) {
			m := c.chain(5)
			v.Before, v.Body, v.Gaps, v.Flags = [][]byte{m[0], m[4]}, m[2], []string{"2-2", "4-4"}, []string{"late"}
		}},
		{"good-late-all", "verified", "a late message closes a gap", func(c *cast, v *sealtest.Vector) {
			m := c.chain(3)
			v.Before, v.Body, v.Flags = [][]byte{m[0], m[2]}, m[1], []string{"late"}
		}},
		{"good-history", "verified", "a message from before the first that this viewer had: welcome, and the rest is not missed", func(c *cast, v *sealtest.Vector) {
			m := c.chain(6)
			v.Before, v.Body, v.Flags = m[5:], m[3], []string{"late"}
		}},
		{"good-skipped", "verified", "the camera skipped numbers and says so by naming the newest message as its previous one: no gap", func(c *cast, v *sealtest.Vector) {
			m := c.chain(1)
			v.Before, v.Body = m, c.after(m[0], 9).Make(c.t)
		}},
		{"good-lost-memory", "verified", "the camera forgot its previous message, and leaves the claim zero", func(c *cast, v *sealtest.Vector) {
			f := c.base()
			f.Meta.Seq = 100
			v.Before, v.Body, v.Gaps = c.chain(1), f.Make(c.t), []string{"2-99"}
		}},
		{"good-confessed", "verified", "a gap record: messages 3 to 4 will never come, 2 and 5 may", func(c *cast, v *sealtest.Vector) {
			m := c.chain(5)
			f := c.after(m[4], 6)
			f.Meta.Kind, f.Meta.Media, f.Media = seal.KindGap, "", nil
			f.Meta.Lost = []seal.Range{{First: 3, Last: 4}}
			v.Before, v.Body, v.Gaps = m[:1], f.Make(c.t), []string{"2-2", "3-4!", "5-5"}
		}},
		{"good-reboot", "verified", "a new boot id", func(c *cast, v *sealtest.Vector) {
			m := c.chain(1)
			f := c.after(m[0], 2)
			f.Boot = [16]byte{2}
			v.Before, v.Body = m, f.Make(c.t)
		}},
		{"good-no-media", "verified", "a status with hidden claims and no media", durable(func(c *cast, f *seal.Forge) {
			f.Meta.Kind, f.Meta.Media, f.Media = seal.KindStatus, "", nil
		})},
		{"good-unknown-kind", "verified", "a kind that this version does not know is verified all the same", durable(func(c *cast, f *seal.Forge) {
			f.Meta.Kind = "sound.v2"
		})},
		{"good-no-clock", "verified", "a durable message of a camera without a clock", durable(func(c *cast, f *seal.Forge) {
			f.Meta.Clock, f.Meta.Taken = seal.ClockNone, time.Time{}
		})},
		{"good-everything", "verified", "every claim, at its longest", durable(everything).flags("ahead")},
		{"good-last-number", "verified", "the highest sequence number", durable(func(c *cast, f *seal.Forge) {
			f.Meta.Seq = seal.MaxSeq
		})},
		{"good-two-viewers", "verified", "encrypted to two viewers, this is the second", durable(func(c *cast, f *seal.Forge) {
			f.To = []string{c.laptop.Public().Recipient, c.phone.Public().Recipient}
		})},
		{"good-two-chunks", "verified", "media longer than one chunk of age", durable(func(c *cast, f *seal.Forge) {
			f.Media = slices.Repeat([]byte("0123456789abcdef"), 4100)
		})},
		{"good-roster-behind", "verified", "sealed under an older roster than the viewer has", durable(func(c *cast, f *seal.Forge) { f.Roster = 2 }).flags("behind")},
		{"good-roster-ahead", "verified", "sealed under a newer roster than the viewer has", durable(func(c *cast, f *seal.Forge) { f.Roster = 4 }).flags("ahead")},
		{"good-live", "verified", "a live message within its time", live(nil)},
		{"good-live-newer", "verified", "a newer live message; those between are nobody's loss", func(c *cast, v *sealtest.Vector) {
			f := c.live()
			v.Before = [][]byte{f.Make(c.t)}
			f.Meta.Seq += 10
			v.Body = f.Make(c.t)
		}},
		{"good-live-beside-durable", "verified", "live and durable messages are counted apart", func(c *cast, v *sealtest.Vector) {
			f := c.live()
			f.Meta.Seq = 1
			v.Before, v.Body = c.chain(3), f.Make(c.t)
		}},
		{"good-live-fresh-no-clock", "verified", "a camera without a clock answers our question", func(c *cast, v *sealtest.Vector) {
			f := c.clockless()
			f.Meta.Nonce = hash("nonce")[:16]
			v.Body, v.Asked, v.AskedAt, v.Flags = f.Make(c.t), f.Meta.Nonce, c.now.Add(-2*time.Second), []string{"fresh"}
		}},
		{"good-live-fresh-expired", "verified", "an answer to our question counts although the camera's clock is behind", func(c *cast, v *sealtest.Vector) {
			f := c.live()
			f.Meta.Nonce, f.Meta.Taken, f.Meta.Expires = hash("nonce")[:16], c.now.Add(-time.Hour), c.now.Add(-time.Hour+time.Second)
			v.Body, v.Asked, v.AskedAt, v.Flags = f.Make(c.t), f.Meta.Nonce, c.now.Add(-2*time.Minute), []string{"fresh"}
		}},
		{"good-durable-fresh", "verified", "an answer to our question among the durable messages", func(c *cast, v *sealtest.Vector) {
			f := c.base()
			f.Meta.Nonce, f.Meta.Kind = hash("nonce")[:16], seal.KindAnswer
			v.Body, v.Asked, v.AskedAt, v.Flags = f.Make(c.t), f.Meta.Nonce, c.now, []string{"fresh"}
		}},
		{"good-not-fresh", "verified", "an answer to somebody else's question, whose longer nonce begins like ours: not fresh", func(c *cast, v *sealtest.Vector) {
			f := c.base()
			f.Meta.Nonce = hash("nonce")
			v.Body, v.Asked, v.AskedAt = f.Make(c.t), f.Meta.Nonce[:16], c.now
		}},
		{"good-check-not-fresh", "verified", "checking proves nothing fresh, and uses no question up", live(func(c *cast, f *seal.Forge) {
			f.Meta.Nonce = hash("nonce")[:16]
		}).op("check").more(func(c *cast, v *sealtest.Vector) { v.Asked, v.AskedAt = hash("nonce")[:16], c.now })},
		{"good-will", "verified", "a last will", will(nil)},
		{"good-will-again", "verified", "the will of a later connection within the same boot", func(c *cast, v *sealtest.Vector) {
			f := c.will()
			v.Before = [][]byte{f.Make(c.t)}
			f.Meta.Mono += time.Second
			v.Body = f.Make(c.t)
		}},
		{"good-check", "verified", "checking a file looks at no history", func(c *cast, v *sealtest.Vector) {
			m := c.chain(2)
			v.Op, v.Before, v.Body = "check", m, m[0]
		}},
		{"good-peek", "verified", "what everybody can see, of somebody else's message", durable(func(c *cast, f *seal.Forge) {
			f.Key, f.Household = c.foreign, c.elsewhere
		}).op("peek")},
	}
}

// everything fills every claim that one message can have to its bound.
func everything(c *cast, f *seal.Forge) {
	f.Meta.Cause, f.Meta.Light = strings.Repeat("c", seal.MaxName), strings.Repeat("l", seal.MaxName)
	f.Meta.Kind = strings.Repeat("k", seal.MaxName)
	f.Meta.Media = "video/mp4; codecs=\"avc1.64001f, mp4a.40.2\"; x=" + strings.Repeat("y", 80)
	f.Meta.Event, f.Meta.Part, f.Meta.Last = seal.MaxSeq, 1<<32-1, true
	f.Meta.Seq, f.Meta.Prev = seal.MaxSeq, [32]byte(hash("prev"))
	f.Meta.Taken, f.Meta.Mono = time.UnixMicro(seal.MaxSeq).UTC(), 280*365*24*time.Hour
	f.Meta.Width, f.Meta.Height = 1<<16, 1<<16
	f.Meta.Nonce, f.Meta.Masks, f.Meta.FirmwareHash = hash("nonce"), hash("masks"), hash("firmware")
	f.Meta.Firmware = strings.Repeat("f", seal.MaxName)
	f.Roster = seal.MaxSeq
	f.Household = c.home
	for range seal.MaxLabels {
		f.Meta.Labels = append(f.Meta.Labels, seal.Label{Name: strings.Repeat("n", seal.MaxName), Score: 1000, Box: seal.Box{X: 400, Y: 400, W: 600, H: 600}})
	}
}
