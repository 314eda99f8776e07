package fleet

import (
	"math"
	"math/rand/v2"
	"time"
)

// hours is how busy each hour of a home's day is, in parts of the average hour:
// quiet nights, a morning, an evening that is busiest. The shape is assumed, after
// what motion counts of homes look like; only its unevenness matters here, about
// three times the average at its peak.
var hours = [24]float64{
	.10, .06, .05, .05, .08, .25, .80, 1.70, 1.90, 1.20, .90, .95,
	1.10, 1.05, .95, 1.10, 1.50, 2.10, 2.60, 2.30, 1.60, 1.00, .45, .20,
}

// busy is hours at a time of day between 0 and 1, with no jumps in it.
func busy(day float64) float64 {
	h := (day - math.Floor(day)) * 24
	i, part := int(h)%24, h-math.Floor(h)
	return hours[i]*(1-part) + hours[(i+1)%24]*part
}

// rhythm says when a camera's events are: a Poisson process whose rate follows
// the hours of the day.
type rhythm struct {
	rng    *rand.Rand
	events float64       // in a day, on average
	day    time.Duration // how long one is
	shift  float64       // of this home's day: not everybody gets up at once
}

// next returns when the next event after at is (thinning, Lewis and Shedler 1979).
func (r *rhythm) next(at time.Duration) time.Duration {
	if r.events <= 0 {
		return never
	}
	const most = 2.6 // of hours
	mean := float64(r.day) / r.events / most
	t := float64(at)
	for range 10_000 {
		t += r.rng.ExpFloat64() * mean
		if r.rng.Float64()*most < busy(t/float64(r.day)+r.shift) {
			return time.Duration(min(t, float64(never)))
		}
	}
	return never
}

// never is later than any run lasts.
const never = 1000 * time.Hour
