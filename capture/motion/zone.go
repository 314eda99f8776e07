package motion

import (
	"fmt"
	"strings"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// Zone is a part of the picture that is watched. Somebody is in a zone while his feet,
// the middle of the lower side of his box, are.
type Zone struct {
	Name string
	Area Polygon
	// Sensitivity is that of the zone, 1 to 10; 0 is the camera's.
	Sensitivity int
	// Smallest are the heights of the smallest body that counts, in thousandths of the
	// picture's, when its feet are at the upper end of the zone and at the lower one:
	// who is nearer is larger. Zeros let everything count that sensitivity lets.
	Smallest [2]int
	// Toward is where somebody must be going: "left", "right", "up" (away, mostly),
	// "down", or "" for anywhere.
	Toward string
	// Hours are when the zone watches, local time; none for always.
	Hours []Hours
}

// Hours is a stretch of every day, as time since midnight. One that ends before it
// starts goes over midnight.
type Hours struct{ From, To time.Duration }

// UnmarshalText reads for example "22:00-06:30".
func (h *Hours) UnmarshalText(text []byte) error {
	from, to, ok := strings.Cut(string(text), "-")
	f, errFrom := time.Parse("15:04", strings.TrimSpace(from))
	t, errTo := time.Parse("15:04", strings.TrimSpace(to))
	if !ok || errFrom != nil || errTo != nil {
		return fmt.Errorf("expected two times like 22:00-06:30, found %q", text)
	}
	sinceMidnight := func(t time.Time) time.Duration {
		return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	h.From, h.To = sinceMidnight(f), sinceMidnight(t)
	return nil
}

// MarshalText is the opposite of UnmarshalText.
func (h Hours) MarshalText() ([]byte, error) {
	clock := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60) }
	return []byte(clock(h.From) + "-" + clock(h.To)), nil
}

func (h Hours) contains(at time.Duration) bool {
	if h.From <= h.To {
		return h.From <= at && at < h.To
	}
	return at >= h.From || at < h.To
}

// ConfigError says which part of a Config makes no sense, and why.
type ConfigError struct {
	Key string // as in settings, "zone[1].area"; zones count from 0 there
	Err error
}

func (e *ConfigError) Error() string { return e.Key + ": " + e.Err.Error() }

func (e *ConfigError) Unwrap() error { return e.Err }

// mostZones bounds zones and lines, each.
const mostZones = 16

// validateAreas checks everything that is drawn into the picture.
func (c Config) validateAreas() error {
	for _, list := range [...]struct {
		key string
		n   int
	}{{"zone", len(c.Zones)}, {"line", len(c.Lines)}} {
		if list.n > mostZones {
			return &ConfigError{list.key, fmt.Errorf("expected at most %d, found %d", mostZones, list.n)}
		}
	}
	for i, z := range c.Zones {
		if key, err := z.validate(); err != nil {
			return &ConfigError{fmt.Sprintf("zone[%d].%s", i, key), err}
		}
	}
	if n := len(c.Masks); n > 2*capture.MaxMasks {
		return &ConfigError{"mask", fmt.Errorf("expected at most %d, found %d", 2*capture.MaxMasks, n)}
	}
	for i, m := range c.Masks {
		if err := m.Validate(); err != nil {
			return &ConfigError{fmt.Sprintf("mask[%d].polygon", i), err}
		}
	}
	for i, l := range c.Lines {
		if err := l.validate(); err != nil {
			return &ConfigError{fmt.Sprintf("line[%d]", i), err}
		}
	}
	return nil
}

func (z Zone) validate() (key string, err error) {
	if err := z.Area.Validate(); err != nil {
		return "area", err
	}
	if z.Sensitivity < 0 || z.Sensitivity > 10 {
		return "sensitivity", fmt.Errorf("expected 1 to 10, or 0 for the camera's, found %d", z.Sensitivity)
	}
	for _, s := range z.Smallest {
		if s < 0 || s > 1000 {
			return "smallest", fmt.Errorf("expected two heights from 0 to 1000 thousandths of the picture, found %v", z.Smallest)
		}
	}
	switch z.Toward {
	case "", "left", "right", "up", "down":
	default:
		return "toward", fmt.Errorf(`expected "left", "right", "up", "down" or "" for anywhere, found %q`, z.Toward)
	}
	for _, h := range z.Hours {
		if h.From < 0 || h.From >= 24*time.Hour || h.To < 0 || h.To > 24*time.Hour || h.From == h.To {
			return "hours", fmt.Errorf("expected stretches of the day such as 22:00-06:30, found %v to %v", h.From, h.To)
		}
	}
	return "", nil
}

// watches says whether z does at a time of day, which is negative when nobody
// knows it: then it does.
func (z *Zone) watches(ofDay time.Duration) bool {
	for _, h := range z.Hours {
		if ofDay < 0 || h.contains(ofDay) {
			return true
		}
	}
	return len(z.Hours) == 0
}

// least is the height in thousandths that counts with feet at y.
func (z *Zone) least(y float64) float64 {
	top, bottom := z.Area.rows()
	k := min(max((y-float64(top))/float64(max(bottom-top, 1)), 0), 1)
	return float64(z.Smallest[0]) + k*float64(z.Smallest[1]-z.Smallest[0])
}

// goes says whether somebody who has gone dx, dy goes where z wants: more that way
// than any other.
func (z *Zone) goes(dx, dy float64) bool {
	switch z.Toward {
	case "left":
		return -dx > max(dy, -dy)
	case "right":
		return dx > max(dy, -dy)
	case "up":
		return -dy > max(dx, -dx)
	case "down":
		return dy > max(dx, -dx)
	}
	return true
}
