package brokertest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	installed "github.com/sealcam/sealcam/cmd/internal/mosquitto"
	"github.com/sealcam/sealcam/uplink/seal"
)

// engine is a kind of broker.
type engine struct {
	name string
	// polite says that it acknowledges a publish that it has denied.
	polite bool
	// prepare returns how to run it for a household; cameras are those whom it
	// has to know by name.
	prepare func(t *testing.T, f files, port int, cameras []seal.CameraID) func(t *testing.T) (kill func())
}

var engines = []engine{
	{"mochi", false, mochi},
	{"mosquitto", true, mosquitto},
	{"nats", true, nats},
}

// each runs a test once per kind of broker.
func each(t *testing.T, test func(t *testing.T, e engine)) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { test(t, e) })
	}
}

// server is a broker that can be killed and started again on its port.
type server struct {
	t    *testing.T
	port int
	run  func(t *testing.T) (kill func())
	kill func() // nil while it does not run
}

// serve starts a broker of the household.
func (e engine) serve(t *testing.T, f files, cameras ...seal.CameraID) *server {
	t.Helper()
	port := freePort(t)
	s := &server{t: t, port: port, run: e.prepare(t, f, port, cameras)}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *server) url() string { return "mqtts://" + at(s.port) }

func (s *server) start() {
	s.t.Helper()
	s.kill = s.run(s.t)
	limit := time.Now().Add(patience)
	for {
		conn, err := net.Dial("tcp", at(s.port))
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(limit) {
			s.t.Fatalf("the broker does not listen on port %d: %v", s.port, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// stop ends it as a crash does.
func (s *server) stop() {
	if s.kill != nil {
		s.kill()
		s.kill = nil
	}
}

func at(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	check(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func mochi(t *testing.T, f files, port int, _ []seal.CameraID) func(*testing.T) func() {
	cert, err := tls.LoadX509KeyPair(f.cert, f.key)
	check(t, err)
	pool := x509.NewCertPool()
	ca, err := os.ReadFile(f.ca)
	check(t, err)
	pool.AppendCertsFromPEM(ca)
	return func(t *testing.T) func() {
		b, err := broker.New(broker.Config{
			Addr: at(port),
			TLS:  &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: pool, MinVersion: tls.VersionTLS13},
		})
		check(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		return func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("mochi: %v", err)
			}
		}
	}
}

func mosquitto(t *testing.T, f files, port int, cameras []seal.CameraID) func(*testing.T) func() {
	return mosquittoWith(t, f, port, "pattern readwrite sealcam/v1/%u/#\nuser viewer-screen\ntopic readwrite sealcam/v1/#\n")
}

// mosquittoWithout is a Mosquitto that lets everybody do everything.
func mosquittoWithout(t *testing.T, f files, port int, _ []seal.CameraID) func(*testing.T) func() {
	return mosquittoWith(t, f, port, "")
}

func mosquittoWith(t *testing.T, f files, port int, rules string) func(*testing.T) func() {
	c := installed.Config{Host: host, Port: port, Rules: rules, Trial: true}
	for name, part := range map[string]*[]byte{f.ca: &c.CA, f.cert: &c.Cert, f.key: &c.Key} {
		var err error
		*part, err = os.ReadFile(name)
		check(t, err)
	}
	conf, err := installed.Write(f.dir, c)
	check(t, err)
	return func(t *testing.T) func() { return launch(t, "mosquitto", "-c", conf) }
}

// nats knows cameras by their certificate's name, one permission per camera:
// it has no pattern for "your own".
func nats(t *testing.T, f files, port int, cameras []seal.CameraID) func(*testing.T) func() {
	users := natsUser("viewer-screen", "sealcam.v1.>")
	for _, id := range cameras {
		users += natsUser(string(id), "sealcam.v1."+string(id)+".>")
	}
	conf := filepath.Join(f.dir, "nats.conf")
	check(t, os.WriteFile(conf, fmt.Appendf(nil, `
server_name: home
listen: "%s:-1"
max_payload: 8MB
jetstream { store_dir: %q, max_file_store: 4GB }
mqtt {
  listen: "%s:%d"
  tls { ca_file: %q, cert_file: %q, key_file: %q, verify_and_map: true, timeout: 10 }
}
authorization { users: [
%s] }
`, host, f.dir, host, port, f.ca, f.cert, f.key, users), 0o600))
	return func(t *testing.T) func() { return launch(t, "nats-server", "-c", conf) }
}

func natsUser(name, subjects string) string {
	return fmt.Sprintf(`  { user: "CN=%s", permissions: { publish: [%q], subscribe: [%q, "$MQTT.sub.>"] } }
`, name, subjects, subjects)
}

// launch starts a program of a Debian package, and returns how to kill it.
func launch(t *testing.T, name string, args ...string) (kill func()) {
	t.Helper()
	cmd := program(t, name, args...)
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// program starts a program, and leaves its end to others.
func program(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = "/usr/sbin/" + name // not on everybody's PATH
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not installed: run make test-deps (Debian package %s)", name, name)
	}
	var log lines
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	check(t, cmd.Start())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said:\n%s", name, tail(log.String(), 30))
		}
	})
	return cmd
}

func tail(text string, n int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}
