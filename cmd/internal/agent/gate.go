package agent

import (
	"context"
	"sync"
	"time"
)

// gate lets frames in, or keeps the camera closed. The frame goroutine passes
// through it; another shuts and opens it.
type gate struct {
	private func(bool) // told under the lock, before frames may come and before none may

	mu     sync.Mutex
	shut   bool
	inside bool               // frames may be coming, or may still be held
	stop   context.CancelFunc // ends what goes on inside
	look   context.CancelFunc // ends a look at a picture
	news   chan struct{}      // closed at every change
}

func newGate(private func(bool)) *gate {
	return &gate{private: private, news: make(chan struct{}), stop: func() {}, look: func() {}}
}

// set shuts or opens the gate. When it has shut it, nothing that the camera holds
// can be sealed any more; idle says when the camera is closed, too.
func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == shut {
		return
	}
	g.shut = shut
	if shut {
		g.private(true)
		g.stop()
		g.look()
	}
	g.changed()
}

// whileOpen returns a context that ends when the gate shuts, at once if it is
// shut: what may take a while must not keep the camera from closing. There is one
// at a time; call done when it is not needed any more.
func (g *gate) whileOpen(ctx context.Context) (open context.Context, done context.CancelFunc) {
	open, done = context.WithCancel(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		done()
	}
	g.look = done
	return open, done
}

func (g *gate) changed() {
	close(g.news)
	g.news = make(chan struct{})
}

// pass waits until the gate is open, calling alive each second, and returns a
// context that ends when it shuts. Call leave when nothing is held any more.
func (g *gate) pass(ctx context.Context, alive func()) (context.Context, error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		g.mu.Lock()
		if !g.shut {
			inside, stop := context.WithCancel(ctx)
			g.inside, g.stop = true, stop
			g.private(false)
			g.mu.Unlock()
			return inside, nil
		}
		news := g.news
		g.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-news:
		case <-tick.C:
			alive()
		}
	}
}

// leave says that the camera is closed and nothing is held.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stop()
	g.inside = false
	g.changed()
}

// idle waits until nobody is inside, and reports whether that came true before
// ctx ended.
func (g *gate) idle(ctx context.Context) bool {
	for {
		g.mu.Lock()
		inside, news := g.inside, g.news
		g.mu.Unlock()
		if !inside {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-news:
		}
	}
}
