package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/model"
	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/cmd/internal/naming"
)

// motionNamer names what an event shows, as a camera does: by the best frame that
// the event has had, which is looked at when it is over.
type motionNamer struct {
	namer *naming.Namer
	best  capture.Frame // owns its Data
	at    []model.Area
}

// motionThing is something that was recognised in an event.
type motionThing struct {
	Label string  `json:"label"`
	Score float64 `json:"score"`
	Box   [4]int  `json:"box"` // in pixels of the picture
}

// newMotionNamer returns nil if there is no model.
func newMotionNamer(s naming.Settings, stderr io.Writer) (*motionNamer, error) {
	if !s.Enabled() {
		return nil, nil
	}
	n, err := naming.New(s, time.Now, slog.New(slog.NewTextHandler(stderr, nil)))
	if err != nil {
		return nil, err
	}
	return &motionNamer{namer: n}, nil
}

// see keeps f if it is the best of its event so far.
func (n *motionNamer) see(f *capture.Frame, l *capture.Luma, v motion.Verdict) {
	if n == nil || v.Event == nil || !v.Best && !v.Started || l.W <= 0 || l.H <= 0 {
		return
	}
	data := append(n.best.Data[:0], f.Data...)
	n.best = *f
	n.best.Data = data
	b, w, h := v.Event.Box, float64(l.W), float64(l.H)
	n.at = []model.Area{{X: float64(b.X) / w, Y: float64(b.Y) / h, W: float64(b.W) / w, H: float64(b.H) / h}}
}

// look names what the event shows that is over.
func (n *motionNamer) look(ctx context.Context) ([]motionThing, error) {
	if n == nil || n.best.Data == nil {
		return nil, nil
	}
	p, err := model.NewPicture(&n.best)
	if err != nil {
		return nil, err
	}
	a, err := n.namer.LookAt(ctx, p, n.at)
	if err != nil {
		return nil, err
	}
	things := []motionThing{}
	for _, t := range a.Things {
		w, h := float64(p.W), float64(p.H)
		things = append(things, motionThing{t.Name, round(t.Score), [4]int{int(t.X * w), int(t.Y * h), int(t.W * w), int(t.H * h)}})
	}
	return things, nil
}
