package v4l2

import (
	"errors"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealcam/sealcam/capture"
)

// buffers is how many frames the driver may fill ahead: one is the caller's, one
// is being filled, two bridge a hiccup. At 1080p each costs up to 4 MB.
const buffers = 4

// node is an open capture node before it streams.
type node interface {
	queue
	offers() []Offer
	setFormat(code uint32, width, height int) error
	format() (pixFormat, error)
	setRate(fps float64) error
	rate() float64 // 0 when the driver does not say
	start() (memory [][]byte, err error)
}

// Open opens a device and starts it in the best format that suits want. The
// error is a *capture.SourceError with ErrNoDevice, ErrBusy, ErrNotCamera or
// ErrNoFormat where one of them fits.
func Open(path string, want Want) (capture.Camera, error) {
	n, err := openNode(path)
	if err != nil {
		return nil, err
	}
	c, err := begin(path, n, want, monotonic)
	if err != nil {
		// The first error is the one that matters.
		_ = n.close()
		return nil, err
	}
	return c, nil
}

// begin negotiates a format with n and starts it.
func begin(path string, n node, want Want, clock func() time.Duration) (*camera, error) {
	offers := n.offers()
	format, err := negotiate(n, want, offers)
	if err == nil && format.Pixel == 0 {
		return nil, noFormat(path, want, offers)
	}
	if err != nil {
		return nil, failed(path, "setting the format", err)
	}
	if want.Rate > 0 {
		// A rate is a wish: drivers without one say so by an error.
		if err := n.setRate(want.Rate); errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EBUSY) {
			return nil, failed(path, "setting the rate", err)
		}
	}
	format.Rate = math.Round(n.rate()*1000) / 1000
	memory, err := n.start()
	if err != nil {
		return nil, failed(path, "starting", err)
	}
	return &camera{dev: n, path: path, format: format, memory: memory, clock: clock}, nil
}

// negotiate sets one format after the other until the driver agrees, and returns
// what the driver says it set, which may be another size. A zero Pixel means that
// there was none.
func negotiate(n node, want Want, offers []Offer) (capture.Format, error) {
	for _, p := range picks(want, offers) {
		err := n.setFormat(p.code, p.width, p.height)
		if errors.Is(err, unix.EINVAL) {
			continue
		}
		if err != nil {
			return capture.Format{}, err
		}
		set, err := n.format()
		if err != nil {
			return capture.Format{}, err
		}
		if f, ok := readBack(set); ok && (f.Pixel == p.pixel || want.Pixel == 0) {
			return f, nil
		}
	}
	return capture.Format{}, nil
}

// readBack turns what the driver set into a Format. It reports false if nobody
// could use that.
func readBack(set pixFormat) (capture.Format, bool) {
	f := capture.Format{Pixel: pixelOf(fourCC(set.PixelFormat)), Width: int(set.Width), Height: int(set.Height)}
	if f.Pixel == 0 || set.SizeImage == 0 || f.Width < 1 || f.Height < 1 || int64(set.Width)*int64(set.Height) > capture.MaxPixels || set.BytesPerLine > math.MaxInt32 {
		return f, false
	}
	f.FullRange = (f.Pixel == capture.YUYV || f.Pixel == capture.NV12) && fullRange(set)
	row := 0
	switch f.Pixel {
	case capture.NV12, capture.Grey:
		row = f.Width
	case capture.YUYV:
		row = 2 * f.Width
	}
	if row > 0 {
		f.Stride = max(row, int(set.BytesPerLine))
	}
	return f, row == 0 || int64(f.Stride)*int64(f.Height) <= int64(set.SizeImage)
}

// fullRange says what range the samples of a YUV layout have, by the rule of
// V4L2_MAP_QUANTIZATION_DEFAULT.
func fullRange(set pixFormat) bool {
	return set.Quantization == quantizationFull || set.Quantization == quantizationDefault && set.Colorspace == colorspaceJPEG
}

// monotonic is CLOCK_MONOTONIC, which drivers stamp frames with.
func monotonic() time.Duration {
	var ts unix.Timespec
	// It fails for no clock that exists.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}
