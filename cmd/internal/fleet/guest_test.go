package fleet

import (
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/mosquitto"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

// Cameras publish to a Mosquitto that is not of the run, lose their network on the
// way, and leave nothing behind that it would keep for good.
func TestGuest(t *testing.T) {
	dir := t.TempDir()
	h, err := identity.CreateHousehold(dir, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	port, err := mosquitto.FreePort(loopback)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := h.IssueServer(loopback)
	if err != nil {
		t.Fatal(err)
	}
	b, err := mosquitto.Start(t.Context(), t.TempDir(), mosquitto.Config{
		Host: loopback, Port: port, CA: h.Authority(), Cert: cert, Key: key, Trial: true,
		Rules: "pattern readwrite sealcam/v1/%u/#\nuser viewer-screen\ntopic readwrite sealcam/v1/#\n",
	}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop()
	c := small(t)
	c.Cameras, c.For, c.Broker, c.Household = 12, 3*time.Second, b.URL(), dir
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Passed() || r.Sealed < 24 || r.Acknowledged != r.Sealed || r.Waiting != 0 || len(r.Returns) != 2 || r.Each[0].InUse == 0 {
		t.Errorf("%d sealed, %d acknowledged, %d wait; came back after %v; costs %+v", r.Sealed, r.Acknowledged, r.Waiting, r.Returns, r.Each[0])
	}
	if kept := retained(t, h, b.URL()); len(kept) != 0 {
		t.Errorf("the broker still keeps %v", kept)
	}
	for _, fault := range []string{faultRestart, faultLiar, faultRelay} {
		c := c.WithDefaults()
		if c.Faults = []string{fault}; c.Validate() == nil {
			t.Errorf("%s of a broker that is not of the run is taken", fault)
		}
	}
	if c.Household = ""; c.WithDefaults().Validate() == nil {
		t.Error("a broker without an authority is taken")
	}
}

// retained returns the topics of which a broker keeps something: what comes to a
// subscriber before what was published later.
func retained(t *testing.T, h *identity.Household, url string) (topics []string) {
	t.Helper()
	v, err := h.AddViewer("screen")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := mqtt.Dial(t.Context(), mqtt.Config{URL: url, TLS: v.TLS(), ClientID: "viewer-screen", Queue: 1024})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Subscribe(t.Context(), "sealcam/v1/+/+"); err != nil {
		t.Fatal(err)
	}
	conn.Publish(t.Context(), mqtt.Message{Topic: "sealcam/v1/none/marker", Payload: []byte("x"), QoS: 1})
	for {
		select {
		case m := <-conn.Messages():
			if strings.HasSuffix(m.Topic, "/marker") {
				return topics
			}
			topics = append(topics, m.Topic)
		case <-conn.Done():
			t.Fatal(conn.Err())
		case <-time.After(time.Minute):
			t.Fatal("the broker hands on nothing")
		}
	}
}
