//go:build debian

package main

import (
	"context"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// publish makes the Debian package of a version for this machine in dir, and
// returns its file's name and the hash of the agent in it.
func publish(t *testing.T, dir, version string) (deb, hash string) {
	t.Helper()
	c := release(t, tree(t))
	c.Stamp.Version = version
	only, err := choose(strings.TrimSpace(command(t, "dpkg", "--print-architecture")))
	if err != nil {
		t.Fatal(err)
	}
	only[0].Tool, c.Targets = false, only
	if err := c.make(t.Context()); err != nil {
		t.Fatal(err)
	}
	binary, err := artifact(filepath.Join(c.Out, "sealcamd-"+version+"-linux-"+only[0].Name))
	if err != nil {
		t.Fatal(err)
	}
	deb = "sealcamd_" + debVersion(version) + "_" + only[0].Debian + ".deb"
	if err := os.Rename(filepath.Join(c.Out, deb), filepath.Join(dir, deb)); err != nil {
		t.Fatal(err)
	}
	return deb, binary.SHA256
}

// home is a household with a broker that runs until the test ends.
func home(t *testing.T) *identity.Household {
	t.Helper()
	h, err := identity.CreateHousehold(filepath.Join(t.TempDir(), "home"), "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddViewer("desk"); err != nil {
		t.Fatal(err)
	}
	conf, err := h.ServerTLS("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", TLS: conf})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	if err := h.SetBroker(b.URL()); err != nil {
		t.Fatal(err)
	}
	return h
}

// asAgent runs sealcamd in the machine as a person of its user would.
func (m *machine) asAgent(stdin []byte, args ...string) string {
	m.t.Helper()
	return m.give(stdin, append([]string{"setpriv", "--reuid=sealcam", "--regid=sealcam", "--init-groups", "sealcamd"}, args...)...)
}

// pair has h take in the camera of m.
func (m *machine) pair(h *identity.Household) seal.CameraID {
	m.t.Helper()
	hello, err := identity.ParseRequest([]byte(m.asAgent(nil, "request") + "\n"))
	if err != nil {
		m.t.Fatal(err)
	}
	if err := h.AddCamera(hello.Camera, "door"); err != nil {
		m.t.Fatal(err)
	}
	p, err := h.Pair(hello.Camera, hello.CSR)
	if err != nil {
		m.t.Fatal(err)
	}
	text, err := p.MarshalText()
	if err != nil {
		m.t.Fatal(err)
	}
	m.asAgent(text, "claim", "-")
	return hello.Camera
}

// picture waits for a verified live picture of camera that an agent with the given
// hash has sealed.
func picture(t *testing.T, h *identity.Household, camera seal.CameraID, version, hash string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	desk, err := identity.OpenViewer(h.Dir(), "desk")
	if err != nil {
		t.Fatal(err)
	}
	opener, err := seal.NewOpener(seal.OpenerConfig{Household: desk.Household(), Roster: desk.Roster(), Key: desk.Key(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := mqtt.Dial(ctx, mqtt.Config{URL: h.Broker(), TLS: desk.TLS(), ClientID: "desk"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Subscribe(ctx, "sealcam/v1/"+string(camera)+"/live"); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case msg := <-conn.Messages():
			v, err := opener.Open(camera, msg.Payload)
			if err != nil {
				t.Logf("refused: %v", err) // kept by the broker from before
				continue
			}
			if meta := v.Meta(); hex.EncodeToString(meta.FirmwareHash) == hash && meta.Firmware == version {
				return
			}
		case <-ctx.Done():
			t.Fatalf("no picture of %s was verified", version)
		}
	}
}

// The package in a fresh Debian gives a running agent, locked in as its unit says,
// whose pictures verify and claim the published hash. It is started again when it
// crashes and not when its settings are wrong. An upgrade keeps settings, key and
// household; removed it keeps them too, and purged it has gone.
func TestPackage(t *testing.T) {
	shared, h := t.TempDir(), home(t)
	first, firstHash := publish(t, shared, "v1.4.0")
	next, nextHash := publish(t, shared, "v1.5.0")
	m := boot(t, root(t), shared)

	m.do("dpkg", "-i", "/shared/"+first)
	if s := m.unit("ActiveState"); s != "active" { // of Type=notify: it has said READY
		t.Fatalf("after dpkg -i the service is %s\n%s", s, m.do("journalctl", "--no-pager", "-u", "sealcamd"))
	}
	m.lockedIn()

	const config = "/etc/sealcam/sealcamd.toml"
	m.do("sed", "-i", `s|^source = "auto"|source = "scene:empty?size=320x180\&pixel=grey"|; s|^every = "10s"|every = "1s"|`, config)
	m.do("systemctl", "reload", "sealcamd")
	camera := m.pair(h)
	picture(t, h, camera, "v1.4.0", firstHash)
	if out, err := m.try(nil, "sealcamd", "id"); err == nil || !strings.Contains(out, "hint: do it as that user: sudo -u '#") {
		t.Errorf("root reads the agent's key: %s", out)
	}
	m.restarts(config)

	settings := m.do("sha256sum", config)
	m.do("dpkg", "-i", "/shared/"+next)
	if now := m.do("sha256sum", config); now != settings {
		t.Errorf("the upgrade changed the settings:\n%s", m.do("cat", config))
	}
	if id := m.asAgent(nil, "id"); id != string(camera) {
		t.Errorf("after the upgrade the camera is %s, and was %s", id, camera)
	}
	picture(t, h, camera, "v1.5.0", nextHash)

	m.do("dpkg", "-r", "sealcamd")
	if _, err := m.try(nil, "systemctl", "is-active", "sealcamd"); err == nil {
		t.Error("removed, it runs")
	}
	m.do("test", "-e", "/var/lib/sealcam/identity/camera.key")
	m.do("test", "-e", config)
	m.do("dpkg", "-P", "sealcamd")
	for _, left := range []string{"/var/lib/sealcam", "/etc/sealcam", "/usr/bin/sealcamd"} {
		if _, err := m.try(nil, "test", "-e", left); err == nil {
			t.Errorf("purged, and %s is there: %s", left, m.do("find", left))
		}
	}
	if out, err := m.try(nil, "getent", "passwd", "sealcam"); err == nil {
		t.Errorf("purged, and the user is there: %s", out)
	}
	if failed := m.do("systemctl", "list-units", "--failed", "--plain", "--no-legend"); strings.Contains(failed, "sealcam") {
		t.Errorf("left as failed: %s", failed)
	}
}

// lockedIn checks the running agent: its user, groups and privileges, and what its
// mounts let it write.
func (m *machine) lockedIn() {
	m.t.Helper()
	pid := m.unit("MainPID")
	status := m.do("cat", "/proc/"+pid+"/status")
	for _, want := range []string{`(?m)^NoNewPrivs:\t1$`, `(?m)^CapEff:\t0+$`, `(?m)^CapBnd:\t0+$`, `(?m)^Seccomp:\t2$`} {
		if !regexp.MustCompile(want).MatchString(status) {
			m.t.Errorf("the agent's status lacks %s:\n%s", want, status)
		}
	}
	if user := m.do("stat", "-c", "%U", "/proc/"+pid); user != "sealcam" {
		m.t.Errorf("the agent runs as %s", user)
	}
	groups := regexp.MustCompile(`(?m)^Groups:\t(.*)$`).FindStringSubmatch(status)
	for _, g := range []string{"video", "gpio"} {
		id := strings.Split(m.do("getent", "group", g), ":")[2]
		if groups == nil || !strings.Contains(" "+groups[1]+" ", " "+id+" ") {
			m.t.Errorf("the agent is not in group %s (%s): %v", g, id, groups)
		}
	}
	mounts := m.do("cat", "/proc/"+pid+"/mountinfo")
	for at, want := range map[string]string{"/": "ro", "/var/lib/sealcam": "rw", "/run/sealcam": "rw"} {
		found := regexp.MustCompile(`(?m)^\S+ \S+ \S+ \S+ `+at+` (r[ow])`).FindAllStringSubmatch(mounts, -1)
		if len(found) == 0 || found[len(found)-1][1] != want {
			m.t.Errorf("%s is not mounted %s for the agent:\n%s", at, want, mounts)
		}
	}
	if mode := m.do("stat", "-c", "%U %a", "/var/lib/sealcam"); mode != "sealcam 700" {
		m.t.Errorf("/var/lib/sealcam is of %s", mode)
	}
}

// restarts checks what systemd makes of each way to end.
func (m *machine) restarts(config string) {
	m.t.Helper()
	for _, signal := range []string{"KILL", "QUIT"} { // QUIT is a crash to order
		before := m.unit("MainPID")
		m.do("systemctl", "kill", "--kill-whom=main", "--signal="+signal, "sealcamd")
		m.until("it was started again after SIG"+signal, func() bool {
			pid := m.unit("MainPID")
			return pid != "0" && pid != before && m.unit("ActiveState") == "active"
		})
	}
	m.do("cp", config, "/tmp/good.toml")
	m.do("sed", "-i", "s|^rate = 10.0|rate = 1000.0|", config)
	_, _ = m.try(nil, "systemctl", "restart", "sealcamd")
	m.until("it has given up", func() bool { return m.unit("ActiveState") == "failed" })
	if status := m.unit("ExecMainStatus"); status != "2" {
		m.t.Errorf("with wrong settings it ended with %s", status)
	}
	m.do("cp", "/tmp/good.toml", config)
	m.do("systemctl", "restart", "sealcamd")
}
