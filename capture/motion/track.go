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
	sure    bool // it moves like a body
	inView  bool // it was found in this frame
	born    time.Duration
	seen    time.Duration // last in view
	moved   time.Duration // last changed
	box     Box
	cx, cy  float64 // middle
	bx, by  float64 // middle when it was born
	cradle  Box     // where it was then
	vx, vy  float64 // pixels a second
	area    int
	bodily  int // frames that looked and moved like a body
	frames  int
	ghostly int // frames in a row with the outline in the background alone
	score   float64
}

// follow gives the blobs of this frame to the tracks, and decides about each.
func (d *Detector) follow(pix []uint8, dt time.Duration) {
	for i := range d.tracks {
		d.tracks[i].inView = false
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
		patience := 400 * time.Millisecond
		if t.sure {
			patience = time.Second
		}
		if t.used && !t.inView && d.now-t.seen > max(patience, 2*dt) {
			*t = track{}
		}
	}
}

// match returns the blob that continues t, or -1: the one that shares the most
// with the place where t should be by now.
func (d *Detector) match(t *track, dt time.Duration) int {
	sec := (d.now - t.seen).Seconds()
	mx, my := int(math.Round(t.vx*sec)), int(math.Round(t.vy*sec))
	reach := 2 + d.h/45 + int(dt.Seconds()*float64(d.h)/8)
	x0, y0 := t.box.X+min(mx, 0)-reach, t.box.Y+min(my, 0)-reach
	x1, y1 := t.box.X+t.box.W+max(mx, 0)+reach, t.box.Y+t.box.H+max(my, 0)+reach
	best, most := -1, 0
	for i := range d.blobs.list {
		b := &d.blobs.list[i]
		w, h := min(b.x1, x1)-max(b.x0, x0), min(b.y1, y1)-max(b.y0, y0)
		if b.mine >= 0 || w <= 0 || h <= 0 || b.area*2 < d.area {
			continue
		}
		if share := b.area * w * h / max((b.x1-b.x0)*(b.y1-b.y0), 1); share+1 > most {
			best, most = i, share+1
		}
	}
	return best
}

// begin follows a blob that no track has taken.
func (d *Detector) begin(b *blob, pix []uint8) {
	if b.area < d.area || d.now < d.quiet {
		return
	}
	for i := range d.tracks {
		t := &d.tracks[i]
		if t.used {
			continue
		}
		*t = track{used: true, born: d.now, moved: d.now}
		t.bx, t.by = float64(b.sx)/float64(b.area), float64(b.sy)/float64(b.area)
		t.cx, t.cy = t.bx, t.by
		t.cradle = b.box()
		t.seen = d.now
		d.update(t, b, pix, 0)
		return
	}
}

// update takes in where t is in this frame, and whether it moves like a body.
func (d *Detector) update(t *track, b *blob, pix []uint8, dt time.Duration) {
	cx, cy := float64(b.sx)/float64(b.area), float64(b.sy)/float64(b.area)
	if sec := (d.now - t.seen).Seconds(); sec > 0 {
		t.vx += 0.4 * ((cx-t.cx)/sec - t.vx)
		t.vy += 0.4 * ((cy-t.cy)/sec - t.vy)
	}
	t.cx, t.cy, t.box, t.area = cx, cy, b.box(), b.area
	t.inView, t.seen = true, d.now
	t.frames++
	l := d.inspect(b, pix)
	alive := l.changed >= max(2, b.area/12)
	if alive {
		t.moved = d.now
	}
	if alive && l.sharp > minSharp {
		t.bodily++
	}
	if !t.sure {
		t.sure = d.convincing(t)
	}
	if l.ghost > 1.5 && d.now-t.moved > 300*time.Millisecond {
		t.ghostly++
	} else {
		t.ghostly = 0
	}
	t.score = d.score(t, l)
}

// minSharp is the sharpness of edges below which a change is light.
const minSharp = 0.22

// convincing says whether t has moved like a body: for long enough, mostly
// with the edges of one, and away from where it was first seen.
func (d *Detector) convincing(t *track) bool {
	if t.bodily < 3 || d.now-t.born < 150*time.Millisecond || t.bodily*3 < t.frames*2 {
		return false
	}
	way := math.Hypot(t.cx-t.bx, t.cy-t.by)
	// What comes in at the edge grows at first: there its front tells.
	if c := t.cradle; c.X == 0 {
		way = max(way, 0.7*float64(t.box.X+t.box.W-c.X-c.W))
	} else if c.X+c.W == d.w {
		way = max(way, 0.7*float64(c.X-t.box.X))
	}
	return way > max(0.8, float64(d.w)/150, 0.22*math.Sqrt(float64(t.area)))
}

// score says how well the frame shows t: how large, how complete, how sure.
func (d *Detector) score(t *track, l looks) float64 {
	size := math.Sqrt(min(1, float64(t.area)/(0.06*float64(d.w*d.h))))
	if b := t.box; b.X <= 0 || b.Y <= 0 || b.X+b.W >= d.w {
		size *= 0.5 // partly out of the picture
	}
	sure := min(1, float64(t.bodily)/6)
	if !t.sure {
		sure *= 0.3
	}
	return size * sure * min(1, 0.4+l.sharp)
}

// release leaves in d.spare the pixels of those who are followed, which the
// background must not learn, and lets go of what is a part of the picture by now: what
// has stood still for too long, and the hole in the background that somebody
// leaves who was in it from the beginning.
func (d *Detector) release(pix []uint8) {
	d.spare.reset()
	for i := range d.tracks {
		t := &d.tracks[i]
		if !t.used || !t.sure {
			continue
		}
		still := d.now - t.moved
		if still > d.cfg.Still || t.ghostly >= 3 && still > 800*time.Millisecond {
			d.forget(t, pix)
			continue
		}
		b := t.box
		d.spare.fill(b.X-1, b.Y-1, b.X+b.W+1, b.Y+b.H+1)
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
	*t = track{}
}
