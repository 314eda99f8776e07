// Package mosquitto writes what a Mosquitto broker needs to serve a household,
// and runs the one that is installed on this machine, for trials of the whole
// way.
//
// What this package does not do: it knows no topic of sealcam's, it restarts
// nothing, and it runs no broker for a household: the system does.
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
	"strings"
	"time"
)

// Config says how a broker is to run.
type Config struct {
	About string // what it is for, in one line
	Host  string // address to listen on, which its certificate names; empty for all
	Port  int
	CA    []byte            // PEM: of the clients' certificates; nil for a broker without TLS
	Cert  []byte            // PEM: the broker's own
	Key   []byte            // PEM
	Users map[string]string // passwords of clients, in place of certificates
	// Revoked is the list of revoked certificates, PEM; nil for none.
	Revoked []byte
	Rules   string // the access rules, as an acl_file has them; empty for no rules
	Limit   int    // bytes of the largest message; 0 for Mosquitto's own limit
	Trial   bool   // forgets everything, logs to standard error, runs as whoever starts it
}

// text returns the configuration of a broker whose files are in dir.
func (c Config) text(dir string) string {
	in := func(name string) string { return filepath.Join(dir, name) }
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	if c.About != "" {
		line("# %s", c.About)
	}
	line("per_listener_settings false")
	line("%s", strings.TrimSpace(fmt.Sprintf("listener %d %s", c.Port, c.Host)))
	if c.CA != nil {
		line("cafile %s\ncertfile %s\nkeyfile %s", in("ca.crt"), in("server.crt"), in("server.key"))
		line("tls_version tlsv1.3")
	}
	if c.Revoked != nil {
		line("crlfile %s", in("revoked.crl"))
	}
	if c.CA != nil && c.Users == nil {
		line("require_certificate true\nuse_identity_as_username true")
	}
	line("allow_anonymous %t", c.CA == nil && c.Users == nil)
	if c.Users != nil {
		line("password_file %s", in("passwords"))
	}
	if c.Rules != "" {
		line("acl_file %s", in("acl"))
	}
	if c.Limit > 0 {
		line("message_size_limit %d", c.Limit)
	}
	if !c.Trial {
		line("max_queued_messages 2000")
		return b.String()
	}
	line("max_queued_messages 10000\npersistence false\nlog_dest stderr\nuser %s", user())
	return b.String()
}

// Write writes the broker's files into dir and returns the path of its
// configuration. What is secret in them nobody else can read.
func Write(dir string, c Config) (path string, err error) {
	passwords, err := passwordFile(c.Users)
	if err != nil {
		return "", err
	}
	for _, f := range []struct {
		name string
		data []byte
		mode os.FileMode
	}{
		{"server.key", c.Key, 0o600},
		{"server.crt", c.Cert, 0o644},
		{"ca.crt", c.CA, 0o644},
		{"revoked.crl", c.Revoked, 0o644},
		{"passwords", passwords, 0o600},
		{"acl", []byte(c.Rules), 0o644},
		{"mosquitto.conf", []byte(c.text(dir)), 0o644},
	} {
		if len(f.data) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, f.name), f.data, f.mode); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "mosquitto.conf"), nil
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
	cmd    *exec.Cmd
	scheme string
	addr   string
	done   chan struct{} // closed when it has ended
}

// startTime is how long Mosquitto may take until it listens.
const startTime = 20 * time.Second

// Start writes c, as a trial, into dir and runs Mosquitto until Stop, or until
// ctx ends. c.Host is an address of this machine. It returns once the broker listens. What the broker says goes to log.
func Start(ctx context.Context, dir string, c Config, log io.Writer) (*Broker, error) {
	path, err := Path()
	if err != nil {
		return nil, err
	}
	c.Trial = true
	file, err := Write(dir, c)
	if err != nil {
		return nil, err
	}
	b := &Broker{cmd: exec.CommandContext(ctx, path, "-c", file), scheme: "mqtts://", addr: net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), done: make(chan struct{})}
	if c.CA == nil {
		b.scheme = "mqtt://"
	}
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
func (b *Broker) URL() string { return b.scheme + b.addr }

// Stop ends the broker and waits until it has ended.
func (b *Broker) Stop() {
	_ = b.cmd.Process.Kill()
	<-b.done
}
