package brokertest

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// From a picture to a verdict and back: pictures, status, a live picture on
// request, and receipts.
func TestStory(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		h := newHouse(t)
		door := h.camera("door")
		s := e.serve(t, h.files(host), door.ID())
		eye := h.watch(s.url())
		cam := h.start(door, s.url(), h.heard(slog.LevelDebug))
		check(t, cam.Status(uplink.Status{State: "running"}))
		for i := range 20 {
			check(t, cam.Send(picture(fmt.Sprint("picture ", i), 300_000)))
		}
		eye.until("all pictures are verified", func() bool { n, _ := eye.total(); return n == 20 })
		eye.until("the status is verified", func() bool { return eye.saw(isStatus("running")) })
		check(t, eye.viewer.Ask(t.Context(), door.ID()))
		var r uplink.Request
		select {
		case r = <-cam.Requests():
		case <-time.After(patience):
			t.Fatal("the request does not arrive")
		}
		answer := picture("now", 0)
		answer.Nonce, answer.Cause = r.Nonce, encode.CauseRequest
		check(t, cam.Live(answer))
		eye.until("the answer is verified", func() bool { return eye.count(door.ID(), "now") == 1 })
		eye.until("the camera has its receipts", func() bool { st := cam.Stats(); return st.Delivered == 21 && st.Waiting == 0 })
		if st := eye.viewer.Stats(); len(st.Refused) != 0 || st.Missing != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func isStatus(state string) func(viewer.Outcome) bool {
	return func(o viewer.Outcome) bool {
		if o.What != viewer.Verified || o.Verified.Meta().Kind != seal.KindStatus {
			return false
		}
		_, media := o.Verified.Media()
		var s uplink.Status
		return json.Unmarshal(media, &s) == nil && s.State == state
	}
}

func dial(t *testing.T, url string, conf *tls.Config, id string) (*mqtt.Conn, error) {
	t.Helper()
	conn, err := mqtt.Dial(t.Context(), mqtt.Config{URL: url, TLS: conf, ClientID: id})
	if err == nil {
		t.Cleanup(conn.Close)
	}
	return conn, err
}

// A camera on another camera's topic: nothing arrives, although Mosquitto and
// NATS acknowledge it. This is why an acknowledgement is no delivery.
func TestForeignTopic(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		h := newHouse(t)
		door, garden := h.camera("door"), h.camera("garden")
		s := e.serve(t, h.files(host), door.ID(), garden.ID())
		eye, err := dial(t, s.url(), h.screen.TLS(), "viewer-eye")
		check(t, err)
		check(t, eye.Subscribe(t.Context(), "sealcam/v1/+/media"))
		conf, err := garden.TLS()
		check(t, err)
		rogue, err := dial(t, s.url(), conf, string(garden.ID()))
		check(t, err)
		topic := "sealcam/v1/" + string(door.ID()) + "/media"
		token := rogue.Publish(t.Context(), mqtt.Message{Topic: topic, Payload: []byte("foreign"), QoS: 1})
		select {
		case <-token.Done():
		case <-rogue.Done():
		case <-time.After(patience):
			t.Fatal("no answer to the foreign publish")
		}
		if acked := rogue.Err() == nil && token.Err() == nil; acked != e.polite {
			t.Errorf("acknowledged %v, want %v: what is known of this broker has changed", acked, e.polite)
		}
		if err := rogue.Subscribe(t.Context(), "sealcam/v1/"+string(door.ID())+"/cmd"); err == nil && !e.silentSubscriptions() {
			t.Error("a camera may listen to another's commands")
		}
		conf, err = door.TLS()
		check(t, err)
		own, err := dial(t, s.url(), conf, string(door.ID()))
		check(t, err)
		own.Publish(t.Context(), mqtt.Message{Topic: topic, Payload: []byte("own"), QoS: 1})
		select {
		case m := <-eye.Messages():
			if string(m.Payload) != "own" {
				t.Errorf("%q arrived", m.Payload)
			}
		case <-time.After(patience):
			t.Fatal("nothing arrives")
		}
	})
}

// silentSubscriptions says that the broker grants a subscription that its rules
// deny, and sends nothing on it.
func (e engine) silentSubscriptions() bool { return e.name == "mosquitto" }

// Without any rules at the broker one camera's picture can stand on another's
// topic, and is refused there: safety never depends on the broker.
func TestWrongCameraWithoutRules(t *testing.T) {
	h := newHouse(t)
	door, garden := h.camera("door"), h.camera("garden")
	s := engine{name: "mosquitto", prepare: mosquittoWithout}.serve(t, h.files(host))
	relay, err := dial(t, s.url(), h.screen.TLS(), "viewer-relay")
	check(t, err)
	check(t, relay.Subscribe(t.Context(), "sealcam/v1/"+string(garden.ID())+"/media"))
	eye := h.watch(s.url())
	cam := h.start(garden, s.url(), h.heard(slog.LevelDebug))
	check(t, cam.Send(picture("garden", 0)))
	select {
	case m := <-relay.Messages():
		m.Topic, m.QoS = "sealcam/v1/"+string(door.ID())+"/media", 1
		relay.Publish(t.Context(), m)
	case <-time.After(patience):
		t.Fatal("nothing arrives")
	}
	eye.until("it is refused", func() bool {
		return eye.saw(func(o viewer.Outcome) bool {
			return o.What == viewer.Refused && o.Camera == door.ID() && o.Refusal.Reason == seal.WrongCamera
		})
	})
	if eye.count(door.ID(), "garden") != 0 || eye.count(garden.ID(), "garden") != 1 {
		t.Errorf("%v", eye.shown)
	}
}

// The last will arrives, sealed by the camera, when the network goes.
func TestLastWill(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		h := newHouse(t)
		door := h.camera("door")
		s := e.serve(t, h.files(host), door.ID())
		eye := h.watch(s.url())
		wire := newLink(t, s.port)
		cam := h.start(door, wire.url(), h.heard(slog.LevelDebug))
		check(t, cam.Status(uplink.Status{State: "running"}))
		eye.until("the status is verified", func() bool { return eye.saw(isStatus("running")) })
		wire.cut()
		eye.until("the will is verified", func() bool { return eye.saw(isStatus("offline")) })
		before := eye.viewer.Stats().Others
		wire.heal()
		eye.until("the camera says that it is back", func() bool { return eye.viewer.Stats().Others > before })
		if st := eye.viewer.Stats(); len(st.Refused) != 0 {
			t.Errorf("%+v", st)
		}
		// An orderly end leaves no will: the last status stands.
		cam.stop()
		late := h.newEye(s.url(), "late")
		late.until("the kept status is verified", func() bool { return late.saw(isStatus("running")) })
		if late.saw(isStatus("offline")) {
			t.Error("a camera that said goodbye left its will")
		}
	})
}

// newEye adds a viewer to the household and runs it. Cameras learn of it by the
// roster that it brings.
func (h *house) newEye(url, name string) *screen {
	h.t.Helper()
	// The same keys under another state directory: a phone that was reinstalled.
	other := *h
	dir := filepath.Join(h.dir, name)
	check(h.t, h.ExportViewer("screen", dir))
	v, err := identity.OpenViewer(dir, "screen")
	check(h.t, err)
	other.screen = v
	return other.watch(url)
}
