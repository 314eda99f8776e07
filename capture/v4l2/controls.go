package v4l2

import (
	"errors"
	"fmt"
)

// Control names a setting of a camera by its V4L2 number (V4L2_CID_...).
type Control uint32

// The controls that light depends on. Which of them a camera has, and in which
// units, is the camera's own: USB cameras count ExposureTime in 100 µs and have
// either AutoExposure with ExposureTime, or neither.
const (
	Brightness            Control = 0x00980900
	Contrast              Control = 0x00980901
	Saturation            Control = 0x00980902
	AutoGain              Control = 0x00980912
	Gain                  Control = 0x00980913
	PowerLine             Control = 0x00980918 // 0 off, 1 50 Hz, 2 60 Hz, 3 automatic
	BacklightCompensation Control = 0x0098091c
	AutoExposure          Control = 0x009a0901 // 0 automatic, 1 manual, 2 shutter first, 3 aperture first
	ExposureTime          Control = 0x009a0902 // 100 µs
	ExposureMayDropRate   Control = 0x009a0903 // 1: automatic exposure may slow the camera down
)

// String returns the name used in logs and reports.
func (c Control) String() string {
	switch c {
	case Brightness:
		return "brightness"
	case Contrast:
		return "contrast"
	case Saturation:
		return "saturation"
	case AutoGain:
		return "auto-gain"
	case Gain:
		return "gain"
	case PowerLine:
		return "power-line"
	case BacklightCompensation:
		return "backlight-compensation"
	case AutoExposure:
		return "auto-exposure"
	case ExposureTime:
		return "exposure-time"
	case ExposureMayDropRate:
		return "exposure-may-drop-rate"
	}
	return fmt.Sprintf("control %#x", uint32(c))
}

// KnownControls returns the controls above, in their order.
func KnownControls() []Control {
	return []Control{Brightness, Contrast, Saturation, AutoGain, Gain, PowerLine, BacklightCompensation, AutoExposure, ExposureTime, ExposureMayDropRate}
}

// Range is what a control may be set to.
type Range struct {
	Min, Max, Step, Default int
	ReadOnly                bool
	Inactive                bool // something else decides now, such as automatic exposure
}

// ErrNoControl is the error of a control that the camera does not have. It is
// absent, not broken.
var ErrNoControl = errors.New("the camera has no such control")
