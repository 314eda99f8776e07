package viewer

import (
	"fmt"
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

// count returns how many messages gaps are.
func count(gaps []seal.Gap) (n uint64) {
	for _, g := range gaps {
		n += g.Last - g.First + 1
	}
	return n
}

// settled is a gap of which nothing is waited for any more.
type settled struct {
	seal.Gap
	lost uint64 // messages of it that will never come
}

// follow compares the gaps that were reported with what is missing now, after
// the message number seq made found known. It returns what to report: gaps that
// are new, and such as are settled.
func (c *care) follow(seq uint64, found *seal.Gap, missing []seal.Gap) (opened []seal.Gap, closed []settled) {
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
		// there were too many gaps to remember: then none of it is waited for.
		if lost == 0 && (seq < g.First || seq > g.Last) {
			lost = g.Last - g.First + 1
		}
		g.Lost = lost > 0
		closed = append(closed, settled{g, lost})
	}
	c.gaps = still
	return opened, closed
}

// overlap says whether any of g is still waited for, and how many of it are lost.
func overlap(g seal.Gap, missing []seal.Gap) (waiting bool, lost uint64) {
	for _, m := range missing {
		if m.First > g.Last || m.Last < g.First {
			continue
		}
		if m.Lost {
			lost += min(m.Last, g.Last) - max(m.First, g.First) + 1
		} else {
			waiting = true
		}
	}
	return waiting, lost
}

// GapWords says, for a person, what a GapOpened, GapClosed or GapLost is about,
// times in the local zone of zone; "" for other Outcomes.
//
//	3 missing between 02:10 and 02:40
//	3 arrived late, between 02:10 and 02:40
//	2 arrived late and 1 will never come, between 02:10 and 02:40
func (o Outcome) GapWords(zone *time.Location) string {
	n := o.Gap.Last - o.Gap.First + 1
	when := between(o.Gap.After, o.Gap.Before, zone)
	switch {
	case o.What == GapOpened:
		return fmt.Sprintf("%d missing", n) + when
	case o.What != GapClosed && o.What != GapLost:
		return ""
	case when != "":
		when = "," + when
	}
	switch late := n - min(o.Lost, n); {
	case o.Lost == 0:
		return fmt.Sprintf("%d arrived late", n) + when
	case late == 0:
		return fmt.Sprintf("%d will never come", n) + when
	default:
		return fmt.Sprintf("%d arrived late and %d will never come", late, o.Lost) + when
	}
}

// between says between which times, as exactly as it takes to tell them apart.
func between(after, before time.Time, zone *time.Location) string {
	if after.IsZero() || before.IsZero() {
		return ""
	}
	after, before = after.In(zone), before.In(zone)
	layout := "15:04"
	switch {
	case after.Format(time.DateOnly) != before.Format(time.DateOnly):
		layout = "2006-01-02 15:04"
	case after.Format(layout) == before.Format(layout):
		layout = time.TimeOnly
	}
	return " between " + after.Format(layout) + " and " + before.Format(layout)
}
