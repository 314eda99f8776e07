package motion

import (
	"math"
	"time"
)

// Reason says why something that stood out was not raised.
type Reason uint8

// The reasons, of which the first that holds is told.
const (
	ReasonNone      Reason = iota
	ReasonBrief            // it did not last: rain, snow, noise
	ReasonLight            // it has no edges of its own: a beam, a shadow, a cloud; what is too near to be sharp
	ReasonInsect           // it flies: too fast for its size, or in loops
	ReasonStays            // it moves about and goes nowhere: leaves, a flag
	ReasonSmall            // smaller than the zone wants
	ReasonOutside          // in no zone, and over no line
	ReasonHours            // the zone does not watch at this hour
	ReasonDirection        // it goes elsewhere than the zone wants, or crossed the line the other way
	ReasonFlood            // nearly the whole picture changed at once: the light, or the camera, moved
	reasons
)

// String returns a reason's name in reports.
func (r Reason) String() string {
	return [...]string{"", "brief", "light", "insect", "stays", "small", "outside", "hours", "direction", "flood"}[r]
}

// Reasons lists all reasons there are.
func Reasons() []Reason {
	all := make([]Reason, 0, reasons-1)
	for r := ReasonNone + 1; r < reasons; r++ {
		all = append(all, r)
	}
	return all
}

// Refusal is something that was followed for a while and not raised.
type Refusal struct {
	Reason Reason
	Box    Box // where it was last, in luma pixels
}

// maxRefused bounds the refusals that one verdict names. All are counted.
const maxRefused = maxTracks + 1

// refuse counts a refusal.
func (d *Detector) refuse(r Reason, b Box) {
	d.counts[r]++
	if len(d.refused) < cap(d.refused) {
		d.refused = append(d.refused, Refusal{r, b})
	}
}

// Refused returns how often each reason held so far.
func (d *Detector) Refused(r Reason) uint64 { return d.counts[r] }

// end stops following t, and says why it was not raised if it was not.
func (d *Detector) end(t *track) {
	if t.used && !t.raised {
		r := d.why(t)
		d.refuse(r, t.box)
		if r <= ReasonStays {
			d.weather.drop(float64(t.area))
		}
	}
	*t = track{}
}

// why tells what kept t from being raised.
func (d *Detector) why(t *track) Reason {
	switch {
	case t.sure:
		return t.rule
	case t.frames < 3 || t.seen-t.born < 150*time.Millisecond:
		return ReasonBrief
	case 3*t.solid < 2*t.of:
		return ReasonLight
	case t.flies():
		return ReasonInsect
	}
	return ReasonStays
}

// foot is where t stands, in thousandths of the picture.
func (d *Detector) foot(b Box) (x, y float64) {
	return (float64(b.X) + float64(b.W)/2) * 1000 / float64(d.w), (float64(b.Y+b.H) - 0.5) * 1000 / float64(d.h)
}

// permit takes note of the lines that t crosses, and, once it moves like a body, raises
// it if it is where the owner wants to know it.
func (d *Detector) permit(t *track) {
	x, y := d.foot(t.box)
	was := t.foot
	t.foot = Point{int(math.Round(x)), int(math.Round(y))}
	if t.raised {
		return
	}
	if t.rule == ReasonNone {
		t.rule = ReasonOutside
	}
	if t.frames > 1 && t.foot != was {
		d.crossing(t, was)
	}
	switch {
	case !t.sure:
	case len(d.cfg.Zones) == 0 && len(d.cfg.Lines) == 0, t.over:
		t.raised = true
	default:
		d.enter(t, x, y)
	}
}

// crossing notes which lines t crossed on its way from where it was.
func (d *Detector) crossing(t *track, was Point) {
	for i := range d.cfg.Lines {
		l := &d.cfg.Lines[i]
		way := l.crossed(was, t.foot)
		switch {
		case way == 0:
		case l.wants(way):
			t.over, t.line = true, l.Name
		default:
			t.astray = true
		}
	}
}

// enter raises t, whose feet are at x, y, if a zone wants to know it.
func (d *Detector) enter(t *track, x, y float64) {
	if t.astray {
		t.rule = ReasonDirection
	}
	for i := range d.cfg.Zones {
		z := &d.cfg.Zones[i]
		if !z.Area.contains(x, y) {
			continue
		}
		switch {
		case !z.watches(d.ofDay):
			t.rule = ReasonHours
		case float64(t.box.H)*1000 < z.least(y)*float64(d.h):
			t.rule = ReasonSmall
		case !z.goes((t.cx-t.way.x1)*1000/float64(d.w), (t.cy-t.way.y1)*1000/float64(d.h)):
			t.rule = ReasonDirection
		default:
			t.raised, t.zone = true, z.Name
			return
		}
	}
}
