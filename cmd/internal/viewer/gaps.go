package viewer

import (
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Pauses between asking for, or sending, the same thing.
const (
	firstPause   = 3 * time.Second // also: how long what is late may take to come by itself
	longestPause = 10 * time.Minute
)

// pause is the time until the next attempt; it doubles with every attempt.
type pause struct {
	first, wait time.Duration
	next        time.Time
}

func (p *pause) over(now time.Time) bool { return !now.Before(p.next) }

// lengthen is called after an attempt.
func (p *pause) lengthen(now time.Time) {
	p.wait = min(max(2*p.wait, p.first), longestPause)
	p.next = now.Add(p.wait)
}

// restart is called when there is news or progress: the next attempt is made
// after the first pause, unless more of it comes.
func (p *pause) restart(now time.Time) { p.wait, p.next = 0, now.Add(p.first) }

// reset is called when there is nothing to attempt.
func (p *pause) reset() { p.wait, p.next = 0, time.Time{} }

// openGaps returns those of gaps that may still be filled.
func openGaps(gaps []seal.Gap) []seal.Gap {
	var open []seal.Gap
	for _, g := range gaps {
		if !g.Lost {
			open = append(open, g)
		}
	}
	return open
}

// follow compares the gaps that were reported with what is missing now, after
// the message number seq made found known. It returns what to report: gaps that
// are new, and such as are settled, Lost if a part of them will never come.
func (c *care) follow(seq uint64, found *seal.Gap, missing []seal.Gap) (opened, settled []seal.Gap) {
	reported := c.gaps
	if found != nil {
		reported = append(reported[:len(reported):len(reported)], *found)
	}
	var still []seal.Gap
	for i, g := range reported {
		waiting, lost := overlap(g, missing)
		if waiting {
			still = append(still, g)
			if found != nil && i == len(reported)-1 {
				opened = append(opened, g)
			}
			continue
		}
		// A gap that is settled without a message from within was confessed, or
		// there were too many gaps to remember.
		g.Lost = lost || seq < g.First || seq > g.Last
		settled = append(settled, g)
	}
	c.gaps = still
	return opened, settled
}

// overlap says whether any of g is still waited for, and whether any is lost.
func overlap(g seal.Gap, missing []seal.Gap) (waiting, lost bool) {
	for _, m := range missing {
		if m.First > g.Last || m.Last < g.First {
			continue
		}
		if m.Lost {
			lost = true
		} else {
			waiting = true
		}
	}
	return waiting, lost
}
