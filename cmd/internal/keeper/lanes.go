package keeper

import (
	"context"
	"sync"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// bound is how much may wait.
type bound struct{ items, bytes int }

// What waits to be checked and stored.
var (
	maxLane  = bound{items: 512, bytes: 32 << 20} // of one camera
	maxQueue = bound{items: 16384, bytes: 96 << 20}
)

// What a worker takes at a time: of all cameras, and of one before it is the next
// one's turn.
const (
	maxBatch      = 64
	maxBatchBytes = 8 << 20
	maxTurn       = 8
)

// lanes is a queue with a lane for each camera, which are served in turn. However
// much one camera sends, it takes half of what is free at most, so that there is
// always room for the others; and it is served as often as anybody.
type lanes struct {
	one, all bound
	filled   chan struct{} // holds a token while there may be something

	mu    sync.Mutex
	by    map[seal.CameraID]*lane
	ready []*lane // have something, and are not in a worker's hands; the longest unserved first
	held  bound
}

// lane is what waits of one camera. Only one worker at a time serves it, so that its
// messages are stored in the order in which they came.
type lane struct {
	camera seal.CameraID
	wait   []arrival
	bytes  int
	busy   bool
}

type arrival struct {
	Delivery
	at time.Time
}

func newLanes(one, all bound) *lanes {
	return &lanes{one: one, all: all, filled: make(chan struct{}, 1), by: map[seal.CameraID]*lane{}}
}

// push adds d, unless there is no room for it. Of a camera whose lane has one place
// the newest waits, and old is what it takes the place of.
func (q *lanes) push(d Delivery, now time.Time) (ok bool, old *Delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.by[d.Camera]
	if l == nil {
		l = &lane{camera: d.Camera}
	}
	if q.one.items == 1 && len(l.wait) == 1 {
		old = &q.give(l, 1)[0].Delivery
	}
	items, bytes := len(l.wait)+1, l.bytes+len(d.Sealed)
	if items > q.one.items || bytes > q.one.bytes ||
		items > max(1, q.all.items-q.held.items) || bytes > q.all.bytes-q.held.bytes ||
		q.held.items >= q.all.items {
		return false, old
	}
	q.by[d.Camera] = l
	l.wait = append(l.wait, arrival{d, now})
	l.bytes = bytes
	q.held.items++
	q.held.bytes += len(d.Sealed)
	if len(l.wait) == 1 && !l.busy && old == nil {
		q.ready = append(q.ready, l)
	}
	q.wake()
	return true, old
}

// give takes the first n of a lane out of it.
func (q *lanes) give(l *lane, n int) (out []arrival) {
	out = append(out, l.wait[:n]...)
	clear(l.wait[:n])
	l.wait = l.wait[n:]
	for _, a := range out {
		l.bytes -= len(a.Sealed)
		q.held.bytes -= len(a.Sealed)
	}
	q.held.items -= n
	return out
}

// take waits for something and returns a batch. Its lanes belong to the caller until
// it calls release, which it must.
func (q *lanes) take(ctx context.Context) (batch []arrival, release func(), err error) {
	for {
		if batch, release = q.batch(); len(batch) > 0 {
			return batch, release, nil
		}
		select {
		case <-q.filled:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

func (q *lanes) batch() (batch []arrival, release func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var taken []*lane
	bytes := 0
	for len(q.ready) > 0 && len(batch) < maxBatch && bytes < maxBatchBytes {
		l := q.ready[0]
		q.ready[0] = nil
		q.ready = q.ready[1:]
		n := min(len(l.wait), maxTurn, maxBatch-len(batch))
		for _, a := range q.give(l, n) {
			batch = append(batch, a)
			bytes += len(a.Sealed)
		}
		l.busy = true
		taken = append(taken, l)
	}
	if len(q.ready) > 0 {
		q.wake()
	}
	return batch, func() { q.release(taken) }
}

func (q *lanes) release(taken []*lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range taken {
		l.busy = false
		if len(l.wait) == 0 {
			delete(q.by, l.camera)
			continue
		}
		q.ready = append(q.ready, l)
		q.wake()
	}
}

func (q *lanes) wake() {
	select {
	case q.filled <- struct{}{}:
	default:
	}
}

// waiting returns what waits, for figures.
func (q *lanes) waiting() bound {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held
}
