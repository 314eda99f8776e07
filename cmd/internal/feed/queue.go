package feed

import (
	"sync"

	"github.com/sealcam/sealcam/uplink/piece"
)

// What may wait for a slow viewer. A household's whole set of kept messages
// arrives at once when a connection is made.
const (
	maxWaiting      = 2048     // Items
	maxWaitingBytes = 64 << 20 // of sealed bytes
)

// queue holds Items between the connection and the viewer, bounded in number
// and bytes. Of each camera's live pictures, and of the frames of its live view, only
// the newest waits; pieces of the latter all do. Its methods
// are safe for concurrent use.
type queue struct {
	items, bytes int           // bounds
	filled       chan struct{} // holds one token while there may be something

	mu   sync.Mutex
	wait []Item
	held int // bytes
	lost uint64
}

func newQueue(items, bytes int) *queue {
	return &queue{items: items, bytes: bytes, filled: make(chan struct{}, 1)}
}

// push adds it, or counts it as lost when there is no room: what was there
// first is older and will be missed more.
func (q *queue) push(it Item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if newest(it) {
		q.removeLive(it)
	}
	if len(q.wait) >= q.items || q.held+len(it.Sealed) > q.bytes {
		q.lost++
		return
	}
	q.wait = append(q.wait, it)
	q.held += len(it.Sealed)
	select {
	case q.filled <- struct{}{}:
	default:
	}
}

// newest reports whether of such Items only the newest waits. Pieces of live view are
// no such: one without the others is worth nothing.
func newest(it Item) bool { return it.Kind == Live || it.Kind == View && !piece.Is(it.Sealed) }

// removeLive drops the live picture, or frame, that next makes old.
func (q *queue) removeLive(next Item) {
	for i, it := range q.wait {
		if it.Kind == next.Kind && it.Camera == next.Camera && newest(it) {
			q.held -= len(it.Sealed)
			q.wait = append(q.wait[:i], q.wait[i+1:]...)
			return
		}
	}
}

// pop returns the oldest Item.
func (q *queue) pop() (Item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.wait) == 0 {
		q.wait = nil // let go of the array
		return Item{}, false
	}
	it := q.wait[0]
	q.wait[0] = Item{}
	q.wait = q.wait[1:]
	q.held -= len(it.Sealed)
	return it, true
}

func (q *queue) dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost
}
