package daynight

import (
	"math"

	"github.com/sealcam/sealcam/capture"
)

// Scene is what one picture says about light. All values but Glare are
// brightness as coded in the picture, 0 (black) to 255.
type Scene struct {
	Mean  float64 // of all pixels: what automatic exposure regulates
	Level float64 // mean between the 10th and the 75th percentile: no lamp in view, no window, no text drawn into the picture moves it
	Low   float64 // 10th percentile
	Mid   float64 // 50th percentile
	High  float64 // 90th percentile
	Glare float64 // share of pixels at full scale, 0..1
}

// glareFrom is the brightness from which a pixel counts as glare. JPEG rarely
// reaches 255 exactly.
const glareFrom = 250

// Looker turns Lumas into Scenes. It holds a histogram so that Look allocates
// nothing. The zero value is ready.
type Looker struct {
	limited bool // of the luma that is looked at
	hist    [256]uint32
}

// Look describes l. An empty Luma gives the zero Scene.
func (k *Looker) Look(l *capture.Luma) Scene {
	if len(l.Pix) == 0 {
		return Scene{}
	}
	k.hist, k.limited = [256]uint32{}, l.Limited
	for _, p := range l.Pix {
		k.hist[p]++
	}
	total := uint32(len(l.Pix))
	s := Scene{
		Low:   k.code(k.percentile(total / 10)),
		Mid:   k.code(k.percentile(total / 2)),
		High:  k.code(k.percentile(total - 1 - total/10)),
		Level: k.mean(total/10, total-total/4),
		Mean:  k.mean(0, total),
	}
	var glare uint32
	for v := range k.hist {
		if k.code(v) >= glareFrom {
			glare += k.hist[v]
		}
	}
	s.Glare = float64(glare) / float64(total)
	return s
}

// percentile returns the value of the pixel with the given rank.
func (k *Looker) percentile(rank uint32) int {
	var seen uint32
	for v, n := range k.hist {
		if seen += n; seen > rank {
			return v
		}
	}
	return 255
}

// mean returns the mean of the pixels with ranks from..to-1.
func (k *Looker) mean(from, to uint32) float64 {
	if to <= from {
		return k.code(k.percentile(from))
	}
	var seen uint32
	var sum float64
	for v, n := range k.hist {
		first, last := max(seen, from), min(seen+n, to)
		if last > first {
			sum += float64(last-first) * k.code(v)
		}
		seen += n
	}
	return sum / float64(to-from)
}

// code maps a stored value to 0..255.
func (k *Looker) code(v int) float64 {
	if !k.limited {
		return float64(v)
	}
	return min(255, max(0, float64(v-16)*255/219))
}

// linear turns a coded brightness into the share of full scale that fell on the
// sensor. 2.2 is what cameras come close to; every use compares two values
// made by the same camera, so the exact curve does not matter.
func linear(level float64) float64 { return math.Pow(max(0, level)/255, 2.2) }

// shape says how a scene's light is spread, free of exposure: the ratios that
// near and far objects have to each other. A lamp at the camera gives other
// ratios than the sky or a ceiling light does.
func (s Scene) shape() (low, mid float64) {
	high := linear(s.High) + 1e-3
	return linear(s.Low) / high, linear(s.Mid) / high
}
