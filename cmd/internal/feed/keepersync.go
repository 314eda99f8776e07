package feed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// What is fetched ahead of the reader.
const (
	maxAhead      = 8        // messages
	maxAheadBytes = 16 << 20 // of them, but for one alone
	// maxFaults is how many answers in a row may not be the message that was asked
	// for, before a session is given up: whoever is there is of no use.
	maxFaults = 64
)

// due returns what the reader does not have, as far as the keeper says that it has
// it.
func (k *Keeper) due(ctx context.Context) (spans []span, err error) {
	cameras, err := k.api.cameras(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range cameras {
		k.someone = c.id
		known := k.known(c.id)
		for _, g := range known.Gaps {
			spans = append(spans, span{camera: c.id, from: g.First, to: min(g.Last, c.last)})
		}
		above := span{camera: c.id, from: max(known.Head, k.passed[c.id]) + 1, to: c.last}
		if above.from == 1 {
			if above.from, err = k.begin(ctx, c); err != nil {
				return nil, err
			}
		}
		if above.from != 0 {
			spans = append(spans, above)
		}
	}
	return spans, nil
}

// begin returns where to begin with a camera that nothing is known of, 0 for nowhere.
func (k *Keeper) begin(ctx context.Context, c kept) (uint64, error) {
	first, err := k.api.first(ctx, c.id, k.config.Now().Add(-k.config.Since))
	if k.config.Newest > 0 && c.last > k.config.Newest && first != 0 {
		first = max(first, c.last-k.config.Newest+1)
	}
	return first, err
}

// reader reads the list of one span, some of it ahead.
type reader struct {
	span
	ahead []entry
	ended bool
}

// fill makes sure that there is an entry ahead, unless the list has ended.
func (r *reader) fill(ctx context.Context, a *api) error {
	if len(r.ahead) > 0 || r.ended {
		return nil
	}
	if r.from > r.to {
		r.ended = true
		return nil
	}
	p, err := a.messages(ctx, r.span, pageSize)
	if err != nil {
		return err
	}
	r.ahead, r.ended = p.entries, !p.more || len(p.entries) == 0
	if n := len(p.entries); n > 0 {
		r.from = p.entries[n-1].seq + 1
	}
	return nil
}

// merge reads several lists as one, in the order of arrival.
type merge []*reader

func newMerge(spans []span) (m merge) {
	for _, s := range spans {
		m = append(m, &reader{span: s})
	}
	return m
}

// peek returns the next entry, nil at the end.
func (m merge) peek(ctx context.Context, a *api) (next *reader, err error) {
	for _, r := range m {
		if err := r.fill(ctx, a); err != nil {
			return nil, err
		}
		if len(r.ahead) > 0 && (next == nil || r.ahead[0].received.Before(next.ahead[0].received)) {
			next = r
		}
	}
	return next, nil
}

// coming is a message that is being fetched.
type coming struct {
	entry
	stored, asked bool // see Item
	sealed        []byte
	err           error
	done          chan struct{} // closed when sealed or err is there
}

// bring hands on all of spans, in order, with some of it fetched ahead; asked is of
// Items. between is called before each message.
func (k *Keeper) bring(ctx context.Context, spans []span, asked bool, each func(Item), between func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	var fetching sync.WaitGroup
	defer fetching.Wait()
	defer cancel()
	lists := newMerge(spans)
	var ahead []*coming
	var bytes int
	for {
		for len(ahead) < maxAhead {
			next, err := lists.peek(ctx, k.api)
			if err != nil {
				return err
			}
			if next == nil || len(ahead) > 0 && bytes+next.ahead[0].size > maxAheadBytes {
				break
			}
			c := &coming{entry: next.ahead[0], stored: true, asked: asked, done: make(chan struct{})}
			next.ahead = next.ahead[1:]
			ahead, bytes = append(ahead, c), bytes+c.size
			fetching.Go(func() {
				defer close(c.done)
				c.sealed, c.err = k.api.message(ctx, c.entry)
			})
		}
		if len(ahead) == 0 {
			return nil
		}
		if err := between(); err != nil {
			return err
		}
		c := ahead[0]
		select {
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		ahead, bytes = ahead[1:], bytes-c.size
		if err := k.handOn(c, each); err != nil {
			return err
		}
	}
}

// handOn hands on what has come, or counts what has not. The error ends the session.
func (k *Keeper) handOn(c *coming, each func(Item)) error {
	switch {
	case errors.Is(c.err, errNotKept) && c.stream != seal.Durable:
		return nil // a newer one has taken its place
	case errors.Is(c.err, errNotKept):
		k.withheld.Add(1)
		return k.fault(c.err)
	case errors.Is(c.err, errOther):
		k.wrong.Add(1)
		k.log.Warn("the keeper gave something else", "camera", c.camera, "number", c.seq)
		return k.fault(c.err)
	case c.err != nil:
		return c.err
	}
	k.faults = 0
	if c.stream == seal.Durable {
		k.passed[c.camera] = max(k.passed[c.camera], c.seq)
	}
	k.recent.add(c.hash)
	k.received.Add(1)
	k.bytes.Add(uint64(len(c.sealed)))
	each(Item{Camera: c.camera, Kind: c.kind, Sealed: c.sealed, Retained: c.retained, Stored: c.stored, Asked: c.asked})
	return nil
}

// fault bears with some answers that are of no use, and not with more.
func (k *Keeper) fault(err error) error {
	if k.faults++; k.faults < maxFaults {
		return nil
	}
	k.faults = 0
	return fmt.Errorf("%w, %d times in a row", err, maxFaults)
}

// Once hands on what the reader does not have, and returns: for who has no time to
// follow, in place of Run.
func (k *Keeper) Once(ctx context.Context, each func(Item)) error {
	if err := k.api.about(ctx); err != nil {
		return err
	}
	spans, err := k.due(ctx)
	if err != nil {
		return err
	}
	return k.bring(ctx, spans, false, each, func() error { return nil })
}

// session is one connection, from asking who is there to its end. It returns for how
// long Items could come.
func (k *Keeper) session(ctx context.Context, each func(Item)) (lasted time.Duration, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := k.api.about(ctx); err != nil {
		return 0, err
	}
	after, err := k.api.newest(ctx)
	if err != nil {
		return 0, err
	}
	since := k.config.Now()
	lasted = 1 // it was of use
	news := k.follow(ctx, after)
	defer news.close()
	k.connected.Add(1)
	k.set(true, "")
	k.log.Info("connected to the keeper", "url", k.api.base)
	err = k.serve(ctx, news, each)
	if ctx.Err() == nil {
		lasted = max(lasted, k.config.Now().Sub(since))
	}
	return lasted, err
}

// serve hands on what the reader does not have, and then what is new, until something
// ends. What is stored meanwhile is listed once more, so that nothing stored is
// handed on before what was stored before it.
func (k *Keeper) serve(ctx context.Context, news *news, each func(Item)) error {
	behind := true
	for {
		if behind {
			behind = false
			spans, err := k.due(ctx)
			if err != nil {
				return err
			}
			between := func() error {
				for {
					n, ok, err := news.poll()
					if !ok || err != nil {
						return err
					}
					if n.entry.stream == seal.Durable {
						behind = behind || !k.recent.has(n.entry.hash)
					} else if err := k.take(ctx, n, each); err != nil {
						return err
					}
				}
			}
			if err := k.bring(ctx, spans, false, each, between); err != nil {
				return err
			}
			continue
		}
		select {
		case n := <-news.events:
			if n.entry.stream == seal.Durable && k.recent.has(n.entry.hash) {
				continue // it was listed just now
			}
			if err := k.take(ctx, n, each); err != nil {
				return err
			}
		case <-k.filling:
			if err := k.bring(ctx, k.takeFills(), true, each, func() error { return nil }); err != nil {
				return err
			}
		case <-news.ended:
			return news.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
