//go:build vm && linux

package lab

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/image"
)

// TestImage is a board's whole life with the image that it was flashed with: U-Boot
// starts it, it pairs by a file that a person put beside its settings, publishes
// verified pictures, and what is on trial has one try.
func TestImage(t *testing.T) {
	h := newHome(t)
	sealcamd, err := Build(t.Context(), ARM64, "cmd/sealcamd")
	if err != nil {
		t.Fatal(err)
	}
	code := filepath.Join(t.TempDir(), "pairing.code")
	owner := startService(t, h.tool, "pair", "--household", h.dir, "--name", "Door",
		"--address", Host, "--listen", "127.0.0.1:0", "--valid", "20m", "--code", code, "--yes")
	awaitFile(t, code)
	settings := writeText(t, "sealcamd.toml", "[camera]\nwidth = 640\nheight = 360\n[live]\nevery = \"1s\"\n[uplink]\nstatus = \"1s\"\n")
	c := insert(t, newCard(t, sealcamd, map[string]string{"sealcamd.toml": settings, "pairing.code": code}))
	screen := h.watch(t)

	if err := owner.until(limit(t, 2*time.Minute), func(said string) bool { return strings.Contains(said, "is in the household") }); err != nil {
		t.Fatal(err)
	}
	camera := find(t, owner.said(), `id     ([a-z2-7]{52})`)
	shows := func(t *testing.T) {
		t.Helper()
		if p := screen.picture(t, "a picture of this camera", len(screen.shown(t)), 640); p.Camera != camera {
			t.Errorf("the picture is of camera %s, paired was %s", p.Camera, camera)
		}
	}
	t.Run("publishes verified pictures, as its own user", func(t *testing.T) {
		shows(t)
		if who := c.must(t, "ps -o user,args | grep '[/]usr/bin/sealcamd' | cut -d' ' -f1 | sort -u"); who != "sealcam" {
			t.Errorf("sealcamd runs as %q", who)
		}
		if out, err := c.sh(limit(t, time.Minute), "touch /usr/bin/x /etc/x /boot/x /settings/x"); err == nil || strings.Count(out, "Read-only") != 4 {
			t.Errorf("not everything that was flashed is read-only: %s", out)
		}
	})
	t.Run("a system on trial has one try", func(t *testing.T) {
		if got := c.slot(t); got != "a 0" {
			t.Fatalf("flashed, slot %q runs", got)
		}
		c.setEnv(t, "sealcam_slot=a", "sealcam_trial=b", "sealcam_tries=1", "sealcam_number=100")
		for _, want := range []string{"b 1", "a 0"} {
			c.again(t, func() { c.told(t, "su -s /bin/sh -c /usr/lib/sealcam/reboot sealcam") })
			if got := c.slot(t); got != want {
				t.Fatalf("slot %q runs, want %q", got, want)
			}
		}
		c.setEnv(t, "sealcam_slot=b", "sealcam_number=101")
		c.must(t, "dd if=/dev/zero of=/dev/sealcam/env bs=512 count=1 conv=notrunc && sync") // as a torn write
		c.again(t, func() { c.powerCutIn(t) })
		if got := c.slot(t); got != "b 0" {
			t.Errorf("slot %q runs after the first copy of the environment was damaged, want b", got)
		}
	})
	t.Run("is the same camera in the other slot", shows)
}

// setEnv writes both copies of the boot loader's environment.
func (c *card) setEnv(t *testing.T, variables ...string) {
	t.Helper()
	copy := base64.StdEncoding.EncodeToString(image.Env(variables...))
	for _, at := range []int{0, image.EnvCopy / image.EnvSize} {
		c.must(t, fmt.Sprintf("echo %s | base64 -d | dd of=/dev/sealcam/env bs=%d seek=%d conv=notrunc && sync", copy, image.EnvSize, at))
	}
}

// powerCutIn restarts the board without a word to it.
func (c *card) powerCutIn(t *testing.T) {
	t.Helper()
	c.told(t, "echo 1 >/proc/sys/kernel/sysrq; echo b >/proc/sysrq-trigger")
}
