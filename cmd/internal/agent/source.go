package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/capture/stream"
	"github.com/sealcam/sealcam/capture/v4l2"
)

// Source says where frames come from, in the words a person types.
type Source struct {
	// Name is a device (/dev/video0), a file, directory or FIFO of motion JPEG, a
	// file or FIFO of H.264 or H.265 with start codes, "-" for standard input, "scene:NAME" for a drawn scene, or "auto": the
	// first camera here, and a drawn scene where there is none.
	Name   string
	Width  int           // wanted; 0 is the device's best up to 1080p
	Height int           //
	Rate   float64       // wanted frames per second; 0 is the device's own
	Pixel  capture.Pixel // wanted of a device; 0 is the best of motion JPEG and raw
	Once   bool          // a file ends the run instead of starting again
}

// Auto replaces "auto" by what this machine has.
func (s Source) Auto() Source {
	if s.Name != "" && s.Name != "auto" {
		return s
	}
	s.Name = "scene:walk"
	if _, err := os.Stat("/dev/video0"); err == nil {
		s.Name = "/dev/video0"
	}
	return s
}

// IsDevice reports whether frames come from a device that may be unplugged and
// come back, rather than from a file or a scene.
func (s Source) IsDevice() bool { return strings.HasPrefix(s.Name, "/dev/") }

// isFile reports whether frames come from a file, directory or FIFO.
func (s Source) isFile() bool {
	return !s.IsDevice() && s.Name != "-" && !strings.HasPrefix(s.Name, "scene:")
}

// device returns the V4L2 device, "" for a file or a scene.
func (s Source) device() string {
	if s.IsDevice() {
		return s.Name
	}
	return ""
}

// Open opens the source. Its error names it and says what to try.
func (s Source) Open(ctx context.Context) (capture.Camera, error) {
	switch {
	case s.IsDevice():
		return v4l2.Open(s.Name, v4l2.Want{Width: s.Width, Height: s.Height, Rate: s.Rate, Pixel: s.Pixel})
	case strings.HasPrefix(s.Name, "scene:"):
		return scene.Open(strings.TrimPrefix(s.Name, "scene:"), scene.Options{Pace: true})
	}
	cam, err := stream.Open(ctx, s.Name, stream.Options{Loop: !s.Once, Pace: true, Rate: s.Rate})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w; a source is a device, a file, \"-\" or scene:NAME", s.Name, capture.ErrNoDevice)
	}
	return cam, err
}
