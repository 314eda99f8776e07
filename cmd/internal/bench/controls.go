package bench

import (
	"sync"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/album"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/page"
	"github.com/sealcam/sealcam/uplink/seal"
)

// controls is what the page's drawer shows and switches. Safe for concurrent
// use.
type controls struct {
	bench  *bench
	relays []*feed.Relay // the page's first

	mu     sync.Mutex
	last   agent.Stats
	lastAt time.Time
	fps    float64
	stages []page.BenchStage
}

// Hostile implements page.BenchControls.
func (c *controls) Hostile(on bool) {
	for _, r := range c.relays {
		r.Hostile(on)
	}
}

// Network implements page.BenchControls: the cameras' network is cut, the
// viewers keep theirs.
func (c *controls) Network(up bool) {
	c.bench.cut.Store(!up)
	if up {
		c.bench.broker.Heal()
		return
	}
	c.bench.broker.Cut(func(name string) bool { return c.bench.cameraNamed(seal.CameraID(name)) != nil })
}

// Stats implements page.BenchControls.
func (c *controls) Stats() page.BenchStats {
	s := c.bench.mine.agent.Stats()
	fps, stages := c.rates(s)
	hostile, swapped := c.relays[0].Swapped()
	return page.BenchStats{
		FPS: fps, Frames: s.Capture.Frames, Dropped: s.Capture.Dropped, Stages: stages,
		Spool: s.Uplink.Waiting, Bytes: s.Uplink.SealedBytes, Sealed: s.Sealed,
		Hostile: hostile, Swapped: swapped, Network: !c.bench.cut.Load(),
	}
}

// rates returns what is measured over a second or so. Nobody writes to the
// stages once they are returned.
func (c *controls) rates(s agent.Stats) (fps float64, stages []page.BenchStage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	span := now.Sub(c.lastAt)
	if span < 900*time.Millisecond {
		return c.fps, c.stages
	}
	frames := s.Capture.Frames - c.last.Capture.Frames
	if !c.lastAt.IsZero() {
		c.fps = float64(frames) / span.Seconds()
	}
	c.stages = make([]page.BenchStage, 0, len(s.CPU))
	for _, stage := range agent.Stages() {
		spent := s.CPU[stage] - c.last.CPU[stage]
		c.stages = append(c.stages, page.BenchStage{Name: stage.String(), Milli: float64(spent.Microseconds()) / 1000 / float64(max(1, frames))})
	}
	c.last, c.lastAt = s, now
	return c.fps, c.stages
}

// store keeps a verified picture, with its proof, where Config.Save says.
func (b *bench) store(v *seal.Verified) error {
	if b.album == nil {
		return nil
	}
	_, err := b.album.Export(album.Name(v.Meta()), v)
	return err
}
