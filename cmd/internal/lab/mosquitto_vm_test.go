//go:build vm && linux

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// broker is a Mosquitto on the host's loopback: TLS 1.3, client certificates
// whose common name is the user, and an ACL.
type broker struct {
	Port int
	conf string
	cmd  *exec.Cmd
	dead chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

// brokerACL lets a camera use its own topics and nothing else: that is the one
// line that a broker needs. What follows is for the viewers named.
func brokerACL(viewers []string) string {
	var b strings.Builder
	b.WriteString("pattern readwrite sealcam/v1/%u/#\n")
	for _, v := range viewers {
		fmt.Fprintf(&b, "user %s\ntopic readwrite sealcam/v1/#\n", v)
	}
	return b.String()
}

// startBroker starts a broker with the files authority.crt, server.crt and
// server.key of dir, and keeps its own files there. The end of ctx ends it.
func startBroker(ctx context.Context, dir string, viewers []string) (*broker, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	b := &broker{Port: port, conf: filepath.Join(dir, "mosquitto.conf")}
	acl := filepath.Join(dir, "acl")
	if err := os.WriteFile(acl, []byte(brokerACL(viewers)), 0o600); err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`listener %d 127.0.0.1
cafile %[2]s/authority.crt
certfile %[2]s/server.crt
keyfile %[2]s/server.key
tls_version tlsv1.3
require_certificate true
use_identity_as_username true
acl_file %[3]s
persistence false
log_dest stdout
`, port, dir, acl)
	if os.Geteuid() == 0 {
		// Mosquitto would drop to a user who cannot read a test's files.
		conf += "user root\n"
	}
	if err := os.WriteFile(b.conf, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	return b, b.Start(ctx)
}

// Start starts the broker again after Stop, with nothing of what it held.
func (b *broker) Start(ctx context.Context) error {
	path, err := tool("mosquitto")
	if err != nil {
		return err
	}
	b.cmd = exec.CommandContext(ctx, path, "-c", b.conf)
	b.cmd.Stdout, b.cmd.Stderr = b, b
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		return err
	}
	dead := make(chan struct{})
	b.dead = dead
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait() // how it ended stands in its log
		close(dead)
	}(b.cmd)
	limit := time.After(20 * time.Second)
	for {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(b.Port)))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-dead:
			return fmt.Errorf("mosquitto ended at once:\n%s", b.Log())
		case <-limit:
			b.Stop()
			return fmt.Errorf("mosquitto does not listen:\n%s", b.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop kills the broker, as a crash would.
func (b *broker) Stop() {
	if err := b.cmd.Process.Kill(); err == nil || errors.Is(err, os.ErrProcessDone) {
		<-b.dead
	}
}

// Write takes the broker's log.
func (b *broker) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

// Log returns what the broker said, over all its starts.
func (b *broker) Log() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("no port in %v", l.Addr())
	}
	return addr.Port, nil
}
