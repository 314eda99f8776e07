package jetstream

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/cmd/internal/mosquitto"
)

// patience is how long a test waits for what must come: with a node dead,
// nats-server gives it work for a time.
const patience = 5 * time.Minute

const host = "127.0.0.1"

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits until what is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain until %s", patience, what)
		}
	}
}

// lines is a log in memory that more than one may write.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := strings.Split(strings.TrimSpace(l.b.String()), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// node is one nats-server.
type node struct {
	t                *testing.T
	name, conf, addr string
	nats, mqtt, http int      // ports; http 0 for none
	inside           []string // command that runs another one in its namespace; nil: here
	secure           string   // what mqtt has of TLS
	cmd              *exec.Cmd
	log              lines
}

type cluster []*node

// newCluster runs n nodes, without TLS, as there is nobody else on loopback.
func newCluster(t *testing.T, n int, settings string) cluster {
	t.Helper()
	var c cluster
	var routes []string
	for i := range n {
		k := &node{t: t, name: fmt.Sprint("n", i+1), addr: host}
		var err error
		k.nats, err = mosquitto.FreePort(host)
		check(t, err)
		k.mqtt, err = mosquitto.FreePort(host)
		check(t, err)
		route, err := mosquitto.FreePort(host)
		check(t, err)
		routes = append(routes, fmt.Sprintf("nats://%s:%d", host, route))
		c = append(c, k)
	}
	for i, k := range c {
		k.configure(t.TempDir(), n, routes[i], routes, settings)
		k.start()
	}
	return c
}

func (k *node) configure(dir string, n int, route string, routes []string, settings string) {
	k.t.Helper()
	if !strings.Contains(settings, "max_payload") {
		settings += "\nmax_payload: 9MB"
	}
	if !strings.Contains(settings, "jetstream") {
		settings += fmt.Sprintf("\njetstream { store_dir: %q, max_file_store: 4GB, max_memory_store: 64MB }", filepath.Join(dir, "store"))
	}
	if n > 1 {
		settings += fmt.Sprintf("\ncluster { name: site, listen: %q, routes: [%s] }", strings.TrimPrefix(route, "nats://"), strings.Join(routes, ", "))
	}
	k.conf = filepath.Join(dir, "nats.conf")
	if k.http != 0 {
		settings += fmt.Sprintf("\nhttp: \"%s:%d\"", k.addr, k.http)
	}
	check(k.t, os.WriteFile(k.conf, fmt.Appendf(nil, "server_name: %s\nlisten: \"%s:%d\"\nmqtt { listen: \"%s:%d\", stream_replicas: %d, consumer_replicas: 1%s }\n%s\n", k.name, k.addr, k.nats, k.addr, k.mqtt, n, k.secure, settings), 0o600))
	k.t.Cleanup(func() {
		k.kill()
		if k.t.Failed() {
			k.t.Logf("%s said:\n%s", k.name, k.log.tail(15))
		}
	})
}

func (k *node) start() {
	k.t.Helper()
	path, err := exec.LookPath("nats-server")
	if err != nil {
		path = "/usr/sbin/nats-server" // not on everybody's PATH
	}
	if _, err := os.Stat(path); err != nil {
		k.t.Fatal("nats-server is not installed: run make test-deps (Debian package nats-server)")
	}
	args := append(append([]string{}, k.inside...), path, "-c", k.conf)
	k.cmd = exec.Command(args[0], args[1:]...)
	k.cmd.Stdout, k.cmd.Stderr = &k.log, &k.log
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	check(k.t, k.cmd.Start())
}

func (k *node) kill() {
	if k.cmd != nil {
		_ = k.cmd.Process.Kill()
		_ = k.cmd.Wait()
		k.cmd = nil
	}
}

// url names all nodes, that of node first first.
func (c cluster) url(first int) string {
	var all []string
	for i := range c {
		k := c[(first+i)%len(c)]
		all = append(all, fmt.Sprintf("nats://%s:%d", k.addr, k.nats))
	}
	return strings.Join(all, ",")
}

// config is that of a keeper in c.
func (c cluster) config(t *testing.T, name string) Config {
	var log lines
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said:\n%s", name, log.tail(30))
		}
	})
	return Config{
		URL: c.url(0), Name: name, Version: "test", Replicas: len(c), IntakeBytes: 256 << 20, Rand: rand.Reader, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// open opens an engine that runs until the end of the test, or until stop.
func open(t *testing.T, c Config) (e *Engine, stop func()) {
	t.Helper()
	return openAs(t, c, format)
}

// openAs opens an engine of a version that writes and reads forms up to form.
func openAs(t *testing.T, c Config, form byte) (e *Engine, stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	for e == nil { // a cluster that begins has no leader yet
		var err2 error
		if e, err2 = Open(ctx, c); err2 != nil && ctx.Err() != nil {
			t.Fatal(err2, err)
		} else if err2 != nil {
			err = err2
			time.Sleep(100 * time.Millisecond)
		}
	}
	e.format = form
	ctx, cancel = context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrNewer) && !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s ended: %v", c.Name, err)
		}
		check(t, e.Close())
	})
	t.Cleanup(stop)
	return e, stop
}
