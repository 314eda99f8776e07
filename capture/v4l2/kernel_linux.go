package v4l2

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"

	"github.com/sealcam/sealcam/capture"
)

// kernel is a node of the running kernel.
type kernel struct {
	cam  *webcam.Webcam
	fd   int
	poll [1]unix.PollFd
}

// openNode opens a capture node.
func openNode(path string) (*kernel, error) {
	caps, err := probe(path)
	if err != nil {
		return nil, failed(path, "opening", err)
	}
	if why := notCapture(caps); why != "" {
		return nil, notCamera(path, why)
	}
	cam, err := webcam.Open(path)
	if err != nil {
		return nil, failed(path, "opening", err)
	}
	fd, err := descriptor(cam)
	if err != nil {
		_ = cam.Close()
		return nil, failed(path, "opening", err)
	}
	unix.CloseOnExec(fd) // webcam leaves it open to children
	return &kernel{cam: cam, fd: fd, poll: [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}}, nil
}

// probe asks a node what it is. webcam.Open goes by the capabilities of the whole
// device, and takes a camera's metadata node for a camera.
func probe(path string) (capability, error) {
	var caps capability
	st, err := os.Stat(path)
	if err != nil {
		return caps, err
	}
	if st.Mode()&fs.ModeCharDevice == 0 {
		return caps, unix.ENOTTY
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return caps, err
	}
	defer unix.Close(fd)
	return caps, ioctl(fd, queryCapRequest(), &caps)
}

// own returns the capabilities of the node itself.
func (c *capability) own() uint32 {
	if c.Capabilities&capDeviceCaps != 0 {
		return c.DeviceCaps
	}
	return c.Capabilities
}

// notCapture says what else a node is than a camera, "" if it is one.
func notCapture(c capability) string {
	switch own := c.own(); {
	case own&capCapture != 0 && own&capStreaming != 0:
		return ""
	case own&capCapture != 0:
		return "a camera that cannot stream"
	case own&capM2M != 0:
		return "an encoder or decoder"
	case own&capMeta != 0:
		return "the metadata node of a camera"
	case own&capCaptureMplane != 0:
		return "a multi-planar sensor node"
	case own&capOutput != 0:
		return "a video output"
	}
	return "a video node without capture"
}

func (k *kernel) wait(d time.Duration) (ready bool, err error) {
	k.poll[0].Revents = 0
	n, err := unix.Poll(k.poll[:], int(d.Milliseconds()))
	if errors.Is(err, unix.EINTR) {
		return false, nil
	}
	return n > 0, err
}

func (k *kernel) dequeue(b *buffer) error {
	*b = buffer{Type: bufTypeCapture, Memory: memoryMmap}
	return ioctl(k.fd, dequeueRequest(), b)
}

func (k *kernel) release(index uint32) error { return k.cam.ReleaseFrame(index) }
func (k *kernel) close() error               { return k.cam.Close() }

func (k *kernel) setFormat(code uint32, width, height int) error {
	_, _, _, err := k.cam.SetImageFormat(webcam.PixelFormat(code), uint32(width), uint32(height))
	return err
}

func (k *kernel) format() (pixFormat, error) {
	f := pixFormat{Type: bufTypeCapture}
	return f, ioctl(k.fd, getFormatRequest(), &f)
}

func (k *kernel) setRate(fps float64) error { return k.cam.SetFramerate(float32(fps)) }

func (k *kernel) rate() float64 {
	r, err := k.cam.GetFramerate()
	if err != nil {
		return 0
	}
	return float64(r)
}

func (k *kernel) start() ([][]byte, error) {
	if err := k.cam.SetBufferCount(buffers); err != nil {
		return nil, err
	}
	if err := start(k.cam); err != nil {
		return nil, err
	}
	return mappings(k.cam)
}

func (k *kernel) offers() []Offer {
	var out []Offer
	for code, description := range k.cam.GetSupportedFormats() {
		o := Offer{FourCC: fourCC(uint32(code)), Description: text([]byte(description)), code: uint32(code)}
		o.Pixel = pixelOf(o.FourCC)
		for _, s := range k.cam.GetSupportedFrameSizes(code) {
			if s.MaxWidth == 0 { // a continuous range, which webcam does not read
				continue
			}
			o.Sizes = append(o.Sizes, Size{
				Width: int(s.MaxWidth), Height: int(s.MaxHeight), MinWidth: int(s.MinWidth), MinHeight: int(s.MinHeight),
				StepW: int(s.StepWidth), StepH: int(s.StepHeight),
				Rates: rates(k.cam.GetSupportedFramerates(code, s.MaxWidth, s.MaxHeight)),
			})
		}
		out = append(out, o)
	}
	inOrder(out)
	return out
}

// rates turns frame intervals into frames per second, highest first; of a range,
// both ends.
func rates(intervals []webcam.FrameRate) []float64 {
	var out []float64
	add := func(num, den uint32) {
		if num > 0 && den > 0 {
			out = append(out, float64(den)/float64(num))
		}
	}
	for _, i := range intervals {
		add(i.MinNumerator, i.MinDenominator)
		if i.StepNumerator != 0 || i.StepDenominator != 0 {
			add(i.MaxNumerator, i.MaxDenominator)
		}
	}
	slices.SortFunc(out, func(a, b float64) int { return cmp.Compare(b, a) })
	return out
}

var _ capture.Camera = (*camera)(nil)
