package motion

import (
	"math"
	"time"
)

// weather is how much comes and goes that is nobody: drops, flakes, insects. Where
// that is much, somebody is only who is larger than they are.
type weather struct {
	rate float64 // of things refused, a second, over the last thirty
	area float64 // mean of theirs, pixels
	most float64 // never to ask for more
}

const (
	memory = 30 * time.Second
	rough  = 0.45 // things a second from which on it is weather
)

func (w *weather) pass(dt time.Duration) { w.rate *= math.Exp(-dt.Seconds() / memory.Seconds()) }

func (w *weather) drop(area float64) {
	w.rate += 1 / memory.Seconds()
	w.area += (area - w.area) / max(1, min(w.rate*memory.Seconds(), 50))
}

// asks returns the area from which on something can be a body.
func (w *weather) asks() float64 {
	return min(w.most, w.area*(3*ramp(w.rate/rough-1)+6*ramp(w.rate/(4*rough)-0.5)))
}

func ramp(x float64) float64 { return min(max(x, 0), 1) }
