package jetstream

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
)

// inside is set for the process that has a network of its own.
const inside = "SEALCAM_JETSTREAM_INSIDE"

// TestMain runs the tests in a network namespace of their own, which goes with
// them. Without privileges it is one of a user namespace.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	args := []string{"--net"}
	if os.Geteuid() != 0 {
		args = append(args, "--user", "--map-root-user")
	}
	script := `ip link set lo up && echo 1 >/proc/sys/net/ipv4/ip_forward; exec "$@"`
	cmd := exec.Command("unshare", append(append(args, "--", "sh", "-c", script, "sh", os.Args[0]), os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "a network of their own for these tests:", err)
		os.Exit(1)
	}
}

// tool runs a command of the system.
func tool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%swithout these tools, run: make test-deps", strings.Join(args, " "), err, out)
	}
}

// site is a cluster of three nodes, each with a network of its own, and what is
// needed to reach them.
type site struct {
	cluster
	tls *tls.Config
}

// newSite runs the nodes. Only one site can be at a time.
func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	owner, err := identity.CreateHousehold(filepath.Join(dir, "owner"), "", time.Now)
	check(t, err)
	client, err := owner.AddViewer("client")
	check(t, err)
	s := &site{tls: client.TLS()}
	var routes, addrs []string
	for i := range 3 {
		k := &node{t: t, name: fmt.Sprint("n", i+1), addr: fmt.Sprintf("10.88.%d.2", i+1), nats: 4222, mqtt: 8883, http: 8222}
		k.inside = namespace(t, i+1)
		routes, addrs, s.cluster = append(routes, "nats://"+k.addr+":6222"), append(addrs, k.addr), append(s.cluster, k)
	}
	cert, key, err := owner.IssueServer(addrs...)
	check(t, err)
	files := map[string][]byte{"ca.crt": owner.Authority(), "server.crt": cert, "server.key": key}
	for name, data := range files {
		check(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	secure := fmt.Sprintf("tls { ca_file: \"%s/ca.crt\", cert_file: \"%[1]s/server.crt\", key_file: \"%[1]s/server.key\", verify: true, timeout: 20 }", dir)
	for i, k := range s.cluster {
		k.secure = "\n" + secure
		k.configure(t.TempDir(), 3, routes[i], routes, secure)
		k.start()
	}
	return s
}

// namespace makes the network of the nth node, which reaches the others through
// this one, and returns how to run a command in it.
func namespace(t *testing.T, n int) []string {
	t.Helper()
	// cat ends with its input: with this test, however that ends.
	holder := exec.Command("unshare", "--net", "cat")
	stdin, err := holder.StdinPipe()
	check(t, err)
	check(t, holder.Start())
	t.Cleanup(func() { stdin.Close(); _ = holder.Wait() })
	pid := fmt.Sprint(holder.Process.Pid)
	own, _ := os.Readlink("/proc/self/ns/net")
	until(t, "unshare gave a network namespace", func() bool {
		its, err := os.Readlink("/proc/" + pid + "/ns/net")
		return err == nil && its != own
	})
	in := []string{"nsenter", "-t", pid, "-n", "--"}
	there := func(args ...string) { tool(t, append(append([]string{}, in...), args...)...) }
	near := fmt.Sprintf("node%d", n)
	tool(t, "ip", "link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", pid)
	tool(t, "ip", "addr", "add", fmt.Sprintf("10.88.%d.1/30", n), "dev", near)
	tool(t, "ip", "link", "set", near, "up")
	there("ip", "link", "set", "lo", "up")
	there("ip", "addr", "add", fmt.Sprintf("10.88.%d.2/30", n), "dev", "eth0")
	there("ip", "link", "set", "eth0", "up")
	there("ip", "route", "add", "default", "via", fmt.Sprintf("10.88.%d.1", n))
	return in
}

// part cuts a node from the others; clients still reach it.
func (s *site) part(k *node) {
	tool(k.t, "nft", fmt.Sprintf("add table inet cut; add chain inet cut between { type filter hook forward priority 0 ; }; "+
		"add rule inet cut between ip saddr %s drop; add rule inet cut between ip daddr %[1]s drop", k.addr))
}

func (s *site) heal(t *testing.T) { tool(t, "nft", "delete table inet cut") }

// replicated is what a node tells of a stream: who leads it, and how far the others are.
type replicated struct {
	Name    string `json:"name"`
	Cluster struct {
		Leader   string `json:"leader"`
		Replicas []struct {
			Current bool `json:"current"`
			Offline bool `json:"offline"`
		} `json:"replicas"`
	} `json:"cluster"`
}

// streams returns what k tells of all streams; nothing if it does not run.
func (k *node) streams() (all []replicated) {
	if k.cmd == nil {
		return nil
	}
	client := http.Client{Timeout: 5 * time.Second}
	r, err := client.Get(fmt.Sprintf("http://%s:%d/jsz?streams=1", k.addr, k.http))
	if err != nil {
		return nil
	}
	defer r.Body.Close()
	var js struct {
		Accounts []struct {
			Streams []replicated `json:"stream_detail"`
		} `json:"account_details"`
	}
	if json.NewDecoder(r.Body).Decode(&js) != nil {
		return nil
	}
	for _, a := range js.Accounts {
		all = append(all, a.Streams...)
	}
	return all
}

// leader returns the node that leads a stream, nil if none does. It asks the
// nodes in the majority.
func (s *site) leader(stream string) *node {
	for _, k := range s.cluster {
		for _, st := range k.streams() {
			for _, n := range s.cluster {
				if st.Name == stream && n.name == st.Cluster.Leader && n.cmd != nil {
					return n
				}
			}
		}
	}
	return nil
}

// whole tells whether the leader of every stream says that all others have what it
// has: that one more node may fail.
func (s *site) whole() bool {
	led, known := map[string]bool{}, map[string]bool{}
	for _, k := range s.cluster {
		for _, st := range k.streams() {
			known[st.Name] = true
			if st.Cluster.Leader != k.name {
				continue
			}
			led[st.Name] = true
			for _, r := range st.Cluster.Replicas {
				if !r.Current || r.Offline {
					return false
				}
			}
		}
	}
	return len(known) > 0 && len(led) == len(known)
}

// config is that of a keeper, which knows node first best.
func (s *site) config(t *testing.T, name string, first int) Config {
	c := s.cluster.config(t, name)
	c.URL, c.TLS = strings.ReplaceAll(s.url(first), "nats://", "tls://"), s.tls
	return c
}
