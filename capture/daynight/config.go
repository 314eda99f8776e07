package daynight

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Mode says who decides.
type Mode uint8

// The modes. Whatever the mode, lamp and filter are driven to a known side.
const (
	Auto      Mode = iota // the picture decides, with the sensor's help where there is one
	Day                   // always day
	Night                 // always night, lamp lit
	Scheduled             // night between two times of the day; Auto while the clock is not set
)

var modeNames = [...]string{"auto", "day", "night", "scheduled"}

// String returns the name used in settings.
func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return fmt.Sprintf("mode(%d)", uint8(m))
}

// MarshalText returns the name used in settings.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads "auto", "day", "night" or "scheduled".
func (m *Mode) UnmarshalText(text []byte) error {
	for i, name := range modeNames {
		if string(text) == name {
			*m = Mode(i)
			return nil
		}
	}
	return fmt.Errorf("expected one of %s, found %q", strings.Join(modeNames[:], ", "), text)
}

// Span is a time of every day, as durations after local midnight. From after To
// spans midnight. From equal to To is never.
type Span struct{ From, To time.Duration }

// String returns for example "20:00-06:30".
func (s Span) String() string {
	clock := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60) }
	return clock(s.From) + "-" + clock(s.To)
}

// MarshalText returns for example "20:00-06:30".
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads "20:00-06:30".
func (s *Span) UnmarshalText(text []byte) error {
	from, to, ok := strings.Cut(string(text), "-")
	f, errFrom := time.Parse("15:04", strings.TrimSpace(from))
	t, errTo := time.Parse("15:04", strings.TrimSpace(to))
	if !ok || errFrom != nil || errTo != nil {
		return fmt.Errorf("expected two times like 20:00-06:30, found %q", text)
	}
	midnight := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	s.From, s.To = f.Sub(midnight), t.Sub(midnight)
	return nil
}

// contains says whether a local time of day lies in s.
func (s Span) contains(at time.Duration) bool {
	if s.From <= s.To {
		return s.From <= at && at < s.To
	}
	return at >= s.From || at < s.To
}

// Config is what the Controller needs to know about a camera and its owner's
// wishes. The zero value with HasLamp and HasFilter as they are is right for
// most cameras: NewController fills in the rest.
type Config struct {
	Mode     Mode `json:"mode"`
	Schedule Span `json:"schedule"` // when it is night, mode scheduled only

	HasFilter bool `json:"filter"` // the board can move an infrared cut filter
	HasLamp   bool `json:"lamp"`   // the board can switch an infrared lamp
	Dims      bool `json:"dims"`   // the lamp's power can be set, not only on and off

	// Dark is the brightness (0..255) at full exposure below which a day
	// picture is of no use. Default 28: about 0.8 % of full scale.
	Dark float64 `json:"dark"`

	// LampMax is the power at which the lamp is lit, 0..1. Default 1.
	LampMax float64 `json:"lamp_max"`

	// AmbientDay is the reading of the ambient sensor, in its own unit, from
	// which a look for daylight is worth it. Default 8 (lux).
	AmbientDay float64 `json:"ambient_day"`

	// FullExposure is the camera's longest exposure in seconds times its
	// highest gain, if the driver tells. 0: learnt from what is seen.
	FullExposure float64 `json:"full_exposure"`
}

// withDefaults returns c with what was left out filled in.
func (c Config) withDefaults() Config {
	if c.Dark == 0 {
		c.Dark = 28
	}
	if c.LampMax == 0 {
		c.LampMax = 1
	}
	if c.AmbientDay == 0 {
		c.AmbientDay = 8
	}
	return c
}

// Validate says what is wrong with c. Left-out values are not wrong.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	check := func(ok bool, format string, a ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, a...))
		}
	}
	check(c.Mode <= Scheduled, "mode: expected one of %s", strings.Join(modeNames[:], ", "))
	check(c.Mode != Scheduled || c.Schedule.From != c.Schedule.To, "schedule: mode scheduled needs two different times like 20:00-06:30")
	check(c.Schedule.valid(), "schedule: expected times within a day, found %v", c.Schedule)
	check(c.Dark >= 8 && c.Dark <= 80, "dark: expected 8..80, found %g", c.Dark)
	check(c.LampMax > 0 && c.LampMax <= 1, "lamp_max: expected above 0 and at most 1, found %g", c.LampMax)
	check(c.AmbientDay > 0 && c.AmbientDay < 1e6, "ambient_day: expected above 0 and below 1000000, found %g", c.AmbientDay)
	check(c.FullExposure >= 0 && c.FullExposure < 1e9, "full_exposure: expected seconds times gain, found %g", c.FullExposure)
	return errors.Join(errs...)
}

func (s Span) valid() bool {
	const day = 24 * time.Hour
	return s.From >= 0 && s.From < day && s.To >= 0 && s.To < day
}
