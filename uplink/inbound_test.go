package uplink

import (
	"bytes"
	"errors"
	"path"
	"testing"
	"time"

	"github.com/sealcam/sealcam/encode"
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
