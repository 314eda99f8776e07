//go:build linux

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/mosquitto"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// natsPath is where nats-server is.
func natsPath(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("nats-server")
	if err != nil {
		path = "/usr/sbin/nats-server" // not on everybody's PATH
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("nats-server is not installed: run make test-deps (Debian package nats-server)")
	}
	return path
}

// natsServer runs a nats-server of the household until the test ends, and
// returns where it speaks NATS and MQTT.
func (k *keeping) natsServer() (nats, mqtt string) {
	k.t.Helper()
	path := natsPath(k.t)
	dir := k.t.TempDir()
	cert, key, err := k.home.IssueServer("127.0.0.1")
	if err != nil {
		k.t.Fatal(err)
	}
	var ports [2]int
	for i := range ports {
		if ports[i], err = mosquitto.FreePort("127.0.0.1"); err != nil {
			k.t.Fatal(err)
		}
	}
	secure := fmt.Sprintf("tls { ca_file: \"%s/ca.crt\", cert_file: \"%[1]s/server.crt\", key_file: \"%[1]s/server.key\", verify: true, timeout: 20 }", dir)
	conf := fmt.Appendf(nil, "server_name: n1\nlisten: \"127.0.0.1:%d\"\nmax_payload: 9MB\n%s\njetstream { store_dir: \"%s/store\", max_file_store: 8GB }\nmqtt { listen: \"127.0.0.1:%d\"\n%[2]s }\n", ports[0], secure, dir, ports[1])
	for name, data := range map[string][]byte{"ca.crt": k.home.Authority(), "server.crt": cert, "server.key": key, "nats.conf": conf} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			k.t.Fatal(err)
		}
	}
	log := new(spoken)
	cmd := exec.Command(path, "-c", filepath.Join(dir, "nats.conf"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if k.t.Failed() {
			k.t.Logf("nats-server said:\n%s", log)
		}
	})
	waitFor(k.t, "nats-server to listen", func() bool { return bytes.Contains([]byte(log.String()), []byte("Server is ready")) })
	return fmt.Sprintf("tls://127.0.0.1:%d", ports[0]), fmt.Sprintf("mqtts://127.0.0.1:%d", ports[1])
}

// answering waits for a receipt as receipted does, and sends again what the keeper
// asks for, as a camera does: a message may come before the roster that it is
// checked with.
func (c *lightCamera) answering(seq uint64) {
	c.t.Helper()
	deadline := time.After(3 * time.Minute)
	again := time.NewTicker(10 * time.Second)
	defer again.Stop()
	for {
		select {
		case <-again.C: // a camera says something every so often, which shows what went missing before
			c.publish("media", c.sent[len(c.sent)-1], false)
		case m := <-c.conn.Messages():
			cmd, err := seal.OpenCommand(c.who.ID(), c.who.Roster(), m.Payload)
			if err != nil {
				c.t.Fatal(err)
			}
			if cmd.Verb == seal.VerbReceipt && cmd.From == 1 && cmd.To >= seq && len(cmd.Gaps) == 0 {
				return
			}
			for i, b := range c.sent {
				if n := uint64(i + 1); cmd.Verb == seal.VerbResend && n >= cmd.From && n <= cmd.To {
					c.publish("media", b, false)
				}
			}
		case <-deadline:
			c.t.Fatalf("no receipt up to %d", seq)
		}
	}
}

// A keeper on a cluster hears of its household from a roster that was retained
// before it began, and does what one with a directory does.
func TestKeepInCluster(t *testing.T) {
	dir := t.TempDir()
	h, err := identity.CreateHousehold(filepath.Join(dir, "home"), "mqtts://127.0.0.1:8883", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	k := &keeping{t: t, home: h}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the keeper said:\n%s", k.err)
		}
	})
	if k.who, err = h.AddKeeper("attic", "https://127.0.0.1:8443"); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(h.Authority())
	k.httpClient = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(k.httpClient.CloseIdleConnections)
	who, err := h.AddViewer("phone")
	if err != nil {
		t.Fatal(err)
	}
	nats, mqtt := k.natsServer()
	c := k.camera("door", mqtt)
	k.roster(c)

	args := []string{"--nats", nats, "--nats-replicas", "1", "--broker", mqtt}
	k.start(args...)
	k.knows()
	for range 3 {
		c.picture()
	}
	c.answering(3)
	if code := k.stop(); code != cli.ExitOK {
		t.Fatalf("stopped with %d: %s", code, k.err)
	}
	c.picture() // nobody is there, and the cluster holds it
	k.start(args...)
	c.answering(4)
	var list struct{ Entries []struct{ Hash string } }
	if err := json.Unmarshal(k.get("/v1/households/"+string(h.ID())+"/messages", who), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Entries) != 4 {
		t.Fatalf("%d messages are listed", len(list.Entries))
	}
	for i, e := range list.Entries {
		if b := k.get("/v1/messages/"+e.Hash, nil); !bytes.Equal(b, c.sent[i]) {
			t.Errorf("message %d came back as another", i)
		}
	}
}
