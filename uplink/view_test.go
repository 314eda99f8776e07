package uplink

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// frame is a picture for live view.
func (h *home) frame(text string) encode.Picture {
	p := h.picture(text)
	p.Cause, p.Event = encode.CauseWatch, 0
	return p
}

// frames opens what has arrived of live view and returns it.
func (h *home) frames(o *seal.Opener) (texts []string) {
	h.t.Helper()
	for _, s := range h.arrived() {
		if path.Base(s.Topic) != "view" {
			continue
		}
		if s.Retained {
			h.t.Error("a frame of live view is retained")
		}
		v, err := o.Open(h.camera.ID(), s.Payload)
		if err != nil {
			texts = append(texts, string(seal.ReasonOf(err)))
			continue
		}
		texts = append(texts, said(v))
	}
	return texts
}

func (h *home) wanted() bool { _, ok := h.up.ViewWanted(); return ok }

// A watch holds for 15 s; said again it goes on. Nothing is sealed before and after.
func TestWatchHolds(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.clock = func() string { return seal.ClockNone }
		h.open()
		h.run()
		if err := h.up.View(h.frame("early")); !errors.Is(err, ErrUnwatched) || h.wanted() {
			t.Errorf("unwatched: %v, wanted %v", err, h.wanted())
		}
		for round := range 4 {
			h.command(h.opener.Watch(h.camera.ID()))
			for i := range 5 {
				if !h.wanted() {
					t.Fatalf("round %d, second %d: no frame is wanted", round, i)
				}
				h.do(h.up.View(h.frame(fmt.Sprint(round, i))))
				h.pass(time.Second)
			}
		}
		if got := h.frames(h.opener); len(got) != 20 || got[19] != "3 4" {
			t.Errorf("shown %q", got)
		}
		h.pass(seal.WatchLife - 5*time.Second - time.Millisecond)
		if !h.wanted() {
			t.Error("the last watch ended early")
		}
		h.pass(2 * time.Millisecond)
		if err := h.up.View(h.frame("late")); !errors.Is(err, ErrUnwatched) || h.wanted() {
			t.Errorf("after the last watch: %v, wanted %v", err, h.wanted())
		}
		if st := h.up.Stats(); st.Views != 20 {
			t.Errorf("%d frames were sealed", st.Views)
		}
	})
}

// Only those of the roster may watch, and each command is good once.
func TestWatchRefused(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.run()
		cmd, err := h.opener.Watch(h.camera.ID())
		h.do(err)
		h.tell("cmd", cmd, true)
		h.tell("cmd", cmd, false)
		h.pass(seal.WatchLife)
		h.tell("cmd", cmd, false) // repeated, it does not go on
		if h.wanted() {
			t.Error("a watch that was repeated holds")
		}
		second := must(h.house.AddViewer("tablet"))
		gone := h.newOpener(second)
		h.do(h.house.RemoveViewer("tablet"))
		_, roster, err := h.house.Roster()
		h.do(err)
		h.tell("roster", roster, false)
		h.command(gone.Watch(h.camera.ID()))
		plain, err := seal.SignCommand(h.viewer.Key().Signer(), seal.Command{
			Camera: h.camera.ID(), Counter: uint64(h.now().UnixMilli()) + 1, Verb: seal.VerbWatch, Issued: h.now(), Expires: h.now().Add(time.Minute),
		})
		h.command(plain, err)
		if h.wanted() {
			t.Error("a watch that is refused holds")
		}
		h.pass(time.Second)
		h.up.SetPrivate(true)
		h.command(h.opener.Watch(h.camera.ID()))
		got := h.up.Stats().Refusals
		for _, why := range []string{"command retained", "command replayed", "command revoked", "command malformed", "command while closed"} {
			if got[why] != 1 {
				t.Errorf("refusals %v, want one of %q", got, why)
			}
		}
	})
}

// A viewer who is removed, and a camera that is closed, end live view at once.
func TestWatchEnds(t *testing.T) {
	for what, end := range map[string]func(h *home){
		"a new roster": func(h *home) {
			_, err := h.house.AddViewer("tablet")
			h.do(err)
			_, roster, err := h.house.Roster()
			h.do(err)
			h.tell("roster", roster, false)
		},
		"privacy": func(h *home) { h.up.SetPrivate(true); h.up.SetPrivate(false) },
	} {
		inHome(t, func(t *testing.T, h *home) {
			h.open()
			h.air.deaf = true
			h.run()
			h.command(h.opener.Watch(h.camera.ID()))
			h.do(h.up.View(h.frame("on its way")))
			synctest.Wait()
			h.do(h.up.View(h.frame("waits")))
			synctest.Wait()
			end(h)
			if err := h.up.View(h.frame("after")); !errors.Is(err, ErrUnwatched) || h.wanted() {
				t.Errorf("%s: %v, wanted %v", what, err, h.wanted())
			}
			h.read = 0
			if got := h.frames(h.opener); len(got) != 1 || got[0] != "on its way" {
				t.Errorf("%s: shown %q", what, got)
			}
		})
	}
}

// All who watch share one stream, in which each finds the proof that it needs; who
// does not watch has none.
func TestWatchersShare(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.clock = func() string { return seal.ClockNone }
		idle := must(h.house.AddViewer("idle"))
		second := must(h.house.AddViewer("tablet"))
		h.do(h.house.Adopt(h.camera))
		h.opener = h.newOpener(h.viewer)
		openers := []*seal.Opener{h.opener, h.newOpener(second)}
		h.open()
		h.run()
		for _, o := range openers {
			h.command(o.Watch(h.camera.ID()))
		}
		for i := range 4 {
			h.do(h.up.View(h.frame(fmt.Sprint("frame ", i))))
			synctest.Wait()
		}
		expect(t, "the first viewer's screen", h.frames(openers[0]), []string{"frame 0", "frame 1", "frame 2", "frame 3"})
		h.read = 0
		expect(t, "the second's", h.frames(openers[1]), []string{"stale", "frame 1", "frame 2", "frame 3"})
		h.read = 0
		expect(t, "that of who does not watch", h.frames(h.newOpener(idle)), []string{"stale", "stale", "stale", "stale"})
	})
}

// Renewing spares the flash; what is not stored of it is less than a minute.
func TestWatchSparesTheFlash(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.run()
		stored, last := 0, h.camera.GuardState()
		for range 36 { // three minutes
			h.command(h.opener.Watch(h.camera.ID()))
			if now := h.camera.GuardState(); !bytes.Equal(now, last) {
				stored, last = stored+1, now
			}
			h.pass(seal.WatchEach)
		}
		if stored != 3 {
			t.Errorf("stored %d times in three minutes, want 3", stored)
		}
	})
}

// What must arrive goes first: a frame that waits lets it pass.
func TestEventsGoBeforeLiveView(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.air.deaf = true
		h.run()
		h.command(h.opener.Watch(h.camera.ID()))
		h.do(h.up.View(h.frame("first")))
		synctest.Wait()
		if h.wanted() {
			t.Error("a second frame is wanted, though nothing is known of the first")
		}
		h.do(h.up.View(h.frame("second")))
		h.send("event")
		synctest.Wait()
		var order []string
		for _, s := range h.arrived() {
			order = append(order, path.Base(s.Topic))
		}
		expect(t, "sent", order, []string{"hello", "view", "media"})
		h.do(h.up.View(h.frame("third"))) // in place of the second
		for n := range 3 {
			h.air.ack(n)
		}
		expect(t, "then", h.frames(h.opener), []string{"third"})
	})
}

// thinAir has the broker acknowledge what comes as a link of rate bytes a second,
// and a delay, would let it.
type thinAir struct {
	rate  float64
	delay time.Duration
	free  time.Time
}

func (a *thinAir) carry(m mqtt.Message, s *sent) {
	now := time.Now()
	if a.free.Before(now) {
		a.free = now
	}
	a.free = a.free.Add(time.Duration(float64(len(m.Payload)) / a.rate * float64(time.Second)))
	time.AfterFunc(a.free.Sub(now)+a.delay, func() { close(s.done) })
}

// Live view is as fast and as large as its link: on a thin one fewer frames, then
// smaller ones, on a wide one all of them, whole, in a moment.
func TestLiveViewFitsItsLink(t *testing.T) {
	const whole = 200_000 // bytes of a frame
	for _, c := range []struct {
		name      string
		rate      float64
		delay     time.Duration
		fps       float64 // at least
		halvings  int     // at most
		otherwise int     // at least
	}{
		{"64 kbit/s", 8_000, 50 * time.Millisecond, 1.2, 3, 3},
		{"256 kbit/s", 32_000, 50 * time.Millisecond, 1.5, 3, 2},
		{"1 Mbit/s", 125_000, 40 * time.Millisecond, 2, 1, 1},
		{"10 Mbit/s", 1_250_000, 30 * time.Millisecond, 4, 0, 0},
		{"100 Mbit/s", 12_500_000, 5 * time.Millisecond, 29, 0, 0},
		{"100 Mbit/s, far away", 12_500_000, 300 * time.Millisecond, 15, 0, 0},
	} {
		inHome(t, func(t *testing.T, h *home) {
			link := &thinAir{rate: c.rate, delay: c.delay}
			h.air.carry = link.carry
			h.open()
			h.run()
			frames, sizes := 0, map[int]int{}
			for i := range 30 * 20 {
				if i%150 == 0 {
					h.command(h.opener.Watch(h.camera.ID()))
				}
				if n, ok := h.up.ViewWanted(); ok {
					h.do(h.up.View(h.frame(string(make([]byte, whole>>(2*n))))))
					if i >= 30*10 { // it has settled
						frames++
						sizes[n]++
					}
				}
				h.pass(time.Second / 30)
			}
			fps := float64(frames) / 10
			most, at := 0, 0
			for n, count := range sizes {
				if count > most {
					most, at = count, n
				}
			}
			t.Logf("%s: %.1f frames a second, %d times halved (%v)", c.name, fps, at, sizes)
			if fps < c.fps || at > c.halvings || at < c.otherwise {
				t.Errorf("%s: %.1f frames a second, halved %d times mostly", c.name, fps, at)
			}
		})
	}
}

// BenchmarkView is what a frame of live view costs beside its seal, which is that
// of one 1080p motion JPEG frame to two viewers.
func BenchmarkView(b *testing.B) {
	house := must(identity.CreateHousehold(path.Join(b.TempDir(), "house"), "", time.Now))
	camera := must(identity.OpenCamera(path.Join(b.TempDir(), "camera")))
	for _, name := range []string{"phone", "tablet"} {
		must(house.AddViewer(name))
	}
	if err := errors.Join(house.AddCamera(camera.ID(), "door"), house.Adopt(camera)); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	up := must(Open(Config{
		Dir: path.Join(b.TempDir(), "spool"), Camera: camera, Broker: "mqtts://test", Budget: 1 << 24,
		Now: time.Now, Mono: func() time.Duration { return time.Since(began) },
	}))
	defer up.Close()
	p := encode.Picture{Kind: encode.Snapshot, Media: "image/jpeg", Data: make([]byte, 300_000), Width: 1920, Height: 1080, Cause: encode.CauseWatch, Taken: began}
	hold := func() {
		up.mu.Lock()
		defer up.mu.Unlock()
		if err := up.view.hold("viewer", make([]byte, seal.MinNonce), up.config.Mono()); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("frame", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(p.Data)))
		for b.Loop() {
			hold()
			if err := up.View(p); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("seal alone", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(p.Data)))
		m := up.pictureMeta(p)
		m.Stream, m.Kind, m.Nonce = seal.View, seal.KindView, make([]byte, seal.MinNonce)
		for b.Loop() {
			m.Seq++
			if _, err := up.sealer.Seal(m, p.Data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
