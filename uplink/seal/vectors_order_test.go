package seal_test

import (
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
	"github.com/sealcam/sealcam/uplink/seal/sealtest"
)

// orderCases are genuine messages out of their order.
func orderCases() []vcase {
	replayed := func(name, comment string, f filler) vcase { return vcase{"replayed-" + name, "replayed", comment, f} }
	alarm := func(name, comment string, f filler) vcase {
		return vcase{"alarm-" + name, "broken seal", comment, f.flags("alarm")}
	}
	return []vcase{
		replayed("again", "the newest message a second time", filler(func(c *cast, v *sealtest.Vector) {
			m := c.chain(1)
			v.Before, v.Body = m, m[0]
		}).flags("duplicate")),
		replayed("older", "an earlier message a second time", filler(func(c *cast, v *sealtest.Vector) {
			m := c.chain(3)
			v.Before, v.Body = m, m[0]
		}).flags("duplicate")),
		replayed("late-again", "a late message a second time", filler(func(c *cast, v *sealtest.Vector) {
			m := c.chain(4)
			v.Before, v.Body, v.Gaps = [][]byte{m[0], m[3], m[1]}, m[1], []string{"3-3"}
		}).flags("duplicate")),
		replayed("skipped", "a number that the camera said it skipped", func(c *cast, v *sealtest.Vector) {
			m := c.chain(1)
			f := c.after(m[0], 5)
			v.Before, v.Body = [][]byte{m[0], c.after(m[0], 9).Make(c.t)}, f.Make(c.t)
		}),
		replayed("live-again", "the newest live message a second time, as a broker does with retained ones", filler(func(c *cast, v *sealtest.Vector) {
			v.Body = c.live().Make(c.t)
			v.Before = [][]byte{v.Body}
		}).flags("duplicate")),
		replayed("live-older", "an older live message that was not seen", func(c *cast, v *sealtest.Vector) {
			f := c.live()
			v.Before = [][]byte{f.Make(c.t)}
			f.Meta.Seq--
			v.Body = f.Make(c.t)
		}),
		replayed("live-older-again", "an older live message a second time: not a harmless duplicate, for it would turn the picture back", func(c *cast, v *sealtest.Vector) {
			f := c.live()
			v.Body = f.Make(c.t)
			f.Meta.Seq++
			v.Before = [][]byte{v.Body, f.Make(c.t)}
		}),
		replayed("live-previous-boot", "a live message of the previous boot, not expired", func(c *cast, v *sealtest.Vector) {
			f := c.live()
			f.Meta.Seq, f.Boot = 2<<32|1, [16]byte{2}
			v.Before, v.Body = [][]byte{f.Make(c.t)}, c.live().Make(c.t)
		}),
		replayed("will-again", "a will a second time", filler(func(c *cast, v *sealtest.Vector) {
			v.Body = c.will().Make(c.t)
			v.Before = [][]byte{v.Body}
		}).flags("duplicate")),
		replayed("will-old-boot", "a will of a boot that another one followed", func(c *cast, v *sealtest.Vector) {
			m := c.chain(1)
			f := c.after(m[0], 2)
			f.Boot = [16]byte{2}
			v.Before, v.Body = [][]byte{m[0], f.Make(c.t)}, c.will().Make(c.t)
		}),
		replayed("will-old-live-boot", "the same, when only live messages told of the boots", func(c *cast, v *sealtest.Vector) {
			f := c.live()
			m := f.Make(c.t)
			f.Boot, f.Meta.Seq = [16]byte{2}, 2<<32
			v.Before, v.Body = [][]byte{m, f.Make(c.t)}, c.will().Make(c.t)
		}),
		replayed("will-older", "a will that says less than one seen of the same boot", func(c *cast, v *sealtest.Vector) {
			f := c.will()
			f.Meta.Seq = 9
			m := f.Make(c.t)
			f.Meta.Seq = 8
			v.Before, v.Body = [][]byte{m}, f.Make(c.t)
		}),

		alarm("same-number", "two different messages with one number", func(c *cast, v *sealtest.Vector) {
			f := c.base()
			f.Meta.Event = 8
			v.Before, v.Body = c.chain(1), f.Make(c.t)
		}),
		alarm("same-number-older", "two different messages with one number, which is not the newest", func(c *cast, v *sealtest.Vector) {
			f := c.base()
			f.Meta.Event = 8
			v.Before, v.Body = c.chain(3), f.Make(c.t)
		}),
		alarm("same-live-number", "two different live messages with one number", func(c *cast, v *sealtest.Vector) {
			f := c.live()
			v.Before = [][]byte{f.Make(c.t)}
			f.Meta.Light = "night"
			v.Body = f.Make(c.t)
		}),
		alarm("chain", "the next message continues another one", func(c *cast, v *sealtest.Vector) {
			f := c.base()
			f.Meta.Event = 8
			v.Before, v.Body = c.chain(1), c.after(f.Make(c.t), 2).Make(c.t)
		}),
		alarm("late-below", "a late message does not continue what lies below its gap", filler(func(c *cast, v *sealtest.Vector) {
			m := c.chain(4)
			v.Before, v.Body, v.Gaps = [][]byte{m[0], m[3]}, c.after(m[3], 2).Make(c.t), []string{"2-3"}
		})),
		alarm("late-above", "a late message is not the one that lies above its gap continues", filler(func(c *cast, v *sealtest.Vector) {
			m := c.chain(4)
			v.Before, v.Body, v.Gaps = [][]byte{m[0], m[3]}, c.after(m[0], 3).Make(c.t), []string{"2-3"}
		})),
		alarm("history-first", "message 1 is not the one that message 2 continues", func(c *cast, v *sealtest.Vector) {
			m := c.chain(2)
			f := c.base()
			f.Meta.Event = 8
			v.Before, v.Body = m[1:], f.Make(c.t)
		}),
		alarm("roster-back", "the camera went back to an older roster", func(c *cast, v *sealtest.Vector) {
			m := c.chain(1)
			f := c.after(m[0], 2)
			f.Roster = 2
			v.Before, v.Body = m, f.Make(c.t)
		}),
		alarm("live-roster-back", "a live message under an older roster than the last", func(c *cast, v *sealtest.Vector) {
			f := c.live()
			v.Before = [][]byte{f.Make(c.t)}
			f.Roster, f.Meta.Seq = 2, f.Meta.Seq+1
			v.Body = f.Make(c.t)
		}),
		alarm("boot-back", "a boot that another one followed goes on: the key is in two places", func(c *cast, v *sealtest.Vector) {
			m := c.chain(1)
			f := c.after(m[0], 2)
			f.Boot = [16]byte{2}
			second := f.Make(c.t)
			v.Before, v.Body = [][]byte{m[0], second}, c.after(second, 3).Make(c.t)
		}),
		alarm("live-boot-back", "the same among live messages", func(c *cast, v *sealtest.Vector) {
			f := c.live()
			first := f.Make(c.t)
			f.Boot, f.Meta.Seq = [16]byte{2}, f.Meta.Seq+1
			v.Before = [][]byte{first, f.Make(c.t)}
			f = c.live()
			f.Meta.Seq += 2
			v.Body = f.Make(c.t)
		}),
	}
}

// timeCases are live messages that do not prove to be from now.
func timeCases() []vcase {
	stale := func(name, comment string, f filler) vcase { return vcase{"stale-" + name, "stale", comment, f} }
	times := func(taken, expires time.Duration) filler {
		return live(func(c *cast, f *seal.Forge) { f.Meta.Taken, f.Meta.Expires = c.now.Add(taken), c.now.Add(expires) })
	}
	asked := func(ago time.Duration, camera string) filler {
		return func(c *cast, v *sealtest.Vector) {
			f := c.clockless()
			f.Meta.Nonce = hash("nonce")[:16]
			v.Asked, v.AskedAt, v.Body = hash(camera)[:16], c.now.Add(-ago), f.Make(c.t)
		}
	}
	return []vcase{
		stale("expired", "expired an hour ago", times(-2*time.Hour, -time.Hour)),
		stale("expired-now", "expires this very second", times(-time.Minute, 0)),
		stale("expired-check", "checking looks at the expiry too", times(-2*time.Hour, -time.Hour).op("check")),
		{"good-live-last-second", "verified", "expires in the next second", times(-time.Minute, time.Second)},
		stale("future", "taken more than five minutes from now: one of the clocks is wrong", times(5*time.Minute+time.Second, 6*time.Minute)),
		{"good-live-ahead", "verified", "taken five minutes from now: clocks differ", times(5*time.Minute, 6*time.Minute)},
		stale("too-long", "wants to be shown for more than a day", times(-time.Second, 24*time.Hour)),
		{"good-live-long", "verified", "wants to be shown for a day", times(-time.Second, 24*time.Hour-time.Second)},
		stale("no-clock", "a camera without a clock, and nobody asked", one((*cast).clockless, nil)),
		stale("no-clock-check", "the same, checked", one((*cast).clockless, nil).op("check")),
		stale("no-clock-other-nonce", "a camera without a clock answers somebody else's question", asked(time.Second, "other")),
		stale("no-clock-too-late", "a camera without a clock answers our question two minutes and a second later", asked(2*time.Minute+time.Second, "nonce")),
		stale("no-clock-second-answer", "a second answer to one question", func(c *cast, v *sealtest.Vector) {
			f := c.clockless()
			f.Meta.Nonce = hash("nonce")[:16]
			v.Before, v.Asked, v.AskedAt = [][]byte{f.Make(c.t)}, f.Meta.Nonce, c.now
			f.Meta.Seq++
			v.Body = f.Make(c.t)
		}),
	}
}
