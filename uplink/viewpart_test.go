package uplink

import (
	"fmt"
	"path"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/piece"
	"github.com/sealcam/sealcam/uplink/seal"
)

// group is a part of live view.
func (h *home) group(name string, bytes int) encode.Picture {
	p := h.picture(large(name, bytes))
	p.Kind, p.Media, p.Cause, p.Event = encode.Viewed, partMedia, encode.CauseWatch, 0
	return p
}

// Parts of live view come as far as the link carries them: on a thin one fewer, of
// fewer frames, on a wide one all of them, soon. The picture of an event overtakes them.
func TestPartsOfLiveViewFitTheirLink(t *testing.T) {
	const whole, key = 500_000, 50_000 // bytes of a second at 4 Mbit/s
	for _, c := range []struct {
		name  string
		rate  float64
		delay time.Duration
		parts float64 // that arrive of each second's, at least
		frame float64 // that come of the film, at least
		late  time.Duration
		event time.Duration
	}{
		{"128 kbit/s", 16_000, 50 * time.Millisecond, 0.2, 0.02, 5 * time.Second, 3 * time.Second},
		{"1 Mbit/s", 125_000, 40 * time.Millisecond, 0.3, 0.15, 3 * time.Second, time.Second},
		{"3 Mbit/s", 375_000, 30 * time.Millisecond, 0.45, 0.45, 2500 * time.Millisecond, time.Second},
		{"10 Mbit/s", 1_250_000, 30 * time.Millisecond, 1, 1, 600 * time.Millisecond, 700 * time.Millisecond},
		{"100 Mbit/s, far away", 12_500_000, 300 * time.Millisecond, 1, 0.95, 2 * time.Second, time.Second},
	} {
		inHome(t, func(t *testing.T, h *home) {
			h.air.thin(c.rate, c.delay)
			h.open()
			h.run()
			r := reader{h: h}
			sealed, sizes := map[string]time.Time{}, map[string]int{}
			var event time.Time
			for i := range 60 {
				if i%5 == 0 {
					h.command(h.opener.Watch(h.camera.ID()))
				}
				h.pass(c.delay + 10*time.Millisecond)
				if _, ok := h.up.ViewWanted(); ok {
					name := fmt.Sprintf("%-10d", i)
					sizes[name] = max(key, min(whole, h.up.ViewBytes()))
					sealed[name] = time.Now()
					h.do(h.up.View(h.group(name, sizes[name])))
				}
				if i == 40 {
					h.pass(100 * time.Millisecond)
					h.send(large("face", 10_000))
					event = time.Now()
				}
				h.pass(time.Second - c.delay)
				r.look()
			}
			parts, bytes, late := 0, 0, time.Duration(0)
			for _, name := range r.look() {
				if at, ok := sealed[name]; ok {
					parts, bytes, late = parts+1, bytes+sizes[name], max(late, r.at[name].Sub(at))
				}
			}
			face := r.at["face------"].Sub(event)
			got := fmt.Sprintf("%s: %d parts, %.0f%% of the film, at most %v late; the event's picture took %v", c.name, parts, float64(bytes)/whole/60*100, late, face)
			t.Log(got)
			if float64(parts) < 60*c.parts-3 || float64(bytes) < 60*whole*c.frame-3*whole || late > c.late || face < 0 || face > c.event {
				t.Error(got)
			}
		})
	}
}

// A part that is on its way ends with the watch, with a new roster, and where its
// link became too thin for it: the rest is not sent, and the next begins afresh.
func TestPartOfLiveViewEnds(t *testing.T) {
	for what, end := range map[string]func(h *home){
		"privacy": func(h *home) {
			h.up.SetPrivate(true)
			h.up.SetPrivate(false)
			h.command(h.opener.Watch(h.camera.ID())) // asks for what comes now
		},
		"a new roster": func(h *home) {
			_, err := h.house.AddViewer("tablet")
			h.do(err)
			_, roster, err := h.house.Roster()
			h.do(err)
			h.tell("roster", roster, false)
			h.command(h.opener.Watch(h.camera.ID())) // as soon as that
		},
		"no watch":    func(h *home) { h.pass(time.Second); h.pieces() },
		"a thin link": func(h *home) { h.pass(partPatience); h.pieces() },
		"a lost link": func(h *home) { h.air.cut(); h.pass(2 * time.Second); h.read = 0 },
	} {
		inHome(t, func(t *testing.T, h *home) {
			h.air.thin(20_000, 10*time.Millisecond)
			h.open()
			h.run()
			h.command(h.opener.Watch(h.camera.ID()))
			if what == "no watch" {
				h.pass(seal.WatchLife - 1500*time.Millisecond)
			}
			h.do(h.up.View(h.group("cut", 1_000_000)))
			h.pass(time.Second)
			if _, wanted := h.up.ViewWanted(); wanted {
				t.Error("another part is wanted while one is being sent")
			}
			before := h.pieces()
			if before == 0 {
				t.Fatal("nothing of the part was sent")
			}
			end(h)
			h.pass(partPatience)
			if n := h.pieces(); n > 0 {
				t.Errorf("%s: %d more pieces", what, n)
			}
			h.command(h.opener.Watch(h.camera.ID()))
			h.do(h.up.View(h.group("next", 20_000)))
			r := reader{h: h}
			h.pass(10 * time.Second)
			if texts := r.look(); len(texts) == 0 || texts[len(texts)-1] != "next------" {
				t.Errorf("%s: then came %q", what, texts)
			}
		})
	}
}

// pieces counts those of live view that were sent since the last call.
func (h *home) pieces() (n int) {
	for _, s := range h.arrived() {
		if path.Base(s.Topic) == "view" && piece.Is(s.Payload) {
			n++
		}
	}
	return n
}

// Newest wins: of two parts that were made before there was room, the first goes to nobody.
func TestNewestPartWins(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.air.deaf = true
		h.run()
		h.command(h.opener.Watch(h.camera.ID()))
		h.do(h.up.View(h.group("first", 100_000)))
		synctest.Wait()
		h.do(h.up.View(h.group("second", 2_000)))
		for n := 0; n < len(h.air.last().sent); n++ {
			h.air.ack(n)
			synctest.Wait()
		}
		joiner, texts := piece.Joiner{}, []string(nil)
		for _, s := range h.arrived() {
			b := s.Payload
			if piece.Is(b) {
				_, whole, err := joiner.Add("door", b)
				h.do(err)
				b = whole
			}
			if b == nil || path.Base(s.Topic) == "hello" {
				continue
			}
			v, err := h.opener.Open(h.camera.ID(), b)
			h.do(err)
			if v.Meta().Stream == seal.View {
				texts = append(texts, said(v)[:6])
			}
		}
		expect(t, "shown", texts, []string{"second"})
	})
}
