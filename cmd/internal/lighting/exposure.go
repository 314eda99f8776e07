package lighting

import (
	"context"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
	"github.com/sealcam/sealcam/capture/v4l2"
)

// exposure reads what a V4L2 driver tells of the exposure. Most USB cameras tell
// the time in units of 100 µs and the gain in units of their own; some tell
// what was last set by hand. The controller finds out what it can rely on.
type exposure struct {
	path  string
	unit  float64 // steps of gain that are one time; 0 not known
	ctl   *v4l2.Controls
	tried bool // opening failed, or the device has no such control
}

func (e *exposure) read() daynight.Exposure {
	if e.ctl == nil && !e.tried {
		e.tried = true
		if ctl, err := v4l2.OpenControls(e.path); err == nil {
			e.ctl = ctl
		}
	}
	if e.ctl == nil {
		return daynight.Exposure{}
	}
	var x daynight.Exposure
	steps, err := e.ctl.Get(v4l2.ExposureTime)
	if err != nil || steps <= 0 {
		e.drop()
		return daynight.Exposure{}
	}
	x.Time = time.Duration(min(steps, 1<<30)) * 100 * time.Microsecond
	if e.unit > 0 {
		if gain, err := e.ctl.Get(v4l2.Gain); err == nil && gain > 0 {
			x.Gain = float64(gain) / e.unit
		}
	}
	return x
}

// drop gives the device back and does not ask again until close.
func (e *exposure) drop() {
	if e.ctl != nil {
		e.ctl.Close()
		e.ctl = nil
	}
}

// close gives the device back; the next read opens it anew.
func (e *exposure) close() {
	e.drop()
	e.tried = false
}

// OnOpen returns open with Lost before it: a camera that is opened, for the
// first time or again, was away until now.
func (l *Lighting) OnOpen(open func(context.Context) (capture.Camera, error)) func(context.Context) (capture.Camera, error) {
	return func(ctx context.Context) (capture.Camera, error) {
		l.Lost()
		return open(ctx)
	}
}
