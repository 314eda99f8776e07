package daynight

import "time"

const (
	firstHoldoff = time.Minute
	maxHoldoff   = 10 * time.Minute
	firstLockout = time.Minute
	maxLockout   = time.Hour
	shortDay     = 15 * time.Minute // a day that ended sooner was none
	longDay      = 30 * time.Minute // a day that lasted proves the light
)

// guard holds what the controller learnt from being fooled. Everything in it
// grows by doubling and shrinks by success.
type guard struct {
	HintsFrom time.Duration `json:"hints_from"` // hints are not listened to before
	LookAt    time.Duration `json:"look_at"`    // next look without a hint
	DayFrom   time.Duration `json:"day_after"`  // no try of the day before
	Holdoff   time.Duration `json:"holdoff"`    // next wait after a hint that was none
	Fails     int           `json:"fails"`      // days in a row that were none
	Fooled    float64       `json:"fooled"`     // light through the open filter when the last try failed
	Patience  time.Duration `json:"patience"`   // that a sudden light has to have
	Hinted    bool          `json:"hinted"`     // the present look follows a hint
	Risen     bool          `json:"risen"`      // the present day followed a night
	Dawn      time.Duration `json:"dawn"`       // when the last day began that lasted; 0 none yet
}

// look sets the time of the next look that needs no hint.
func (g *guard) look(at, after time.Duration) { g.LookAt = at + after }

// hintFailed: what looked like light was none, or went away.
func (g *guard) hintFailed(at time.Duration) {
	g.HintsFrom = at + g.Holdoff
	g.Holdoff = min(2*g.Holdoff, maxHoldoff)
}

// failed: the day picture was dark. The lamp's own light or another wavelength
// fooled the probe.
func (g *guard) failed(at time.Duration, open float64) {
	g.Fooled = open
	wait := min(firstLockout<<min(g.Fails, 10), maxLockout)
	g.Fails++
	g.DayFrom, g.HintsFrom = at+wait, at+wait
}

// mayTry says whether the day may be tried: the lockout is over, or there is far
// more light than what fooled us.
func (g *guard) mayTry(at time.Duration, light float64) bool {
	return at >= g.DayFrom || light >= 3*g.Fooled
}

// dayBegan: the day picture confirmed.
func (g *guard) dayBegan() { g.Holdoff, g.Risen = firstHoldoff, true }

// dayEnded learns from how long the day was.
func (g *guard) dayEnded(from, to time.Duration) {
	switch lasted := to - from; {
	case lasted < shortDay:
		g.Patience = min(2*g.Patience, maxPatience)
		g.Fails++
	case lasted >= longDay:
		g.Patience = max(firstPatience, g.Patience*97/100) // halved in three weeks
		g.Fails = 0
		if g.Risen { // and not switched on at noon
			g.Dawn = from
		}
	}
	g.Risen = false
}

// nearDawn says whether dawn may be due: it was about this time a day or some
// days ago, or nobody knows.
func (g *guard) nearDawn(at time.Duration) bool {
	const day = 24 * time.Hour
	if g.Dawn == 0 {
		return true
	}
	d := (at - g.Dawn) % day
	return min(d, day-d) < 2*time.Hour
}
