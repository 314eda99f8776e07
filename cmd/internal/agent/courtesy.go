package agent

import (
	"context"
	"time"

	"github.com/sealcam/sealcam/capture/motion"
)

// What an event keeps an update from: for how long after one, at most how long at a
// stretch, and for how long it then has its turn.
const (
	calmAfter = 20 * time.Second
	calmMost  = 2 * time.Minute
	calmTurn  = time.Minute
)

// courtesy lets events go before an update. Only the updater's goroutine uses it.
type courtesy struct {
	busy func() bool
	mono func() time.Duration
	turn time.Duration // until then the update goes on, whatever happens
}

// yield returns when no event is going on, or has gone on for so long that the
// update has its turn: a camera at a busy street has to be updated too.
func (c *courtesy) yield(ctx context.Context) error {
	began := c.mono()
	for c.busy() && began >= c.turn {
		if c.mono()-began >= calmMost {
			c.turn = c.mono() + calmTurn
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return ctx.Err()
}

// stir notes that an event is going on. Only the frame goroutine calls it.
func (a *Agent) stir(v motion.Verdict) {
	if v.Moving || v.Event != nil {
		a.stirred.Store(int64(a.mono()))
	}
}

// Busy reports whether an event is going on, or has ended a moment ago.
func (a *Agent) Busy() bool {
	at := time.Duration(a.stirred.Load())
	return at > 0 && a.mono()-at < calmAfter
}
