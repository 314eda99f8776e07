package agent

import (
	"fmt"

	"github.com/sealcam/sealcam/capture"
)

// MaskSettings is one [[privacy.mask]] or [[motion.mask]]: a rectangle or a polygon, in thousandths
// of the picture.
type MaskSettings struct {
	Rect    []int   `toml:"rect"`    // x, y, width, height
	Polygon [][]int `toml:"polygon"` // corners: x, y
}

// masks returns what is never to leave the camera.
func (s Settings) masks() (capture.Masks, error) { return masksOf("privacy.mask", s.Privacy.Masks) }

// masksOf reads the tables of a list.
func masksOf(list string, tables []MaskSettings) (capture.Masks, error) {
	var all capture.Masks
	if n := len(tables); n > capture.MaxMasks {
		return nil, &settingError{list, fmt.Sprintf("expected at most %d masks, found %d", capture.MaxMasks, n)}
	}
	for i, m := range tables {
		key := fmt.Sprintf("%s[%d]", list, i)
		var one capture.Mask
		switch {
		case (len(m.Rect) > 0) == (len(m.Polygon) > 0):
			return nil, &settingError{key, "expected rect = [x, y, width, height] or polygon = [[x, y], [x, y], [x, y], ...]"}
		case len(m.Rect) > 0:
			key += ".rect"
			if len(m.Rect) != 4 {
				return nil, &settingError{key, fmt.Sprintf("expected [x, y, width, height], found %d numbers", len(m.Rect))}
			}
			one = capture.Rectangle(m.Rect[0], m.Rect[1], m.Rect[2], m.Rect[3])
		default:
			key += ".polygon"
			for _, c := range m.Polygon {
				if len(c) != 2 {
					return nil, &settingError{key, fmt.Sprintf("expected corners of two numbers [x, y], found one of %d", len(c))}
				}
				one = append(one, capture.Corner{X: c[0], Y: c[1]})
			}
		}
		if err := one.Validate(); err != nil {
			return nil, &settingError{key, err.Error()}
		}
		all = append(all, one)
	}
	return all, nil
}
