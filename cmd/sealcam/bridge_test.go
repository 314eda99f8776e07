package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/mosquitto"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

// bridgeLog is what a command says, while it runs.
type bridgeLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (h *bridgeLog) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(p)
}

func (h *bridgeLog) has(s string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Contains(h.text.String(), s)
}

// TestBridgeByTLSAndPassword runs the command against a Mosquitto as Home
// Assistant has it on another machine: TLS by a certificate of its own, names
// and passwords.
func TestBridgeByTLSAndPassword(t *testing.T) {
	dir := t.TempDir()
	house, err := identity.CreateHousehold(filepath.Join(dir, "house"), "mqtts://127.0.0.1:1", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := house.AddViewer("bridge"); err != nil {
		t.Fatal(err)
	}
	pairedCamera(t, house, filepath.Join(dir, "camera"))
	cert, key, err := house.IssueServer("127.0.0.1") // any authority will do
	if err != nil {
		t.Fatal(err)
	}
	port, err := mosquitto.FreePort("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	local, err := mosquitto.Start(t.Context(), t.TempDir(), mosquitto.Config{
		Host: "127.0.0.1", Port: port, CA: house.Authority(), Cert: cert, Key: key, Users: map[string]string{"ha": "a secret", "bridge": "another"},
	}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	defer local.Stop()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bridge := func(password string) (said *bridgeLog, stop func() error) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		said = new(bridgeLog)
		go func() {
			ended <- runBridge(ctx, &cli.Env{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: said}, []string{
				"--household", house.Dir(), "--local", local.URL(), "--local-ca", file("ca.crt", string(house.Authority())),
				"--local-user", "bridge", "--local-password-file", file("password", password),
			})
		}()
		return said, func() error { cancel(); return <-ended }
	}

	said, stop := bridge("a guess\n")
	for limit := time.Now().Add(time.Minute); !said.has("check the user name and password"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("a wrong password: %s", said.text.String())
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}

	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(house.Authority())
	conn, err := mqtt.Dial(t.Context(), mqtt.Config{
		URL: local.URL(), TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}, ClientID: "ha", User: "ha", Password: "a secret", Queue: 1024,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Subscribe(t.Context(), "sealcam-bridge/+/available"); err != nil {
		t.Fatal(err)
	}
	next := func(want string) {
		t.Helper()
		select {
		case m := <-conn.Messages():
			if string(m.Payload) != want {
				t.Errorf("the bridge says %q, want %q", m.Payload, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("the bridge never says %q", want)
		}
	}
	_, stop = bridge("another\n")
	next("online")
	if err := stop(); err != nil {
		t.Error(err)
	}
	next("offline")
}
