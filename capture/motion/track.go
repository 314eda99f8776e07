package motion

import (
	"math"
	"time"
)

// maxTracks is how many things are followed at once.
const maxTracks = 16

// track is one thing that is followed from frame to frame.
type track struct {
	used    bool
	sure    bool   // it moves like a body
	raised  bool   // and is where the owner wants to know it
	rule    Reason // why not, if not
	over    bool   // it crossed a line the way that is watched ...
	astray  bool   // ... or the other way
	line    string
	zone    string
	foot    Point // where it stands
	inView  bool  // it was found in this frame
	born    time.Duration
	seen    time.Duration // last in view
	moved   time.Duration // last changed
	box     Box
	held    hold    // where it was of late
	cx, cy  float64 // middle
	way     way
	anchor  Box           // where it stood ...
	stands  time.Duration // ... since then
	vx, vy  float64       // pixels a second
	area    int
	size    float64 // its area of late
	frames  int     // in which it was in view ...
	due     int     // ... of those since it was first seen
	of      float64 // frames of late: one that was a second ago counts a third
	solid   float64 // of those, in which it looked like a body
	slight  float64 // of those, in which it was no larger than the weather
	soft    float64 // of those, in which it was light: no edges to speak of, or the background's texture
	bodily  float64 // of those, in which it also moved
	creeps  float64 // frames of late in which it crept ...
	wholly  float64 // ... and looked like a body
	ghostly int     // frames in a row with the outline in the background alone
	score   float64
}

// follow gives the blobs of this frame to the tracks, and decides about each.
func (d *Detector) follow(pix []uint8, dt time.Duration) {
	for i := range d.tracks {
		d.tracks[i].inView = false
		d.tracks[i].due++
	}
	list := d.blobs.list
	// Who is sure chooses first.
	for _, sure := range [2]bool{true, false} {
		for i := range d.tracks {
			if t := &d.tracks[i]; t.used && t.sure == sure {
				if n := d.match(t, dt); n >= 0 {
					list[n].mine = i
					d.update(t, &list[n], pix, dt)
				}
			}
		}
	}
	for n := range list {
		if list[n].mine < 0 {
			d.begin(&list[n], pix)
		}
	}
	for i := range d.tracks {
		t := &d.tracks[i]
		if t.used && !t.inView && d.now-t.seen > max(d.patience(t), 2*dt) {
			d.end(t)
		}
	}
}

// patience is how long t is waited for after it was seen last. Nobody leaves the picture but
// over its edge: who is lost within it stands before, or behind, what is as bright as he is.
func (d *Detector) patience(t *track) time.Duration {
	switch {
	case !t.sure:
		return 400 * time.Millisecond
	case d.atEdge(t.held.box()):
		return time.Second
	}
	return d.cfg.Gap
}

// match returns the blob that continues t, or -1: the one that shares the most
// with the place where t should be by now.
func (d *Detector) match(t *track, dt time.Duration) int {
	sec := min((d.now - t.seen).Seconds(), 0.5)
	mx, my := int(math.Round(t.vx*sec)), int(math.Round(t.vy*sec))
	reach := 2 + d.h/45 + int(dt.Seconds()*float64(d.h)/8)
	x0, y0 := t.box.X+min(mx, 0)-reach, t.box.Y+min(my, 0)-reach
	x1, y1 := t.box.X+t.box.W+max(mx, 0)+reach, t.box.Y+t.box.H+max(my, 0)+reach
	was := t.held.box()
	best, most := -1, 0
	for i := range d.blobs.list {
		b := &d.blobs.list[i]
		w, h := min(b.x1, x1)-max(b.x0, x0), min(b.y1, y1)-max(b.y0, y0)
		if b.mine >= 0 || w <= 0 || h <= 0 || b.area*2 < d.gradeOf(b).area {
			continue
		}
		if t.sure && (b.x1-b.x0)*(b.y1-b.y0) > leap*was.W*was.H {
			continue // light that falls on him, or goes by before him
		}
		if share := b.area * w * h / max((b.x1-b.x0)*(b.y1-b.y0), 1); share+1 > most {
			best, most = i, share+1
		}
	}
	return best
}

// begin follows a blob that no track has taken.
func (d *Detector) begin(b *blob, pix []uint8) {
	if b.area < d.gradeOf(b).area || d.now < d.quiet {
		return
	}
	for i := range d.tracks {
		t := &d.tracks[i]
		if t.used {
			continue
		}
		t.begin(b, d.w, d.now)
		d.update(t, b, pix, 0)
		return
	}
}

func (t *track) begin(b *blob, w int, now time.Duration) {
	*t = track{used: true, born: now, moved: now, due: 1, size: float64(b.area)}
	t.cx, t.cy = float64(b.sx)/float64(b.area), float64(b.sy)/float64(b.area)
	t.way.begin(b, t.cx, t.cy, w, now)
	t.anchor, t.stands, t.seen = b.box(), now, now
}

// update takes in where t is in this frame, and whether it moves like a body.
func (d *Detector) update(t *track, b *blob, pix []uint8, dt time.Duration) {
	if grown := float64(b.area) > leap*t.size; grown && !t.sure && 2*t.size < d.weather.asks() && d.now-t.born > 300*time.Millisecond {
		t.begin(b, d.w, d.now) // somebody else: a flake's way is none of who came in beside it
	}
	t.size += 0.2 * (float64(b.area) - t.size)
	cx, cy := float64(b.sx)/float64(b.area), float64(b.sy)/float64(b.area)
	if sec := (d.now - t.seen).Seconds(); sec > 0 {
		t.vx += 0.4 * ((cx-t.cx)/sec - t.vx)
		t.vy += 0.4 * ((cy-t.cy)/sec - t.vy)
	}
	t.cx, t.cy, t.box, t.area = cx, cy, b.box(), b.area
	t.held.take(t.box, dt)
	t.inView, t.seen = true, d.now
	t.way.on(t.box, cx, cy, d.now)
	if !t.nearAnchor() {
		t.anchor, t.stands = t.box, d.now
	}
	t.frames++
	l := d.inspect(b, pix)
	fade := math.Exp(-dt.Seconds() / max(1, 6*dt.Seconds()))
	body := one(l.solid())
	t.slight = t.slight*fade + one(float64(2*b.area) < d.weather.asks())
	t.soft = t.soft*fade + one(l.sharp < softest || l.sharp < minSharp && l.kept > maxKept && b.area > enough)
	t.of, t.solid = t.of*fade+1, t.solid*fade+body
	t.bodily, t.creeps, t.wholly = t.bodily*fade, t.creeps*fade, t.wholly*fade
	least := max(2, b.area/12)
	if l.changed >= least {
		t.moved = d.now
		t.bodily += body
	}
	if l.crept >= least {
		t.moved = d.now
		t.creeps++
		t.wholly += body
	}
	switch {
	case !t.sure:
		t.sure = l.plausible() && (l.sharp > haste || !t.way.hurries(float64(max(t.box.W, t.box.H)))) && d.convincing(t)
	case 4*t.slight > 3*t.of, 4*t.soft > 3*t.of:
		t.sure, t.raised = false, false // it was weather, or light, after all
	}
	if l.ghost > 1.5 && d.now-t.moved > 300*time.Millisecond {
		t.ghostly++
	} else {
		t.ghostly = 0
	}
	t.score = d.score(t, l)
	d.permit(t)
}

// hold is the box that something filled of late: it grows with it at once, and shrinks in a
// second or two. What of somebody is as bright as what he stands before is within it.
type hold struct{ x0, y0, x1, y1 float64 }

func (h *hold) take(b Box, dt time.Duration) {
	x0, y0, x1, y1 := float64(b.X), float64(b.Y), float64(b.X+b.W), float64(b.Y+b.H)
	if h.x1 == 0 {
		*h = hold{x0, y0, x1, y1}
	}
	k := min(dt.Seconds()/1.5, 1)
	h.x0, h.y0 = min(x0, h.x0+k*(x0-h.x0)), min(y0, h.y0+k*(y0-h.y0))
	h.x1, h.y1 = max(x1, h.x1+k*(x1-h.x1)), max(y1, h.y1+k*(y1-h.y1))
}

func (h *hold) box() Box {
	x, y := int(h.x0), int(h.y0)
	return Box{x, y, int(math.Ceil(h.x1)) - x, int(math.Ceil(h.y1)) - y}
}

// holds says whether o lies within b.
func (b Box) holds(o Box) bool {
	return b.X <= o.X && b.Y <= o.Y && o.X+o.W <= b.X+b.W && o.Y+o.H <= b.Y+b.H
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// leap is how many times as large nothing becomes from one frame to the next.
const leap = 4

// enough is how many pixels tell for certain whether the background's texture shows.
const enough = 50

// smallBody is how many pixels a body has that a leaf may have as well: it must go further
// to be believed.
const smallBody = 12

// convincing says whether t has moved like a body: for long enough, with the edges
// of one, and away from where it was first seen. What is far away, or
// slow for the rate of the frames, does not change with every frame and is given more time.
func (d *Detector) convincing(t *track) bool {
	age := d.now - t.born
	quick := age >= 150*time.Millisecond && t.bodily > 2.3 && 3*t.bodily >= 2*t.of
	slow := age >= 750*time.Millisecond && t.wholly > 2.3 && 3*t.wholly >= 2*t.creeps && 2*t.creeps >= t.of
	if !quick && !slow || t.flickers() || t.flies() || d.now < d.settled && 50*t.area < d.w*d.h {
		return false
	}
	g := d.gradeAt(t.box.X, t.box.X+t.box.W, t.box.Y+t.box.H)
	least := max(0.8, float64(d.w)/150)
	if t.area < smallBody {
		least = max(least, g.least*float64(max(t.box.W, t.box.H)))
	}
	if float64(t.area) < max(d.weather.asks(), g.body) || d.weather.rate > rough && t.way.falls() && float64(t.area) < 1.5*d.weather.asks() {
		return false
	}
	return !d.belongs(t) && !d.hangs(t) && t.way.leads(least, math.Sqrt(float64(t.area)))
}

// belongs says whether t is a small part of something large nearby that is no body: the
// leg of a spider, the rim of a beam; or of somebody who is followed: a foot, his shadow.
func (d *Detector) belongs(t *track) bool {
	for i := range d.tracks {
		o := &d.tracks[i]
		if o.used && o.sure && o.inView && o != t && 4*o.soft < o.of && o.held.box().holds(t.box) {
			return true
		}
		if !o.used || !o.inView || o.sure || o.area < 6*t.area || 8*o.area > d.w*d.h || 3*o.solid > 2*o.of {
			continue
		}
		reach := max(o.box.W, o.box.H) / 2
		if t.box.X < o.box.X+o.box.W+reach && o.box.X < t.box.X+t.box.W+reach && t.box.Y < o.box.Y+o.box.H+reach && o.box.Y < t.box.Y+t.box.H+reach {
			return true
		}
	}
	return false
}

// hangs says whether t hangs from the upper edge, higher than wide, as threads before the
// lens do. Somebody who comes in up there is believed once he is wholly in view.
func (d *Detector) hangs(t *track) bool {
	b := t.box
	return b.Y <= 1 && b.H > b.W && 2*(b.Y+b.H) < d.h
}

// nearAnchor says whether t is still where it stood: half of either box is shared.
func (t *track) nearAnchor() bool {
	a, b := t.anchor, t.box
	w, h := min(a.X+a.W, b.X+b.W)-max(a.X, b.X), min(a.Y+a.H, b.Y+b.H)-max(a.Y, b.Y)
	return w > 0 && h > 0 && 2*w*h >= min(a.W*a.H, b.W*b.H)
}

// score says how well the frame shows t: how large, how complete, how sure.
func (d *Detector) score(t *track, l looks) float64 {
	size := math.Sqrt(min(1, float64(t.area)/(0.06*float64(d.w*d.h))))
	if b := t.box; b.X <= 0 || b.Y <= 0 || b.X+b.W >= d.w {
		size *= 0.5 // partly out of the picture
	}
	sure := min(1, max(t.bodily, t.wholly)/6)
	if !t.sure {
		sure *= 0.3
	}
	return size * sure * min(1, 0.4+l.sharp)
}

// release leaves in d.held the pixels of those who are followed, which the
// background must not learn, and lets go of what is a part of the picture by now: what
// has stood in one place for too long, and the hole in the background that somebody
// leaves who was in it from the beginning.
func (d *Detector) release(pix []uint8) {
	d.held.reset()
	for i := range d.tracks {
		t := &d.tracks[i]
		if !t.used || !t.sure {
			continue
		}
		if d.now-t.stands > d.cfg.Still || t.ghostly >= 3 && d.now-t.moved > 800*time.Millisecond {
			d.forget(t, pix)
			continue
		}
		b := t.held.box()
		d.held.fill(b.X-1, b.Y-1, b.X+b.W+1, b.Y+b.H+1)
	}
}

// forget takes what t is in this frame for background.
func (d *Detector) forget(t *track, pix []uint8) {
	d.found.reset() // nobody needs it any more in this frame
	b := t.box
	d.found.fill(b.X-1, b.Y-1, b.X+b.W+1, b.Y+b.H+1)
	for i := range d.tracks {
		if o := &d.tracks[i]; o != t && o.used && o.sure {
			d.found.cut(o.box)
		}
	}
	d.bg.take(pix, d.found)
	d.end(t)
}

// flickers says whether t was missing in most frames since it was first seen: so insects are
// taken for one another where there are many frames a second.
func (t *track) flickers() bool { return 2*t.frames < t.due }

// flies says whether t moves like an insect.
func (t *track) flies() bool { return t.way.flies(float64(max(t.box.W, t.box.H))) }
