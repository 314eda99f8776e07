package agent

import (
	"fmt"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
)

// MaskSettings is one [[privacy.mask]]: a rectangle or a polygon, in thousandths
// of the picture.
type MaskSettings struct {
	Rect    []int   `toml:"rect"`    // x, y, width, height
	Polygon [][]int `toml:"polygon"` // corners: x, y
}

// masks returns what is never to leave the camera.
func (s Settings) masks() (capture.Masks, error) {
	var all capture.Masks
	if n := len(s.Privacy.Masks); n > capture.MaxMasks {
		return nil, &settingError{"privacy.mask", fmt.Sprintf("expected at most %d masks, found %d", capture.MaxMasks, n)}
	}
	for i, m := range s.Privacy.Masks {
		key := fmt.Sprintf("privacy.mask[%d]", i)
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

// areas returns masks as areas in which motion looks for nothing, in steps of a
// hundredth of the picture.
func areas(masks capture.Masks) []motion.Area {
	const steps = 100
	var all []motion.Area
	cover := masks.Cover(8*steps, 8*steps)
	for y := range steps {
		for x := 0; x < steps; x++ {
			from := x
			for x < steps && cover.Has(x, y) {
				x++
			}
			if x > from {
				all = append(all, motion.Area{X: float64(from) / steps, Y: float64(y) / steps, W: float64(x-from) / steps, H: 1.0 / steps})
			}
		}
	}
	return all
}
