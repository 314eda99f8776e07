//go:build vm && linux

package lab

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/debian"
	"github.com/sealcam/sealcam/cmd/internal/image"
)

// card is a board that boots from its disk image by itself, as one that was
// flashed does: nothing of the lab runs in it. The lab talks to the shell that the
// emulated board's image has on a virtio console.
type card struct {
	made    image.Made
	console *console
	cmd     *exec.Cmd
	dead    chan struct{}

	mu      sync.Mutex
	port    net.Conn
	n       int
	answers chan string // lines of the shell
}

// insert starts the emulator with a disk image, and returns when the shell answers.
func insert(t *testing.T, made image.Made) *card {
	t.Helper()
	c := &card{made: made, console: &console{}, dead: make(chan struct{}), answers: make(chan string, 64)}
	dir, err := os.MkdirTemp("", "lab") // for its short name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	port, err := net.Listen("unix", filepath.Join(dir, "port"))
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	c.cmd = debian.Command(t.Context(), nil, "qemu-system-aarch64",
		"-M", "virt,acpi=off", "-accel", "tcg", "-cpu", "cortex-a53", "-smp", "1", "-m", "512", // with ACPI it has no GPIO chip
		"-nodefaults", "-display", "none", "-serial", "stdio", "-bios", made.Loader,
		"-drive", "if=none,id=disk,format=raw,cache=writeback,file="+made.Disk, "-device", "virtio-blk-device,drive=disk",
		"-netdev", "user,id=net", "-device", "virtio-net-device,netdev=net",
		"-device", "i6300esb", "-watchdog-action", "reset",
		"-device", "virtio-serial-device", "-chardev", "socket,id=port,path="+filepath.Join(dir, "port"), "-device", "virtconsole,chardev=port")
	c.cmd.Stdout, c.cmd.Stderr = c.console, c.console
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	begin := time.Now()
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = c.cmd.Wait(); port.Close(); close(c.dead) }() // how it ended, the console tells better
	t.Cleanup(func() {
		c.powerCut()
		if t.Failed() {
			afterwards(t, "console of the board", c.console.String())
		}
	})
	if c.port, err = port.Accept(); err != nil {
		t.Fatalf("QEMU ended at once: %s", c.console.String())
	}
	go c.read()
	c.up(t, "")
	t.Logf("the image is up after %v", time.Since(begin).Round(100*time.Millisecond))
	return c
}

func (c *card) read() {
	for s := bufio.NewScanner(c.port); s.Scan(); {
		select {
		case c.answers <- s.Text():
		default: // nobody asked
		}
	}
}

// powerCut takes the power away and returns when it is off.
func (c *card) powerCut() {
	_ = c.cmd.Process.Signal(syscall.SIGKILL) // an error says that it is off already
	<-c.dead
	c.port.Close()
}

// bootID tells one start of the board from another.
const bootID = "cat /proc/sys/kernel/random/boot_id"

// up waits until the board runs commands in another start than before, and returns which.
func (c *card) up(t *testing.T, before string) string {
	t.Helper()
	ctx := limit(t)
	// A line that a board which is going down was told is lost; one that is up may be slow.
	for patience := 2 * time.Second; ctx.Err() == nil; {
		once, cancel := context.WithTimeout(ctx, patience)
		now, err := c.sh(once, bootID)
		cancel()
		if err == nil && now != before {
			return now
		}
		if err != nil {
			patience = min(2*patience, 30*time.Second)
		}
		select {
		case <-c.dead:
			t.Fatal("the board went down while it started")
		case <-time.After(200 * time.Millisecond):
		}
	}
	t.Fatalf("the board is not up: %v", ctx.Err())
	return ""
}

// again does what restarts the board, and waits for it.
func (c *card) again(t *testing.T, restart func()) {
	t.Helper()
	begin, before := time.Now(), c.must(t, bootID)
	restart()
	c.up(t, before)
	t.Logf("up again after %v", time.Since(begin).Round(100*time.Millisecond))
}

// sh runs a line in the shell of root, and returns what it said.
func (c *card) sh(ctx context.Context, line string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	if _, err := fmt.Fprintf(c.port, "\n{ %s\n} </dev/null >/run/said 2>&1; echo \"@\"%d\":$?:$(base64 -w0 </run/said)@\"\n", line, c.n); err != nil {
		return "", fmt.Errorf("%w: %w", ErrDown, err)
	}
	for {
		select {
		case said := <-c.answers:
			_, said, found := strings.Cut(strings.TrimSpace(said), fmt.Sprintf("@%d:", c.n))
			if !found {
				continue
			}
			code, text, _ := strings.Cut(strings.TrimSuffix(said, "@"), ":")
			out, err := base64.StdEncoding.DecodeString(text)
			if err == nil && code != "0" {
				err = fmt.Errorf("%s: exit code %s\n%s", line, code, out)
			}
			return strings.TrimSpace(string(out)), err
		case <-ctx.Done():
			return "", fmt.Errorf("%s: %w", line, ctx.Err())
		case <-c.dead:
			return "", ErrDown
		}
	}
}

func (c *card) must(t *testing.T, line string) string {
	t.Helper()
	out, err := c.sh(limit(t), line)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// told starts a line that takes the board down, and does not wait for its end.
func (c *card) told(t *testing.T, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := c.sh(ctx, line); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

// slot returns what the board says of the slot that runs: its name, and "1" on trial.
func (c *card) slot(t *testing.T) string {
	t.Helper()
	return c.must(t, "echo $(cat /run/sealcam/slot /run/sealcam/trial)")
}

// newCard makes an image for the emulated board, with files on its settings partition.
func newCard(t *testing.T, sealcamd string, put map[string]string) image.Made {
	t.Helper()
	cache, err := debian.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	made, err := image.Make(t.Context(), image.Config{
		Board: "qemu-virt", Sealcamd: sealcamd, Settings: "../../sealcamd/sealcamd.toml",
		Version: "v1.0.0", Number: 100, Data: 128 << 20, Put: put,
		Cache: cache, Out: t.TempDir(), Say: func(line string) { t.Log("image:", line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// writeText writes a file of the host and returns its path.
func writeText(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
