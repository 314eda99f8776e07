package daynight

import (
	"math"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// Filter is a side of the infrared cut filter.
type Filter uint8

// The sides of the filter. There is no third: power-on drives it to one.
const (
	FilterDay   Filter = iota + 1 // in front of the sensor: infrared is cut, colours are right
	FilterNight                   // out of the way: the sensor sees infrared
)

// String returns "day" or "night".
func (f Filter) String() string {
	switch f {
	case FilterDay:
		return "day"
	case FilterNight:
		return "night"
	}
	return "unknown"
}

// Exposure is how much light the sensor gathered for a picture. A part that the
// driver does not tell is 0.
type Exposure struct {
	Time time.Duration
	Gain float64 // multiples of the lowest gain
}

// total returns seconds times gain, or 0 when the driver tells neither.
func (e Exposure) total() float64 {
	if e.Time <= 0 && e.Gain <= 0 {
		return 0
	}
	t, g := e.Time.Seconds(), e.Gain
	if t <= 0 {
		t = 1
	}
	if g <= 0 {
		g = 1
	}
	return t * g
}

// Input is everything that a decision depends on.
type Input struct {
	At         time.Duration // monotonic; time that goes back stands still
	Clock      time.Duration // local time of day; negative while the clock is not set
	Scene      Scene
	Exposure   Exposure
	Ambient    float64 // reading of the ambient sensor in its own unit
	HasAmbient bool    // the sensor answered
	Fresh      bool    // the camera was opened anew: what was seen before says nothing
	Lamp       float64 // power that is really applied, 0..1: what was asked for, less when someone else holds it down
}

// rounded returns in as a trace can hold it. Step rounds before it decides, so
// that a replayed trace decides the same.
func (in Input) rounded() Input {
	in.At = in.At.Truncate(time.Millisecond)
	if in.Clock < 0 {
		in.Clock = -1
	} else {
		in.Clock = in.Clock.Truncate(time.Minute)
	}
	for _, v := range []*float64{&in.Scene.Mean, &in.Scene.Level, &in.Scene.Low, &in.Scene.Mid, &in.Scene.High} {
		*v = math.Round(bounded(*v, 255)*2) / 2
	}
	in.Scene.Glare = math.Round(bounded(in.Scene.Glare, 1)*1000) / 1000
	in.Exposure.Time = time.Duration(significant(bounded(float64(in.Exposure.Time), 1e12)))
	in.Exposure.Gain = significant(bounded(in.Exposure.Gain, 1e9))
	in.Lamp = math.Round(bounded(in.Lamp, 1)*1000) / 1000
	in.Ambient = significant(bounded(in.Ambient, 1e9))
	if !in.HasAmbient {
		in.Ambient = 0
	}
	return in
}

// bounded returns v within 0..limit. Not a number is 0.
func bounded(v, limit float64) float64 {
	if !(v > 0) {
		return 0
	}
	return min(v, limit)
}

// significant rounds to 4 significant digits, for whole numbers too.
func significant(v float64) float64 {
	if v == 0 {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-3)
	if unit >= 1 {
		return math.Round(v/unit) * unit
	}
	inverse := math.Round(1 / unit) // a whole number, so that decimal fractions stay short in a trace
	return math.Round(v*inverse) / inverse
}

// Action is what the controller wants now. It holds until the next Step.
type Action struct {
	Light  capture.Light // of pictures taken now
	Lamp   float64       // power, 0..1
	Filter Filter
	Reason string // of the last decision: for status, traces and people
}

// Health names what does not work, in words for status. Empty strings are
// well. None of it stops the controller: it goes on with what is left.
type Health struct {
	Lamp     string
	Filter   string
	Ambient  string
	Exposure string
}

// Faults returns the troubles that were found, one sentence each.
func (h Health) Faults() []string {
	var all []string
	for _, s := range []string{h.Lamp, h.Filter, h.Ambient, h.Exposure} {
		if s != "" {
			all = append(all, s)
		}
	}
	return all
}
