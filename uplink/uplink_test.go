package uplink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

func rangeOf(r seal.Range) string { return fmt.Sprintf("%d-%d", r.First, r.Last) }

func TestAcknowledgedIsNotSentAgain(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.send("one", "two", "three")
		h.air.deaf = true
		h.run()
		expect(t, "first connection", h.shown("media"), []string{"one", "two", "three"})
		h.air.ack(0) // the hello
		h.air.ack(1)
		synctest.Wait()
		h.air.cut()
		h.send("four")
		h.pass(5 * time.Second)
		h.read = 0
		var again []string
		for _, s := range h.arrived() {
			if path.Base(s.Topic) == "media" {
				v, err := h.opener.Check(h.camera.ID(), s.Payload)
				h.do(err)
				again = append(again, said(v))
			}
		}
		expect(t, "second connection", again, []string{"two", "three", "four"})
	})
}

func TestRestartGoesOn(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.send("one", "two")
		h.halt()
		h.open()
		h.send("three")
		h.run()
		expect(t, "arrived", h.shown("media"), []string{"one", "two", "three"})
		if gaps := h.opener.Gaps(h.camera.ID()); len(gaps) != 0 {
			t.Errorf("gaps %v", gaps)
		}
	})
}

func TestReceiptMeansDelivered(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.run()
		h.send("one", "two", "three")
		h.shown("media")
		if st := h.up.Stats(); st.Delivered != 0 || st.Acknowledged != 3 || st.Published != 4 {
			t.Errorf("an acknowledgement counts as delivery: %+v", st)
		}
		h.command(h.opener.Receipt(h.camera.ID()))
		if st := h.up.Stats(); st.Delivered != 3 || st.Acknowledged != 0 || st.DeliveredTo != 3 {
			t.Errorf("after the receipt: %+v", st)
		}
	})
}

func TestResend(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.run()
		h.send("one", "two", "three", "four")
		for _, s := range h.arrived() { // the broker has them, the viewer only two
			if v, err := seal.Peek(s.Payload); err == nil && (v.Seq == 1 || v.Seq == 4) {
				_, err := h.opener.Open(h.camera.ID(), s.Payload)
				h.do(err)
			}
		}
		h.command(h.opener.Receipt(h.camera.ID()))
		expect(t, "a receipt brings nothing back by itself", h.shown("media"), nil)
		if st := h.up.Stats(); st.Delivered != 2 {
			t.Errorf("%+v", st)
		}
		gap := h.opener.Gaps(h.camera.ID())[0]
		h.command(h.opener.Resend(h.camera.ID(), gap.First, gap.Last))
		expect(t, "what was asked for", h.shown("media"), []string{"two", "three"})
		if gaps := h.opener.Gaps(h.camera.ID()); len(gaps) != 0 {
			t.Errorf("gaps %v", gaps)
		}
	})
}

func TestWhatIsGoneIsConfessed(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.budget = 1 << 16
		h.open()
		for i := range 30 {
			h.send(fmt.Sprint(i, strings.Repeat(" ", 1800))) // two blocks each: 16 fit
		}
		if st := h.up.Stats(); st.Dropped == 0 || st.Unconfessed != st.Dropped {
			t.Fatalf("%+v", st)
		}
		h.run()
		got := h.shown("media")
		lost := ""
		for _, text := range got {
			if strings.HasPrefix(text, "lost") {
				lost += text
			}
		}
		if !strings.HasPrefix(lost, "lost 1-") {
			t.Errorf("confessed %q", lost)
		}
		if st := h.up.Stats(); st.Unconfessed > 3 { // a confession needs room too
			t.Errorf("%+v", st)
		}
		open := 0
		for _, g := range h.opener.Gaps(h.camera.ID()) {
			if !g.Lost {
				open++
				h.command(h.opener.Resend(h.camera.ID(), g.First, g.Last))
			}
		}
		h.shown("media")
		for _, g := range h.opener.Gaps(h.camera.ID()) {
			if !g.Lost && g.Last < 31 {
				t.Errorf("gap %d-%d was asked for, and neither came nor was confessed", g.First, g.Last)
			}
		}
	})
}

func TestShowMeNow(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.run()
		cmd, nonce, err := h.opener.Ask(h.camera.ID())
		h.command(cmd, err)
		select {
		case r := <-h.up.Requests():
			if !bytes.Equal(r.Nonce, nonce) {
				t.Errorf("nonce %x, want %x", r.Nonce, nonce)
			}
			p := h.picture("now")
			p.Nonce, p.Cause = r.Nonce, encode.CauseRequest
			h.do(h.up.Live(p))
		default:
			t.Fatal("no request")
		}
		for _, s := range h.arrived() {
			if path.Base(s.Topic) == "live" {
				v, err := h.opener.Open(h.camera.ID(), s.Payload)
				if err != nil || !v.Fresh() || !s.Retained {
					t.Errorf("fresh %v, retained %v: %v", v.Fresh(), s.Retained, err)
				}
				return
			}
		}
		t.Error("no answer")
	})
}

func TestCommandsThatAreNotObeyed(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.run()
		stranger := must(seal.NewViewerKey(nil))
		good, _, err := h.opener.Ask(h.camera.ID())
		h.do(err)
		forged, err := seal.SignCommand(stranger.Signer(), seal.Command{Camera: h.camera.ID(), Counter: 1, Verb: seal.VerbSnapshot,
			Nonce: make([]byte, 16), Issued: h.now(), Expires: h.now().Add(time.Hour)})
		h.do(err)
		h.tell("cmd", good, true)
		h.tell("cmd", forged, false)
		h.tell("cmd", []byte("rm -rf /"), false)
		h.tell("cmd", nil, false)
		h.tell("cmd", make([]byte, 1<<20), false)
		if n := len(h.up.Requests()); n != 0 {
			t.Errorf("%d requests", n)
		}
		h.tell("cmd", good, false)
		h.tell("cmd", good, false) // replayed
		if st := h.up.Stats(); len(h.up.Requests()) != 1 || st.Refused != 6 {
			t.Errorf("%d requests, %d refused", len(h.up.Requests()), st.Refused)
		}
		h.halt()
		h.open()
		h.run()
		h.tell("cmd", good, false) // replayed over a restart
		if n := len(h.up.Requests()); n != 0 {
			t.Errorf("%d requests after the restart", n)
		}
	})
}

func TestRosterUpdate(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		_, old, err := h.house.Roster()
		h.do(err)
		h.open()
		h.run()
		tablet := must(h.house.AddViewer("tablet"))
		h.do(h.house.RemoveViewer("phone"))
		_, roster, err := h.house.Roster()
		h.do(err)
		h.tell("roster", roster, true)
		h.tell("roster", old, true) // versions only rise
		h.send("for the tablet")
		eye := h.newOpener(tablet)
		for _, s := range h.arrived() {
			if path.Base(s.Topic) != "media" {
				continue
			}
			if v, err := eye.Open(h.camera.ID(), s.Payload); err != nil || said(v) != "for the tablet" {
				t.Errorf("tablet: %v", err)
			}
			if _, err := h.opener.Open(h.camera.ID(), s.Payload); seal.ReasonOf(err) != seal.NotForYou {
				t.Errorf("phone: %v", err)
			}
		}
		if st := h.up.Stats(); st.Refused != 1 {
			t.Errorf("refused %d, want the old roster", st.Refused)
		}
		// The camera itself is removed: it seals nothing more, and says so.
		h.do(h.house.RemoveCamera(h.camera.ID()))
		_, roster, err = h.house.Roster()
		h.do(err)
		h.tell("roster", roster, true)
		if err := h.up.Send(h.picture("x")); !errors.Is(err, ErrRevoked) {
			t.Errorf("got %v", err)
		}
		if err := h.up.Live(h.picture("x")); !errors.Is(err, ErrRevoked) {
			t.Errorf("got %v", err)
		}
		h.halt()
		h.open() // still no reason not to start: a newer roster may name it again
		h.run()
	})
}

func TestOnlyTheNewestLivePictureIsSent(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.air.deaf = true
		h.run()
		for i := range 10 {
			h.do(h.up.Live(h.picture(fmt.Sprint("live ", i))))
			synctest.Wait()
		}
		expect(t, "while one is on its way", h.shown("live"), []string{"live 0"})
		h.air.ack(0) // hello
		h.air.ack(1)
		expect(t, "then", h.shown("live"), []string{"live 9"})
		h.do(h.up.Live(h.picture("old")))
		h.pass(time.Hour) // the connection has ended meanwhile, for want of acknowledgements
		h.air.deaf = false
		h.pass(time.Hour)
		h.read = 0
		expect(t, "an hour later", h.shown("live"), nil)
	})
}

func TestStatusAndWill(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.do(h.up.Status(Status{State: "running"}))
		h.do(h.up.Status(Status{State: "trouble", Troubles: []string{"lens covered"}}))
		h.run()
		state := func(b []byte) Status {
			v, err := h.opener.Open(h.camera.ID(), b)
			h.do(err)
			var s Status
			h.do(json.Unmarshal([]byte(said(v)), &s))
			return s
		}
		var states []string
		for _, s := range h.arrived() {
			if path.Base(s.Topic) == "status" && s.Retained {
				states = append(states, state(s.Payload).State)
			}
		}
		expect(t, "states", states, []string{"running", "trouble"})
		will := h.air.last().config.Will
		if s := state(will.Payload); s.State != "offline" || !will.Retained || path.Base(will.Topic) != "status" {
			t.Errorf("will %+v", s)
		}
		// The broker publishes it; back again, the camera says how it is.
		h.air.cut()
		h.pass(5 * time.Second)
		h.read = 0
		states = nil
		for _, s := range h.arrived() {
			if path.Base(s.Topic) == "status" && s.Retained {
				states = append(states, state(s.Payload).State)
			}
		}
		expect(t, "after the reconnection", states, []string{"trouble"})
		if s := state(h.air.last().config.Will.Payload); s.State != "offline" {
			t.Errorf("second will %+v", s)
		}
		// An older status that a viewer asks for again is not kept by the broker.
		h.command(h.opener.Resend(h.camera.ID(), 1, 1))
		for _, s := range h.arrived() {
			if s.Retained {
				t.Errorf("%s is retained", s.Topic)
			}
		}
	})
}

func TestHello(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.run()
		first := h.arrived()[0]
		hello, err := seal.OpenHello(first.Payload)
		if err != nil || hello.Camera != h.camera.ID() || !first.Retained || path.Base(first.Topic) != "hello" {
			t.Errorf("%+v: %v", hello, err)
		}
		for _, f := range h.air.last().filters {
			if !strings.HasPrefix(f, "sealcam/v1/"+string(h.camera.ID())+"/") {
				t.Errorf("subscribed to %s", f)
			}
		}
	})
}

// Said once with its reason and a hint, then tried quietly, ever more rarely,
// and never in step with others.
func TestTroubleIsSaidOnce(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.air.down = errDown
		h.open()
		h.run()
		h.send("one")
		h.pass(time.Hour)
		if n := h.log.count("not connected"); n != 1 {
			t.Errorf("said %d times", n)
		}
		if h.log.count("unreachable") != 1 || h.log.count("hint") != 1 {
			t.Errorf("said %q", h.log.said)
		}
		if st := h.up.Stats(); st.Connected || !strings.Contains(st.LastError, "unreachable") || st.Waiting != 1 {
			t.Errorf("%+v", st)
		}
		dials := h.air.dials
		if len(dials) < 25 || len(dials) > 70 {
			t.Errorf("%d attempts in an hour", len(dials))
		}
		even := map[time.Duration]bool{}
		for i := 2; i < len(dials); i++ {
			pause := dials[i].Sub(dials[i-1])
			even[pause] = true
			if pause > longestPause || i > 9 && pause < longestPause/2 {
				t.Errorf("pause %v before attempt %d", pause, i)
			}
		}
		if len(even) < len(dials)/2 {
			t.Error("the pauses have no jitter")
		}
		h.air.mu.Lock()
		h.air.down = &mqtt.Error{Reason: mqtt.ErrExpired, Broker: "test:1"}
		h.air.mu.Unlock()
		h.pass(time.Hour)
		if n := h.log.count("not connected"); n != 2 {
			t.Errorf("a new trouble is said %d times in all, want 2", n)
		}
		h.air.mu.Lock()
		h.air.down = nil
		h.air.mu.Unlock()
		h.pass(longestPause)
		expect(t, "arrived", h.shown("media"), []string{"one"})
		if st := h.up.Stats(); !st.Connected || st.LastError != "" {
			t.Errorf("%+v", st)
		}
	})
}

// A message on which the broker ends the connection does not hold up the rest.
func TestPoisonousMessage(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.air.rule = func(m mqtt.Message) bool { return len(m.Payload) < 100_000 }
		h.open()
		h.send("one", strings.Repeat("large", 50_000), "three")
		h.run()
		h.pass(10 * time.Minute)
		h.read = 0
		expect(t, "arrived in the end", h.shown("media"), []string{"three"})
		if h.log.count("passed over") != 1 {
			t.Errorf("said %q", h.log.said)
		}
	})
}

func TestBrokerThatNeverAcknowledges(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.air.deaf = true
		h.open()
		h.run()
		h.send("one")
		h.pass(ackTime + longestPause)
		if len(h.air.dials) < 2 {
			t.Error("it is never given up")
		}
	})
}

// What is in flight is bounded, in messages and in bytes.
func TestWindow(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.air.deaf = true
		h.open()
		for range 3 * window {
			h.send("x")
		}
		h.run()
		if n := len(h.arrived()); n != window {
			t.Errorf("%d messages in flight, want %d", n, window)
		}
	})
	inHome(t, func(t *testing.T, h *home) {
		h.air.deaf = true
		h.budget = 1 << 28
		h.open()
		for range 5 {
			h.send(strings.Repeat("x", 3<<20))
		}
		h.run()
		if n := len(h.arrived()); n != 3 { // the hello and two pictures
			t.Errorf("%d messages in flight, want 3", n)
		}
	})
}

// Without a disk for messages Send says what is wrong, and live pictures flow.
func TestNoDiskForMessages(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.do(os.MkdirAll(path.Join(h.dir, "spool"), 0o700))
		h.do(os.WriteFile(path.Join(h.dir, "spool", "messages"), nil, 0o600))
		h.open()
		h.run()
		err := h.up.Send(h.picture("x"))
		if err == nil || hint(err) == "" {
			t.Errorf("got %v", err)
		}
		h.do(h.up.Live(h.picture("live")))
		expect(t, "live", h.shown("live"), []string{"live"})
		if st := h.up.Stats(); st.LastError == "" {
			t.Errorf("%+v", st)
		}
	})
}

func TestLivePicturesCountUp(t *testing.T) {
	now := before2024.AddDate(3, 0, 0)
	if a, b := firstLive(7, now), firstLive(8, now); a >= b {
		t.Error("the next boot counts lower")
	}
	// A boot that could not be counted, an hour of one live picture a second
	// later.
	if a, b := firstLive(7, now)+3599, firstLive(7, now.Add(time.Hour)); a >= b {
		t.Error("an uncounted boot counts lower")
	}
	if firstLive(1, time.Unix(0, 0)) != 1<<32 || firstLive(1<<20, now.AddDate(200, 0, 0)) > seal.MaxSeq {
		t.Error("out of range")
	}
}

// A board that wakes up in 1970 says that it has no clock, and still judges
// certificates by the last time it knew.
func TestClockAt1970(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		right := h.now
		h.open()
		h.send("one")
		h.halt()
		h.now = func() time.Time { return time.Unix(100, 0) }
		h.open()
		h.send("two")
		h.do(h.up.Live(h.picture("live")))
		h.air.check = func(c mqtt.Config) {
			if got := c.TLS.Time(); got.Before(right().Add(-time.Hour)) {
				t.Errorf("certificates are judged at %v", got)
			}
		}
		h.run()
		for _, s := range h.arrived() {
			if path.Base(s.Topic) != "media" {
				continue
			}
			v, err := h.opener.Open(h.camera.ID(), s.Payload)
			h.do(err)
			if m := v.Meta(); said(v) == "two" && (m.Clock != seal.ClockNone || !m.Taken.IsZero()) {
				t.Errorf("clock %s, taken %v", m.Clock, m.Taken)
			}
		}
	})
}

// A wrong clock of the past does not outlive the right time.
func TestClockMends(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		right, quality := h.now, seal.ClockRTC
		h.clock = func() string { return quality }
		h.now = func() time.Time { return right().AddDate(50, 0, 0) }
		h.open()
		h.send("one")
		h.now = right
		h.halt()
		h.open()
		if got := h.up.clock(); got != seal.ClockNone {
			t.Errorf("%s clock, 50 years behind what was believed", got)
		}
		quality = seal.ClockNTP
		if got := h.up.clock(); got != seal.ClockNTP {
			t.Errorf("%s, want %s", got, quality)
		}
		quality = seal.ClockRTC
		if got := h.up.clock(); got != seal.ClockRTC {
			t.Errorf("%s, want %s", got, quality)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		ok := Config{Dir: path.Join(h.dir, "x"), Camera: h.camera, Budget: 1 << 20, Now: h.now, Mono: func() time.Duration { return 0 }}
		for name, change := range map[string]func(*Config){
			"no camera": func(c *Config) { c.Camera = nil },
			"no clock":  func(c *Config) { c.Now = nil },
			"no budget": func(c *Config) { c.Budget = 0 },
		} {
			c := ok
			change(&c)
			if up, err := Open(c); err == nil {
				up.Close()
				t.Errorf("%s: accepted", name)
			}
		}
	})
}
