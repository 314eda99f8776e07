// Package mosquitto runs the Mosquitto broker that is installed on this
// machine, with TLS 1.3 and client certificates, for trials of the whole way.
//
// What this package does not do: it is not how a household runs its broker
// (sealcam household broker writes that), it restarts nothing, and it knows no
// topic of sealcam's.
package mosquitto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// Config says how a broker is to run.
type Config struct {
	Host  string // address to listen on, which its certificate names
	Port  int
	CA    []byte // PEM: of the clients' certificates
	Cert  []byte // PEM: the broker's own
	Key   []byte // PEM
	Rules string // the access rules, as an acl_file has them; empty for no rules
}

const conf = `listener %d %s
cafile %s
certfile %s
keyfile %s
tls_version tlsv1.3
require_certificate true
use_identity_as_username true
persistence false
max_queued_messages 10000
log_dest stderr
user %s
`

// Write writes the broker's files into dir, which nobody else should be able to
// read, and returns the path of its configuration.
func Write(dir string, c Config) (path string, err error) {
	in := func(name string) string { return filepath.Join(dir, name) }
	text := fmt.Sprintf(conf, c.Port, c.Host, in("ca.crt"), in("server.crt"), in("server.key"), user())
	files := map[string][]byte{"ca.crt": c.CA, "server.crt": c.Cert, "server.key": c.Key}
	if c.Rules != "" {
		text += "acl_file " + in("acl") + "\n"
		files["acl"] = []byte(c.Rules)
	}
	files["mosquitto.conf"] = []byte(text)
	for name, data := range files {
		if err := os.WriteFile(in(name), data, 0o600); err != nil {
			return "", err
		}
	}
	return in("mosquitto.conf"), nil
}

// user is whom the broker, started by root, is to remain: else it could not
// read its own files.
func user() string {
	if os.Geteuid() == 0 {
		return "root"
	}
	return "mosquitto"
}

// ErrNotInstalled says that there is no Mosquitto on this machine.
var ErrNotInstalled = errors.New("mosquitto is not installed: run make test-deps, or apt-get install mosquitto")

// Path returns where the program is.
func Path() (string, error) {
	if path, err := exec.LookPath("mosquitto"); err == nil {
		return path, nil
	}
	const debian = "/usr/sbin/mosquitto" // not on everybody's PATH
	if _, err := os.Stat(debian); err == nil {
		return debian, nil
	}
	return "", ErrNotInstalled
}

// FreePort returns a port that nobody listens on just now.
func FreePort(host string) (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Broker is a Mosquitto that runs.
type Broker struct {
	cmd  *exec.Cmd
	addr string
	done chan struct{} // closed when it has ended
}

// startTime is how long Mosquitto may take until it listens.
const startTime = 20 * time.Second

// Start writes c into dir and runs Mosquitto until Stop, or until ctx ends. It
// returns once the broker listens. What the broker says goes to log.
func Start(ctx context.Context, dir string, c Config, log io.Writer) (*Broker, error) {
	path, err := Path()
	if err != nil {
		return nil, err
	}
	file, err := Write(dir, c)
	if err != nil {
		return nil, err
	}
	b := &Broker{cmd: exec.CommandContext(ctx, path, "-c", file), addr: net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), done: make(chan struct{})}
	b.cmd.Stdout, b.cmd.Stderr = log, log
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { defer close(b.done); _ = b.cmd.Wait() }()
	for limit := time.Now().Add(startTime); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", b.addr)
		if err == nil {
			return b, conn.Close()
		}
		select {
		case <-b.done:
			return nil, fmt.Errorf("mosquitto ended at once: %v", b.cmd.ProcessState)
		default:
		}
		if time.Now().After(limit) {
			b.Stop()
			return nil, fmt.Errorf("mosquitto does not listen on %s: %w", b.addr, err)
		}
	}
}

// URL returns where clients reach it.
func (b *Broker) URL() string { return "mqtts://" + b.addr }

// Stop ends the broker and waits until it has ended.
func (b *Broker) Stop() {
	_ = b.cmd.Process.Kill()
	<-b.done
}
