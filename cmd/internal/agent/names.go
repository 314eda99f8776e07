package agent

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/model"
	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/encode"
)

// boxes are the largest of what moved in a frame, the best first, in fractions of
// the picture. Taking them allocates nothing.
type boxes struct {
	box [3]model.Area
	n   int
}

// take keeps the boxes of a verdict on l.
func (b *boxes) take(l *capture.Luma, v motion.Verdict) {
	b.n = 0
	if v.Event != nil && v.Best {
		b.add(l, v.Event.Box)
	}
	for _, box := range v.Boxes {
		if v.Event == nil || !v.Best || box != v.Event.Box {
			b.add(l, box)
		}
	}
}

// add keeps box if there is a place for it and it is one.
func (b *boxes) add(l *capture.Luma, box motion.Box) {
	if b.n == len(b.box) || box.W <= 0 || box.H <= 0 || l.W <= 0 || l.H <= 0 {
		return
	}
	w, h := float64(l.W), float64(l.H)
	b.box[b.n] = model.Area{X: float64(box.X) / w, Y: float64(box.Y) / h, W: float64(box.W) / w, H: float64(box.H) / h}
	b.n++
}

func (b *boxes) list() []model.Area { return b.box[:b.n] }

// name takes a second look at the snapshot of an event and adds what it shows. It
// looks at what will be sent, so that it sees no more than viewers do: what the
// privacy masks hide is hidden from it too. It reports false for an event of
// which the household does not want to hear; a look that fails is no reason for
// silence.
func (a *Agent) name(ctx context.Context, p *encode.Picture, at []model.Area) (wanted bool) {
	if a.namer == nil {
		return true
	}
	open, done := a.gate.whileOpen(ctx)
	defer done()
	answer, err := a.namer.Look(open, p.Data, at)
	if errors.Is(err, context.Canceled) { // the camera closes, or stops
		return true
	}
	if err != nil {
		if a.unnamed.Add(1) == 1 {
			a.log.Warn("an event could not be looked at and is sent without names; counted from now on", "event", p.Event, "err", err)
		}
		return true
	}
	a.named.Add(1)
	p.Things, p.Model = answer.Things, &answer.Model
	if a.namer.Wanted(answer.Things) {
		return true
	}
	a.unwanted.Add(1)
	a.quiet.add(p.Event)
	a.log.Debug("an event shows nothing of model.only and is not sent", "event", p.Event)
	return false
}

// quiet remembers the events of which the household does not want to hear, a few:
// the clip of an event follows its snapshot closely.
type quiet struct {
	mu     sync.Mutex
	events [32]uint64
	next   int
}

func (q *quiet) add(event uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.events[q.next%len(q.events)] = event
	q.next++
}

// hushes says whether a part of a clip is not sent: its event is not wanted, and
// it shows no other. A part that was ready before its event was looked at has
// been sent.
func (q *quiet) hushes(p encode.Picture) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return p.Event != 0 && len(p.Clip.Also) == 0 && slices.Contains(q.events[:], p.Event)
}
