package brokertest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	installed "github.com/sealcam/sealcam/cmd/internal/mosquitto"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

// gate is a broker that can be told who was removed.
type gate struct {
	name  string
	start func(t *testing.T, h *house, f files, port int) (tell func())
	// throwsOut says that it ends the connections of those who are in, too.
	throwsOut bool
}

// A broker that was told who was removed lets the removed camera and viewer in no
// more, and everybody else as before. What it does with those who are in at that
// moment is each broker's own way.
func TestRemovedCannotConnect(t *testing.T) {
	for _, g := range []gate{{"mochi", mochiGate, true}, {"mosquitto", mosquittoGate, false}, {"nats", natsGate, true}} {
		t.Run(g.name, func(t *testing.T) {
			h := newHouse(t)
			gone, stays := h.camera("door"), h.camera("yard")
			lost, err := h.AddViewer("phone")
			check(t, err)
			port := freePort(t)
			tell := g.start(t, h, h.files(host), port)
			enter := func(conf *tls.Config, name string) (*mqtt.Conn, error) {
				return mqtt.Dial(t.Context(), mqtt.Config{URL: "mqtts://" + at(port), TLS: conf, ClientID: name})
			}
			conf, err := gone.TLS()
			check(t, err)
			var inside *mqtt.Conn
			eventually(t, "the broker lets the camera in", func() bool {
				inside, err = enter(conf, "gone")
				return err == nil
			})
			t.Cleanup(inside.Close)
			check(t, h.RemoveCamera(gone.ID()))
			check(t, h.RemoveViewer("phone"))
			tell()
			for name, c := range map[string]*tls.Config{"camera": conf, "viewer": lost.TLS()} {
				eventually(t, "the removed "+name+" is refused", func() bool {
					again, err := enter(c, "again")
					if err == nil {
						again.Close()
					}
					return errors.Is(err, mqtt.ErrRefused)
				})
			}
			other, err := stays.TLS()
			check(t, err)
			for name, c := range map[string]*tls.Config{"camera": other, "viewer": h.screen.TLS()} {
				again, err := enter(c, "stays")
				if err != nil {
					t.Errorf("the %s that stays: %v", name, err)
					continue
				}
				again.Close()
			}
			if g.throwsOut {
				eventually(t, "the removed camera is thrown out", func() bool { return inside.Err() != nil })
			} else if err := inside.Err(); err != nil {
				t.Errorf("the removed camera was thrown out (%v): the documentation says otherwise", err)
			}
		})
	}
}

// eventually waits for something to become true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func mochiGate(t *testing.T, h *house, f files, port int) func() {
	conf, err := h.ServerTLS(host)
	check(t, err)
	b, err := broker.New(broker.Config{Addr: at(port), TLS: conf})
	check(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		check(t, <-ended)
	})
	return func() {
		list, err := h.Revoked()
		check(t, err)
		block, _ := pem.Decode(h.Authority())
		ca, err := x509.ParseCertificate(block.Bytes)
		check(t, err)
		check(t, b.Revoke(list, ca))
	}
}

// mosquittoGate is a Mosquitto as sealcam household broker sets it up.
func mosquittoGate(t *testing.T, h *house, f files, port int) func() {
	cert, key, err := h.IssueServer(host)
	check(t, err)
	list, err := h.Revoked()
	check(t, err)
	conf, err := installed.Write(f.dir, installed.Config{
		Host: host, Port: port, CA: h.Authority(), Cert: cert, Key: key, Revoked: list, Trial: true,
		Rules: "pattern readwrite sealcam/v1/%u/#\nuser viewer-screen\ntopic readwrite sealcam/v1/#\n",
	})
	check(t, err)
	cmd := program(t, "mosquitto", "-c", conf)
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return func() {
		list, err := h.Revoked()
		check(t, err)
		check(t, os.WriteFile(filepath.Join(f.dir, "revoked.crl"), list, 0o644))
		check(t, cmd.Process.Signal(syscall.SIGHUP))
	}
}

// natsGate is a nats-server that knows everybody by name.
func natsGate(t *testing.T, h *house, f files, port int) func() {
	conf := filepath.Join(f.dir, "nats.conf")
	write := func() {
		r, _, err := h.Roster()
		check(t, err)
		var users strings.Builder
		for _, c := range r.Cameras {
			users.WriteString(natsUser(string(c.ID), "sealcam.v1."+string(c.ID)+".>"))
		}
		for _, v := range r.Viewers {
			users.WriteString(natsUser(identity.ViewerPrefix+v.Name, "sealcam.v1.>"))
		}
		check(t, os.WriteFile(conf, fmt.Appendf(nil, `
server_name: gate
listen: "%s:-1"
jetstream { store_dir: %q }
mqtt {
  listen: "%s:%d"
  tls { ca_file: %q, cert_file: %q, key_file: %q, verify_and_map: true, timeout: 10 }
}
authorization { users: [
%s] }
`, host, f.dir, host, port, f.ca, f.cert, f.key, users.String()), 0o600))
	}
	write()
	cmd := program(t, "nats-server", "-c", conf)
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return func() {
		write()
		check(t, cmd.Process.Signal(syscall.SIGHUP))
	}
}
