package motion

import "time"

// steady is how long somebody counts as in the picture after they were last found.
const steady = 200 * time.Millisecond

// judge makes the verdict on the frame that was just looked at.
func (d *Detector) judge() Verdict {
	v := Verdict{Boxes: d.boxes[:0], Refused: d.refused}
	var best *track
	lost := false // somebody is in the picture and out of sight
	born := d.now
	for i := range d.tracks {
		t := &d.tracks[i]
		if !t.used || !t.inView {
			lost = lost || t.used && t.raised && t.seen == d.seen && !d.atEdge(t.held.box())
			continue
		}
		if t.raised {
			v.Boxes = append(v.Boxes, t.box)
			born = min(born, t.born)
		}
		if best == nil || t.raised && !best.raised || t.raised == best.raised && t.score > best.score {
			best = t
		}
	}
	if best != nil {
		v.Score = best.score
	}
	if len(v.Boxes) > 0 {
		d.seen, d.gone = d.now, d.leaving(v.Boxes)
		if !d.open {
			d.id++
			d.open = true
			d.event = Event{ID: d.id, Start: born, Peak: d.now, PeakScore: -1}
			v.Started = true
		}
		d.event.End = d.now
		d.event.path.add(d.now, best.foot)
		if d.event.Zone == "" && d.event.Line == "" {
			d.event.Zone, d.event.Line = best.zone, best.line
		}
		if v.Score > d.event.PeakScore*1.04+0.002 {
			d.event.Peak, d.event.PeakScore, d.event.Box = d.now, v.Score, best.box
			v.Best = true
		}
	}
	if d.open {
		v.Event = &d.event
		still := steady
		if d.gone {
			still /= 2 // the last of somebody, too small to be found, is soon over the edge
		}
		v.Moving = d.now-d.seen <= still || lost
		gap := d.cfg.Gap
		if d.gone {
			gap /= 3
		}
		if d.now-d.seen > gap {
			d.open, v.Ended = false, true
		}
	}
	d.last = v
	return v
}

// leaving says whether all boxes are at the picture's edge. Who is not found
// after that has gone; who is lost in its middle may stand behind a tree.
func (d *Detector) leaving(boxes []Box) bool {
	for _, b := range boxes {
		if !d.atEdge(b) {
			return false
		}
	}
	return true
}

func (d *Detector) atEdge(b Box) bool {
	return b.X <= 1 || b.Y <= 1 || b.X+b.W >= d.w-1 || b.Y+b.H >= d.h-1
}

// Step is a place where what was found stood.
type Step struct {
	At time.Duration
	Point
}

// path is the way of what was found, in at most so many steps: when it is full
// every second one goes, and they are taken half as often.
type path struct {
	steps [32]Step
	n     int
	each  time.Duration
}

func (p *path) add(at time.Duration, where Point) {
	if p.n > 0 && at-p.steps[p.n-1].At < max(p.each, 250*time.Millisecond) {
		return
	}
	if p.n == len(p.steps) {
		p.each = 2 * max(p.each, 250*time.Millisecond)
		p.n /= 2
		for i := range p.n {
			p.steps[i] = p.steps[2*i]
		}
	}
	p.steps[p.n] = Step{at, where}
	p.n++
}

// Track is where what was found stood, from its start on, in at most 32 steps. It is
// the Event's own and changes with it.
func (e *Event) Track() []Step { return e.path.steps[:e.path.n] }
