package agent

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// Stage names a part of the path that CPU time is booked on.
type Stage int

// The stages, in the order light travels.
const (
	StageCapture Stage = iota // waiting for, checking and handing out a frame
	StageLuma                 // the small grey picture
	StageLight                // day or night
	StageMotion               // background and events
	StageKeep                 // copying a frame that may become a picture
	StageEncode               // frame to JPEG
	StageName                 // model: what moved
	StageSeal                 // sign, encrypt, spool
	StageDraw                 // drawing the scene that stands in for a camera: none of an agent's work
	stages
)

// String returns the stage's name in reports.
func (s Stage) String() string {
	return [...]string{"capture", "luma", "light", "motion", "keep", "encode", "name", "seal", "draw"}[s]
}

// meter books the CPU time of the goroutine's own thread on stages. A goroutine
// that uses one is locked to its thread; the clock is read once per mark, so
// that every microsecond of the thread is booked on some stage.
type meter struct {
	clock func() time.Duration
	last  time.Duration
	spent *[stages]atomic.Int64
}

func newMeter(spent *[stages]atomic.Int64) *meter {
	return &meter{clock: threadCPU, last: threadCPU(), spent: spent}
}

// Sum returns what all stages of the agent's own work took.
func Sum(spent [stages]time.Duration) (sum time.Duration) {
	for i, d := range spent {
		if Stage(i) != StageDraw {
			sum += d
		}
	}
	return sum
}

// drawn is a scene whose drawing is booked on a stage of its own. It is called on the
// goroutine that the meter belongs to.
type drawn struct {
	capture.Camera
	meter *meter
}

// Next draws a frame.
func (d drawn) Next(ctx context.Context, f *capture.Frame) error {
	d.meter.mark(StageCapture)
	err := d.Camera.Next(ctx, f)
	d.meter.mark(StageDraw)
	return err
}

// mark books what has been spent since the last mark on s.
func (m *meter) mark(s Stage) {
	now := m.clock()
	m.spent[s].Add(int64(now - m.last))
	m.last = now
}

// Stages lists all stages in the order light travels.
func Stages() []Stage {
	all := make([]Stage, stages)
	for i := range all {
		all[i] = Stage(i)
	}
	return all
}
