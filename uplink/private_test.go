package uplink

import (
	"errors"
	"path"
	"testing"
	"time"

	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/seal"
)

// A closed camera seals what it says about itself and nothing else; live pictures
// that were not published yet are gone, what was stored before is delivered.
func TestPrivate(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.do(h.up.Send(h.picture("before")))
		h.do(h.up.Live(h.picture("live before")))
		h.up.SetPrivate(true)
		clip := h.picture("clip")
		clip.Kind = encode.ClipPart
		for _, err := range []error{h.up.Send(h.picture("x")), h.up.Send(clip), h.up.Live(h.picture("x"))} {
			if !errors.Is(err, ErrPrivate) {
				t.Errorf("got %v", err)
			}
		}
		nonce := make([]byte, 16)
		h.do(h.up.Status(Status{State: "privacy", Nonce: nonce}))
		h.run()
		cmd, _, err := h.opener.Ask(h.camera.ID())
		h.command(cmd, err)
		if n, st := len(h.up.Requests()), h.up.Stats(); n != 0 || st.Refused != 1 {
			t.Errorf("%d requests, %d refused", n, st.Refused)
		}
		media, statuses := 0, 0
		for _, s := range h.arrived() {
			switch path.Base(s.Topic) {
			case "live":
				t.Error("a live picture was published")
			case "media":
				media++
			case "status":
				statuses++
				if v, err := h.opener.Open(h.camera.ID(), s.Payload); err != nil || string(v.Meta().Nonce) != string(nonce) {
					t.Errorf("status without its nonce: %v", err)
				}
			}
		}
		if media != 1 || statuses != 1 {
			t.Errorf("%d pictures and %d statuses, want 1 and 1", media, statuses)
		}
		h.up.SetPrivate(false)
		h.do(h.up.Send(h.picture("after")))
	})
}

// Only an owner opens and closes a camera, and a flood of orders is refused.
func TestOrders(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.run()
		counter := uint64(0)
		tell := func(owner bool, c seal.Command) {
			counter++
			c.Camera, c.Counter, c.Issued, c.Expires = h.camera.ID(), counter, h.now(), h.now().Add(time.Hour)
			signer := h.house.Owner()
			b, err := seal.SignCommand(signer, c)
			if !owner {
				b, err = seal.SignCommand(h.viewer.Key().Signer(), c)
			}
			h.command(b, err)
		}
		tell(false, seal.Command{Verb: seal.VerbPrivacyOff})
		if n := len(h.up.Orders()); n != 0 {
			t.Fatalf("%d orders of a viewer", n)
		}
		until := h.now().Add(2 * time.Hour).Truncate(time.Second)
		tell(true, seal.Command{Verb: seal.VerbPrivacyOn, From: 1, To: uint64(until.Unix()), Nonce: make([]byte, 16)})
		tell(true, seal.Command{Verb: seal.VerbPrivacyOff})
		if o := <-h.up.Orders(); !o.Close || !o.Until.Equal(until) || len(o.Nonce) != 16 {
			t.Errorf("%+v", o)
		}
		if o := <-h.up.Orders(); o.Close || !o.Until.IsZero() || o.Nonce != nil {
			t.Errorf("%+v", o)
		}
		for range maxRequests + 3 {
			tell(true, seal.Command{Verb: seal.VerbPrivacyOn})
		}
		if n, st := len(h.up.Orders()), h.up.Stats(); n != maxRequests || st.Refused != 4 {
			t.Errorf("%d orders wait, %d refused", n, st.Refused)
		}
	})
}
