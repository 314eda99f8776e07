//go:build vm && linux

package lab

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/debian"
)

// imageSettings are what a person puts beside a household's code: a small picture, so
// that an emulated board has time, no motion, to whose events updates would yield, and
// where updates come from.
const imageSettings = `[camera]
width = 320
height = 180
[motion]
enabled = false
[tamper]
enabled = false
[clips]
enabled = false
[live]
every = "1s"
[uplink]
status = "10s"
[update]
url = "https://%s"
root = "/settings/root.json"
ca = "/settings/ca.pem"
every = "4s"
engine = "agent"
reboot = ["/usr/lib/sealcam/reboot"]
[watchdog]
device = "/dev/watchdog"
`

// TestImage is a board's life with the image that it was flashed with: U-Boot starts
// it, it pairs by a file that a person put beside its settings, publishes verified
// pictures, takes updates of its agent and of the whole system over HTTPS, goes back
// from those that are broken, and is the same camera all the time.
func TestImage(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	sealcamd, err := Build(t.Context(), ARM64, "cmd/sealcamd")
	if err != nil {
		t.Fatal(err)
	}
	m := newReleases(t, h)
	code := filepath.Join(t.TempDir(), "pairing.code")
	owner := startService(t, h.tool, "pair", "--household", h.dir, "--name", "Door",
		"--address", Host, "--listen", "127.0.0.1:0", "--valid", "20m", "--code", code, "--yes")
	awaitFile(t, code)
	put := map[string]string{
		"sealcamd.toml": writeText(t, "sealcamd.toml", fmt.Sprintf(imageSettings, m.address)),
		"pairing.code":  code, "root.json": m.root, "ca.pem": m.ca,
	}
	made := newCard(t, sealcamd, put)
	if again := newCard(t, sealcamd, put); hashOf(t, made.Disk) != hashOf(t, again.Disk) || hashOf(t, made.System) != hashOf(t, again.System) {
		t.Error("an image made twice is not the same twice")
	}
	c := insert(t, made)
	screen := h.watch(t)
	if err := owner.until(limit(t), func(said string) bool { return strings.Contains(said, "is in the household") }); err != nil {
		t.Fatal(err)
	}
	camera := find(t, owner.said(), `id     ([a-z2-7]{52})`)
	shows := func(t *testing.T) {
		t.Helper()
		if p := screen.picture(t, "a picture of this camera", len(screen.shown(t)), 320); p.Camera != camera {
			t.Errorf("the picture is of camera %s, paired was %s", p.Camera, camera)
		}
	}
	t.Run("publishes verified pictures, as its own user", func(t *testing.T) {
		shows(t)
		if who := c.must(t, "ps -o user,args | grep '[/]usr/bin/sealcamd' | cut -d' ' -f1 | sort -u"); who != "sealcam" {
			t.Errorf("sealcamd runs as %q", who)
		}
		out := c.must(t, "for f in /usr/bin/x /etc/x /boot/x /settings/x; do touch $f || true; done")
		if strings.Count(out, "Read-only") != 4 {
			t.Errorf("not everything that was flashed is read-only: %s", out)
		}
		if got := c.slot(t); got != "a 0" {
			t.Errorf("flashed, slot %q runs", got)
		}
	})
	t.Run("takes an agent over HTTPS", func(t *testing.T) {
		m.publish(t, "agent", sealcamd, 101)
		c.said(t, "and is confirmed\" part=update version=v101")
		shows(t)
	})
	t.Run("goes back from an agent that crashes", func(t *testing.T) {
		m.publish(t, "agent", writeText(t, "crashes", "#!/bin/sh\nexit 3\n"), 102)
		c.said(t, "a release fell, and is not tried again\" part=update version=v102")
		shows(t)
	})
	t.Run("goes back from an agent that hangs, by the hardware's watchdog", func(t *testing.T) {
		c.again(t, func() { m.publish(t, "agent", writeText(t, "hangs", "#!/bin/sh\nwhile :; do sleep 60; done\n"), 103) })
		c.said(t, "a release fell, and is not tried again\" part=update version=v103")
		shows(t)
	})
	t.Run("takes a whole system over HTTPS", func(t *testing.T) {
		c.again(t, func() {
			m.publish(t, "system", c.made.System, 201)
			c.must(t, "mount -o remount,rw /settings && sed -i 's/engine = .*/engine = \"uboot\"/' /settings/sealcamd.toml && mount -o remount,ro /settings && killall -HUP sealcamd")
		})
		if got := c.slot(t); got != "b 1" {
			t.Fatalf("slot %q runs, want b on trial", got)
		}
		c.said(t, "slot=b number=201")
		shows(t)
	})
	t.Run("goes back from a system that does not start", func(t *testing.T) {
		c.again(t, func() { m.publish(t, "system", writeText(t, "broken", strings.Repeat("no kernel", 1000)), 202) })
		if got := c.slot(t); got != "b 0" {
			t.Fatalf("slot %q runs, want b again", got)
		}
		c.said(t, "a release fell, and is not tried again\" part=update version=v202")
	})
	t.Run("is the same camera after a power cut and a damaged boot environment", func(t *testing.T) {
		c.must(t, "dd if=/dev/zero of=/dev/sealcam/env bs=512 count=1 conv=notrunc && sync") // as a torn write
		c.again(t, func() { c.told(t, "echo 1 >/proc/sys/kernel/sysrq; echo b >/proc/sysrq-trigger") })
		if got := c.slot(t); got != "b 0" {
			t.Errorf("slot %q runs after the first copy of the environment was damaged, want b", got)
		}
		shows(t)
	})
}

func hashOf(t *testing.T, path string) [sha256.Size]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}

// releases is a repository, made and served with the commands that a maker types.
type releases struct {
	home                   *home
	dir, root, ca, address string
}

func newReleases(t *testing.T, h *home) *releases {
	t.Helper()
	dir := t.TempDir()
	m := &releases{home: h, dir: filepath.Join(dir, "releases"), ca: filepath.Join(dir, "ca.pem")}
	key := filepath.Join(dir, "key.pem")
	if _, err := debian.Output(t.Context(), nil, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
		"-days", "2", "-subj", "/CN=releases", "-addext", "subjectAltName=IP:"+Host, "-keyout", key, "-out", m.ca); err != nil {
		t.Fatal(err)
	}
	h.sealcam(t, nil, "release", "init", m.dir)
	m.root = filepath.Join(m.dir, "public", "metadata", "1.root.json")
	h.sealcam(t, nil, "release", "publish", m.dir)
	port := freePort(t)
	m.address = fmt.Sprintf("%s:%d", Host, port)
	s := startService(t, h.tool, "release", "serve", m.dir, "--listen", fmt.Sprintf("127.0.0.1:%d", port), "--cert", m.ca, "--key", key)
	if err := s.until(limit(t), func(said string) bool { return strings.Contains(said, "serving") }); err != nil {
		t.Fatal(err)
	}
	return m
}

// publish makes a file public as release number of a kind.
func (m *releases) publish(t *testing.T, kind, file string, number int) {
	t.Helper()
	m.home.sealcam(t, nil, "release", "add", m.dir, file, "--kind", kind, "--board", "qemu-virt", "--arch", "arm64",
		"--version", fmt.Sprintf("v%d", number), "--number", fmt.Sprint(number))
	m.home.sealcam(t, nil, "release", "publish", m.dir)
}

// said waits until the board's console has said text.
func (c *card) said(t *testing.T, text string) {
	t.Helper()
	for ctx := limit(t); !strings.Contains(c.console.String(), text); {
		select {
		case <-ctx.Done():
			t.Fatalf("the board has not said %q", text)
		case <-c.dead:
			t.Fatalf("the board went down before it said %q", text)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
