package jetstream

import (
	"context"
	"sync"
)

// room bounds what a keeper has in hand. One message always fits.
type room struct {
	mu          sync.Mutex
	messages    int
	bytes       int64
	maxMessages int
	maxBytes    int64
	freed       chan struct{} // has one when something was given back
}

func newRoom(messages int, bytes int64) *room {
	return &room{maxMessages: messages, maxBytes: bytes, freed: make(chan struct{}, 1)}
}

// take waits until there is room for a message of size. One goroutine takes.
func (r *room) take(ctx context.Context, size int64) error {
	for {
		r.mu.Lock()
		if r.messages == 0 || r.messages < r.maxMessages && r.bytes+size <= r.maxBytes {
			r.messages, r.bytes = r.messages+1, r.bytes+size
			r.mu.Unlock()
			return nil
		}
		r.mu.Unlock()
		select {
		case <-r.freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *room) give(size int64) {
	r.mu.Lock()
	r.messages, r.bytes = r.messages-1, r.bytes-size
	r.mu.Unlock()
	select {
	case r.freed <- struct{}{}:
	default:
	}
}
