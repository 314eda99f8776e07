package vitals

import (
	"cmp"
	"slices"
)

const (
	// defaultLimit is when a machine is hot whose kernel does not say: most systems
	// on a chip are specified to 85 °C of their case and slow down between 80 and 95.
	defaultLimit = 90.0
	// cooled is how far below its limit a sensor must be not to be hot any more, so
	// that one at its limit makes no flood of news.
	cooled = 5.0
)

// Hot says whether s is so warm that the machine slows down, or soon will. was is
// what Hot said before.
func (s Sensor) Hot(was bool) bool {
	limit := s.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	if was {
		limit -= cooled
	}
	return s.Celsius >= limit
}

// Worn says whether a device should be replaced.
func (f Flash) Worn() bool { return f.Used >= 0.9 || f.Spare == "urgent" }

// warmest sorts the warmest first.
func warmest(all []Sensor) []Sensor {
	slices.SortStableFunc(all, func(a, b Sensor) int { return cmp.Compare(b.Celsius, a.Celsius) })
	return all
}
