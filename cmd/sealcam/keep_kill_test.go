package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/mosquitto"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// child is "sealcam keep" in a process of its own.
type child struct {
	*keeping
	args []string
	cmd  *exec.Cmd
	said *spoken
}

// freePort returns an address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// newChild founds a household with a keeper, which start runs. With a broker's URL
// it reads from there.
func newChild(t *testing.T, broker string) *child {
	t.Helper()
	dir := t.TempDir()
	viewers, cameras := freePort(t), freePort(t)
	if broker == "" {
		broker = "mqtts://" + cameras
	}
	h, err := identity.CreateHousehold(filepath.Join(dir, "home"), broker, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	k := &keeping{t: t, home: h, store: filepath.Join(dir, "kept"), url: "https://" + viewers, brokerURL: broker}
	if k.who, err = h.AddKeeper("attic", k.url, "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(h.Authority())
	k.httpClient = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(k.httpClient.CloseIdleConnections)
	c := &child{keeping: k, args: []string{"keep", "--identity", h.KeeperDir("attic"), "--store", k.store, "--listen", viewers}}
	if strings.HasSuffix(broker, cameras) {
		c.args = append(c.args, "--broker-listen", cameras)
	} else {
		c.args = append(c.args, "--broker", broker)
	}
	return c
}

func (c *child) start() {
	c.t.Helper()
	c.said = new(spoken)
	c.err = c.said
	c.cmd = exec.Command("sealcam", c.args...)
	c.cmd.Stdout, c.cmd.Stderr = c.said, c.said
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(c.kill)
	waitFor(c.t, "the keeper to be ready", func() bool { return strings.Contains(c.said.String(), "\nstore ") })
}

// kill ends the process as a power cut does.
func (c *child) kill() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Kill() // it has ended by itself, then
		_ = c.cmd.Wait()
	}
}

// kept returns the numbers of a camera's messages that are listed.
func (c *child) kept(who *identity.Viewer, camera seal.CameraID) (seqs []uint64) {
	c.t.Helper()
	var list struct {
		Entries []struct{ Seq uint64 }
		More    bool
	}
	path := fmt.Sprintf("/v1/households/%s/messages?camera=%s&limit=1000", c.home.ID(), camera)
	if err := json.Unmarshal(c.get(path, who), &list); err != nil || list.More {
		c.t.Fatal(err, list.More)
	}
	for _, e := range list.Entries {
		seqs = append(seqs, e.Seq)
	}
	return seqs
}

// A keeper that is killed while it writes, again and again, has all that it has
// receipted, once.
func TestKeepKilled(t *testing.T) {
	c := newChild(t, "")
	who, err := c.home.AddViewer("phone")
	if err != nil {
		t.Fatal(err)
	}
	c.start()
	cam := c.camera("door", c.brokerURL)
	c.roster(cam)
	c.knows()
	receipted := uint64(0)
	for round := range 4 {
		for range 40 {
			cam.picture()
		}
		if round == 0 { // the first time all is said, then it is killed somewhere on the way
			cam.receipted(cam.seq)
		}
		receipted = max(receipted, cam.told(receipted))
		c.kill()
		receipted = max(receipted, cam.told(receipted)) // on its way when it died
		<-cam.conn.Done()
		c.start()
		seen := map[uint64]int{}
		for _, seq := range c.kept(who, cam.who.ID()) {
			seen[seq]++
			if seen[seq] > 1 {
				t.Errorf("round %d: message %d is kept %d times", round, seq, seen[seq])
			}
		}
		for seq := uint64(1); seq <= receipted; seq++ {
			if seen[seq] == 0 {
				t.Errorf("round %d: message %d was receipted and is lost", round, seq)
			}
		}
		cam.connect(c.brokerURL)
		for _, b := range cam.sent[receipted:] { // as a camera does
			cam.publish("media", b, false)
		}
	}
	cam.receipted(cam.seq)
	if got := c.kept(who, cam.who.ID()); len(got) != int(cam.seq) {
		t.Errorf("%d of %d messages are kept in the end", len(got), cam.seq)
	}
}

// told returns up to where the receipts that have come go without a gap, or low.
func (c *lightCamera) told(low uint64) uint64 {
	c.t.Helper()
	for {
		select {
		case m := <-c.conn.Messages():
			cmd, err := seal.OpenCommand(c.who.ID(), c.who.Roster(), m.Payload)
			if err != nil {
				c.t.Fatal(err)
			}
			if cmd.Verb == seal.VerbReceipt && cmd.From == 1 && len(cmd.Gaps) == 0 {
				low = max(low, cmd.To)
			}
		default:
			return low
		}
	}
}

// A keeper beside a Mosquitto reads from it and writes to it within the rules that
// sealcam household acl gives it.
func TestKeepBesideMosquitto(t *testing.T) {
	addr := freePort(t)
	c := newChild(t, "mqtts://"+addr)
	who, err := c.home.AddViewer("phone")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := c.home.IssueServer("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := c.home.Roster()
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(addr)
	b, err := mosquitto.Start(t.Context(), t.TempDir(), mosquitto.Config{
		Host: at.Addr().String(), Port: int(at.Port()), CA: c.home.Authority(), Cert: cert, Key: key,
		Rules: accessRules(r), Limit: seal.MaxSealed + 1024,
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	cam := c.camera("door", c.brokerURL)
	c.roster(cam)
	c.start()
	c.knows()
	for range 5 {
		cam.picture()
	}
	cam.receipted(5)
	if got := c.kept(who, cam.who.ID()); len(got) != 5 {
		t.Errorf("%d of 5 messages are kept", len(got))
	}
}
