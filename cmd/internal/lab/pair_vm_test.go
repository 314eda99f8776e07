//go:build vm && linux

package lab

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/lenstest"
	"github.com/sealcam/sealcam/cmd/internal/qr"
)

// maxLooks is how many looks 3 s of video get at two a second, in which a code
// must be found that is in all of it. A board looks three times a second; how
// often the emulated one does says how busy the host is.
const maxLooks = 6

// TestPairing holds a code before the V4L2 camera of a board whose clock says
// 1970: tilted 15 degrees, noisy, and half as bright as it should be. The board
// asks `sealcam pair` on the host, belongs to the household, and publishes
// pictures through its Mosquitto.
func TestPairing(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	sealcamd, err := Build(t.Context(), ARM64, "cmd/sealcamd")
	if err != nil {
		t.Fatal(err)
	}
	sizes := []struct{ width, height int }{{640, 480}, {1920, 1080}}
	files := map[string]string{"/bin/sealcamd": sealcamd}
	var owners []*service
	var paths [][]string
	for i, size := range sizes {
		code := filepath.Join(t.TempDir(), "code")
		owners = append(owners, startService(t, h.tool, "pair", "--household", h.dir, "--name", fmt.Sprintf("Camera %d", i+1),
			"--address", Host, "--listen", "127.0.0.1:0", "--valid", "20m", "--code", code, "--yes"))
		played := film(t, awaitFile(t, code), size.width, size.height)
		paths = append(paths, nil)
		for j, f := range played {
			name := fmt.Sprintf("/lab/codes/%d-%03d.jpg", size.width, j)
			files[name], paths[i] = f, append(paths[i], name)
		}
	}
	m := boot(t, Guest{
		Arch: ARM64, Net: true, Files: files, Clock: time.Unix(10, 0),
		// A device each: one that has been written to keeps old frames.
		Modules: []string{"v4l2loopback devices=2 exclusive_caps=1,1 video_nr=10,11"},
	})
	for i, size := range sizes {
		t.Run(fmt.Sprintf("%dx%d", size.width, size.height), func(t *testing.T) {
			device := fmt.Sprintf("/dev/video%d", 10+i)
			pairInGuest(t, h, m, owners[i], device, size.width, size.height, paths[i])
		})
	}
}

func pairInGuest(t *testing.T, h *home, m *Machine, owner *service, device string, width, height int, paths []string) {
	settings := fmt.Sprintf("/tmp/%d.toml", width)
	text := fmt.Sprintf("state = \"/tmp/state-%d\"\n[camera]\nsource = %q\nwidth = %d\nheight = %d\n[uplink]\nstatus = \"1s\"\n", width, device, width, height)
	if err := m.WriteFile(limit(t), settings, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	lens, err := m.Start(nil, append([]string{"guest", "mjpeg", "-device", device, "-size", fmt.Sprintf("%dx%d", width, height), "-rate", "10"}, paths...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := lens.UntilSaid(limit(t), "playing"); err != nil {
		t.Fatal(err)
	}
	r := &rig{m: m}
	p, err := m.Start(nil, "sealcamd", "-config", settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Signal(syscall.SIGKILL)
		if t.Failed() {
			afterwards(t, "sealcamd", p.Said().Stderr)
		}
	})
	if err := p.UntilSaid(limit(t), "msg=running"); err != nil {
		t.Fatal(err)
	}
	said := p.Said().Stderr
	looks, err := strconv.Atoi(find(t, said, `before the lens.* looks=(\d+)`))
	if err != nil || looks > maxLooks {
		t.Errorf("found by %d looks, want at most %d; %v", looks, maxLooks, err)
	}
	t.Logf("found by look %d, after %s of video", looks, find(t, said, `before the lens.* video=(\S+)`))
	if err := owner.until(limit(t), func(said string) bool { return strings.Contains(said, "is in the household") }); err != nil {
		t.Fatal(err)
	}
	if mine, theirs := find(t, said, `words="(\w+ \w+)"`), find(t, owner.said(), `words  (\w+ \w+)`); mine != theirs {
		t.Errorf("the camera says %q, the household %q", mine, theirs)
	}
	camera := find(t, owner.said(), `id     ([a-z2-7]{52})`)
	screen := h.watch(t)
	// Without a clock live pictures are shown as answers alone.
	screen.wait(t, "a verified status", 0, func(x told) bool {
		return x.What == "verified" && x.Kind == "status" && x.Camera == camera && x.Status != nil && x.Status.Capture.Frames > 0
	})
	r.stop(t, p)
	if err := lens.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := lens.Wait(limit(t)); err != nil {
		t.Fatal(err)
	}
}

// find returns what the pattern's group matches.
func find(t *testing.T, text, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no %s in\n%s", pattern, text)
	}
	return found[1]
}

// film draws what the camera sees, one JPEG a frame, each with its own noise.
func film(t *testing.T, text string, width, height int) (files []string) {
	t.Helper()
	code, err := qr.Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d characters, %d modules a side", len(text), code.Size())
	dir := t.TempDir()
	f := lenstest.NewFilm(code, lenstest.View{Width: width, Height: height, Share: .5, Tilt: 15, Bright: .5, Noise: 8})
	for i := range 6 {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, f.Next(), &jpeg.Options{Quality: 75}); err != nil {
			t.Fatal(err)
		}
		files = append(files, filepath.Join(dir, fmt.Sprintf("%d.jpg", i)))
		if err := os.WriteFile(files[i], b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// awaitFile returns what is in a file once it is there.
func awaitFile(t *testing.T, path string) string {
	t.Helper()
	ctx := limit(t)
	for {
		text, err := os.ReadFile(path)
		if err == nil {
			return strings.TrimSpace(string(text))
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
