package seal_test

import (
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
	"github.com/sealcam/sealcam/uplink/seal/sealtest"
)

// watched has this viewer watch since ago; fill makes the vector of two honest
// frames, the first of which echoes that watch, and the next another viewer's.
func watched(ago time.Duration, fill func(c *cast, v *sealtest.Vector, first, next *seal.Forge)) filler {
	return func(c *cast, v *sealtest.Vector) {
		v.Asked, v.AskedAt, v.Watched = hash("nonce")[:16], c.now.Add(-ago), true
		first, next := c.view(), c.view()
		next.Meta.Seq, next.Meta.Nonce = first.Meta.Seq+1, hash("other")[:16]
		fill(c, v, &first, &next)
	}
}

// frame is the first of the two, changed.
func frame(change func(f *seal.Forge)) filler {
	return watched(time.Second, func(c *cast, v *sealtest.Vector, f, _ *seal.Forge) {
		change(f)
		v.Body = f.Make(c.t)
	})
}

func alone(c *cast, v *sealtest.Vector, f, _ *seal.Forge) { v.Body = f.Make(c.t) }

func both(c *cast, v *sealtest.Vector, f, next *seal.Forge) {
	v.Before, v.Body = [][]byte{f.Make(c.t)}, next.Make(c.t)
}

// viewCases are frames of live view: who watches sees them, and nobody later.
func viewCases() []vcase {
	good := func(name, comment string, f filler) vcase { return vcase{"good-" + name, "verified", comment, f} }
	bad := func(name, comment string, f filler) vcase { return vcase{name, "malformed", comment, f} }
	return append(staleViews(), []vcase{
		good("view", "a frame of live view echoes our watch, of a camera without a clock", watched(15*time.Second, alone).flags("fresh")),
		good("view-next", "the next frame echoes another viewer's watch: it was sealed after the one that echoed ours", watched(15*time.Second, both).flags("fresh")),
		good("view-beside-live", "live view does not count with live pictures", watched(time.Second, func(c *cast, v *sealtest.Vector, f, _ *seal.Forge) {
			live := c.live()
			f.Meta.Seq = 1
			v.Before, v.Body = [][]byte{live.Make(c.t)}, f.Make(c.t)
		}).flags("fresh")),
		good("live-beside-view", "live pictures do not count with live view", watched(time.Second, func(c *cast, v *sealtest.Vector, f, _ *seal.Forge) {
			live := c.live()
			live.Meta.Seq = 1
			v.Before, v.Body = [][]byte{f.Make(c.t)}, live.Make(c.t)
		})),
		good("view-next-boot", "the camera has restarted, and echoes our watch again", watched(time.Second, func(c *cast, v *sealtest.Vector, f, next *seal.Forge) {
			next.Boot, next.Meta.Nonce = [16]byte{2}, f.Meta.Nonce
			both(c, v, f, next)
		}).flags("fresh")),
		{"replayed-view-again", "replayed", "a frame of live view a second time", watched(time.Second, func(c *cast, v *sealtest.Vector, f, _ *seal.Forge) {
			v.Body = f.Make(c.t)
			v.Before = [][]byte{v.Body}
		}).flags("duplicate")},
		{"replayed-view-older", "replayed", "a frame of live view after the next one", watched(time.Second, func(c *cast, v *sealtest.Vector, f, next *seal.Forge) {
			next.Meta.Nonce = f.Meta.Nonce
			both(c, v, next, f)
		})},
		{"alarm-view-same-number", "broken seal", "two different frames of live view with one number", watched(time.Second, func(c *cast, v *sealtest.Vector, f, next *seal.Forge) {
			next.Meta.Seq = f.Meta.Seq
			both(c, v, f, next)
		}).flags("alarm")},
		{"broken-inner-view", "broken seal", "live view outside, live inside", frame(func(f *seal.Forge) { f.Hidden = set(2, 2) })},
		bad("visible-view-sequence-0", "a frame of live view with sequence 0", frame(func(f *seal.Forge) { f.Meta.Seq = 0 })),
		bad("visible-view-previous", "a frame of live view names a previous one", frame(func(f *seal.Forge) { f.Claims = set(-65541, hash("previous")) })),
		bad("visible-view-expires", "a frame of live view expires", frame(func(f *seal.Forge) { f.Claims = set(4, uint64(4000000000)) })),
		bad("hidden-view-no-nonce", "a frame of live view answers no watch", frame(func(f *seal.Forge) { f.Meta.Nonce = nil })),
	}...)
}

// staleViews are frames that nothing proves to be of now.
func staleViews() []vcase {
	stale := func(name, comment string, f filler) vcase { return vcase{"stale-" + name, "stale", comment, f} }
	return []vcase{
		stale("view-unwatched", "a frame of live view, and this viewer does not watch", func(c *cast, v *sealtest.Vector) {
			f := c.view()
			v.Body = f.Make(c.t)
		}),
		stale("view-clock", "the same of a camera that knows the time: that proves too little", func(c *cast, v *sealtest.Vector) {
			f := c.view()
			f.Meta.Clock, f.Meta.Taken = seal.ClockNTP, c.now
			v.Body = f.Make(c.t)
		}),
		stale("view-late", "a frame of live view echoes our watch 16 seconds later", watched(16*time.Second, alone)),
		stale("view-other", "a frame of live view echoes another viewer's watch, and none before it echoed ours",
			watched(time.Second, func(c *cast, v *sealtest.Vector, _, next *seal.Forge) { v.Body = next.Make(c.t) })),
		stale("view-other-boot", "a frame of another boot than that of the one that echoed our watch", watched(time.Second, func(c *cast, v *sealtest.Vector, f, next *seal.Forge) {
			next.Boot = [16]byte{2}
			both(c, v, f, next)
		})),
		stale("view-asked", "a frame of live view echoes a question that was no watch",
			watched(time.Second, alone).more(func(_ *cast, v *sealtest.Vector) { v.Watched = false })),
		stale("view-check", "live view is for when it comes: checked as a file it is stale", watched(time.Second, alone).op("check")),
		stale("live-watched", "a live picture of a camera without a clock echoes our watch, which asked for none", watched(time.Second, func(c *cast, v *sealtest.Vector, _, _ *seal.Forge) {
			f := c.clockless()
			f.Meta.Nonce = v.Asked
			v.Body = f.Make(c.t)
		})),
	}
}
