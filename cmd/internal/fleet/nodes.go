package fleet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/mosquitto"
	"github.com/sealcam/sealcam/uplink/identity"
)

// node is one nats-server of a cluster on this machine.
type node struct {
	conf       string
	nats, mqtt int // ports
	cmd        *exec.Cmd
	ended      chan error
}

const loopback = "127.0.0.1"

// ErrNoServer says that nats-server is not installed.
var ErrNoServer = errors.New("nats-server is not installed (Debian package nats-server; make test-deps)")

// startNodes starts c.Nodes nodes. They let in who has a certificate of the run,
// and have no rules about topics: those are tried where brokers are.
func (w world) startNodes() (all []*node, err error) {
	defer func() {
		if err != nil {
			stopNodes(all)
		}
	}()
	dir := filepath.Join(w.Dir, "nodes")
	secure, err := w.serverFiles(dir)
	if err != nil {
		return nil, err
	}
	var ports []int
	for range 3 * w.Nodes {
		p, err := mosquitto.FreePort(loopback)
		if err != nil {
			return nil, err
		}
		ports = append(ports, p)
	}
	var routes []string
	for i := range w.Nodes {
		routes = append(routes, fmt.Sprintf("%q", fmt.Sprintf("nats://%s:%d", loopback, ports[3*i+2])))
	}
	for i := range w.Nodes {
		n := &node{conf: filepath.Join(dir, fmt.Sprintf("n%d.conf", i)), nats: ports[3*i], mqtt: ports[3*i+1]}
		text := fmt.Sprintf("server_name: n%d\nlisten: \"%s:%d\"\nmax_payload: 9MB\njetstream { store_dir: %q, max_file_store: 16GB, max_memory_store: 256MB }\n"+
			"mqtt { listen: \"%s:%d\", stream_replicas: %d, consumer_replicas: 1, %s }\n",
			i, loopback, n.nats, filepath.Join(dir, fmt.Sprint("store", i)), loopback, n.mqtt, w.Nodes, secure)
		if w.Nodes > 1 {
			text += fmt.Sprintf("cluster { name: site, listen: \"%s:%d\", routes: [%s] }\n", loopback, ports[3*i+2], strings.Join(routes, ", "))
		}
		if err := os.WriteFile(n.conf, []byte(text), 0o600); err != nil {
			return all, err
		}
		all = append(all, n)
		if err := n.start(); err != nil {
			return all, err
		}
	}
	return all, nil
}

// serverFiles writes what a node shows to cameras, and returns its setting.
func (w world) serverFiles(dir string) (setting string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	operator, err := identity.OpenHousehold(w.operator(), time.Now)
	if err != nil {
		return "", err
	}
	cert, key, err := operator.IssueServer(loopback)
	if err != nil {
		return "", err
	}
	for name, text := range map[string][]byte{"ca.crt": operator.Authority(), "server.crt": cert, "server.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return "", err
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	return fmt.Sprintf("tls { ca_file: %q, cert_file: %q, key_file: %q, verify: true, timeout: 20 }", in("ca.crt"), in("server.crt"), in("server.key")), nil
}

func (n *node) start() error {
	path, err := exec.LookPath("nats-server")
	if err != nil {
		path = "/usr/sbin/nats-server" // not on everybody's PATH
	}
	if _, err := os.Stat(path); err != nil {
		return ErrNoServer
	}
	n.cmd, n.ended = exec.Command(path, "-c", n.conf), make(chan error, 1)
	if err := n.cmd.Start(); err != nil {
		return err
	}
	go func() { n.ended <- n.cmd.Wait() }()
	return nil
}

// kill ends the node as a power cut does, and returns what processor time it took.
func (n *node) kill() (used time.Duration) {
	if n.cmd == nil || n.cmd.Process == nil {
		return 0
	}
	used = n.cpu()
	_ = n.cmd.Process.Kill()
	<-n.ended
	n.cmd = nil
	return used
}

func (n *node) cpu() time.Duration {
	if n.cmd == nil || n.cmd.Process == nil {
		return 0
	}
	return cpuTime(strconv.Itoa(n.cmd.Process.Pid))
}

func stopNodes(all []*node) {
	for _, n := range all {
		n.kill()
	}
}

// urls lists the nodes' addresses, for cameras or for keepers.
func urls(all []*node, scheme string, port func(*node) int) string {
	var list []string
	for _, n := range all {
		list = append(list, fmt.Sprintf("%s://%s:%d", scheme, loopback, port(n)))
	}
	return strings.Join(list, ",")
}
