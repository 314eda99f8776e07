package main

import (
	"bytes"
	"io"
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
	camera := v4l2.Device{Path: "/dev/video0", Name: "C920", Offers: []v4l2.Offer{
		{FourCC: "MJPG", Pixel: capture.MJPEG, Sizes: []v4l2.Size{one(640, 480, 30, 15), one(1920, 1080, 29.97)}},
		{FourCC: "NV12", Pixel: capture.NV12, Sizes: []v4l2.Size{{MinWidth: 16, MinHeight: 16, Width: 64, Height: 64, StepW: 16, StepH: 16}}},
		{FourCC: "GREY", Pixel: capture.Grey},
		{FourCC: "BA81"}, {FourCC: "YV12"},
	}}
	meta := v4l2.Device{Path: "/dev/video1", Name: "C920", Err: &capture.SourceError{Source: "/dev/video1", Err: capture.ErrNotCamera}}
	bayer := v4l2.Device{Path: "/dev/video2", Name: "imx219", Offers: []v4l2.Offer{{FourCC: "BA81"}}}
	codec := v4l2.Device{Path: "/dev/video11", Name: "codec", Err: meta.Err, Encoder: &v4l2.EncoderInfo{Makes: []string{"MJPG", "H264"}, Takes: []string{"RGB3", "YU12", "NV12"}}}
	virtual := v4l2.Device{Path: "/dev/video12", Name: "codec", Err: meta.Err, Encoder: &v4l2.EncoderInfo{Makes: []string{"FWHT"}, Takes: []string{"NV12"}}}
	table := func(write func(io.Writer, v4l2.Device), devices ...v4l2.Device) string {
		var b strings.Builder
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, d := range devices {
			write(w, d)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		return "\n" + b.String()
	}
	if got, want := table(writeDevice, camera, meta, bayer, codec, virtual), `
/dev/video0   C920    MJPG NV12 GREY  1920x1080 at 29.97 a second
/dev/video1   C920    -               not a capture device
/dev/video2   imx219  -               no format that sealcam reads, -v tells which
/dev/video11  codec   -               compresses NV12 YU12 to H264, for clips of raw cameras
/dev/video12  codec   -               compresses to FWHT, which sealcam does not use
`; got != want {
		t.Errorf("short: got\n%s\nwant\n%s", got, want)
	}
	if got, want := table(writeOffers, camera, meta), `
/dev/video0  C920  MJPG      640x480         30 15
                             1920x1080       29.97
                   NV12      16x16 to 64x64  
                   GREY      any             
                   not read  -               BA81 YV12
/dev/video1  C920  -         -               not a capture device
`; got != want {
		t.Errorf("long: got\n%s\nwant\n%s", got, want)
	}
}
