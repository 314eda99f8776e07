//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

// natsNodes runs a cluster of three nodes, without TLS as there is nobody else on
// loopback, and returns where each speaks NATS and MQTT.
func natsNodes(t *testing.T) (nats, mqtts [3]string) {
	t.Helper()
	path := natsPath(t)
	var routes [3]string
	for i := range 3 {
		nats[i], mqtts[i], routes[i] = freePort(t), freePort(t), freePort(t)
	}
	for i := range 3 {
		dir := t.TempDir()
		conf := filepath.Join(dir, "nats.conf")
		text := fmt.Sprintf(`server_name: n%d
listen: %q
max_payload: 9MB
jetstream { store_dir: %q, max_file_store: 100GB, max_memory_store: 64MB }
cluster { name: site, listen: %q, routes: [nats://%s] }
mqtt { listen: %q, stream_replicas: 3, consumer_replicas: 1 }
`, i+1, nats[i], dir, routes[i], strings.Join(routes[:], ", nats://"), mqtts[i])
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		said := new(spoken)
		cmd := exec.Command(path, "-c", conf)
		cmd.Stdout, cmd.Stderr = said, said
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if t.Failed() {
				t.Logf("node %d: %.3000s", i+1, said)
			}
		})
	}
	return nats, mqtts
}

// The README's text for a cluster, followed as it stands there: a viewer that was away
// sees what a camera published to the cluster meanwhile.
func TestKeepOnClusterAsInReadme(t *testing.T) {
	nats, mqtts := natsNodes(t)
	dir := t.TempDir()
	viewers := freePort(t)
	h, err := identity.CreateHousehold(filepath.Join(dir, "home"), "mqtts://"+mqtts[0], time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddViewer("desk"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddKeeper("attic", "https://"+viewers); err != nil {
		t.Fatal(err)
	}
	line := strings.NewReplacer(
		"tls://n1.example:4222", "nats://"+nats[0], "tls://n2.example:4222", "nats://"+nats[1], "tls://n3.example:4222", "nats://"+nats[2],
		"mqtts://n1.example:8883", "mqtt://"+mqtts[0], "home/keepers/attic", h.KeeperDir("attic"),
	).Replace(readmeLine(t, "One machine is not enough", "sealcam keep "))
	said := new(spoken)
	start := func() (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		code := make(chan int, 1)
		env := &cli.Env{Stdin: strings.NewReader(""), Stdout: said, Stderr: said}
		go func() { code <- run(ctx, env, strings.Fields(line)[1:]) }()
		return func() { cancel(); code <- <-code }
	}
	stop := start()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(said.String(), "\nstore "); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) { // a cluster that has just begun takes its time to agree
			t.Fatalf("the keeper does not start: %s", said)
		}
		if strings.Contains(said.String(), "error") {
			stop()
			said = new(spoken)
			stop = start()
		}
	}
	defer func() { stop() }()
	k := &keeping{t: t, home: h, err: said}
	c := k.cameraBy("door", func(c *lightCamera) { c.connectPlain(mqtts[0]) })
	k.begins(c, 3)
	c.conn.Close()
	out := runLine(t, []string{"watch", "--household", h.Dir(), "--keeper", "https://" + viewers, "--count", "3", "--for", "1m"})
	if n := strings.Count(out, "door"); n < 3 {
		t.Errorf("the viewer that was away sees\n%s", out)
	}
}

// connectPlain connects to a broker of this machine without TLS.
func (c *lightCamera) connectPlain(addr string) {
	c.t.Helper()
	var err error
	waitFor(c.t, "the cluster to speak MQTT", func() bool {
		c.conn, err = mqtt.Dial(c.t.Context(), mqtt.Config{URL: "mqtt://" + addr, ClientID: string(c.who.ID())})
		return err == nil
	})
	c.t.Cleanup(c.conn.Close)
	if err := c.conn.Subscribe(c.t.Context(), c.topic("cmd")); err != nil {
		c.t.Fatal(err)
	}
}
