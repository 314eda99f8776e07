package pins

import "time"

// Pattern is how a light flashes: how long it is on, off, on, off, and so on,
// over and over. One that has a single part is always on; an empty one never is.
type Pattern []time.Duration

// At says whether the light is on some time after the pattern began.
func (p Pattern) At(since time.Duration) bool {
	if len(p) < 2 {
		return len(p) == 1
	}
	var round time.Duration
	for _, d := range p {
		round += d
	}
	if round <= 0 {
		return false
	}
	at := since % round
	for i, d := range p {
		if at < d {
			return i%2 == 0
		}
		at -= d
	}
	return false
}
