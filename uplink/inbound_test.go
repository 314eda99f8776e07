package uplink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

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

// Settings are asked for after the roster, and again after each new one; what is
// refused of them is counted by its reason, and a broker that gives none is a broker
// all the same.
func TestSettingsAreAskedFor(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		var taken []string
		h.set = func(b []byte) error {
			taken = append(taken, string(b))
			switch string(b) {
			case "unusable":
				return fmt.Errorf("line 3: %w", ErrUnusable)
			case "forged":
				return &seal.Refusal{Reason: seal.BrokenSeal}
			case "no disk":
				return errors.New("no space left on device")
			}
			return nil
		}
		h.open()
		h.run()
		root := "sealcam/v1/" + string(h.camera.ID()) + "/"
		first := []string{root + "roster", root + "cmd", root + "settings/+"}
		expect(t, "asked for", h.air.last().filters, first)
		for _, text := range []string{"good", "unusable", "forged", "forged", "no disk"} {
			h.tell("settings/all", []byte(text), true)
		}
		h.tell("settings", []byte("on no topic of theirs"), true)
		expect(t, "taken", taken, []string{"good", "unusable", "forged", "forged", "no disk"})
		want := map[string]uint64{"settings unusable": 1, "settings broken seal": 2, "settings not stored": 1}
		if got := h.up.Stats().Refusals; !maps.Equal(got, want) {
			t.Errorf("counted %v, want %v", got, want)
		}
		roster := func() []byte { _, b, err := h.house.Roster(); h.do(err); return b }
		h.tell("roster", roster(), true) // the one that it has
		expect(t, "asked for", h.air.last().filters, first)
		must(h.house.AddViewer("tablet"))
		h.tell("roster", roster(), true)
		expect(t, "asked for after a new roster", h.air.last().filters, append(first, root+"settings/+"))
		h.air.deny = "settings"
		h.air.cut()
		h.pass(5 * time.Second)
		if st := h.up.Stats(); !st.Connected || st.Connects != 2 {
			t.Errorf("without settings: %+v", st)
		}
		if h.log.count("gives no settings") != 1 {
			t.Error("that there are no settings is not told once")
		}
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
		want := map[string]uint64{"command retained": 1, "command revoked": 1, "command malformed": 3, "command replayed": 1}
		if st := h.up.Stats(); len(h.up.Requests()) != 1 || st.Refused != 6 || !maps.Equal(st.Refusals, want) {
			t.Errorf("%d requests, %d refused: %v", len(h.up.Requests()), st.Refused, st.Refusals)
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

// TestKeeperTells: what a keeper of the roster has counts as delivered, and what it
// lacks it is sent again; it may tell a camera nothing else.
func TestKeeperTells(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"by one clock": 0, "to a camera ahead of it": 300 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) { keeperTells(t, ahead) })
	}
}

// keeperTells tries a keeper of whose clock the camera's is ahead.
func keeperTells(t *testing.T, ahead time.Duration) {
	inHome(t, func(t *testing.T, h *home) {
		keeper := must(h.house.AddKeeper("cellar", ""))
		_, roster, err := h.house.Roster()
		h.do(err)
		h.open()
		h.run()
		h.tell("roster", roster, true)
		h.send("one", "two", "three")
		h.shown("media")
		counter := uint64(0)
		tell := func(verb string, from, to uint64) {
			counter++
			issued := h.now().Add(-ahead)
			h.tell("cmd", must(seal.SignCommand(keeper.Signer(), seal.Command{Camera: h.camera.ID(), Counter: counter, Verb: verb,
				From: from, To: to, Issued: issued, Expires: issued.Add(seal.CommandLife)})), false)
		}
		before := h.up.Stats().Delivered
		tell(seal.VerbReceipt, 1, 2)
		if st := h.up.Stats(); before != 0 || st.Delivered != 2 {
			t.Errorf("before its receipt %d, after %+v", before, st)
		}
		h.arrived()
		tell(seal.VerbResend, 1, 2)
		var again []string
		for _, s := range h.arrived() {
			if v, err := seal.Peek(s.Payload); err == nil && v.Stream == seal.Durable {
				again = append(again, fmt.Sprint(v.Seq))
			}
		}
		expect(t, "what it asked for", again, []string{"1", "2"})
		refused := h.up.Stats().Refused
		for _, verb := range []string{seal.VerbSnapshot, seal.VerbReset, seal.VerbPrivacyOn} {
			tell(verb, 0, 0)
		}
		if got := h.up.Stats().Refused - refused; got != 3 {
			t.Errorf("%d of 3 refused", got)
		}
	})
}

// sign signs a command for the camera with an owner's key.
func (h *home) sign(verb string) []byte {
	h.t.Helper()
	return must(seal.SignCommand(h.house.Owner(), seal.Command{Camera: h.camera.ID(), Counter: uint64(h.now().UnixMilli()), Verb: verb,
		Issued: h.now(), Expires: h.now().Add(seal.CommandLife)}))
}

// Rosters that are not the household's next one are refused, each with its own
// reason, counted, and told to the household in the sealed status.
func TestRostersThatAreRefused(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		_, old, err := h.house.Roster()
		h.do(err)
		must(h.house.AddViewer("tablet"))
		_, newest, err := h.house.Roster()
		h.do(err)
		other := must(identity.CreateHousehold(path.Join(h.dir, "other"), "", h.now))
		_, theirs, err := other.Roster()
		h.do(err)
		forged := bytes.Clone(newest)
		forged[len(forged)-1] ^= 1
		// The owner's own signature on ten thousand viewers, which SignRoster would not
		// make: what counts is that nothing is allocated for it.
		crowd := append(bytes.Clone(newest), make([]byte, 10_000*1300)...)

		h.open()
		h.run()
		h.tell("roster", newest, true)
		h.tell("roster", newest, true) // again: no news, and no fault
		for _, b := range [][]byte{old, theirs, forged, crowd, nil} {
			h.tell("roster", b, true)
		}
		want := map[string]uint64{"roster replayed": 1, "roster not for you": 1, "roster broken seal": 1, "roster malformed": 2}
		if st := h.up.Stats(); !maps.Equal(st.Refusals, want) || st.Refused != 5 {
			t.Errorf("refused %d: %v", st.Refused, st.Refusals)
		}
		if v := h.camera.Roster().Version; v != 4 {
			t.Errorf("roster %d in force", v)
		}
		h.arrived()
		h.do(h.camera.CodeRefused(seal.Stale)) // before its lens, in its life
		want["code stale"] = 1
		h.do(h.up.Status(Status{State: "running"}))
		var s Status
		if told := h.shown("status"); len(told) != 1 || json.Unmarshal([]byte(told[0]), &s) != nil || !maps.Equal(s.Uplink.Refusals, want) {
			t.Errorf("told %q", told)
		}
	})
}

// An owner resets a camera, a viewer does not. Its last word stands where its
// status stood.
func TestReset(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		ended := make(chan error, 1)
		go func() { ended <- h.up.Run(t.Context()) }()
		synctest.Wait()
		byViewer := must(seal.SignCommand(h.viewer.Key().Signer(), seal.Command{Camera: h.camera.ID(), Counter: 1, Verb: seal.VerbReset,
			Issued: h.now(), Expires: h.now().Add(time.Minute)}))
		h.tell("cmd", byViewer, false)
		order := h.sign(seal.VerbReset)
		h.tell("cmd", order, true) // kept by a broker
		if len(ended) != 0 {
			t.Fatal("reset by a viewer, or by a broker's memory")
		}
		if st := h.up.Stats(); st.Refusals["command revoked"] != 1 || st.Refusals["command retained"] != 1 {
			t.Errorf("%v", st.Refusals)
		}
		h.arrived()
		h.tell("cmd", order, false)
		if err := <-ended; !errors.Is(err, ErrReset) {
			t.Fatalf("Run ended with %v", err)
		}
		last := h.air.last().sent
		m := last[len(last)-1]
		v, err := h.opener.Open(h.camera.ID(), m.Payload)
		h.do(err)
		var s Status
		if h.do(json.Unmarshal([]byte(said(v)), &s)); s.State != "reset" || path.Base(m.Topic) != "status" || !m.Retained {
			t.Errorf("its last word on %s: %s", m.Topic, said(v))
		}
	})
}

// A camera that is cut off in the moment of its reset is reset all the same.
func TestResetWithoutAFarewell(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		ended := make(chan error, 1)
		go func() { ended <- h.up.Run(t.Context()) }()
		synctest.Wait()
		h.air.mu.Lock()
		h.air.deaf = true
		h.air.mu.Unlock()
		h.tell("cmd", h.sign(seal.VerbReset), false)
		h.pass(farewellTime)
		if err := <-ended; !errors.Is(err, ErrReset) {
			t.Errorf("Run ended with %v", err)
		}
	})
}
