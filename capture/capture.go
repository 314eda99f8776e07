// Package capture turns light into Frames. It holds the nouns that every
// source of frames shares (Frame, Format, Camera), the supervised Loop that
// keeps one camera running, and Luma, the small grey picture that every
// decision is made on.
//
// What this package does not do: it opens no device (capture/v4l2), reads no
// file (capture/stream), draws no scene (capture/scene), and takes no decision
// about light (capture/daynight) or movement (capture/motion). It knows
// nothing of pictures, seals or networks.
package capture

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Pixel names how the bytes of a Frame are laid out. The zero value is invalid.
type Pixel uint8

// The pixel layouts that sealcam reads.
const (
	MJPEG Pixel = iota + 1 // one baseline JPEG per frame, tables possibly missing
	H264                   // one access unit per frame, Annex B start codes
	H265                   // one access unit per frame, Annex B start codes
	NV12                   // planar Y, then interleaved CbCr at half size in both directions
	YUYV                   // packed Y0 Cb Y1 Cr
	Grey                   // one byte of luma per pixel
)

// String returns the short name used in settings, logs and reports.
func (p Pixel) String() string {
	switch p {
	case MJPEG:
		return "mjpeg"
	case H264:
		return "h264"
	case H265:
		return "h265"
	case NV12:
		return "nv12"
	case YUYV:
		return "yuyv"
	case Grey:
		return "grey"
	}
	return fmt.Sprintf("pixel(%d)", uint8(p))
}

// MaxPixels bounds width times height of anything that is ever decoded. 8K
// video has 33.2 million pixels; no camera of this class sends more.
const MaxPixels = 7680 * 4320

// Format is what a camera delivers, as the driver says it, never as it was asked.
type Format struct {
	Pixel  Pixel
	Width  int     // pixels
	Height int     // pixels
	Stride int     // bytes per row of the first plane; 0 for compressed formats
	Rate   float64 // frames per second as declared; 0 when the source does not say
	// FullRange is of YUYV and NV12: black is 0 and white 255, as JPEG and grey have
	// it. Otherwise black is 16 and white 235, and colours reach from 16 to 240.
	FullRange bool
}

// Limited says whether the samples of raw frames leave room below black and above
// white (ITU-R BT.601 and BT.709), see FullRange.
func (f Format) Limited() bool { return (f.Pixel == YUYV || f.Pixel == NV12) && !f.FullRange }

// String returns for example "1920x1080 mjpeg 30 fps".
func (f Format) String() string {
	if f.Rate == 0 {
		return fmt.Sprintf("%dx%d %s", f.Width, f.Height, f.Pixel)
	}
	return fmt.Sprintf("%dx%d %s %.4g fps", f.Width, f.Height, f.Pixel, f.Rate)
}

// Light says in which light a frame was taken. The day/night controller sets
// it; a frame of a camera without one stays LightUnknown.
type Light uint8

// The states of light. LightSwitching lasts from the decision to switch until
// exposure has settled; motion holds its verdict meanwhile.
const (
	LightUnknown Light = iota
	LightDay
	LightNight
	LightSwitching
)

// String returns the word that travels in a seal.
func (l Light) String() string {
	switch l {
	case LightDay:
		return "day"
	case LightNight:
		return "night"
	case LightSwitching:
		return "switching"
	}
	return "unknown"
}

// Frame is what the driver gave, untouched. Its Data belongs to the Camera and
// is valid until the next call of Next or Close on that camera: who wants to
// keep it copies it.
type Frame struct {
	Format Format
	Data   []byte
	Seq    uint64        // counted by the driver where it counts, else by the source; gaps are lost frames
	Mono   time.Duration // CLOCK_MONOTONIC when the frame was taken, or time since the start of a file
	Light  Light         // set by the agent, not by the camera
}

// Camera is a source of frames. One goroutine owns a Camera; none of its
// methods is safe for concurrent use.
type Camera interface {
	// Format returns what Next delivers. It is valid until Close.
	Format() Format
	// Next waits for a frame and fills f. f.Data is valid until the next call
	// of Next or Close. It returns ctx's error when ctx ends, io.EOF when a
	// source that can end has ended, a *BadFrame when this frame is
	// unusable and the next may be good, and any other error when the camera
	// must be closed and opened again.
	Next(ctx context.Context, f *Frame) error
	Close() error
}

// BadFrame is the error of a single unusable frame: it is counted and stepped
// over, and the camera goes on.
type BadFrame struct {
	Reason string // short and constant, it becomes a counter's name: "truncated", "empty", "header", ...
	Err    error  // detail, may be nil
}

func (b *BadFrame) Error() string {
	if b.Err == nil {
		return "bad frame: " + b.Reason
	}
	return "bad frame: " + b.Reason + ": " + b.Err.Error()
}

func (b *BadFrame) Unwrap() error { return b.Err }

// Errors by which a source tells why it cannot be used. They are wrapped with
// the source's name, what it offers and what to try.
var (
	ErrNoDevice  = errors.New("no such camera")
	ErrBusy      = errors.New("camera is in use")
	ErrNotCamera = errors.New("not a capture device")
	ErrNoFormat  = errors.New("no usable format")
	ErrGone      = errors.New("camera is gone")
	ErrStuck     = errors.New("camera delivers no frames")
)
