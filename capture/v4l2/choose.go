package v4l2

import (
	"sort"

	"github.com/sealcam/sealcam/capture"
)

// What is aimed at when nothing is wanted: the largest size within 1080p at
// which the device keeps up this rate. Uncompressed 1080p over USB 2 comes at 5
// frames per second, which is too few to see someone walk by.
const (
	usualWidth  = 1920
	usualHeight = 1080
	usualRate   = 10
)

// pick is a format to ask the driver for.
type pick struct {
	code          uint32
	pixel         capture.Pixel
	width, height int
	exact         bool // the size that was wanted
}

// picks returns what to ask for, best first. A size that was wanted and is
// offered goes before a better layout at another size.
func picks(w Want, offers []Offer) []pick {
	var out []pick
	for _, o := range offers {
		if o.Pixel == 0 || w.Pixel != 0 && o.Pixel != w.Pixel || w.Pixel == 0 && rank(o.Pixel) == 0 {
			continue
		}
		p := pick{code: o.code, pixel: o.Pixel}
		p.width, p.height = size(w, o.Sizes)
		p.exact = p.width == w.Width && p.height == w.Height
		out = append(out, p)
	}
	sort.SliceStable(out, func(i, j int) bool {
		if out[i].exact != out[j].exact {
			return out[i].exact
		}
		return rank(out[i].pixel) > rank(out[j].pixel)
	})
	return out
}

// rank orders the layouts. MJPEG first: it needs the least of the bus and is a
// Picture as it comes. NV12 and YUYV carry the same light, NV12 in fewer bytes.
// Compressed video is read only when it is asked for: rank 0.
func rank(p capture.Pixel) int {
	switch p {
	case capture.MJPEG:
		return 4
	case capture.NV12:
		return 3
	case capture.YUYV:
		return 2
	case capture.Grey:
		return 1
	}
	return 0
}

// size returns the size to ask for. A driver that lists none adjusts what it is
// asked for by itself.
func size(w Want, sizes []Size) (width, height int) {
	if w.Width > 0 && w.Height > 0 {
		return nearest(w.Width, w.Height, sizes)
	}
	rate := w.Rate
	if rate == 0 {
		rate = usualRate
	}
	if width, height = largest(sizes, rate); width > 0 {
		return width, height
	}
	if width, height = largest(sizes, 0); width > 0 {
		return width, height
	}
	return nearest(usualWidth, usualHeight, sizes)
}

// largest returns the largest size within the usual one whose rate is at least
// rate or unknown, 0x0 if there is none.
func largest(sizes []Size, rate float64) (width, height int) {
	for _, s := range sizes {
		// Drivers say 29.97 and 30 alike.
		if f := s.fastest(); f > 0 && f < rate*0.95 {
			continue
		}
		w, h := s.fit(usualWidth, usualHeight)
		if w <= usualWidth && h <= usualHeight && w*h > width*height {
			width, height = w, h
		}
	}
	return width, height
}

// nearest returns the offered size that differs least from width x height, the
// larger one of two that differ alike.
func nearest(width, height int, sizes []Size) (w, h int) {
	if len(sizes) == 0 {
		return width, height
	}
	best := -1
	for _, s := range sizes {
		sw, sh := s.fit(width, height)
		d := abs(sw-width) + abs(sh-height)
		if best < 0 || d < best || d == best && sw*sh > w*h {
			best, w, h = d, sw, sh
		}
	}
	return w, h
}

// fit returns the size within the range s that is nearest to width x height.
func (s Size) fit(width, height int) (w, h int) {
	return fit(width, s.MinWidth, s.Width, s.StepW), fit(height, s.MinHeight, s.Height, s.StepH)
}

func fit(want, low, high, step int) int {
	want = min(max(want, low), high)
	if step > 1 {
		want = low + (want-low)/step*step
	}
	return want
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// inOrder sorts offers by what sealcam likes best, then by name.
func inOrder(offers []Offer) {
	sort.Slice(offers, func(i, j int) bool {
		if a, b := rank(offers[i].Pixel), rank(offers[j].Pixel); a != b {
			return a > b
		}
		return offers[i].FourCC < offers[j].FourCC
	})
}
