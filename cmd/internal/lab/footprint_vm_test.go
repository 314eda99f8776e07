//go:build vm && linux

package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// maxResident is what sealcamd may take of a board's memory.
const maxResident = 40_000_000 // bytes

// TestFootprint measures sealcamd's memory on a 32-bit board: over 30 s of
// 1080p MJPEG from a V4L2 device, with motion detection, live pictures and
// snapshots of events, sealed, spooled and published over TLS. Emulation changes
// how long things take and not what they hold: frames that the emulated
// processor is too slow for are dropped by the driver, and not kept.
func TestFootprint(t *testing.T) {
	t.Parallel()
	r := &rig{home: newHome(t)}
	files, paths := jpegs(t, "walk?size=1920x1080&rate=5", 30)
	sealcamd, err := Build(t.Context(), ARMv7, "cmd/sealcamd")
	if err != nil {
		t.Fatal(err)
	}
	files["/bin/sealcamd"] = sealcamd
	disk := filepath.Join(t.TempDir(), "disk")
	if err := NewDisk(t.Context(), disk, 256<<20); err != nil {
		t.Fatal(err)
	}
	r.m = boot(t, Guest{Arch: ARMv7, Net: true, Disk: disk, Files: files, Modules: []string{"vivid n_devs=1", "v4l2loopback exclusive_caps=1 video_nr=10"}})
	r.configure(t, loopback, 1920, "[clips]\nenabled = false\n")
	r.camera = r.home.adopt(t, r.m, settingsAt, "Garden")
	t.Run("cold start", func(t *testing.T) { testColdStart(t, r.m) })
	r.screen = r.home.watch(t)
	r.m.play(t, loopback, "1920x1080", "5", paths)
	p := r.start(t)
	r.screen.picture(t, "a picture", 0, 1920)

	peak, samples := r.m.sample(limit(t), t, "sealcamd", 30*time.Second)
	last := r.screen.wait(t, "a status", len(r.screen.shown(t)), func(x told) bool { return x.Status != nil })
	t.Logf("%s: VmHWM %.1f MB, RssAnon %.1f MB, RssFile %.1f MB at the most (%d samples, %d frames)",
		strings.TrimSpace(r.m.must(t, "uname", "-rm")), peak.total, peak.anon, peak.file, samples, last.Status.Capture.Frames)
	if peak.total*1e6 > maxResident {
		t.Errorf("sealcamd takes %.1f MB, more than %.1f", peak.total, maxResident/1e6)
	}
	r.stop(t, p)
}

// testColdStart measures how long sealcamd takes from its exec to its first captured
// frame, of 640x360 from a V4L2 device: read from a disk of which nothing is in memory,
// and then again. An emulated processor's seconds are no board's; beside them stands
// what an empty program of the same kind takes.
func testColdStart(t *testing.T, m *Machine) {
	const settings = "/data/cold.toml"
	text := "state = \"/data/sealcam\"\n[camera]\nsource = \"/dev/video0\"\nwidth = 640\nheight = 360\n"
	if err := m.WriteFile(limit(t), settings, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	m.must(t, "sh", "-c", "cp /bin/sealcamd /data/sealcamd && sync && echo 3 > /proc/sys/vm/drop_caches")
	for _, how := range []string{"cold", "warm"} {
		frame := strings.Fields(m.must(t, "guest", "cold", "camera runs", "/data/sealcamd", "-config", settings))
		empty := strings.Fields(m.must(t, "guest", "cold", "no-such-flag", "/data/sealcamd", "-no-such-flag"))
		if len(frame) != 2 || len(empty) != 2 {
			t.Fatalf("told %q and %q", frame, empty)
		}
		t.Logf("%s: %s ms from exec to the first frame, %s ms of processor to the end; to a usage error %s ms, %s ms", how, frame[0], frame[1], empty[0], empty[1])
	}
}

// memory is what one process holds, in MB, as its kernel counts it.
type memory struct {
	total float64 // VmHWM: the most that was ever resident
	anon  float64 // heap and stacks
	file  float64 // pages of the executable
}

// sample reads a process's memory once a second and keeps the highest values.
func (m *Machine) sample(ctx context.Context, t *testing.T, name string, d time.Duration) (peak memory, n int) {
	t.Helper()
	end := time.After(d)
	for {
		text, err := m.Output(ctx, "sh", "-c", `cat "/proc/$(pidof "$0")/status"`, name)
		if err != nil {
			t.Fatal(err)
		}
		now, err := parseStatus(text)
		if err != nil {
			t.Fatal(err)
		}
		n++
		peak.total, peak.anon, peak.file = max(peak.total, now.total), max(peak.anon, now.anon), max(peak.file, now.file)
		select {
		case <-time.After(time.Second):
		case <-end:
			return peak, n
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
	}
}

// parseStatus reads /proc/PID/status.
func parseStatus(text string) (memory, error) {
	var m memory
	fields := map[string]*float64{"VmHWM:": &m.total, "RssAnon:": &m.anon, "RssFile:": &m.file}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 || fields[f[0]] == nil {
			continue
		}
		kib, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			return m, err
		}
		*fields[f[0]] = kib * 1024 / 1e6
	}
	if m.total == 0 {
		return m, fmt.Errorf("no VmHWM in\n%s", text)
	}
	return m, nil
}
