package motion

import "time"

// steady is how long somebody counts as in the picture after they were last found.
const steady = 200 * time.Millisecond

// judge makes the verdict on the frame that was just looked at.
func (d *Detector) judge() Verdict {
	v := Verdict{Boxes: d.boxes[:0]}
	var best *track
	born := d.now
	for i := range d.tracks {
		t := &d.tracks[i]
		if !t.used || !t.inView {
			continue
		}
		if t.sure {
			v.Boxes = append(v.Boxes, t.box)
			born = min(born, t.born)
		}
		if best == nil || t.score > best.score {
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
		if v.Score > d.event.PeakScore*1.04+0.002 {
			d.event.Peak, d.event.PeakScore, d.event.Box = d.now, v.Score, best.box
			v.Best = true
		}
	}
	if d.open {
		v.Event = &d.event
		v.Moving = d.now-d.seen <= steady
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
		if b.X > 1 && b.Y > 1 && b.X+b.W < d.w-1 && b.Y+b.H < d.h-1 {
			return false
		}
	}
	return true
}
