package jetstream

import (
	"context"
	"errors"

	js "github.com/nats-io/nats.go/jetstream"

	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// List returns a page of the index.
func (e *Engine) List(ctx context.Context, q store.Query) (store.Page, error) {
	if err := e.begin(ctx); err != nil {
		return store.Page{}, err
	}
	return e.x.list(q)
}

// Cameras returns what is kept of each camera of a household, by id.
func (e *Engine) Cameras(ctx context.Context, h seal.HouseholdID) ([]store.Camera, error) {
	if err := e.begin(ctx); err != nil {
		return nil, err
	}
	return e.x.cameras(h), nil
}

// Wait returns when a household has an entry above after, put by any keeper.
func (e *Engine) Wait(ctx context.Context, h seal.HouseholdID, after uint64) error {
	if err := e.begin(ctx); err != nil {
		return err
	}
	for {
		news := e.x.news(h, after)
		if news == nil {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// news returns nil if there is an entry above after, else what is closed at the
// next one.
func (x *index) news(id seal.HouseholdID, after uint64) <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	h := x.home(id)
	if h.latest > after {
		return nil
	}
	if h.news == nil {
		h.news = make(chan struct{})
	}
	return h.news
}

// Stats returns the state of the store.
func (e *Engine) Stats() store.Stats {
	e.x.mu.RLock()
	defer e.x.mu.RUnlock()
	s := store.Stats{Households: len(e.x.homes), Messages: uint64(len(e.x.byHash)), Bytes: e.x.bytes, Segments: e.config.Shards, Damaged: e.damaged.Load()}
	for _, h := range e.x.homes {
		s.Cameras += len(h.cameras)
	}
	return s
}

// SetRoster keeps the newest roster of a household, with all that was added to it.
// One that may not follow what is kept changes nothing: two keepers may have heard
// of two at the same time.
func (e *Engine) SetRoster(ctx context.Context, h seal.HouseholdID, roster []byte) error {
	next, err := seal.OpenRoster(h, roster)
	if err != nil {
		return err
	}
	for {
		old, err := e.rosters.Get(ctx, string(h))
		switch {
		case errors.Is(err, js.ErrKeyNotFound):
			_, err = e.rosters.Create(ctx, string(h), roster)
		case err == nil:
			in := next
			if now, err := seal.OpenRoster(h, old.Value()); err == nil {
				if in, err = next.Over(now); err != nil {
					return nil
				}
			}
			_, err = e.rosters.Update(ctx, string(h), in.Signed(), old.Revision())
		}
		if !errors.Is(err, js.ErrKeyExists) { // else somebody was quicker
			if err != nil {
				return e.explain("bucket "+bucketRosters, err)
			}
			return nil
		}
	}
}

// Rosters hands out the roster of every household.
func (e *Engine) Rosters(ctx context.Context, each func(h seal.HouseholdID, roster []byte) error) error {
	w, err := e.rosters.WatchAll(ctx, js.IgnoreDeletes())
	if err != nil {
		return e.explain("bucket "+bucketRosters, err)
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case kv := <-w.Updates():
			if kv == nil { // all that there are
				return nil
			}
			h, err := seal.ParseHouseholdID(kv.Key())
			if err != nil {
				continue
			}
			if err := each(h, kv.Value()); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
