package trials

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/mosquitto"
	"github.com/sealcam/sealcam/uplink/seal"
)

// node is one nats-server of a cluster.
type node struct {
	t                   *testing.T
	name, dir, conf     string
	mqtt, route, status int // ports
	cmd                 *exec.Cmd
	log                 lines
}

// cluster is three nodes that keep what is published on all of them.
type cluster []*node

// natsCluster runs a cluster for the cameras of the house.
func (h *house) natsCluster(cameras ...seal.CameraID) cluster {
	h.t.Helper()
	cert, key, err := h.IssueServer(host)
	check(h.t, err)
	var c cluster
	var routes []string
	for i := range 3 {
		n := &node{t: h.t, name: fmt.Sprint("n", i+1), dir: filepath.Join(h.dir, fmt.Sprint("nats", i+1))}
		for _, port := range []*int{&n.mqtt, &n.route, &n.status} {
			*port, err = mosquitto.FreePort(host)
			check(h.t, err)
		}
		routes = append(routes, fmt.Sprintf("nats://%s:%d", host, n.route))
		c = append(c, n)
	}
	users := natsUser("viewer-screen", "sealcam.v1.>")
	for _, id := range cameras {
		users += natsUser(string(id), "sealcam.v1."+string(id)+".>")
	}
	for _, n := range c {
		check(h.t, os.Mkdir(n.dir, 0o700))
		for name, data := range map[string][]byte{"ca.crt": h.Authority(), "server.crt": cert, "server.key": key} {
			check(h.t, os.WriteFile(filepath.Join(n.dir, name), data, 0o600))
		}
		n.conf = filepath.Join(n.dir, "nats.conf")
		check(h.t, os.WriteFile(n.conf, fmt.Appendf(nil, `
server_name: %s
listen: "%s:-1"
http: "%s:%d"
max_payload: 8MB
jetstream { store_dir: %q, max_file_store: 1GB }
cluster { name: home, listen: "%s:%d", routes: %s }
mqtt {
  listen: "%s:%d"
  stream_replicas: 3
  consumer_replicas: 1
  tls { ca_file: "%s/ca.crt", cert_file: "%s/server.crt", key_file: "%s/server.key", verify_and_map: true, timeout: 20 }
}
authorization { users: [
%s] }
`, n.name, host, host, n.status, n.dir+"/store", host, n.route, "["+strings.Join(routes, ", ")+"]", host, n.mqtt, n.dir, n.dir, n.dir, users), 0o600))
		n.start()
		h.t.Cleanup(func() {
			n.kill()
			if h.t.Failed() {
				h.t.Logf("%s said:\n%s", n.name, n.log.tail(15))
			}
		})
	}
	h.until("the cluster has a leader", func() bool { return c.leader() != nil })
	return c
}

func natsUser(name, subjects string) string {
	return fmt.Sprintf(`  { user: "CN=%s", permissions: { publish: [%q], subscribe: [%q, "$MQTT.sub.>"] } }
`, name, subjects, subjects)
}

func (n *node) start() {
	n.t.Helper()
	path, err := exec.LookPath("nats-server")
	if err != nil {
		path = "/usr/sbin/nats-server" // not on everybody's PATH
	}
	if _, err := os.Stat(path); err != nil {
		n.t.Fatal("nats-server is not installed: run make test-deps (Debian package nats-server)")
	}
	n.cmd = exec.Command(path, "-c", n.conf)
	n.cmd.Stdout, n.cmd.Stderr = &n.log, &n.log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	check(n.t, n.cmd.Start())
}

func (n *node) kill() {
	if n.cmd != nil {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
		n.cmd = nil
	}
}

// jetStream is what a node tells of itself.
type jetStream struct {
	Meta struct {
		Leader string `json:"leader"`
	} `json:"meta_cluster"`
	Accounts []struct {
		Streams []struct {
			Name    string `json:"name"`
			Cluster struct {
				Leader   string `json:"leader"`
				Replicas []struct {
					Current bool `json:"current"`
				} `json:"replicas"`
			} `json:"cluster"`
		} `json:"stream_detail"`
	} `json:"account_details"`
}

// ask asks the first node that runs.
func (c cluster) ask() (js jetStream, ok bool) {
	for _, n := range c {
		if n.cmd == nil {
			continue
		}
		client := http.Client{Timeout: 5 * time.Second}
		r, err := client.Get(fmt.Sprintf("http://%s:%d/jsz?streams=1", host, n.status))
		if err != nil {
			continue
		}
		err = json.NewDecoder(r.Body).Decode(&js)
		_ = r.Body.Close()
		if err == nil {
			return js, true
		}
	}
	return js, false
}

// leader returns the node that leads the cluster, nil if none does.
func (c cluster) leader() *node {
	js, _ := c.ask()
	return c.named(js.Meta.Leader)
}

// keeper returns the node that leads the stream of messages; nil if none does.
func (c cluster) keeper() *node {
	js, _ := c.ask()
	for _, a := range js.Accounts {
		for _, s := range a.Streams {
			if s.Name == "$MQTT_msgs" {
				return c.named(s.Cluster.Leader)
			}
		}
	}
	return nil
}

func (c cluster) named(name string) *node {
	for _, n := range c {
		if n.name == name && n.cmd != nil {
			return n
		}
	}
	return nil
}

// addrs returns where MQTT is spoken, that of node first first.
func (c cluster) addrs(first int) (all []string) {
	for i := range c {
		all = append(all, fmt.Sprintf("%s:%d", host, c[(first+i)%len(c)].mqtt))
	}
	return all
}

// A cluster of three loses a node, the node that leads its messages, and the one
// that leads the cluster, each in the middle of an event, and gets it back.
func TestClusterLosesNodes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.patience = 8 * time.Minute // for a time nats-server gives work to a node that is dead
	c := h.camera("door", "", "")
	nodes := h.natsCluster(c.id)
	cam, eye := h.proxy(1, nodes.addrs(0)...), h.proxy(2, nodes.addrs(1)...)
	c.broker = cam.Addr()
	h.watch(eye.Addr())
	c.run(slow, 21)
	h.until("the camera is heard", func() bool { return h.eye.heard(c.id) })
	type loss struct {
		what string
		who  func() *node
	}
	losses := []loss{
		{"a node that leads nothing", func() *node {
			keeper, leader := nodes.keeper(), nodes.leader()
			for _, n := range nodes {
				if n != keeper && n != leader && n.cmd != nil && keeper != nil && leader != nil {
					return n
				}
			}
			return nil
		}},
		{"the leader of the messages", nodes.keeper},
		{"the leader of the cluster", nodes.leader},
	}
	if !*long { // each takes minutes
		losses = losses[1:2]
	}
	for _, loss := range losses {
		var n *node
		h.until("the cluster has "+loss.what, func() bool { n = loss.who(); return n != nil })
		flows := h.ledger.Total().Verified
		h.until("it flows", func() bool { return h.ledger.Total().Verified >= flows+5 })
		n.kill()
		c.sealed(h.ledger.Head(c.id) + 10)
		flows = h.ledger.Total().Verified
		h.until("it flows without "+loss.what, func() bool { return h.ledger.Total().Verified >= flows+5 })
		n.start()
	}
	c.quiet()
	h.settle("cluster of 3 loses nodes and leaders", "", c)
}
