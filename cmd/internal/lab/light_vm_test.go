//go:build vm && linux

package lab

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// edge is a level that the kernel gave a line of the board's GPIO chip.
type edge struct {
	at   time.Duration // since the guest's start
	line int
	high bool
}

// Lines of the emulated board's profile.
const (
	toDay, toNight, lampLine, statusLine = 0, 1, 2, 4
)

// lines reads back from the kernel's trace which lines were given which level.
func (m *Machine) lines(t *testing.T) (all []edge) {
	t.Helper()
	base := regexp.MustCompile(`GPIOs (\d+)-`).FindStringSubmatch(m.must(t, "cat", "/sys/kernel/debug/gpio"))
	if base == nil {
		t.Fatal("no GPIO chip in debugfs")
	}
	first, _ := strconv.Atoi(base[1]) // digits, by the expression
	for _, e := range regexp.MustCompile(`(?m)(\d+)\.(\d{6}): gpio_value: (\d+) set ([01])`).FindAllStringSubmatch(m.must(t, "cat", "/sys/kernel/tracing/trace"), -1) {
		at, err := time.ParseDuration(e[1] + "s" + e[2] + "us")
		line, lerr := strconv.Atoi(e[3])
		if err != nil || lerr != nil {
			t.Fatal(err, lerr)
		}
		all = append(all, edge{at, line - first, e[4] == "1"})
	}
	return all
}

// level returns the last level of a line, and how often it went high.
func level(all []edge, line int) (high bool, rises int) {
	for _, e := range all {
		if e.line == line {
			if e.high && !high {
				rises++
			}
			high = e.high
		}
	}
	return high, rises
}

// shows waits until the viewer was shown a verified picture, after the first
// skip lines, that was taken in such a light.
func (s *screen) shows(t *testing.T, light string, skip int) {
	t.Helper()
	s.wait(t, "a picture of "+light, skip, func(x told) bool { return x.What == "verified" && x.Kind == "snapshot" && x.Light == light })
}

// TestLight carries a board from day through dusk, headlights and dawn: vivid's
// brightness is the sky, sealcamd drives the lines of the emulated board, the
// kernel tells what it was asked, and a viewer on the host is shown pictures with
// their light.
func TestLight(t *testing.T) {
	on(t, ARM64, func(t *testing.T, arch Arch) {
		r := &rig{home: newHome(t), status: "5s"}
		files := map[string]string{}
		for _, name := range []string{"sealcamd", "sealcam"} {
			program, err := Build(t.Context(), arch, "cmd/"+name)
			if err != nil {
				t.Fatal(err)
			}
			files["/bin/"+name] = program
		}
		r.guest = Guest{Arch: arch, Net: true, Files: files, Disk: filepath.Join(t.TempDir(), "disk"), Modules: []string{"vivid n_devs=1"}}
		if err := NewDisk(t.Context(), r.guest.Disk, 128<<20); err != nil {
			t.Fatal(err)
		}
		r.m = boot(t, r.guest)
		r.m.must(t, "sh", "-c", "mount -t tracefs none /sys/kernel/tracing; echo 1 > /sys/kernel/tracing/events/gpio/gpio_value/enable")
		t.Run("board", func(t *testing.T) { testBoardCommand(t, r.m) })

		r.configure(t, "/dev/video0", 320)
		r.camera = r.home.adopt(t, r.m, settingsAt, "Garden")
		r.screen = r.home.watch(t)
		r.m.must(t, "guest", "set", "/dev/video0", "osd_text_mode=2", "brightness=128") // text would move
		p := r.start(t)
		t.Run("dusk", func(t *testing.T) { testDusk(t, r) })
		t.Run("headlights", func(t *testing.T) { testHeadlights(t, r) })
		t.Run("a crash leaves the lamp to the service", func(t *testing.T) { testCrash(t, r, p) })
		t.Run("dawn", func(t *testing.T) { testDawn(t, r) })
	})
}

// testBoardCommand: the tool finds the board and parks its lines.
func testBoardCommand(t *testing.T, m *Machine) {
	if out := m.must(t, "sealcam", "board", "list"); !strings.Contains(out, "* qemu-virt ") || !strings.Contains(out, "says linux,dummy-virt") {
		t.Errorf("the board was not found:\n%s", out)
	}
	m.must(t, "sealcam", "board", "park", "auto")
	all := m.lines(t)
	for _, line := range []int{toDay, toNight, lampLine, statusLine} {
		if high, rises := level(all, line); high || rises > 0 {
			t.Errorf("parking put line %d high: %v", line, all)
		}
	}
	if len(all) < 4 {
		t.Errorf("parking drove %d lines", len(all))
	}
	r, err := m.Run(limit(t), "sh", "-c", "sed 's/pl061:2/pl061:9/; s/= 8/= 10/' > /tmp/b.toml <<E\n"+m.must(t, "sealcam", "board", "show", "--source")+"\nE\nsealcam board park /tmp/b.toml")
	if err != nil || r.Exit != 1 || !strings.Contains(r.Stderr, `lamp.pin: chip "9030000.pl061" has lines 0 to 7, found 9`) {
		t.Errorf("a line that the chip does not have: exit %d, %v\n%s", r.Exit, err, r.Stderr)
	}
}

// sky sets the light of the world, and returns how many lines the viewer was
// shown before.
func (r *rig) sky(t *testing.T, brightness string) int {
	t.Helper()
	n := len(r.screen.shown(t))
	r.m.must(t, "guest", "set", "/dev/video0", "brightness="+brightness)
	return n
}

// saturation is the camera's, as the driver tells it now.
func (r *rig) saturation(t *testing.T) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^saturation=(\d+)`).FindStringSubmatch(r.m.must(t, "guest", "controls", "/dev/video0"))
	if found == nil {
		t.Fatal("the camera has no saturation")
	}
	return found[1]
}

func testDusk(t *testing.T, r *rig) {
	r.screen.shows(t, "day", 0)
	if _, rises := level(r.m.lines(t), toDay); rises != 1 {
		t.Errorf("the filter was driven to the day side %d times at power-on", rises)
	}
	if s := r.saturation(t); s == "0" {
		t.Error("the day has no colours")
	}
	r.screen.shows(t, "night", r.sky(t, "0"))
	if high, _ := level(r.m.lines(t), lampLine); !high {
		t.Error("it is night, and the lamp is off")
	}
	if s := r.saturation(t); s != "0" {
		t.Errorf("the night has colours: saturation %s", s)
	}
}

// testHeadlights: light that comes and goes moves nothing but the lamp.
func testHeadlights(t *testing.T, r *rig) {
	skip := r.sky(t, "128")
	time.Sleep(6 * time.Second) // that is how long they shine
	r.sky(t, "0")
	r.screen.shows(t, "night", skip+4)
	r.lampRests(t)
	all := r.m.lines(t)
	_, days := level(all, toDay)
	if _, nights := level(all, toNight); days != 1 || nights != 1 {
		t.Errorf("headlights moved the filter: %d pulses to day, %d to night", days, nights)
	}
}

// lampRests waits until the lamp has been lit for some seconds: a look with the
// lamp off, if there was one, is over.
func (r *rig) lampRests(t *testing.T) {
	t.Helper()
	end := limit(t)
	for lit := 0; lit < 8; {
		if high, _ := level(r.m.lines(t), lampLine); high {
			lit++
		} else {
			lit = 0
		}
		select {
		case <-end.Done():
			t.Fatal("it is night, and the lamp does not stay lit")
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// testDawn starts a camera in the dark, and lets it become day.
func testDawn(t *testing.T, r *rig) {
	r.night(t)
	_, before := level(r.m.lines(t), toDay)
	r.screen.shows(t, "day", r.sky(t, "128")) // and the patience that it takes
	all := r.m.lines(t)
	lit, _ := level(all, lampLine)
	if _, days := level(all, toDay); lit || days != before+1 {
		t.Errorf("by day the lamp is lit: %t; %d pulses to the day side", lit, days-before)
	}
	if s := r.saturation(t); s == "0" {
		t.Error("the new day has no colours")
	}
	checkPulses(t, all)
	for _, l := range r.screen.shown(t) {
		if l.Cause != "" && l.Cause != "period" {
			t.Errorf("a switch was taken for an event: %+v", l)
		}
	}
	r.screen.wait(t, "the lamp's trouble in status", 0, func(x told) bool {
		return x.Status != nil && strings.Contains(strings.Join(x.Status.Troubles, "\n"), "lamp does not brighten") // it lights no vivid
	})
}

// checkPulses: every pulse of the coil is as long as configured, or longer where the
// emulator is busy, and never are both its lines high.
func checkPulses(t *testing.T, all []edge) {
	t.Helper()
	up := map[int]time.Duration{}
	for _, e := range all {
		if e.line != toDay && e.line != toNight {
			continue
		}
		began, pulsing := up[e.line]
		switch {
		case e.high:
			if up[e.line] = e.at; len(up) > 1 {
				t.Errorf("both lines of the coil are high at %v", e.at)
			}
		case pulsing:
			if length := e.at - began; length < 49*time.Millisecond || length > time.Minute {
				t.Errorf("a pulse of %v, 50 ms were configured", length)
			} else {
				t.Logf("a pulse of %v", length)
			}
			delete(up, e.line)
		}
	}
	if len(up) > 0 {
		t.Error("a coil is left energised")
	}
}

// night starts sealcamd in the dark and waits for a picture that says so.
func (r *rig) night(t *testing.T) *Process {
	t.Helper()
	n := r.sky(t, "0")
	p := r.start(t)
	r.screen.shows(t, "night", n)
	return p
}

// testCrash kills sealcamd by night: the kernel leaves the lamp lit, and what a
// service runs afterwards puts it off. Then SIGTERM, which needs no help. While
// sealcamd runs its pins are nobody else's.
func testCrash(t *testing.T, r *rig, p *Process) {
	park := []string{"sealcamd", "-config", settingsAt, "park"}
	busy, err := r.m.Run(limit(t), park...)
	if err != nil || busy.Exit == 0 || !strings.Contains(busy.Stderr, "is in use by") {
		t.Errorf("pins that are in use: exit %d, %v\n%s", busy.Exit, err, busy.Stderr)
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(limit(t)); err != nil {
		t.Fatal(err)
	}
	if high, _ := level(r.m.lines(t), lampLine); !high {
		t.Error("this test expects a crash to leave the lamp lit")
	}
	r.m.must(t, park...)
	if high, _ := level(r.m.lines(t), lampLine); high {
		t.Error("the lamp burns after park")
	}
	again := r.night(t)
	if high, _ := level(r.m.lines(t), lampLine); !high {
		t.Error("a camera that starts in the dark does not light its lamp")
	}
	r.stop(t, again)
	if high, _ := level(r.m.lines(t), lampLine); high {
		t.Error("the lamp burns after SIGTERM")
	}
}
