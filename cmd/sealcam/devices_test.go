package main

import (
	"bytes"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/v4l2"
	"github.com/sealcam/sealcam/cmd/internal/cli"
)

// run1 runs the tool as a person would and returns what they see.
func run1(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), &cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err}, args)
	return code, out.String(), err.String()
}

func TestDevicesTellsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"devices -h", cli.ExitOK, ""},
		{"devices --frames 3", cli.ExitUsage, "--frames and --set need --device"},
		{"devices --size 12", cli.ExitUsage, "such as 1280x720"},
		{"devices --size -1x5", cli.ExitUsage, "such as 1280x720"},
		{"devices --pixel rgb", cli.ExitUsage, "mjpeg, nv12, yuyv, grey, h264"},
		{"devices --device x --set gain", cli.ExitUsage, "name=number"},
		{"devices --device x --set zoom=1", cli.ExitUsage, "the controls are brightness, contrast"},
		{"devices --device /dev/null --set gain=1", cli.ExitFailed, "not a capture device"},
		{"devices video0", cli.ExitUsage, "takes flags only"},
		{"devices --device /dev/video-none", cli.ExitFailed, "/dev/video-none: no such camera"},
		{"devices --device /dev/null --frames 1", cli.ExitFailed, "/dev/null: not a capture device but no video device"},
	} {
		code, _, stderr := run1(t, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, %s", c.args, code, stderr)
		}
		if code == cli.ExitFailed && !strings.Contains(stderr, "hint: ") {
			t.Errorf("%s: no hint in %s", c.args, stderr)
		}
	}
}

func TestDevicesTable(t *testing.T) {
	one := func(w, h int, rates ...float64) v4l2.Size {
		return v4l2.Size{Width: w, Height: h, MinWidth: w, MinHeight: h, Rates: rates}
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	writeDevice(w, v4l2.Device{Path: "/dev/video0", Name: "C920", Offers: []v4l2.Offer{
		{FourCC: "MJPG", Pixel: capture.MJPEG, Sizes: []v4l2.Size{one(640, 480, 30, 15), one(1920, 1080, 29.97)}},
		{FourCC: "NV12", Pixel: capture.NV12, Sizes: []v4l2.Size{{MinWidth: 16, MinHeight: 16, Width: 64, Height: 64, StepW: 16, StepH: 16}}},
		{FourCC: "GREY", Pixel: capture.Grey},
		{FourCC: "BA81"}, {FourCC: "YV12"},
	}})
	writeDevice(w, v4l2.Device{Path: "/dev/video1", Name: "C920", Err: &capture.SourceError{Source: "/dev/video1", Err: capture.ErrNotCamera}})
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := strings.TrimPrefix(`
/dev/video0  C920  MJPG      640x480         30 15
                             1920x1080       29.97
                   NV12      16x16 to 64x64  
                   GREY      any             
                   not read  -               BA81 YV12
/dev/video1  C920  -         -               not a capture device
`, "\n")
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
