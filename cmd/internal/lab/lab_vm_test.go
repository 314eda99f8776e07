//go:build vm && linux

package lab

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// arches runs a test on both boards, beside others.
func arches(t *testing.T, f func(t *testing.T, arch Arch)) {
	t.Parallel()
	for _, arch := range []Arch{ARM64, ARMv7} {
		t.Run(string(arch), func(t *testing.T) { t.Parallel(); f(t, arch) })
	}
}

// on runs a test on one board, beside others: for what depends on the processor
// no more than TestBoard and TestAgent show on both.
func on(t *testing.T, arch Arch, f func(t *testing.T, arch Arch)) {
	t.Parallel()
	f(t, arch)
}

// limit ends a test that hangs. No wait needs a twentieth of it by itself, but what a
// guest gets of a host that has much else to do may be that little.
func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// boot boots a guest that is gone when the test ends, and shows the console
// when the test has failed.
func boot(t *testing.T, g Guest) *Machine {
	t.Helper()
	g.Say = func(line string) { t.Log("lab:", line) }
	begin := time.Now()
	m, err := Boot(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s up after %v", g.Arch, time.Since(begin).Round(100*time.Millisecond))
	t.Cleanup(func() {
		m.PowerCut()
		if t.Failed() {
			afterwards(t, "console of the guest", m.Console())
		}
	})
	return m
}

// logs are of the programs of tests that failed. They are shown behind the results:
// between what failed and "--- FAIL" nothing shall stand.
var logs struct {
	sync.Mutex
	text strings.Builder
}

func TestMain(m *testing.M) {
	code := m.Run()
	fmt.Print(logs.text.String())
	os.Exit(code)
}

// afterwards keeps the end of a log of a test that failed, to be shown behind the results.
func afterwards(t *testing.T, name, log string) {
	if log = strings.TrimSpace(log); log == "" {
		return
	}
	logs.Lock()
	defer logs.Unlock()
	fmt.Fprintf(&logs.text, "\n%s: %s:\n%s\n", t.Name(), name, tail(log, 4<<10))
}

func (m *Machine) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := m.Output(limit(t), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestBoard is one guest of each kind for all that looks at the lab and its devices
// without an agent.
func TestBoard(t *testing.T) {
	drawn, paths := jpegs(t, "walk?size=1280x720", 3)
	for name, bad := range badJPEGs(t, drawn[paths[0]]) {
		drawn["/lab/frames/"+name] = bad
	}
	arches(t, func(t *testing.T, arch Arch) {
		ctx := limit(t)
		files := maps.Clone(drawn)
		var err error
		if files["/bin/sealcam"], err = Build(ctx, arch, "cmd/sealcam"); err != nil {
			t.Fatal(err)
		}
		disk := filepath.Join(t.TempDir(), "disk")
		if err := NewDisk(ctx, disk, 64<<20); err != nil {
			t.Fatal(err)
		}
		m := boot(t, Guest{
			Arch: arch, Net: true, Disk: disk, Clock: time.Unix(10, 0), Files: files,
			// A loopback for each test that plays: one that has been written to keeps old frames.
			Modules: []string{"vivid n_devs=1", "v4l2loopback devices=3 exclusive_caps=1,1,1 video_nr=10,11,12"},
		})
		t.Run("has a clock of 1970", func(t *testing.T) {
			if got := m.must(t, "date", "-u", "+%Y"); got != "1970\n" {
				t.Errorf("year %q", got)
			}
		})
		t.Run("runs commands", func(t *testing.T) { testCommands(ctx, t, m) })
		t.Run("has devices", func(t *testing.T) {
			for _, dev := range []string{"/dev/video0", "/dev/video10", "/dev/gpiochip0"} {
				m.must(t, "test", "-c", dev)
			}
			if out := m.must(t, "guest", "controls", "/dev/video0"); !strings.Contains(out, "brightness=") || !strings.Contains(out, "disconnect\n") {
				t.Errorf("controls of vivid:\n%s", out)
			}
			if _, err := m.Monitor("system_powerdown"); err != nil {
				t.Errorf("its button: %v", err)
			}
			if lines := m.must(t, "cat", "/sys/kernel/debug/gpio"); !strings.Contains(lines, "pl061") || strings.Contains(lines, "GPIO Key") {
				t.Errorf("not every line is free:\n%s", lines)
			}
		})
		t.Run("degrades its network", func(t *testing.T) { testNetem(ctx, t, m) })
		t.Run("cameras", func(t *testing.T) { testCameras(t, m, paths) })
		t.Run("devices", func(t *testing.T) { testDevices(t, m, paths) })
		if arch == ARM64 { // of the processor it is no matter
			t.Run("capture", func(t *testing.T) { testCapture(t, m, paths) })
		}
		t.Run("keeps its disk over a power cut", func(t *testing.T) {
			if err := m.WriteFile(ctx, "/data/a/kept", []byte("kept"), 0o600); err != nil {
				t.Fatal(err)
			}
			m.must(t, "sync")
			m.PowerCut()
			if _, err := m.Run(ctx, "true"); err == nil {
				t.Error("a guest without power ran a command")
			}
			again := boot(t, Guest{Arch: arch, Disk: disk})
			if got := again.must(t, "cat", "/data/a/kept"); got != "kept" {
				t.Errorf("the disk has %q", got)
			}
			if err := again.PowerOff(ctx); err != nil {
				t.Error(err)
			}
		})
		if _, err := os.Stat(m.dir); !os.IsNotExist(err) {
			t.Errorf("the guest left %s behind", m.dir)
		}
	})
}

func testCommands(ctx context.Context, t *testing.T, m *Machine) {
	r, err := m.Run(ctx, "sh", "-c", "echo out; echo err >&2; exit 7")
	if err != nil || r != (Result{"out\n", "err\n", 7}) {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := m.Run(ctx, "no-such-command"); err == nil {
		t.Error("a command that does not exist was started")
	}
	p, err := m.Start(nil, "sh", "-c", "trap 'echo bye; exit 3' TERM; echo hi; while :; do sleep 0.1; done")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.UntilSaid(ctx, "hi"); err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if r, err := p.Wait(ctx); err != nil || r.Exit != 3 || r.Stdout != "hi\nbye\n" {
		t.Errorf("got %+v, %v", r, err)
	}
}

// testNetem delays and loses what leaves the guest, and heals it.
func testNetem(ctx context.Context, t *testing.T, m *Machine) {
	m.must(t, "guest", "netem", "eth0", "delay=300ms")
	out := m.must(t, "ping", "-c", "2", Host)
	found := regexp.MustCompile(`time=([0-9.]+) ms`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("ping says nothing of time:\n%s", out)
	}
	if ms, err := strconv.ParseFloat(found[1], 64); err != nil || ms < 300 {
		t.Errorf("a ping takes %s ms with 300 ms delay", found[1])
	}
	m.must(t, "guest", "netem", "eth0", "loss=100%")
	if r, err := m.Run(ctx, "ping", "-c", "1", "-W", "1", Host); err != nil || r.Exit == 0 {
		t.Errorf("ping at 100%% loss: %+v, %v", r, err)
	}
	m.must(t, "guest", "netem", "eth0")
	m.must(t, "ping", "-c", "1", Host)
}
