package feed

import (
	"context"
	"slices"
	"sync"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Fake is a Feed in memory, for tests. Its zero value is connected and empty.
type Fake struct {
	mu     sync.Mutex
	items  []Item
	sent   []Sent
	offErr error
	news   chan struct{}
}

// Sent is what was sent through a Fake.
type Sent struct {
	Camera  seal.CameraID
	Kind    string
	Payload []byte
}

// Deliver makes Run hand on items, in order.
func (f *Fake) Deliver(items ...Item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.items = append(f.items, items...)
	f.wake()
}

// SetOffline makes Send fail with err and Link say why; nil is connected again.
func (f *Fake) SetOffline(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.offErr = err
}

// Sent returns what was sent so far.
func (f *Fake) Sent() []Sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sent)
}

// Run implements Feed.
func (f *Fake) Run(ctx context.Context, each func(Item)) error {
	for {
		f.mu.Lock()
		items := f.items
		f.items = nil
		news := f.waker()
		f.mu.Unlock()
		for _, it := range items {
			each(it)
		}
		if len(items) > 0 {
			continue
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Send implements Feed.
func (f *Fake) Send(_ context.Context, camera seal.CameraID, kind string, payload []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.offErr != nil {
		return f.offErr
	}
	f.sent = append(f.sent, Sent{camera, kind, payload})
	return nil
}

// Link implements Feed.
func (f *Fake) Link() (up bool, why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.offErr != nil {
		return false, f.offErr.Error()
	}
	return true, ""
}

// waker returns a channel that holds a token once something was delivered.
func (f *Fake) waker() chan struct{} {
	if f.news == nil {
		f.news = make(chan struct{}, 1)
	}
	return f.news
}

func (f *Fake) wake() {
	select {
	case f.waker() <- struct{}{}:
	default:
	}
}
