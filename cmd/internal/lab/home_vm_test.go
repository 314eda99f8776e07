//go:build vm && linux

package lab

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/debian"
)

// home is a household on the host, made with the commands that a person
// types, and its Mosquitto: what a guest's sealcamd belongs to and talks to.
type home struct {
	dir    string // the household's
	tool   string // sealcam, built for the host
	port   int
	broker *service
}

// newHome makes a household with a screen and a bridge, and starts its broker, which
// guests reach at Host and programs of the host at 127.0.0.1.
func newHome(t *testing.T) *home {
	t.Helper()
	if err := CheckHost(); err != nil {
		t.Fatal(err)
	}
	tool, err := build(t.Context(), nil, "host", "cmd/sealcam")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	h := &home{dir: filepath.Join(dir, "household"), tool: tool, port: freePort(t)}
	h.sealcam(t, nil, "household", "create", h.dir, "--broker", fmt.Sprintf("mqtts://%s:%d", Host, h.port))
	h.sealcam(t, nil, "household", "add-viewer", h.dir, bridgeName)
	files := filepath.Join(dir, "mosquitto")
	h.sealcam(t, nil, "household", "broker", h.dir, files, "--host", Host+",127.0.0.1")

	// The configuration that sealcam writes, on this test's port of the loopback.
	path := filepath.Join(files, "mosquitto.conf")
	conf, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	listener := regexp.MustCompile(`(?m)^listener 8883$`)
	if !listener.Match(conf) {
		t.Fatalf("no listener to move in\n%s", conf)
	}
	conf = listener.ReplaceAll(conf, fmt.Appendf(nil, "listener %d 127.0.0.1", h.port))
	if os.Geteuid() == 0 {
		conf = append(conf, "user root\n"...) // who may read a test's files
	}
	if err := os.WriteFile(path, conf, 0o600); err != nil {
		t.Fatal(err)
	}
	h.broker = startService(t, "mosquitto", "-c", path)
	h.awaitBroker(t)
	return h
}

// url is the broker's address for programs of the host.
func (h *home) url() string { return fmt.Sprintf("mqtts://127.0.0.1:%d", h.port) }

// sealcam runs the owner's tool on the host.
func (h *home) sealcam(t *testing.T, stdin []byte, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(limit(t), h.tool, args...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sealcam %s: %v\n%s%s", strings.Join(args, " "), err, out, &stderr)
	}
	return string(out)
}

func (h *home) awaitBroker(t *testing.T) {
	t.Helper()
	ctx := limit(t)
	for {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", h.port))
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("mosquitto does not listen: %v\n%s", err, h.broker.said())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// adopt takes a guest's sealcamd, whose settings are at config, into the
// household: what a person does with two files. It returns the camera's id.
func (h *home) adopt(t *testing.T, m *Machine, config, name string) string {
	t.Helper()
	request := m.must(t, "sealcamd", "-config", config, "request")
	pairing := h.sealcam(t, []byte(request), "household", "add-camera", h.dir, "-", "--name", name)
	p, err := m.Start([]byte(pairing), "sealcamd", "-config", config, "claim", "-")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Wait(limit(t)); err != nil || r.Exit != 0 {
		t.Fatalf("claim: exit code %d, %v\n%s", r.Exit, err, r.Stderr)
	}
	return strings.TrimSpace(m.must(t, "sealcamd", "-config", config, "id"))
}

// service is a program of the host that runs beside a test and ends with it.
type service struct {
	cmd  *exec.Cmd
	done chan struct{}

	mu      sync.Mutex
	out     bytes.Buffer
	changed chan struct{}
}

// startService starts a program. What it said is shown when the test fails.
func startService(t *testing.T, name string, args ...string) *service {
	t.Helper()
	s := &service{done: make(chan struct{}), changed: make(chan struct{})}
	s.cmd = debian.Command(t.Context(), nil, name, args...)
	s.cmd.Stdout, s.cmd.Stderr = s, s
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait() // tests end it as they like; what it said tells more
		close(s.done)
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.done
		if t.Failed() {
			afterwards(t, filepath.Base(name), s.said())
		}
	})
	return s
}

func (s *service) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
	return s.out.Write(p)
}

func (s *service) said() string { return s.saidFrom(0) }

// saidFrom returns what the service has said behind its first n bytes.
func (s *service) saidFrom(n int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.out.Bytes()[n:])
}

// until waits until ok is true of all that the service has said.
func (s *service) until(ctx context.Context, ok func(said string) bool) error {
	return s.whenever(ctx, func() bool { return ok(s.said()) })
}

// whenever waits until ok is true, which it asks for whenever the service has said
// something.
func (s *service) whenever(ctx context.Context, ok func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if ok() {
			return nil
		}
		select {
		case <-changed:
		case <-s.done:
			if ok() {
				return nil
			}
			return fmt.Errorf("%s ended: %v", s.cmd.Path, s.cmd.ProcessState)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
