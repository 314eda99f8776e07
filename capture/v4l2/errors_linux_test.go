package v4l2

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"

	"github.com/sealcam/sealcam/capture"
)

func TestOpenWhatIsNoCamera(t *testing.T) {
	file := filepath.Join(t.TempDir(), "video0")
	if err := os.WriteFile(file, []byte("RIFF"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		"/dev/video-none": capture.ErrNoDevice,
		file:              capture.ErrNotCamera,
		t.TempDir():       capture.ErrNotCamera,
		"/dev/null":       capture.ErrNotCamera,
		"/dev/zero":       capture.ErrNotCamera,
	} {
		cam, err := Open(path, Want{})
		var se *capture.SourceError
		if cam != nil || !errors.Is(err, want) || !errors.As(err, &se) || se.Source != path || se.Try == "" {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := OpenControls(path); !errors.Is(err, want) {
			t.Errorf("controls of %s: %v", path, err)
		}
	}
}

func TestNotCapture(t *testing.T) {
	for _, c := range []struct {
		caps, device uint32
		want         string
	}{
		{capCapture | capStreaming, 0, ""},
		{capCapture | capStreaming | capDeviceCaps, capCapture | capStreaming, ""},
		{capCapture | capStreaming | capDeviceCaps, 0x00800000 | capStreaming, "the metadata node of a camera"},
		{capCapture | capStreaming | capDeviceCaps, capOutput | capStreaming, "a video output"},
		{0x8000 | capStreaming, 0, "an encoder or decoder"},
		{capCaptureMplane | capStreaming, 0, "a multi-planar sensor node"},
		{capCapture, 0, "a camera that cannot stream"},
		{0x00010000, 0, "a video node without capture"},
	} {
		if got := notCapture(capability{Capabilities: c.caps, DeviceCaps: c.device}); got != c.want {
			t.Errorf("%#x %#x: %q, want %q", c.caps, c.device, got, c.want)
		}
	}
}

func TestOthersAreNamedInOrder(t *testing.T) {
	class := fstest.MapFS{
		"video10/name": {Data: []byte("loop\x1b[2Jback\n")}, "video2/name": {Data: []byte("C920\n")}, "video0/name": {Data: []byte("this\n")}, "video3/name": {Data: []byte("vivid-000-vid-out\n")}, "vbi0/name": {Data: []byte("x")},
	}
	camera := func(path string) bool { return path != "/dev/video3" }
	if got := others(class, "/dev/video0", camera); got != "there is /dev/video2 (C920), /dev/video10 (loop.[2Jback); sealcam devices shows more" {
		t.Error(got)
	}
	if got := others(fstest.MapFS{}, "/dev/video0", camera); !strings.HasPrefix(got, "connect a camera") {
		t.Error(got)
	}
}

func TestHolderIsNamed(t *testing.T) {
	proc := t.TempDir()
	for _, p := range []struct{ pid, name, fd string }{{"17", "sshd", "/dev/null"}, {fmt.Sprint(os.Getpid()), "sealcamd", "/dev/video0"}, {"99999999", "late", "/dev/video1"}, {"230", "motion", "/dev/video0"}} {
		dir := filepath.Join(proc, p.pid)
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, "fd"), 0o755), os.WriteFile(filepath.Join(dir, "comm"), []byte(p.name+"\n"), 0o644),
			os.Symlink(p.fd, filepath.Join(dir, "fd", "3"))); err != nil {
			t.Fatal(err)
		}
	}
	if got := holder(proc, "/dev/video0"); got != "motion (process 230)" {
		t.Error(got)
	}
	if got := holder(proc, "/dev/video2"); got != "" {
		t.Error(got)
	}
}

func TestDeniedDeviceSaysHowToBeAllowed(t *testing.T) {
	err := failed("/dev/video0", "opening", unix.EACCES)
	var se *capture.SourceError
	if !errors.As(err, &se) || !strings.Contains(se.Try, "usermod -aG video") || !errors.Is(err, os.ErrPermission) {
		t.Error(err)
	}
}

func TestByNumber(t *testing.T) {
	p := []string{"/dev/video10", "/dev/video2", "/dev/video0"}
	byNumber(p)
	if strings.Join(p, " ") != "/dev/video0 /dev/video2 /dev/video10" {
		t.Error(p)
	}
}

func TestDevicesWithoutAny(t *testing.T) {
	devs, err := Devices()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devs { // a machine with cameras: each is usable or says why not
		if d.Path == "" || d.Err == nil && len(d.Offers) == 0 {
			t.Errorf("%+v", d)
		}
	}
}

func TestRatesOfIntervals(t *testing.T) {
	got := rates([]webcam.FrameRate{
		{MinNumerator: 1, MaxNumerator: 1, MinDenominator: 15, MaxDenominator: 15},
		{MinNumerator: 1001, MaxNumerator: 1001, MinDenominator: 30000, MaxDenominator: 30000},
		{MinNumerator: 1, MaxNumerator: 1, StepNumerator: 1, MinDenominator: 60, MaxDenominator: 1},
		{},
	})
	if len(got) != 4 || got[0] != 60 || got[1] < 29.97 || got[1] > 29.98 || got[2] != 15 || got[3] != 1 {
		t.Error(got)
	}
}
