//go:build vm && linux

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// home is a household on the host, with its broker: what a guest's sealcamd
// belongs to and talks to.
type home struct {
	dir    string // the household's, with one viewer
	owner  *identity.Household
	broker *broker
}

// homeViewer is the one viewer of a home.
const homeViewer = "lab"

// newHome makes a household and starts its broker, which guests reach at Host
// and programs of the host at 127.0.0.1.
func newHome(t *testing.T) *home {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(CheckHost())
	dir := t.TempDir()
	h := &home{dir: filepath.Join(dir, "household")}
	var err error
	h.owner, err = identity.CreateHousehold(h.dir, "", time.Now)
	must(err)
	_, err = h.owner.AddViewer(homeViewer)
	must(err)
	cert, key, err := h.owner.IssueServer(Host, "127.0.0.1")
	must(err)
	for name, text := range map[string][]byte{"authority.crt": h.owner.Authority(), "server.crt": cert, "server.key": key} {
		must(os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	h.broker, err = startBroker(t.Context(), dir, []string{identity.ViewerPrefix + homeViewer})
	must(err)
	t.Cleanup(func() {
		h.broker.Stop()
		if t.Failed() {
			t.Logf("log of the broker:\n%s", h.broker.Log())
		}
	})
	must(h.owner.SetBroker(fmt.Sprintf("mqtts://%s:%d", Host, h.broker.Port)))
	return h
}

// url is the broker's address for programs of the host.
func (h *home) url() string { return fmt.Sprintf("mqtts://127.0.0.1:%d", h.broker.Port) }

// adopt takes a guest's sealcamd, whose settings are at config, into the
// household: what a person does with two files.
func (h *home) adopt(ctx context.Context, m *Machine, config, name string) (seal.CameraID, error) {
	request, err := m.Output(ctx, "sealcamd", "-config", config, "request")
	if err != nil {
		return "", err
	}
	hello, err := identity.ParseRequest([]byte(request))
	if err != nil {
		return "", err
	}
	if err := h.owner.AddCamera(hello.Camera, name); err != nil {
		return "", err
	}
	pairing, err := h.owner.Pair(hello.Camera, hello.CSR)
	if err != nil {
		return "", err
	}
	text, err := pairing.MarshalText()
	if err != nil {
		return "", err
	}
	p, err := m.Start(text, "sealcamd", "-config", config, "claim", "-")
	if err != nil {
		return "", err
	}
	if r, err := p.Wait(ctx); err != nil || r.Exit != 0 {
		return "", fmt.Errorf("claim: exit code %d, %v\n%s", r.Exit, err, r.Stderr)
	}
	return hello.Camera, nil
}

// TestHome shows that the lab's broker takes the household's viewer and
// refuses who comes without a certificate, also after a restart.
func TestHome(t *testing.T) {
	h := newHome(t)
	ctx := limit(t, time.Minute)
	viewer, err := identity.OpenViewer(h.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		conn, err := mqtt.Dial(ctx, mqtt.Config{URL: h.url(), TLS: viewer.TLS(), ClientID: "test"})
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Subscribe(ctx, "sealcam/v1/+/live"); err != nil {
			t.Error(err)
		}
		conn.Close()
		strange := viewer.TLS()
		strange.Certificates = nil
		if conn, err := mqtt.Dial(ctx, mqtt.Config{URL: h.url(), TLS: strange, ClientID: "test"}); err == nil {
			conn.Close()
			t.Error("the broker took a client without a certificate")
		}
		h.broker.Stop()
		if err := h.broker.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
