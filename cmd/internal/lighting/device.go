package lighting

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sealcam/sealcam/capture/daynight"
	"github.com/sealcam/sealcam/capture/v4l2"
)

// controls is what is asked of a camera's driver. *v4l2.Controls is one.
type controls interface {
	Range(v4l2.Control) (v4l2.Range, error)
	Get(v4l2.Control) (int, error)
	Set(v4l2.Control, int) (int, error)
	Close() error
}

// device is the camera as far as light goes: what its driver tells of the
// exposure, and what it is told. It is opened beside the capture when it is first
// asked, and anew after each close, because a camera that was unplugged has
// forgotten everything. What a driver does not offer is a limit, not an error.
type device struct {
	path   string
	unit   float64 // steps of gain that are one time; 0 not known
	colour bool    // the board moves a filter: by night colours are wrong
	camera CameraSettings
	open   func(path string) (controls, error)
	log    *slog.Logger

	ctl    controls
	tried  bool // opening failed, or worked; not again until close
	told   bool // the driver tells the exposure
	limits []string

	vivid int // saturation by day
	pale  int // saturation without colour
	grey  bool
	fades bool // the camera has a saturation
}

// ready opens and prepares the device if that was not tried yet.
func (d *device) ready() bool {
	if d.ctl == nil && !d.tried {
		d.tried, d.limits = true, nil
		ctl, err := d.open(d.path)
		if err != nil {
			d.limit("the camera's controls cannot be reached: exposure and colour stay as they are", err)
			return false
		}
		d.ctl = ctl
		d.prepare()
	}
	return d.ctl != nil
}

// prepare sets what holds by day and by night, and finds out what there is.
func (d *device) prepare() {
	d.setPowerLine()
	d.automatic()
	d.told = false
	if v, err := d.ctl.Get(v4l2.ExposureTime); err == nil && v > 0 {
		d.told = true
	} else {
		d.limit("the driver does not tell the exposure: the picture decides alone", err)
	}
	d.fades, d.grey = false, false
	if !d.colour {
		return
	}
	r, err := d.ctl.Range(v4l2.Saturation)
	now, gerr := d.ctl.Get(v4l2.Saturation)
	if err != nil || gerr != nil {
		d.limit("the camera's colour cannot be taken away: pictures of the night are tinted", errors.Join(err, gerr))
		return
	}
	d.fades, d.pale, d.vivid = true, r.Min, now
	if now == r.Min { // as it was left by night when the power went
		d.vivid = r.Default
		d.grey = true
	}
}

// The values of v4l2.PowerLine.
const (
	lineOff = iota
	line50
	line60
	lineAuto
)

// powerLines are the values of CameraSettings.PowerLine.
var powerLines = map[string]int{"off": lineOff, "50": line50, "60": line60, "auto": lineAuto}

// setPowerLine tells the camera how the lamps around it flicker. "auto" asks no
// more of a driver than it offers: most webcams know 50 and 60 Hz alone, and
// keep what they were made for.
func (d *device) setPowerLine() {
	want, asked := powerLines[d.camera.PowerLine]
	if !asked {
		return
	}
	auto := want == lineAuto
	r, err := d.ctl.Range(v4l2.PowerLine)
	if auto && (err != nil || r.Max < lineAuto) {
		return
	}
	if err == nil {
		err = d.set(v4l2.PowerLine, want)
	}
	if err != nil {
		d.limit(fmt.Sprintf("the camera does not take power_line = %q: lamps may flicker in its pictures", d.camera.PowerLine), err)
	}
}

// automatic leaves exposure and gain to the camera, as day and night expect.
func (d *device) automatic() {
	const manual = 1
	if v, err := d.ctl.Get(v4l2.AutoExposure); err == nil && v == manual {
		if r, err := d.ctl.Range(v4l2.AutoExposure); err == nil && r.Default != manual {
			err = d.set(v4l2.AutoExposure, r.Default)
			if err != nil {
				d.limit("the camera's exposure is set by hand and cannot be made automatic", err)
			}
		}
	}
	if v, err := d.ctl.Get(v4l2.AutoGain); err == nil && v == 0 {
		if err := d.set(v4l2.AutoGain, 1); err != nil {
			d.limit("the camera's gain is set by hand and cannot be made automatic", err)
		}
	}
	slow := 0
	if d.camera.Slow {
		slow = 1
	}
	// Absent is no limit: the camera decides by itself. It holds by day and by
	// night, because the longest exposure is what light is measured by.
	if err := d.set(v4l2.ExposureMayDropRate, slow); err != nil && !errors.Is(err, v4l2.ErrNoControl) {
		d.limit("the camera does not take slow_in_dark", err)
	}
}

// set sets a control and reads it back.
func (d *device) set(c v4l2.Control, value int) error {
	if _, err := d.ctl.Set(c, value); err != nil {
		return err
	}
	got, err := d.ctl.Get(c)
	if err == nil && got != value {
		err = fmt.Errorf("%s: it was set to %d and is %d", c, value, got)
	}
	return err
}

// limit notes something that the camera does not do.
func (d *device) limit(sentence string, err error) {
	d.limits = append(d.limits, sentence)
	d.log.Info("camera controls", "limit", sentence, "err", err)
}

// read reads what the driver tells of the exposure. Most USB cameras tell the
// time in units of 100 µs and the gain in units of their own; some tell what was
// last set by hand. The controller finds out what it can rely on.
func (d *device) read() daynight.Exposure {
	if !d.ready() || !d.told {
		return daynight.Exposure{}
	}
	var x daynight.Exposure
	steps, err := d.ctl.Get(v4l2.ExposureTime)
	if err != nil || steps <= 0 {
		d.told = false
		return x
	}
	x.Time = time.Duration(min(steps, 1<<30)) * 100 * time.Microsecond
	if d.unit > 0 {
		if gain, err := d.ctl.Get(v4l2.Gain); err == nil && gain > 0 {
			x.Gain = float64(gain) / d.unit
		}
	}
	return x
}

// setGrey takes the colour away, or gives it back. It asks the driver only when
// that changes.
func (d *device) setGrey(grey bool) {
	if !d.ready() || !d.fades || grey == d.grey {
		return
	}
	d.grey = grey
	value := d.vivid
	if grey {
		value = d.pale
	}
	if err := d.set(v4l2.Saturation, value); err != nil {
		d.fades = false
		d.limit("the camera's colour cannot be changed", err)
	}
}

// close gives the device back; the next use opens it anew.
func (d *device) close() {
	if d.ctl != nil {
		if err := d.ctl.Close(); err != nil {
			d.log.Debug("closing the camera's controls", "err", err)
		}
		d.ctl = nil
	}
	d.tried = false
}
