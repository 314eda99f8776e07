package agent

import "time"

// pace is how often frames are looked at: as often as was asked while there is time for
// it, and less often while there is not. It is a pure function of what it is told.
type pace struct {
	want, step time.Duration // between analysed frames: as was asked, as it is
	from       time.Duration // since when busy counts
	busy       time.Duration
	dropped    uint64 // frames lost by the driver, when from was
}

const (
	paceLook   = 4 * time.Second // how often the pace is judged
	paceSlow   = time.Second     // never less often than this
	busyMuch   = 0.7             // of the time: from there on, too busy
	busyLost   = 0.35            // the same, when frames were lost meanwhile
	busyLittle = 0.3             // below, there is room for more
)

// add takes in that the time spent, which ended at now, went to one frame. It says whether
// it is time to judge.
func (p *pace) add(now, spent time.Duration) bool {
	p.busy += spent
	return now-p.from >= paceLook
}

// judge says whether the pace changes, when the driver has lost so many frames so far.
func (p *pace) judge(now time.Duration, dropped uint64) bool {
	span := now - p.from
	share, lost := p.busy.Seconds()/span.Seconds(), dropped > p.dropped
	first := p.from == 0
	p.from, p.busy, p.dropped = now, 0, dropped
	before := p.step
	switch {
	case first || span > 10*paceLook: // the start, or frames after a long time without
	case share > busyMuch || lost && share > busyLost:
		p.step = min(p.step*3/2, max(paceSlow, p.want))
	case share < busyLittle && !lost:
		p.step = max(p.step*4/5, p.want)
	}
	return p.step != before
}

// rate is that of frames looked at, a second.
func (p *pace) rate() float64 { return 1 / p.step.Seconds() }
