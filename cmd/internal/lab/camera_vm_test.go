//go:build vm && linux

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

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

// play starts an MJPEG camera at /dev/video10.
func (m *Machine) play(t *testing.T, size, rate string, paths []string) *Process {
	t.Helper()
	p, err := m.Start(nil, append([]string{"guest", "mjpeg", "-size", size, "-rate", rate}, paths...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.UntilSaid(limit(t, time.Minute), "playing"); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestCameras shows what the lab's two cameras deliver before the product
// sees it: what the other tests inject is really there.
func TestCameras(t *testing.T) {
	files, paths := jpegs(t, "walk?size=1920x1080&for=1s", 3)
	arches(t, func(t *testing.T, arch Arch) {
		ctx := limit(t, 4*time.Minute)
		m := boot(t, Guest{Arch: arch, Files: files, Modules: []string{"vivid n_devs=1", "v4l2loopback exclusive_caps=1 video_nr=10"}})

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
		})
		t.Run("v4l2loopback", func(t *testing.T) {
			m.play(t, "1920x1080", "10", paths)
			out := m.must(t, "guest", "look", "-pixel", "MJPG", "-frames", "4", "/dev/video10")
			// Who comes early finds buffers of full length with something old in
			// them; it depends on when the writer wrote.
			t.Logf("the device delivers\n%s", out)
			if !strings.HasPrefix(out, "format 1920x1080 bytes=8294400\n") {
				t.Errorf("no room for 1080p:\n%s", out)
			}
			if n := len(regexp.MustCompile(`bytes=\d{5,6} flags=0x1 begins=ffd8\n`).FindAllString(out, -1)); n < 2 {
				t.Errorf("%d whole JPEGs in:\n%s", n, out)
			}
		})
	})
}
