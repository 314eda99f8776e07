// Package v4l2 captures Frames from Linux video devices: USB cameras, and
// every other driver with a single-planar capture node. It stands on
// blackjack/webcam for opening, buffers and streaming, and adds what that
// library leaves out: the format that the driver really set, driver time stamps,
// sequence numbers and error flags, waiting that can be cancelled, and errors
// that name the device, what it offers and what to try.
//
// Open gives a capture.Camera. Devices lists what there is. Controls reads and
// sets exposure, gain and brightness beside a running capture. OpenEncoder gives
// an Encoder, which has raw frames compressed by the machine's own stateful
// memory-to-memory device (V4L2 M2M), single-planar or multi-planar, to H.264 or
// H.265; the library has nothing of that, so it is all written here.
//
// What this package does not do: it decodes nothing, judges no frame beyond what
// the driver says of it (capture.Loop does) and never opens a device again. It
// drives no stateless encoder, and compresses nothing itself. It
// does not read multi-planar cameras, which bare SoC sensors are, and sets up no
// media-controller pipeline: for those, feed the vendor's tool into
// capture/stream (rpicam-vid --codec mjpeg -o -). On other systems than Linux
// it builds, and has no devices.
package v4l2

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealcam/sealcam/capture"
)

// Want is what is asked of a device. It gives what it can: Camera.Format says
// what that is.
type Want struct {
	Width, Height int     // pixels; 0 is the largest up to 1920x1080
	Rate          float64 // frames per second; 0 leaves it to the driver
	// Pixel 0 is the best of MJPEG, NV12, YUYV and grey. H264 and H265 come only
	// when asked for, as the driver's encoder made them.
	Pixel capture.Pixel
}

// Device is a video device node and what it offers.
type Device struct {
	Path   string // "/dev/video0"
	Name   string // the camera's own, "HD Pro Webcam C920"
	Driver string // "uvcvideo"
	Bus    string // where it is plugged in, "usb-0000:00:14.0-1"
	Offers []Offer
	Err    error // why it cannot be a camera, nil if it can

	Encoder *EncoderInfo // what it compresses; nil if it is no encoder
}

// Offer is one pixel format of a device.
type Offer struct {
	FourCC      string        // "MJPG"
	Description string        // the driver's own, "Motion-JPEG"
	Pixel       capture.Pixel // 0: sealcam does not read it
	Sizes       []Size        // empty: the driver does not say

	code uint32
}

// Size is a frame size, or a range of them, with the rates it comes at.
type Size struct {
	Width, Height       int       // the largest
	MinWidth, MinHeight int       // the smallest; equal to the largest for a single size
	StepW, StepH        int       // 0 for a single size
	Rates               []float64 // frames per second, highest first; empty: the driver does not say
}

// String returns "1920x1080" or "16x16 to 1920x1080".
func (s Size) String() string {
	if s.Width == s.MinWidth && s.Height == s.MinHeight {
		return fmt.Sprintf("%dx%d", s.Width, s.Height)
	}
	return fmt.Sprintf("%dx%d to %dx%d", s.MinWidth, s.MinHeight, s.Width, s.Height)
}

// fastest returns the highest rate, 0 if none is known.
func (s Size) fastest() float64 {
	if len(s.Rates) == 0 {
		return 0
	}
	return slices.Max(s.Rates)
}

// pixelOf tells which of sealcam's layouts a FourCC is; 0 for none.
func pixelOf(fourCC string) capture.Pixel {
	switch fourCC {
	case "MJPG", "JPEG":
		return capture.MJPEG
	case "H264":
		return capture.H264
	case "HEVC":
		return capture.H265
	case "NV12":
		return capture.NV12
	case "YUYV":
		return capture.YUYV
	case "GREY":
		return capture.Grey
	}
	return 0
}

// fourCC spells a V4L2 pixel format. Whatever is not printable becomes a dot:
// the text goes to terminals.
func fourCC(code uint32) string {
	var s strings.Builder
	for shift := 0; shift < 32; shift += 8 {
		c := byte(code >> shift)
		if c < 0x20 || c > 0x7e {
			c = '.'
		}
		s.WriteByte(c)
	}
	return strings.TrimRight(s.String(), " ")
}

// summary says in a few words what a device offers.
func summary(offers []Offer) string {
	if len(offers) == 0 {
		return "no format at all"
	}
	var parts []string
	for _, o := range offers {
		part := o.FourCC
		var largest Size
		for _, s := range o.Sizes {
			if s.Width*s.Height > largest.Width*largest.Height {
				largest = s
			}
		}
		if largest.Width > 0 {
			part += fmt.Sprintf(" up to %dx%d", largest.Width, largest.Height)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}
