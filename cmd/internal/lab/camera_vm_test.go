//go:build vm && linux

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/scene"
)

// jpegs draws n consecutive frames of a scene and returns them as files for a
// guest, with their paths there in order.
func jpegs(t *testing.T, spec string, n int) (files map[string]string, paths []string) {
	t.Helper()
	s, err := scene.Open(spec, scene.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dir := t.TempDir()
	files = make(map[string]string)
	for i := range n {
		var f capture.Frame
		if err := s.Next(t.Context(), &f); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%03d.jpg", i)
		if err := os.WriteFile(filepath.Join(dir, name), f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
		files["/lab/frames/"+name] = filepath.Join(dir, name)
		paths = append(paths, "/lab/frames/"+name)
	}
	return files, paths
}

// loopback is the MJPEG camera of guests with v4l2loopback.
const loopback = "/dev/video10"

// play starts an MJPEG camera.
func (m *Machine) play(t *testing.T, device, size, rate string, paths []string) *Process {
	t.Helper()
	p, err := m.Start(nil, append([]string{"guest", "mjpeg", "-device", device, "-size", size, "-rate", rate}, paths...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.UntilSaid(limit(t), "playing"); err != nil {
		t.Fatal(err)
	}
	return p
}

// testCameras shows what the lab's two cameras deliver before the product
// sees it: what the other tests inject is really there.
func testCameras(t *testing.T, m *Machine, paths []string) {
	ctx := limit(t)
	t.Run("vivid", func(t *testing.T) {
		out := m.must(t, "guest", "look", "-size", "1920x1080", "-frames", "3", "/dev/video0")
		if !strings.HasPrefix(out, "format 1920x1080 bytes=4147200\n") || strings.Count(out, " bytes=4147200 flags=0x2001 ") != 3 {
			t.Errorf("look:\n%s", out)
		}
	})
	t.Run("vivid marks a broken buffer", func(t *testing.T) {
		p, err := m.Start(nil, "guest", "look", "-size", "640x360", "-frames", "200", "/dev/video0")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.UntilSaid(ctx, "sequence=3 "); err != nil {
			t.Fatal(err)
		}
		m.must(t, "guest", "set", "/dev/video0", "inject_v4l2_buf_flag_error=1")
		if err := p.UntilSaid(ctx, "flags=0x2041 "); err != nil { // V4L2_BUF_FLAG_ERROR is 0x40
			t.Error(err)
		}
		m.must(t, "guest", "set", "/dev/video0", "disconnect=1")
		if r, err := p.Wait(ctx); err != nil || !strings.Contains(r.Stderr, "no such device") {
			t.Errorf("after the disconnect: %+v, %v", r, err)
		}
		m.replug(t)
	})
	t.Run("v4l2loopback", func(t *testing.T) {
		player := m.play(t, loopback, "1280x720", "10", paths)
		out := m.must(t, "guest", "look", "-pixel", "MJPG", "-frames", "6", loopback)
		// Who comes early finds buffers of full length with something old in
		// them; it depends on when the writer wrote.
		t.Logf("the device delivers\n%s", out)
		if !strings.HasPrefix(out, "format 1280x720 bytes=3686400\n") {
			t.Errorf("no picture of 720p:\n%s", out)
		}
		if n := len(regexp.MustCompile(`bytes=\d{5,6} flags=0x1 begins=ffd8\n`).FindAllString(out, -1)); n < 2 {
			t.Errorf("%d whole JPEGs in:\n%s", n, out)
		}
		player.stop(t)
	})
}

// replug gives vivid back what it was told to lose.
func (m *Machine) replug(t *testing.T) {
	t.Helper()
	m.must(t, "sh", "-c", "cd /sys/bus/platform/drivers/vivid && echo vivid.0 > unbind && echo vivid.0 > bind && ls /dev/video0")
}
