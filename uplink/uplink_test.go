package uplink

import (
	"fmt"
	"os"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

func rangeOf(r seal.Range) string { return fmt.Sprintf("%d-%d", r.First, r.Last) }

func TestAcknowledgedIsNotSentAgain(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.send("one", "two", "three")
		h.air.deaf = true
		h.run()
		expect(t, "first connection", h.shown("media"), []string{"three", "two", "one"})
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
		expect(t, "second connection", again, []string{"four", "two", "one"})
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
		expect(t, "arrived", h.shown("media"), []string{"three", "two", "one"})
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
		news := make(map[uint64][]byte)
		for _, s := range h.arrived() { // in any order: the newest may overtake
			if v, err := seal.Peek(s.Payload); err == nil && v.Stream == seal.Durable {
				news[v.Seq] = s.Payload
			}
		}
		for _, seq := range []uint64{1, 4} { // the broker has all, the viewer only two
			_, err := h.opener.Open(h.camera.ID(), news[seq])
			h.do(err)
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
