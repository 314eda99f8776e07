package v4l2

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sealcam/sealcam/capture"
)

func TestFormatIsWhatTheDriverSet(t *testing.T) {
	n := webcamNode()
	n.Driver = func(f pixFormat) pixFormat { f.Width, f.Height = 640, 480; return f }
	if got := mustBegin(t, n, Want{Width: 641, Height: 479, Rate: 30}).Format(); got != (capture.Format{Pixel: capture.MJPEG, Width: 640, Height: 480, Rate: 29.97}) {
		t.Errorf("%+v", got)
	}
	if n.asked != 30 {
		t.Errorf("asked for %v frames per second", n.asked)
	}
	n = webcamNode()
	n.Driver = func(f pixFormat) pixFormat { f.BytesPerLine = 1344; return f }
	if got := mustBegin(t, n, Want{Pixel: capture.YUYV}).Format(); got.Stride != 1344 {
		t.Errorf("stride of %+v is not the driver's", got)
	}
	n = webcamNode()
	n.RateErr, n.Fps = unix.ENOTTY, 0
	if got := mustBegin(t, n, Want{Pixel: capture.YUYV, Rate: 15}).Format(); got.Stride != 1280 || got.Rate != 0 {
		t.Errorf("%+v", got)
	}
}

func TestNextBestFormatWhenTheDriverDisagrees(t *testing.T) {
	for name, n := range map[string]*fake{
		"refuses":            {SetErr: map[uint32]error{codeMJPG: unix.EINVAL}},
		"has no frame size":  {Driver: func(f pixFormat) pixFormat { f.SizeImage = sizeIf(f, codeMJPG, 0); return f }},
		"says 0x0":           {Driver: func(f pixFormat) pixFormat { f.Width = widthIf(f, codeMJPG, 0); return f }},
		"says 65535x65535":   {Driver: func(f pixFormat) pixFormat { f.Width = widthIf(f, codeMJPG, 1<<31); return f }},
		"sets what we lack":  {Driver: func(f pixFormat) pixFormat { return codeIf(f, codeMJPG, 0x31384142) }},
		"sets another we do": {Driver: func(f pixFormat) pixFormat { return codeIf(f, codeMJPG, codeYUYV) }},
	} {
		n.Offers = webcamNode().Offers
		c, err := begin("/dev/video0", n, Want{}, noon)
		if err != nil || c.format.Pixel != capture.YUYV {
			t.Errorf("driver %s: %v %v", name, c, err)
		}
	}
}

// Compressed video comes when it is asked for, as the driver gives it.
func TestVideoIsPassedThrough(t *testing.T) {
	for code, pixel := range map[uint32]capture.Pixel{codeH264: capture.H264, codeHEVC: capture.H265} {
		n := webcamNode()
		n.Offers = append(n.Offers, offer(fourCC(code), code, one(1920, 1080)))
		n.Events = []event{frame(1, 7, 60, flagMonotonic, noon())}
		c := mustBegin(t, n, Want{Pixel: pixel})
		if got := c.Format(); got != (capture.Format{Pixel: pixel, Width: 1920, Height: 1080, Rate: 29.97}) {
			t.Errorf("%+v", got)
		}
		var f capture.Frame
		if err := c.Next(t.Context(), &f); err != nil || len(f.Data) != 60 || f.Data[0] != 1 || f.Mono != noon() || f.Format.Pixel != pixel {
			t.Errorf("%v: %d bytes at %v, %v", pixel, len(f.Data), f.Mono, err)
		}
	}
}

func TestALayoutThatWasAskedForIsNotReplaced(t *testing.T) {
	n := webcamNode()
	n.Driver = func(f pixFormat) pixFormat { return codeIf(f, codeYUYV, codeMJPG) }
	if c, err := begin("/dev/video0", n, Want{Pixel: capture.YUYV}, noon); !errors.Is(err, capture.ErrNoFormat) {
		t.Errorf("%v %v", c, err)
	}
}

func sizeIf(f pixFormat, code, size uint32) uint32 {
	if f.PixelFormat == code {
		return size
	}
	return f.SizeImage
}

func widthIf(f pixFormat, code, width uint32) uint32 {
	if f.PixelFormat == code {
		return width
	}
	return f.Width
}

func codeIf(f pixFormat, code, other uint32) pixFormat {
	if f.PixelFormat == code {
		f.PixelFormat = other
	}
	return f
}

func TestRawFormatMustFitItsBuffer(t *testing.T) {
	for _, c := range []struct {
		stride, size uint32
		ok           bool
	}{{0, 640 * 480 * 2, true}, {2048, 2048 * 480, true}, {2048, 2048*480 - 1, false}, {1 << 31, 1 << 20, false}} {
		f, ok := readBack(pixFormat{Width: 640, Height: 480, PixelFormat: codeYUYV, BytesPerLine: c.stride, SizeImage: c.size})
		if ok != c.ok {
			t.Errorf("%+v: %+v %v", c, f, ok)
		}
	}
}

func TestOpenErrorsSayWhatToTry(t *testing.T) {
	h264 := []Offer{offer("H264", codeH264, one(1920, 1080))}
	for _, c := range []struct {
		name       string
		n          *fake
		want       Want
		err        error
		text, hint string
	}{
		{"busy", &fake{Offers: webcamNode().Offers, SetErr: map[uint32]error{codeMJPG: unix.EBUSY}}, Want{}, capture.ErrBusy, "/dev/video0: camera is in use", "stop the other program"},
		{"busy at the start", &fake{Offers: webcamNode().Offers, StartErr: withErrno(errors.New("Failed to start streaming: device or resource busy"))}, Want{}, capture.ErrBusy, "in use", "stop"},
		{"no bandwidth", &fake{Offers: webcamNode().Offers, StartErr: unix.ENOSPC}, Want{}, nil, "no bandwidth left", "smaller size"},
		{"unplugged meanwhile", &fake{Offers: webcamNode().Offers, StartErr: unix.ENODEV}, Want{}, capture.ErrNoDevice, "no such camera", "sealcam devices"},
		{"no usable format", &fake{Offers: h264}, Want{}, capture.ErrNoFormat, "/dev/video0: no usable format; it offers H264 up to 1920x1080", "set camera.format = \"h264\", which makes clips and no snapshots; for both put another program in front: ffmpeg -f v4l2 -i /dev/video0"},
		{"no such format", &fake{Offers: h264}, Want{Pixel: capture.Grey}, capture.ErrNoFormat, "grey is not to be had; it offers H264", "leave the choice"},
		{"no format", &fake{}, Want{}, capture.ErrNoFormat, "no format at all", "use a camera"},
		{"not allowed", &fake{Offers: webcamNode().Offers, StartErr: unix.EACCES}, Want{}, os.ErrPermission, "/dev/video0: starting: permission denied", "usermod -aG video"},
		{"something else", &fake{Offers: webcamNode().Offers, StartErr: unix.EPROTO}, Want{}, unix.EPROTO, "/dev/video0: starting: protocol error", ""},
	} {
		_, err := begin("/dev/video0", c.n, c.want, noon)
		var se *capture.SourceError
		if !errors.As(err, &se) || c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !strings.Contains(err.Error(), c.text) || !strings.Contains(se.Hint(), c.hint) {
			t.Errorf("%s: error %q, hint %q", c.name, err, se.Hint())
		}
	}
}

// The range that a driver declares is that of its frames; without a word it is the
// one of V4L2's rule.
func TestRangeIsTheDrivers(t *testing.T) {
	for _, c := range []struct {
		code                     uint32
		quantization, colorspace uint32
		full                     bool
	}{
		{codeYUYV, 0, 0, false}, {codeYUYV, 0, 8, false}, {codeNV12, 2, 7, false},
		{codeYUYV, 1, 8, true}, {codeNV12, 0, 7, true}, {codeMJPG, 1, 7, false},
	} {
		n := &fake{Offers: []Offer{offer(fourCC(c.code), c.code, one(640, 480))}, Driver: func(f pixFormat) pixFormat {
			f.Quantization, f.Colorspace = c.quantization, c.colorspace
			return f
		}}
		if f := mustBegin(t, n, Want{}).Format(); f.FullRange != c.full {
			t.Errorf("%s with quantization %d and colorspace %d: full range %t", fourCC(c.code), c.quantization, c.colorspace, f.FullRange)
		}
	}
}
