//go:build vm && linux

package lab

import (
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

// TestHome shows that the lab's broker knows the household's viewer and refuses who comes without a certificate, also after a restart.
func TestHome(t *testing.T) {
	if err := CheckHost(); err != nil {
		t.Fatal(err)
	}
	ctx := limit(t, time.Minute)
	h, err := NewHome(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	viewer, err := identity.OpenViewer(h.Household, "")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		conn, err := mqtt.Dial(ctx, mqtt.Config{URL: h.URL(), TLS: viewer.TLS(), ClientID: "test"})
		if err != nil {
			t.Fatalf("%v\n%s", err, h.Broker.Log())
		}
		if err := conn.Subscribe(ctx, "sealcam/v1/+/live"); err != nil {
			t.Error(err)
		}
		conn.Close()
		strange := viewer.TLS()
		strange.Certificates = nil
		if conn, err := mqtt.Dial(ctx, mqtt.Config{URL: h.URL(), TLS: strange, ClientID: "test"}); err == nil {
			conn.Close()
			t.Error("the broker took a client without a certificate")
		}
		h.Broker.Stop()
		if err := h.Broker.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
