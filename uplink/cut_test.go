package uplink

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/piece"
	"github.com/sealcam/sealcam/uplink/seal"
)

// thin makes the air a link of so many bytes a second with a delay each way: a
// message is there, and acknowledged, when those before it are.
func (a *air) thin(rate float64, delay time.Duration) { a.rate, a.delay = rate, delay }

// carry acknowledges s when a thin link has carried it. a.mu is held.
func (c *airConn) carry(s *sent) {
	begin := time.Now()
	if begin.Before(c.busy) {
		begin = c.busy
	}
	c.busy = begin.Add(time.Duration(float64(len(s.Payload)+100) / c.air.rate * float64(time.Second)))
	time.AfterFunc(time.Until(c.busy)+2*c.air.delay, func() {
		c.air.mu.Lock()
		defer c.air.mu.Unlock()
		if c.air.rule != nil && !c.air.rule(s.Message) {
			c.drop(errLost)
		}
		if c.Err() == nil {
			s.at = time.Now()
			c.arrived = append(c.arrived, s)
			close(s.done)
		}
	})
}

// reader is a viewer that is there all the time: it puts together and opens what
// has arrived.
type reader struct {
	h      *home
	joiner piece.Joiner
	conn   int // that it has come to
	read   int
	texts  []string
	at     map[string]time.Time
	bytes  int
}

func (r *reader) look() []string {
	r.h.t.Helper()
	synctest.Wait()
	r.h.air.mu.Lock()
	defer r.h.air.mu.Unlock()
	if r.at == nil {
		r.at = map[string]time.Time{}
	}
	for ; r.conn < len(r.h.air.conns); r.conn, r.read = r.conn+1, 0 {
		c := r.h.air.conns[r.conn]
		for ; r.read < len(c.arrived); r.read++ {
			r.take(c.arrived[r.read])
		}
		if r.conn == len(r.h.air.conns)-1 {
			break
		}
	}
	return r.texts
}

// miss passes over what has come meanwhile.
func (r *reader) miss() {
	r.h.air.mu.Lock()
	defer r.h.air.mu.Unlock()
	r.conn = len(r.h.air.conns) - 1
	r.read = len(r.h.air.conns[r.conn].arrived)
}

func (r *reader) take(s *sent) {
	r.h.t.Helper()
	b := s.Payload
	r.bytes += len(b)
	if piece.Is(b) {
		kind, whole, err := r.joiner.Add("door", b)
		r.h.do(err)
		if b = whole; whole == nil {
			return
		}
		if topic := path.Base(s.Topic); topic != piece.Topic && topic != kind.String() {
			r.h.t.Errorf("pieces of %v on %s", kind, topic)
		}
	}
	if path.Base(s.Topic) == "hello" {
		return
	}
	v, err := r.h.opener.Open(r.h.camera.ID(), b)
	if refusal := (*seal.Refusal)(nil); errors.As(err, &refusal) && refusal.Duplicate {
		return // sent once more, because its acknowledgement was lost
	}
	if err != nil {
		r.h.t.Errorf("on %s: %v", s.Topic, err)
		return
	}
	text := v.Meta().Kind
	if text == "snapshot" || text == "clip" || text == "view" {
		text, _, _ = strings.Cut(said(v), "...")
	}
	r.texts = append(r.texts, text)
	r.at[text] = s.at
}

// large is a text that is named by its first ten bytes.
func large(name string, bytes int) string {
	return name + strings.Repeat("-", 10-len(name)) + strings.Repeat("x", bytes-10)
}

func (h *home) part(event uint64, text string) encode.Picture {
	p := h.picture(text)
	p.Kind, p.Media, p.Event = encode.ClipPart, "video/mp4", event
	return p
}

// A part of a clip that takes three minutes at 64 kbit/s arrives over a link that
// is cut every 10 s, and what the broker has is not sent again.
func TestLargeMessageOverLinkThatIsCut(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.air.thin(8000, 100*time.Millisecond)
		h.open()
		h.do(h.up.Send(h.part(1, large("clip", 1_400_000))))
		h.run()
		r := reader{h: h}
		began := time.Now()
		for len(r.look()) == 0 && time.Since(began) < 20*time.Minute {
			h.pass(10 * time.Second)
			r.look()
			h.air.cut()
			h.pass(time.Second)
		}
		expect(t, "arrived", r.look(), []string{"clip------"})
		if r.bytes > 1_700_000 {
			t.Errorf("%d bytes were sent for it", r.bytes)
		}
		if n := h.log.count("passed over"); n > 0 {
			t.Errorf("given up: %q", h.log.said)
		}
		t.Logf("after %v and %d connections, %d bytes", time.Since(began).Round(time.Second), len(h.air.conns), r.bytes)
	})
}

// While a clip is on its way, a status and a snapshot wait for what is in the
// network already, and for nothing else.
func TestClipHoldsUpNothing(t *testing.T) {
	for rate, most := range map[float64]time.Duration{8000: 2500 * time.Millisecond, 32000: 1500 * time.Millisecond, 1e6: 900 * time.Millisecond} {
		inHome(t, func(t *testing.T, h *home) {
			h.air.thin(rate, 50*time.Millisecond)
			h.open()
			h.do(h.up.Send(h.part(1, large("clip", 4_000_000))))
			h.run()
			h.pass(2 * time.Second)
			r := reader{h: h}
			asked := time.Now()
			h.do(h.up.Status(Status{State: "trouble"}))
			for len(r.look()) == 0 && time.Since(asked) < time.Minute {
				h.pass(10 * time.Millisecond)
			}
			waited := r.at["status"].Sub(asked)
			t.Logf("%.0f bytes a second: a status waits %v", rate, waited)
			if waited <= 0 || waited > most {
				t.Errorf("%.0f bytes a second: a status waited %v", rate, waited)
			}
			asked = time.Now()
			h.send(large("face", 20_000))
			for len(r.look()) == 1 && time.Since(asked) < time.Minute {
				h.pass(10 * time.Millisecond)
			}
			took := r.at["face------"].Sub(asked) - time.Duration(23_000/rate*float64(time.Second))
			if took > most {
				t.Errorf("%.0f bytes a second: a snapshot waited %v beside its own time", rate, took)
			}
			// The link is used to its end all the same.
			began, before := time.Now(), r.bytes
			h.pass(3 * time.Second)
			r.look()
			if used := float64(r.bytes-before) / time.Since(began).Seconds() / rate; used < 0.8 && len(r.texts) == 2 {
				t.Errorf("%.0f bytes a second: %.0f %% of the link are used", rate, 100*used)
			}
		})
	}
}

// The newest clip goes before one that is on its way, which is not begun anew.
func TestNewestClipFirst(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.air.thin(32000, 20*time.Millisecond)
		h.open()
		h.do(h.up.Send(h.part(1, large("old", 1_000_000))))
		h.run()
		h.pass(20 * time.Second)
		h.do(h.up.Send(h.part(2, large("new", 300_000))))
		h.send(large("face", 60_000))
		r := reader{h: h}
		for began := time.Now(); len(r.look()) < 3 && time.Since(began) < 2*time.Minute; {
			h.pass(time.Second)
		}
		expect(t, "in order", r.texts, []string{"face------", "new-------", "old-------"})
		if r.bytes > 1_500_000 {
			t.Errorf("%d bytes were sent", r.bytes)
		}
	})
}

// After a long outage the picture of now goes before hundreds of old ones and their
// clips, also in the middle of them; those follow, the newest first, and the viewer
// has everything in the end.
func TestNewestSnapshotFirst(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.air.thin(32000, 50*time.Millisecond)
		h.open()
		const backlog = 500
		for i := range backlog {
			h.send(large(fmt.Sprint("old ", i), 6_000))
			h.do(h.up.Send(h.part(uint64(i), large(fmt.Sprint("clip ", i), 3_000))))
		}
		h.run()
		r, worst := reader{h: h}, time.Duration(0)
		for i := range 8 {
			h.pass(9 * time.Second)
			if i == 5 {
				h.air.cut()
			}
			name, asked := large(fmt.Sprint("now ", i), 10), time.Now()
			h.send(large(fmt.Sprint("now ", i), 6_000))
			for r.at[name].IsZero() && time.Since(asked) < 15*time.Minute {
				r.look()
				h.pass(100 * time.Millisecond)
			}
			took := r.at[name].Sub(asked)
			if took > 3*time.Second && i != 5 || took > 10*time.Second {
				t.Errorf("picture %d took %v, behind %d others", i, took, len(r.texts))
			}
			if i != 5 { // for that one the link was cut
				worst = max(worst, took)
			}
		}
		if late, early := r.at["old 100---"], r.at["old 498---"]; early.IsZero() || !late.IsZero() && late.Before(early) {
			t.Errorf("old pictures came at %v and, of the newest of them, at %v", late, early)
		}
		for began := time.Now(); h.up.Stats().Waiting > 0 && time.Since(began) < time.Hour; h.pass(time.Second) {
			r.look()
		}
		if gaps, want := h.opener.Gaps(h.camera.ID()), 2*backlog+8; len(gaps) > 0 || len(r.look()) != want {
			t.Errorf("%d of %d came, gaps %v", len(r.texts), want, gaps)
		}
		t.Logf("the picture of now took %v at most", worst)
	})
}

// A live picture shares a thin link with clips, and takes little from an event.
func TestLivePictureInPieces(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.air.thin(32000, 20*time.Millisecond)
		h.open()
		h.do(h.up.Send(h.part(1, large("clip", 2_000_000))))
		h.run()
		h.pass(5 * time.Second)
		h.do(h.up.Live(h.picture(large("live", 60_000))))
		h.pass(100 * time.Millisecond)
		h.send(large("face", 60_000))
		r := reader{h: h}
		asked := time.Now()
		for len(r.look()) < 2 && time.Since(asked) < time.Minute {
			h.pass(100 * time.Millisecond)
		}
		expect(t, "in order", r.texts, []string{"face------", "live------"})
		if took := r.at["face------"].Sub(asked); took > 4*time.Second {
			t.Errorf("the picture of the event took %v", took)
		}
		h.do(h.up.Live(h.picture(large("closed", 60_000))))
		h.pass(time.Second)
		h.up.SetPrivate(true)
		h.pass(10 * time.Second)
		if got := r.look(); len(got) != 2 {
			t.Errorf("after the camera was closed came %q", got[2:])
		}
	})
}

// On a link that carries it soon, a live picture goes whole, and the broker keeps it
// for who comes later; so it does with the first, whose link was not known yet.
func TestLivePictureIsKept(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.air.thin(2e6, 10*time.Millisecond)
		h.open()
		h.run()
		r := reader{h: h}
		for i, size := range []int{60_000, 200_000, 200_000} {
			h.do(h.up.Live(h.picture(large(fmt.Sprint("live ", i), size))))
			h.pass(10 * time.Second)
			conn := h.air.last()
			h.air.mu.Lock()
			if last := conn.arrived[len(conn.arrived)-1]; path.Base(last.Topic) != "live" || !last.Retained {
				t.Errorf("picture %d ends with a message to %s, retained %v", i, last.Topic, last.Retained)
			}
			h.air.mu.Unlock()
		}
		expect(t, "arrived", r.look(), []string{"live 0----", "live 1----", "live 2----"})
	})
}

// Whatever comes when, over a link that is cut at any moment, the viewer has
// everything in the end, once; what it missed it asks for.
func TestEverythingArrives(t *testing.T) {
	for seed := range uint64(4) {
		inHome(t, func(t *testing.T, h *home) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			h.air.thin(4000+rnd.Float64()*60_000, time.Duration(rnd.IntN(600))*time.Millisecond)
			h.open()
			h.run()
			r := reader{h: h}
			head := 0
			for i := range 60 {
				switch name := fmt.Sprint(i); rnd.IntN(4) {
				case 0:
					h.do(h.up.Status(Status{State: "running"}))
				case 1:
					h.send(large(name, 500+rnd.IntN(30_000)))
				default:
					h.do(h.up.Send(h.part(uint64(1+i/4), large(name, 500+rnd.IntN(120_000)))))
				}
				h.pass(time.Duration(rnd.IntN(4000)) * time.Millisecond)
				r.look()
				if rnd.IntN(6) == 0 {
					h.air.cut()
				}
				if rnd.IntN(10) == 0 { // the viewer was away: it missed what came meanwhile
					r.miss()
				}
				if gaps := h.opener.Gaps(h.camera.ID()); len(gaps) > 0 && rnd.IntN(3) == 0 && h.air.last().Err() == nil {
					g := gaps[rnd.IntN(len(gaps))]
					h.command(h.opener.Resend(h.camera.ID(), g.First, g.Last))
				}
			}
			for began := time.Now(); time.Since(began) < 3*time.Hour; h.pass(20 * time.Second) {
				r.look()
				head = int(h.up.Stats().Head)
				gaps := h.opener.Gaps(h.camera.ID())
				if len(gaps) == 0 && h.up.Stats().Waiting == 0 {
					break
				}
				if len(gaps) > 0 && h.air.last().Err() == nil {
					h.command(h.opener.Resend(h.camera.ID(), gaps[0].First, gaps[0].Last))
				}
			}
			if gaps := h.opener.Gaps(h.camera.ID()); len(gaps) > 0 || h.up.Stats().Waiting > 0 {
				t.Errorf("seed %d: of %d messages gaps %v are left, %d wait", seed, head, gaps, h.up.Stats().Waiting)
			}
		})
	}
}

// A broker that takes no large messages gets small ones.
func TestBrokerWithALimit(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.air.thin(1e6, time.Millisecond)
		h.air.rule = func(m mqtt.Message) bool { return len(m.Payload) < 10_000 }
		h.open()
		h.send("one", large("large", 200_000), "three")
		h.run()
		h.pass(10 * time.Minute)
		r := reader{h: h}
		expect(t, "arrived", r.look(), []string{"three", "large-----", "one"})
		if n := len(h.air.conns); n > 5 {
			t.Errorf("%d connections", n)
		}
	})
}
