//go:build vm && linux

package lab

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sealcam/sealcam/capture"
)

// watched is a running `guest capture`.
type watched struct{ *Process }

func (m *Machine) capture(t *testing.T, args ...string) watched {
	t.Helper()
	p, err := m.Start(nil, append([]string{"guest", "capture"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return watched{p}
}

// until waits until the newest counters satisfy ok and returns them.
func (w watched) until(t *testing.T, what string, ok func(capture.Stats) bool) (s capture.Stats) {
	t.Helper()
	err := w.Until(limit(t), func(r Result) bool {
		lines := strings.Split(strings.TrimSpace(r.Stdout), "\n")
		for _, line := range lines[max(0, len(lines)-2):] {
			var now capture.Stats
			if json.Unmarshal([]byte(line), &now) == nil {
				s = now
			}
		}
		return ok(s)
	})
	if err != nil {
		t.Fatalf("waiting until %s: %v", what, err)
	}
	return s
}

// runs waits until n more frames have come.
func (w watched) runs(t *testing.T, n uint64) capture.Stats {
	t.Helper()
	from := uint64(0)
	return w.until(t, "frames come", func(s capture.Stats) bool {
		if from == 0 {
			from = s.Frames
		}
		return s.Connected && s.Frames >= from+n
	})
}

func (w watched) stop(t *testing.T) {
	t.Helper()
	if err := w.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if r, err := w.Wait(limit(t)); err != nil || r.Exit != 0 {
		t.Errorf("stopping: exit code %d, %v\n%s", r.Exit, err, r.Stderr)
	}
}

// testCapture puts the product's capture on real drivers that fail in every
// way that vivid and v4l2loopback know.
func testCapture(t *testing.T, m *Machine, paths []string) {
	set := func(control string) { t.Helper(); m.must(t, "guest", "set", "/dev/video0", control) }

	t.Run("broken and dropped buffers are counted and stepped over", func(t *testing.T) {
		w := m.capture(t, "-pixel", "yuyv", "/dev/video0")
		before := w.runs(t, 5)
		if f := before.Format; f.Width != 640 || f.Height != 360 || f.Stride != 1280 || f.Pixel != capture.YUYV || len(before.Bad) != 0 {
			t.Errorf("before any trouble: %+v", before)
		}
		set("inject_v4l2_buf_flag_error=1")
		w.until(t, "a bad frame is counted", func(s capture.Stats) bool { return total(s.Bad) == 1 })
		set("percentage_of_dropped_buffers=50")
		w.until(t, "lost frames are counted", func(s capture.Stats) bool { return s.Dropped >= before.Dropped+5 })
		set("percentage_of_dropped_buffers=0")
		if s := w.runs(t, 5); s.Reopened != 0 || total(s.Bad) != 1 {
			t.Errorf("after errors of single buffers: %+v", s)
		}
		w.stop(t)
	})
	for _, inject := range []string{"inject_fatal_streaming_error", "inject_vidioc_qbuf_error"} {
		t.Run(inject+" is followed by frames", func(t *testing.T) {
			w := m.capture(t, "/dev/video0")
			w.runs(t, 3)
			set(inject + "=1")
			w.until(t, "the trouble is counted", func(s capture.Stats) bool { return s.Reopened == 1 || total(s.Bad) >= 1 })
			w.runs(t, 5)
			w.stop(t)
		})
	}
	for _, inject := range []string{"inject_vidioc_reqbufs_error", "inject_vidioc_streamon_error"} {
		t.Run(inject+" is tried again", func(t *testing.T) {
			set(inject + "=1")
			w := m.capture(t, "/dev/video0")
			if s := w.runs(t, 3); s.LastError == "" {
				t.Errorf("no error was met: %+v", s)
			}
			w.stop(t)
		})
	}
	t.Run("what is no free camera is named", func(t *testing.T) { testNoCamera(t, m) })
	t.Run("bad JPEGs are counted by reason", func(t *testing.T) { testBadJPEGs(t, m, paths) })
	t.Run("unplugged and plugged in again", func(t *testing.T) {
		w := m.capture(t, "/dev/video0")
		w.runs(t, 3)
		set("disconnect=1")
		w.until(t, "the loss is noticed", func(s capture.Stats) bool { return !s.Connected && s.LastError != "" })
		m.replug(t)
		if s := w.runs(t, 3); s.Reopened != 1 {
			t.Errorf("after the return: %+v", s)
		}
		w.stop(t)
	})
}

func total(bad map[string]uint64) (n uint64) {
	for _, c := range bad {
		n += c
	}
	return n
}

// badJPEGs writes what cameras are known to send instead of a frame.
func badJPEGs(t *testing.T, good string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	sof := strings.Index(string(b), "\xff\xc0")
	if sof < 0 {
		t.Fatal("no frame header in a drawn JPEG")
	}
	huge := append([]byte(nil), b...)
	copy(huge[sof+5:], "\xff\xff\xff\xff") // height and width
	files := make(map[string]string)
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"truncated.jpg": b[:len(b)/2],
		"twice.jpg":     append(append([]byte(nil), b...), b...),
		"huge.jpg":      huge,
		"noise.jpg":     make([]byte, 1000),
	} {
		files[name] = filepath.Join(dir, name)
		if err := os.WriteFile(files[name], data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func testBadJPEGs(t *testing.T, m *Machine, paths []string) {
	rotation := append([]string(nil), paths...)
	for _, name := range []string{"truncated.jpg", "twice.jpg", "huge.jpg", "noise.jpg"} {
		rotation = append(rotation, "/lab/frames/"+name, paths[0])
	}
	player := m.play(t, "/dev/video12", "1280x720", "10", rotation)
	w := m.capture(t, "-size", "1280x720", "/dev/video12")
	s := w.until(t, "each kind of bad frame is counted", func(s capture.Stats) bool { return len(s.Bad) >= 4 && s.Frames >= 20 })
	t.Logf("counted %v among %d good frames", s.Bad, s.Frames)
	if s.Bad["doubled"] == 0 || s.Reopened != 0 || s.Format.Width != 1280 {
		t.Errorf("counters: %+v", s)
	}
	w.stop(t)
	player.stop(t)
}

// testNoCamera opens devices that are missing, no camera, or in use by another
// program, which then lets go.
func testNoCamera(t *testing.T, m *Machine) {
	ctx := limit(t)
	for device, kind := range map[string]error{
		"/dev/video7": capture.ErrNoDevice,
		"/dev/video1": capture.ErrNotCamera, // vivid's output
		"/dev/null":   capture.ErrNotCamera,
	} {
		w := m.capture(t, device)
		if err := w.UntilSaid(ctx, "no camera, trying again"); err != nil {
			t.Fatal(err)
		}
		said := w.Said().Stderr
		t.Log(said)
		if !strings.Contains(said, kind.Error()) || !strings.Contains(said, device) || strings.Contains(said, `hint=""`) {
			t.Errorf("%s: said %s", device, said)
		}
		w.stop(t)
	}
	holder, err := m.Start(nil, "guest", "hold", "/dev/video0")
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.UntilSaid(ctx, "holding"); err != nil {
		t.Fatal(err)
	}
	w := m.capture(t, "/dev/video0")
	if err := w.UntilSaid(ctx, capture.ErrBusy.Error()); err != nil {
		t.Fatal(err)
	}
	t.Log(w.Said().Stderr)
	if err := holder.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if s := w.runs(t, 3); s.Reopened != 0 {
		t.Errorf("after the other program let go: %+v", s)
	}
	w.stop(t)
}

// stop ends a process of the lab's own.
func (p *Process) stop(t *testing.T) {
	t.Helper()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(limit(t)); err != nil {
		t.Fatal(err)
	}
}
