//go:build vm && linux

package lab

import (
	"encoding/json"
	"strings"
	"testing"
)

// line is a JSON line of `sealcam devices --frames`: the format, a frame or the
// summary.
type line struct {
	Pixel, Bad      string
	Width, Height   int
	Stride, Bytes   int
	Rate, Mono, Fps float64
	Seq             uint64
	Frames          *int
	Device          string
}

// try runs `sealcam devices --frames` and returns the format, the lines of
// frames and the summary.
func (m *Machine) try(t *testing.T, args ...string) (format line, frames []line, sum line) {
	t.Helper()
	out := m.must(t, append([]string{"/bin/sealcam", "devices", "--device"}, args...)...)
	var all []line
	for text := range strings.Lines(out) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		all = append(all, l)
	}
	if len(all) < 3 || all[len(all)-1].Frames == nil {
		t.Fatalf("no format, frames and summary in:\n%s", out)
	}
	return all[0], all[1 : len(all)-1], all[len(all)-1]
}

// testDevices tries the owner's tool on real drivers: what it lists, what the
// driver set, and what it says of each frame.
func testDevices(t *testing.T, m *Machine, paths []string) {
	t.Run("list", func(t *testing.T) {
		short := m.must(t, "/bin/sealcam", "devices")
		nodes := m.must(t, "sh", "-c", "ls /dev/video*")
		if got, want := strings.Count(short, "\n"), 1+strings.Count(nodes, "\n"); got != want || !strings.Contains(short, "YUYV ") {
			t.Errorf("%d lines, want %d: one a device\n%s", got, want, short)
		}
		out := m.must(t, "/bin/sealcam", "devices", "-v")
		for _, want := range []string{"DEVICE ", "/dev/video0   vivid  ", "YUYV ", "1920x1080 ", "not a capture device but a video output", "not a capture device but the metadata node of a camera"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in the list", want)
			}
		}
		t.Logf("\n%s\n%s", short, out)
	})
	t.Run("controls", func(t *testing.T) {
		out := m.must(t, "/bin/sealcam", "devices", "--device", "/dev/video0")
		if !strings.Contains(out, "\nbrightness  ") || !strings.Contains(out, "0 to 255 by 1") || !strings.Contains(out, "\ngain  ") {
			t.Errorf("controls:\n%s", out)
		}
		out = m.must(t, "/bin/sealcam", "devices", "--device", "/dev/video0", "--set", "brightness=9999")
		if !strings.Contains(out, "\nbrightness  255 ") {
			t.Errorf("controls after setting one:\n%s", out)
		}
		r, err := m.Run(limit(t), "/bin/sealcam", "devices", "--device", "/dev/video0", "--set", "exposure-time=5")
		if err != nil || r.Exit != 1 || !strings.Contains(r.Stderr, "/dev/video0: exposure-time: the camera has no such control") {
			t.Errorf("a control that is not there: %+v, %v", r, err)
		}
	})
	t.Run("the driver's format, rate, numbers and times", func(t *testing.T) {
		f, frames, sum := m.try(t, "/dev/video0", "--frames", "20", "--pixel", "yuyv", "--size", "641x479", "--rate", "15")
		if f.Width != 640 || f.Height != 480 || f.Stride != 1280 || f.Rate != 15 || *sum.Frames != 20 || sum.Fps <= 0 {
			t.Errorf("format %+v, summary %+v", f, sum)
		}
		for i, l := range frames[1:] {
			if before := frames[i]; l.Bytes != 640*480*2 || l.Seq <= before.Seq || l.Mono <= before.Mono {
				t.Errorf("frame %+v after %+v", l, before)
			}
		}
	})
	t.Run("NV12 and grey", func(t *testing.T) {
		for pixel, bytes := range map[string]int{"nv12": 640 * 360 * 3 / 2, "grey": 640 * 360} {
			f, frames, _ := m.try(t, "/dev/video0", "--frames", "3", "--pixel", pixel, "--size", "640x360")
			if f.Pixel != pixel || f.Stride != 640 || frames[2].Bytes != bytes {
				t.Errorf("%s: %+v %+v", pixel, f, frames[2])
			}
		}
	})
	t.Run("MJPEG", func(t *testing.T) {
		player := m.play(t, "/dev/video11", "1280x720", "10", paths)
		f, frames, sum := m.try(t, "/dev/video11", "--frames", "6")
		if f.Pixel != "mjpeg" || f.Width != 1280 || frames[5].Bad != "" || frames[5].Height != 720 || frames[5].Bytes > 200_000 || *sum.Frames < 4 {
			t.Errorf("format %+v, frames %+v", f, frames)
		}
		player.stop(t)
	})
}
