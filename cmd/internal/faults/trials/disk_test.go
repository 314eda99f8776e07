package trials

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mount mounts something on an empty directory of the house until the end of the
// trial.
func (h *house) mount(name string, args ...string) string {
	h.t.Helper()
	if os.Geteuid() != 0 {
		h.t.Fatal("disks that fail need root: run make fault-test as root, as CI does")
	}
	dir := filepath.Join(h.dir, name)
	check(h.t, os.MkdirAll(dir, 0o700))
	h.sh("mount", append(args, dir)...)
	h.t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	return dir
}

func (h *house) sh(name string, args ...string) {
	h.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		h.t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// A disk that is full, by what the camera stores while nobody fetches it and by
// what somebody else puts there: the camera goes on, and what it gives up it
// confesses.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	b := h.mosquitto()
	p := h.proxy(1, b.addr())
	dir := h.mount("card", "-t", "tmpfs", "-o", "size=2m", "tmpfs")
	c := h.camera("door", p.Addr(), dir)
	h.watch(b.addr())
	c.run(busy, 31)
	h.until("the camera is heard", func() bool { return h.eye.heard(c.id) })
	check(t, p.Set(refused))
	had := int(h.ledger.Head(c.id))     // what was sealed until now may have arrived
	c.sealed(h.ledger.Head(c.id) + 100) // 4 MB

	// Somebody else takes whatever is free, over and over.
	other, err := os.Create(filepath.Join(dir, "other"))
	check(t, err)
	for h.ledger.Head(c.id) < 160 {
		_, _ = other.Write(make([]byte, 64<<10))
		if h.ledger.Said(c.id, "disk is full") {
			break
		}
		c.pause()
	}
	check(t, other.Close())
	h.until("the camera says that its disk is full", func() bool { return h.ledger.Said(c.id, "disk is full") })
	check(t, os.Remove(other.Name()))
	c.sealed(h.ledger.Head(c.id) + 20)
	check(t, p.Set(sound))
	c.quiet()
	sum := h.settle("full disk", "", c)
	if sum.Confessed == 0 || sum.Denied > had { // their receipts may not have come
		t.Errorf("expected some to be confessed, and nothing that a viewer has, but for the first %d: %+v", had, sum)
	}
}

// A disk that becomes read-only by itself, on which the camera even starts again:
// what somebody wants to see now is shown, what was stored is delivered, and when
// the disk is mended the order goes on.
func TestDiskReadOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	b := h.mosquitto()
	p := h.proxy(1, b.addr())
	image := filepath.Join(h.dir, "card.ext4")
	check(t, os.WriteFile(image, nil, 0o600))
	check(t, os.Truncate(image, 32<<20))
	h.sh("mkfs.ext4", "-q", "-F", image)
	dir := h.mount("card", "-o", "loop,errors=remount-ro", image)
	c := h.camera("door", p.Addr(), filepath.Join(dir, "state"))
	c.live = "1s"
	h.watch(b.addr())
	c.run(busy, 32)
	h.until("the camera is heard", func() bool { return h.eye.heard(c.id) })
	check(t, p.Set(refused))
	c.sealed(h.ledger.Head(c.id) + 30)
	_ = exec.Command("mount", "-o", "remount,abort", dir).Run() // what an error of the card does
	h.until("the camera says that its disk is read-only", func() bool { return h.ledger.Said(c.id, "disk is read-only") })
	check(t, p.Set(sound))
	seen := h.eye.lives()
	h.until("live pictures come", func() bool { return h.eye.lives() > seen+3 })

	c.kill()
	c.run(busy, 33)
	seen = h.eye.lives()
	h.until("live pictures come after a restart", func() bool { return h.eye.lives() > seen+3 })

	c.kill()
	h.sh("umount", dir)
	h.sh("mount", "-o", "loop,errors=remount-ro", image, dir)
	c.run(busy, 34)
	c.sealed(h.ledger.Head(c.id) + 20)
	c.quiet()
	h.settle("read-only disk", fmt.Sprintf("%d live pictures", h.eye.lives()), c)
}
