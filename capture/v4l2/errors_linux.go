package v4l2

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sealcam/sealcam/capture"
)

// failed says why path could not be used, by what the system answered.
func failed(path, doing string, err error) error {
	e := &capture.SourceError{Source: path, Err: fmt.Errorf("%s: %w", doing, err)}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		e.Err = capture.ErrNoDevice
		e.Try = others(os.DirFS("/sys/class/video4linux"), path, capturing)
	case errors.Is(err, fs.ErrPermission):
		e.Try = "sudo usermod -aG video $USER, and log in again"
	case errors.Is(err, unix.EBUSY):
		e.Err = capture.ErrBusy
		e.Try = "stop the other program that uses it"
		if who := holder("/proc", path); who != "" {
			e.Try = "stop " + who + ", which uses it"
		}
	case errors.Is(err, unix.ENOTTY), doing == "opening" && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS)):
		return notCamera(path, "no video device")
	case errors.Is(err, unix.ENOSPC):
		e.Err = errors.New("the USB bus has no bandwidth left for it")
		e.Try = "ask for a smaller size or a lower rate, or move it to a port of its own"
	}
	return e
}

func notCamera(path, what string) error {
	return &capture.SourceError{
		Source: path, Err: fmt.Errorf("%w but %s", capture.ErrNotCamera, what),
		Try: others(os.DirFS("/sys/class/video4linux"), path, capturing),
	}
}

// noFormat is the error of a device whose formats sealcam cannot read.
func noFormat(path string, want Want, offers []Offer) error {
	e := &capture.SourceError{Source: path, Err: capture.ErrNoFormat, Offers: summary(offers)}
	e.Try = "use a camera with MJPEG, NV12, YUYV or grey, or put another program in front: ffmpeg -f v4l2 -i " + path + " -c:v mjpeg -f mjpeg - | sealcam bench --source -"
	for _, o := range offers {
		if want.Pixel == 0 && (o.Pixel == capture.H264 || o.Pixel == capture.H265) {
			e.Try = fmt.Sprintf("set camera.format = %q, which makes clips and no snapshots; for both %s", o.Pixel, strings.TrimPrefix(e.Try, "use a camera with MJPEG, NV12, YUYV or grey, or "))
			break
		}
	}
	if want.Pixel != 0 {
		e.Err = fmt.Errorf("%w: %s is not to be had", capture.ErrNoFormat, want.Pixel)
		e.Try = "leave the choice of the format to sealcam"
	}
	return e
}

// capturing reports whether path may be a camera. It asks the driver what the
// node is for, which disturbs nobody, and takes one that it may not ask for a
// camera.
func capturing(path string) bool {
	caps, err := probe(path)
	return err != nil || notCapture(caps) == ""
}

// others names the cameras that there are beside path: the nodes in
// /sys/class/video4linux (class) of which camera is true. Outputs, encoders and
// metadata nodes are no advice.
func others(class fs.FS, path string, camera func(path string) bool) string {
	nodes, err := fs.Glob(class, "video*")
	byNumber(nodes)
	var found []string
	for _, n := range nodes {
		if "/dev/"+n == path || !camera("/dev/"+n) {
			continue
		}
		name, err := fs.ReadFile(class, n+"/name")
		if err != nil {
			continue
		}
		found = append(found, fmt.Sprintf("/dev/%s (%s)", n, text([]byte(strings.TrimSpace(string(name))))))
	}
	if err != nil || len(found) == 0 {
		return "connect a camera; sealcam devices shows what is there"
	}
	return "there is " + strings.Join(found, ", ") + "; sealcam devices shows more"
}

// holder names a process that has path open: "motion (process 123)". It finds
// what this user may see, "" if that is nothing.
func holder(proc, path string) string {
	fds, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	if err != nil {
		return ""
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err != nil || to != path {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		if filepath.Base(dir) == fmt.Sprint(os.Getpid()) {
			continue
		}
		name, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err == nil {
			return fmt.Sprintf("%s (process %s)", text([]byte(strings.TrimSpace(string(name)))), filepath.Base(dir))
		}
	}
	return ""
}
