package broker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// house is a household with one viewer, and a broker that serves it.
type house struct {
	*identity.Household
	broker *Broker
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h, err := identity.CreateHousehold(t.TempDir()+"/home", "mqtts://127.0.0.1:8883", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := h.ServerTLS("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(Config{Addr: "127.0.0.1:0", TLS: conf})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("broker: %v", err)
		}
	})
	return &house{h, b}
}

// camera adds a camera to the household and connects it.
func (h *house) camera(t *testing.T, name string) (seal.CameraID, *mqtt.Conn) {
	t.Helper()
	c, err := identity.OpenCamera(t.TempDir() + "/camera")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.AddCamera(c.ID(), name); err != nil {
		t.Fatal(err)
	}
	if err := h.Adopt(c); err != nil {
		t.Fatal(err)
	}
	conf, err := c.TLS()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := mqtt.Dial(t.Context(), mqtt.Config{URL: h.broker.URL(), TLS: conf, ClientID: string(c.ID())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return c.ID(), conn
}

// viewer connects a viewer of the household.
func (h *house) viewer(t *testing.T, name string) *mqtt.Conn {
	t.Helper()
	v, err := h.AddViewer(name)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := mqtt.Dial(t.Context(), mqtt.Config{URL: h.broker.URL(), TLS: v.TLS(), ClientID: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func publish(t *testing.T, c *mqtt.Conn, topic, text string) {
	t.Helper()
	token := c.Publish(t.Context(), mqtt.Message{Topic: topic, Payload: []byte(text), QoS: 1})
	select {
	case <-token.Done():
	case <-c.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("no acknowledgement within 10 s")
	}
}

func next(t *testing.T, c *mqtt.Conn) mqtt.Message {
	t.Helper()
	select {
	case m := <-c.Messages():
		return m
	case <-time.After(10 * time.Second):
		t.Fatal("no message within 10 s")
	}
	panic("unreachable")
}

// A camera writes under its own id and nowhere else: who tries is thrown out.
func TestRules(t *testing.T) {
	h := newHouse(t)
	a, camA := h.camera(t, "door")
	_, camB := h.camera(t, "garden")
	v := h.viewer(t, "phone")
	if err := v.Subscribe(t.Context(), "sealcam/v1/+/media"); err != nil {
		t.Fatal(err)
	}
	publish(t, camB, "sealcam/v1/"+string(a)+"/media", "as somebody else")
	select {
	case <-camB.Done():
	case <-time.After(10 * time.Second):
		t.Error("a camera that wrote to another's topic is still connected")
	}
	publish(t, camA, "sealcam/v1/"+string(a)+"/media", "a's own")
	if m := next(t, v); string(m.Payload) != "a's own" {
		t.Errorf("%s carries %q", m.Topic, m.Payload)
	}
}

func TestMay(t *testing.T) {
	for _, tc := range []struct {
		name, topic string
		write, want bool
	}{
		{"cam", "sealcam/v1/cam/media", true, true},
		{"cam", "sealcam/v1/cam/#", false, true},
		{"cam", "sealcam/v1/came/media", true, false},
		{"cam", "sealcam/v1/+/media", false, false},
		{"cam", "#", false, false},
		{"cam", "other", true, false},
		{"viewer-x", "sealcam/v1/+/live", false, true},
		{"viewer-x", "sealcam/v1/cam/cmd", true, true},
		{"viewer-x", "sealcam/v1/cam/roster", true, true},
		{"viewer-x", "sealcam/v1/cam/settings/all", true, true},
		{"viewer-x", "sealcam/v1/cam/settingsx/all", true, false},
		{"cam", "sealcam/v1/cam/settings/+", false, true},
		{"viewer-x", "sealcam/v1/cam/media", true, false},
		{"viewer-x", "$SYS/#", false, false},
		{"keeper-x", "sealcam/v1/+/media", false, true},
		{"keeper-x", "sealcam/v1/cam/cmd", true, true},
		{"keeper-x", "sealcam/v1/cam/media", true, false},
	} {
		if got := may(tc.name, tc.topic, tc.write); got != tc.want {
			t.Errorf("may(%q, %q, write %t) = %t", tc.name, tc.topic, tc.write, got)
		}
	}
}

// A cut throws out whom it names, and keeps them out until it is healed.
func TestCut(t *testing.T) {
	h := newHouse(t)
	id, cam := h.camera(t, "door")
	v := h.viewer(t, "phone")
	h.broker.Cut(func(name string) bool { return name == string(id) })
	select {
	case <-cam.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the camera is still connected after 10 s")
	}
	select {
	case <-v.Done():
		t.Error("the viewer was thrown out too")
	default:
	}
	h.broker.Heal()
	_, again := h.camera(t, "garden")
	publish(t, again, "x", "y")
}

// A second subscription is granted while retained messages of the first are on
// their way: their packet identifiers are not the client's.
func TestSubscribeBesideRetained(t *testing.T) {
	h := newHouse(t)
	id, cam := h.camera(t, "door")
	for _, kind := range []string{"a", "b", "c", "d"} {
		token := cam.Publish(t.Context(), mqtt.Message{Topic: "sealcam/v1/" + string(id) + "/" + kind, Payload: []byte(kind), QoS: 1, Retained: true})
		<-token.Done()
		if err := token.Err(); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		v := h.viewer(t, fmt.Sprintf("phone%d", rand.Int()))
		if err := v.Subscribe(t.Context(), "sealcam/v1/+/#", "sealcam/v1/+/b", "sealcam/v1/+/c"); err != nil {
			t.Fatal(err)
		}
		v.Close()
	}
}
