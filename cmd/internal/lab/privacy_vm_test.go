//go:build vm && linux

package lab

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPrivacy presses the board's button: the camera's device is closed and its
// lamp goes off, as the kernel has it; the status light and a sealed status say
// so; it stays closed over a power cut. And a lamp that a killed sealcamd has left
// lit goes off by what its service runs afterwards.
func TestPrivacy(t *testing.T) {
	on(t, ARM64, func(t *testing.T, arch Arch) {
		r := &rig{home: newHome(t)}
		program, err := Build(t.Context(), arch, "cmd/sealcamd")
		if err != nil {
			t.Fatal(err)
		}
		r.guest = Guest{
			Arch: arch, Net: true, Files: map[string]string{"/bin/sealcamd": program},
			Disk: filepath.Join(t.TempDir(), "disk"), Modules: []string{"vivid n_devs=1"},
		}
		if err := NewDisk(t.Context(), r.guest.Disk, 128<<20); err != nil {
			t.Fatal(err)
		}
		start := func() *Process {
			r.m = boot(t, r.guest)
			r.m.must(t, "sh", "-c", "mount -t tracefs none /sys/kernel/tracing; echo 1 > /sys/kernel/tracing/events/gpio/gpio_value/enable")
			if r.camera == "" {
				r.configure(t, "/dev/video0", 320)
				r.m.must(t, "sh", "-c", `printf '[light]\nmode = "night"\n' >> `+settingsAt+"; sync")
				r.camera = r.home.adopt(t, r.m, settingsAt, "Garden")
				r.screen = r.home.watch(t)
			}
			return r.start(t)
		}
		start()
		r.screen.shows(t, "night", 0)
		if !r.sees(t) {
			t.Error("pictures come, and the device is not open")
		}
		lamp := func(want bool, when string) {
			t.Helper()
			if high, _ := level(r.m.lines(t), lampLine); high != want {
				t.Errorf("%s: the lamp is lit: %v", when, high)
			}
		}
		lamp(true, "by night")

		r.press(t, "privacy")
		if r.sees(t) {
			t.Error("status says privacy, and the device is open")
		}
		lamp(false, "in privacy")
		at := len(r.screen.shown(t))
		r.flashes(t)
		for _, x := range r.screen.shown(t)[at:] {
			if x.Kind != "status" && x.What == "verified" {
				t.Errorf("a closed camera sends %+v", x)
			}
		}

		at = len(r.screen.shown(t))
		r.m.PowerCut()
		p := start()
		r.screen.wait(t, "privacy after a power cut", at, func(x told) bool { return x.Status != nil && x.Status.State == "privacy" })
		if r.sees(t) {
			t.Error("after a power cut the device is open")
		}
		at = len(r.screen.shown(t))
		r.press(t, "running", "trouble") // the lamp lights no vivid
		r.screen.shows(t, "night", at)
		lamp(true, "opened again")
		if err := p.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wait(limit(t)); err != nil {
			t.Fatal(err)
		}
		lamp(true, "left behind by a crash")
		r.m.must(t, "sealcamd", "-config", settingsAt, "park")
		lamp(false, "parked after a crash")
	})
}

// sees says whether sealcamd has the camera's device open.
func (r *rig) sees(t *testing.T) bool {
	t.Helper()
	return strings.Contains(r.m.must(t, "sh", "-c", "ls -l /proc/$(pidof sealcamd)/fd"), "/dev/video0")
}

// press presses the button until a status says one of those states. The pulse is of 100 ms,
// which a busy emulator may miss; a status that is merely late must not be pressed away.
func (r *rig) press(t *testing.T, states ...string) {
	t.Helper()
	at := len(r.screen.shown(t))
	for range 5 {
		if _, err := r.m.Monitor("system_powerdown"); err != nil {
			t.Fatal(err)
		}
		once, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		err := r.screen.whenever(once, func() bool {
			for _, x := range r.screen.shown(t)[at:] {
				if x.Status != nil && slices.Contains(states, x.Status.State) {
					return true
				}
			}
			return false
		})
		cancel()
		if err == nil {
			return
		}
	}
	t.Fatalf("the button was pressed five times, and no status says %v", states)
}

// flashes watches the status light in privacy: it is off, but for a flash every four
// seconds or so. On a busy emulator one may come late.
func (r *rig) flashes(t *testing.T) {
	t.Helper()
	began := time.Now()
	_, before := level(r.m.lines(t), statusLine)
	for within := limit(t); ; time.Sleep(time.Second) {
		_, after := level(r.m.lines(t), statusLine)
		took := time.Since(began)
		if n := after - before; time.Duration(n) > took/(2*time.Second)+2 {
			t.Fatalf("the light of a closed camera went on %d times in %v, want about one in four seconds", n, took)
		} else if n >= 2 {
			return
		}
		if within.Err() != nil {
			t.Fatal("the light of a closed camera does not flash")
		}
	}
}
