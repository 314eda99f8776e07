package agent

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sealcam/sealcam/capture/motion"
)

// MotionSettings is what [motion] says.
type MotionSettings struct {
	Enabled     bool           `toml:"enabled"`
	Sensitivity int            `toml:"sensitivity"`
	Rate        float64        `toml:"rate"`
	Zones       []ZoneSettings `toml:"zone"`
	Lines       []LineSettings `toml:"line"`
	Masks       []MaskSettings `toml:"mask"`
}

// ZoneSettings is one [[motion.zone]], LineSettings one [[motion.line]]: motion.Zone and
// motion.Line with points as lists, whose length is checked.
type ZoneSettings struct {
	Name        string         `toml:"name"`
	Area        [][]int        `toml:"area"`
	Sensitivity int            `toml:"sensitivity"`
	Smallest    []int          `toml:"smallest"`
	Toward      string         `toml:"toward"`
	Hours       []motion.Hours `toml:"hours"`
}

// LineSettings is described with ZoneSettings.
type LineSettings struct {
	Name string `toml:"name"`
	From []int  `toml:"from"`
	To   []int  `toml:"to"`
	Way  string `toml:"way"`
}

// Detector returns what the motion detector is to look for: nothing in the masks of
// privacy, nor in those of its own.
func (s Settings) Detector() (motion.Config, error) {
	hidden, err := s.masks()
	if err != nil {
		return motion.Config{}, err
	}
	own, err := masksOf("motion.mask", s.Motion.Masks)
	if err != nil {
		return motion.Config{}, err
	}
	c := motion.Config{Sensitivity: s.Motion.Sensitivity, Masks: slices.Concat(hidden, own)}
	for i, z := range s.Motion.Zones {
		zone := motion.Zone{Name: z.Name, Sensitivity: z.Sensitivity, Toward: z.Toward, Hours: z.Hours}
		key := fmt.Sprintf("motion.zone[%d].", i)
		for _, corner := range z.Area {
			p, err := pair(key+"area", corner)
			if err != nil {
				return c, err
			}
			zone.Area = append(zone.Area, p)
		}
		if z.Smallest != nil {
			p, err := pair(key+"smallest", z.Smallest)
			if err != nil {
				return c, err
			}
			zone.Smallest = p
		}
		c.Zones = append(c.Zones, zone)
	}
	for i, l := range s.Motion.Lines {
		from, err := pair(fmt.Sprintf("motion.line[%d].from", i), l.From)
		if err != nil {
			return c, err
		}
		to, err := pair(fmt.Sprintf("motion.line[%d].to", i), l.To)
		if err != nil {
			return c, err
		}
		c.Lines = append(c.Lines, motion.Line{Name: l.Name, From: from, To: to, Way: l.Way})
	}
	var bad *motion.ConfigError
	if err := c.Validate(); errors.As(err, &bad) {
		return c, &settingError{"motion." + bad.Key, bad.Err.Error()}
	} else if err != nil {
		return c, &settingError{"motion", err.Error()}
	}
	return c, nil
}

// pair reads a list of two numbers.
func pair(key string, list []int) (motion.Point, error) {
	if len(list) != 2 {
		return motion.Point{}, &settingError{key, fmt.Sprintf("expected two numbers, as in [250, 400], found %d", len(list))}
	}
	return motion.Point(list), nil
}

// unset is before which a clock has not been set since the board had power.
var unset = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// ofDay returns the local time of day for the hours of zones, negative when the clock
// cannot know it.
func ofDay(now time.Time) time.Duration {
	if now.Before(unset) {
		return -1
	}
	h, m, s := now.Local().Clock()
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
}
