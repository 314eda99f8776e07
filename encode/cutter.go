package encode

import (
	"slices"
	"sync"
	"time"
)

// Cutter cuts the clips of events out of a Ring: from the pre-roll to the
// post-roll, events that touch in one clip, and each clip in parts of about a
// second.
//
// One goroutine, that of the frames, tells what goes on: Event, Look, Ready,
// Close. Another one takes the parts with Next. Neither waits for the other: what
// lies between them is the Ring.
//
// A clip waits until Ready says that its event's snapshot is on its way; who
// wants to know what happened wants one picture first. It does not wait when the
// ring runs full.
type Cutter struct {
	conf CutterConfig
	ring *Ring

	mu    sync.Mutex
	plans []*plan       // the first is being cut
	now   time.Duration // Frame.Mono of the last Look
	count CutterStats

	part part // Next's own
}

// NewCutter returns a Cutter over r, whose frames it completes by j.
func NewCutter(r *Ring, j *JPEG, c CutterConfig) *Cutter {
	return &Cutter{conf: c, ring: r, part: part{jpeg: j}}
}

// Event says that event id began at start (Frame.Mono) and was found now. It is
// called before frames later than now are pushed.
func (c *Cutter) Event(id uint64, start time.Duration, now Moment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.last(); p != nil && p.cut == 0 && now.Frame <= p.end && now.Frame-p.start+c.conf.Before < c.conf.Longest {
		if p.going = true; len(p.also) < MaxAlso {
			p.also = append(p.also, id)
		}
		return
	}
	if len(c.plans) == maxPlans {
		c.count.Crowded++
		return
	}
	p := &plan{event: id, began: now, start: start, end: now.Frame + c.conf.After, longest: c.conf.Longest, going: true, held: true}
	p.first, p.take = c.ring.start(start - c.conf.Before)
	c.plans = append(c.plans, p)
	c.count.Clips++
}

func (c *Cutter) last() *plan {
	if len(c.plans) == 0 {
		return nil
	}
	return c.plans[len(c.plans)-1]
}

// How full the ring may be, in thousandths of its memory, while a clip waits for
// its event's snapshot.
const (
	fillHurry = 700
	fillFull  = 900
)

// Look says whether the event that began last still goes on. hurry asks for the
// event's snapshot at once: the ring runs full, and the clip waits for it.
func (c *Cutter) Look(now time.Duration, going bool) (hurry bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
	p := c.last()
	if p == nil {
		return false
	}
	if p.going {
		p.end, p.going = now+c.conf.After, going
	}
	if !c.plans[0].held {
		return false
	}
	fill := c.ring.fill()
	if fill >= fillFull {
		c.plans[0].held = false
	}
	return fill >= fillHurry
}

// Ready says that the snapshot of an event is on its way, so that its clip may
// follow.
func (c *Cutter) Ready(event uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.plans {
		if p.event == event {
			p.held = false
		}
	}
}

// Close ends all clips with the frames there are, and says why.
func (c *Cutter) Close(why End) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.plans {
		p.held, p.going = false, false
		if p.cut == 0 {
			p.cut = why
		}
	}
}

// Drop forgets all clips and every frame: nothing of them is given out any more,
// and a clip of which parts have been given out stays without its end.
func (c *Cutter) Drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plans = c.plans[:0]
	c.ring.want(unwanted)
	c.ring.Clear()
}

// CutterStats is what a Cutter counted.
type CutterStats struct {
	Clips   uint64 // planned
	Crowded uint64 // events without a clip, because too many clips waited to be stored
	Bad     uint64 // frames left out of clips: damaged, or the privacy masks could not be applied
}

// Stats returns what was counted so far.
func (c *Cutter) Stats() CutterStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// leftOut counts a frame that could not be put into a clip.
func (c *Cutter) leftOut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count.Bad++
}

// Waiting returns how many clips are planned and not yet cut to their end.
func (c *Cutter) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.plans)
}

// plan returns a copy of the plan of the clip that is being cut.
func (c *Cutter) plan() (p plan, now time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.plans) == 0 || c.plans[0].held {
		return plan{}, 0, false
	}
	p = *c.plans[0]
	p.also = slices.Clone(p.also)
	return p, c.now, true
}

// done takes event's plan off the list: its clip is cut. Frames are kept for the
// plans behind it.
func (c *Cutter) done(event uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.plans) > 0 && c.plans[0].event == event {
		c.plans = append(c.plans[:0], c.plans[1:]...)
	}
	c.keep(unwanted)
}

// keep says which frames are needed from the reader's side: from number on, and
// those of the plans that wait.
func (c *Cutter) keep(number uint64) {
	for i, p := range c.plans {
		if i > 0 || number == unwanted {
			number = min(number, p.first)
		}
	}
	c.ring.want(number)
}

// need is keep for Next.
func (c *Cutter) need(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.plans) > 0 {
		c.keep(number)
	}
}
