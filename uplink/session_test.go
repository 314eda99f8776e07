package uplink

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

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
		h.air.mu.Lock()
		h.air.deaf = false
		h.air.mu.Unlock()
		h.pass(time.Hour)
		n := 0
		for _, c := range h.air.conns {
			for _, s := range c.sent {
				if path.Base(s.Topic) == "live" {
					n++
				}
			}
		}
		if n != 2 {
			t.Errorf("%d live pictures were sent: one that was too old to be shown is among them", n)
		}
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
		if len(dials) < 25 || len(dials) > 150 {
			t.Errorf("%d attempts in an hour", len(dials))
		}
		even, long := map[time.Duration]bool{}, 0
		for i := 2; i < len(dials); i++ {
			pause := dials[i].Sub(dials[i-1])
			even[pause] = true
			if pause > longestPause {
				t.Errorf("pause %v before attempt %d", pause, i)
			}
			if pause > longestPause/4 {
				long++
			}
		}
		if long < len(dials)/4 {
			t.Errorf("%d of %d pauses are long: it is not tried more rarely", long, len(dials))
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

// A message on which the broker ends the connection, in however small pieces, does
// not hold up the rest.
func TestPoisonousMessage(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.air.rule = func(m mqtt.Message) bool { return path.Base(m.Topic) != "piece" && len(m.Payload) < 100_000 }
		h.open()
		h.send("one", strings.Repeat("large", 50_000), "three")
		h.run()
		h.pass(10 * time.Minute)
		h.read = 0
		expect(t, "arrived in the end", h.shown("media"), []string{"one"})
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
			h.do(h.up.Status(Status{}))
		}
		h.run()
		bytes := 0
		for _, m := range h.arrived() {
			bytes += len(m.Payload)
		}
		if most := int(rateFirst*lag.Seconds()) + 5000; bytes > most || bytes < most/2 {
			t.Errorf("%d bytes in flight, want up to %d", bytes, most)
		}
	})
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.run()
		h.up.road.link.rate = 1e9
		h.air.deaf = true
		for range 3 * window {
			h.send("x")
		}
		if n := len(h.arrived()); n != window+1 { // and the hello
			t.Errorf("%d messages in flight, want %d", n, window)
		}
	})
}
