package keeper

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Times of a feed.
const (
	beat        = 15 * time.Second // between signs of life
	feedTimeout = 20 * time.Second // for a reader to take what was written
	feedPage    = 200
)

// getFeed tells a viewer what comes, as server-sent events, until it goes or its
// household's roster changes so that it has to show a pass again.
//
// Source: HTML Living Standard, 9.2 Server-sent events.
func (k *Keeper) getFeed(w http.ResponseWriter, r *http.Request, roster *seal.Roster) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fail(http.StatusBadRequest, "the query: %w", err)
	}
	after, all, err := k.feedStart(r.Context(), roster.Household, values, r.Header.Get("Last-Event-ID"))
	if err != nil {
		return err
	}
	leave, ok := k.gates.feeds.enter(string(roster.Household))
	if !ok {
		k.figures.refuse("feeds_of_household")
		return fail(http.StatusTooManyRequests, "%d feeds of the household are open", maxFeedsHousehold)
	}
	defer leave()
	k.figures.feeds.Add(1)
	defer k.figures.feeds.Add(-1)
	head := w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Accel-Buffering", "no") // of proxies that would wait for more
	e := &events{w: w, c: http.NewResponseController(w)}
	if err := e.c.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	member := k.rosters.member(roster.Household)
	e.send("hello", 0, struct {
		Keeper    seal.KeyID       `json:"keeper"`
		Household seal.HouseholdID `json:"household"`
		Time      time.Time        `json:"time"`
		After     uint64           `json:"after"`
	}{k.id, roster.Household, k.config.Now().UTC().Truncate(time.Second), after})
	e.send("roster", 0, struct {
		Version uint64 `json:"version"`
	}{roster.Version})
	k.follow(r.Context(), e, member, roster, after, all)
	return nil // what was written tells all
}

// feedStart returns the cursor behind which a feed begins, and whether the reader
// asked for one.
func (k *Keeper) feedStart(ctx context.Context, h seal.HouseholdID, v url.Values, last string) (after uint64, asked bool, err error) {
	text := v.Get("after")
	if last != "" { // a reader that comes back by itself
		text = last
	}
	if len(v) > 1 || len(v) == 1 && !v.Has("after") {
		return 0, false, fail(http.StatusBadRequest, "a feed takes after=CURSOR, and nothing else")
	}
	if text != "" {
		if after, err = parseNumber(text); err != nil {
			return 0, false, fail(http.StatusBadRequest, "after: %w", err)
		}
		return after, true, nil
	}
	page, err := k.config.Store.List(ctx, store.Query{Household: h, Newest: true, Limit: 1})
	if err == nil && len(page.Entries) > 0 {
		after = page.Entries[0].Cursor
	}
	return after, false, err
}

// follow writes events until something ends it.
func (k *Keeper) follow(ctx context.Context, e *events, m *member, roster *seal.Roster, after uint64, _ bool) {
	f, newest := k.passing.follow(roster.Household, roster.Cameras)
	defer k.passing.unfollow(roster.Household, f)
	for _, n := range newest {
		d := describe(n)
		d.Retained = true
		e.send("message", 0, d)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	wake := make(chan struct{}, 1)
	look := make(chan uint64, 1) // cursors behind which to wait
	go k.waitLoop(ctx, roster.Household, look, wake)
	tick := time.NewTicker(beat)
	defer tick.Stop()
	pending := true
	for e.err == nil {
		if pending {
			var ok bool
			if after, ok = k.sendKept(ctx, e, roster.Household, after); !ok {
				return
			}
			look <- after
			pending = false
		}
		e.flush()
		select {
		case <-wake:
			pending = true
		case n := <-f.entries:
			e.send("message", 0, describe(n))
		case <-m.change: // the reader reads the new one, and shows a pass under it
			e.send("roster", 0, struct {
				Version uint64 `json:"version"`
			}{k.version(roster.Household)})
			e.flush()
			return
		case <-tick.C:
			e.comment()
		case <-ctx.Done():
			return
		}
	}
}

func (k *Keeper) version(h seal.HouseholdID) uint64 {
	if r, err := k.rosters.of(h); err == nil {
		return r.Version
	}
	return 0
}

// waitLoop tells wake each time that there is something behind the cursor from look.
func (k *Keeper) waitLoop(ctx context.Context, h seal.HouseholdID, look <-chan uint64, wake chan<- struct{}) {
	for {
		select {
		case after := <-look:
			if k.config.Store.Wait(ctx, h, after) != nil && ctx.Err() != nil {
				return
			}
			wake <- struct{}{}
		case <-ctx.Done():
			return
		}
	}
}

// sendKept sends all that is kept behind after, and returns the cursor of the last.
func (k *Keeper) sendKept(ctx context.Context, e *events, h seal.HouseholdID, after uint64) (last uint64, ok bool) {
	for {
		page, err := k.config.Store.List(ctx, store.Query{Household: h, After: after, Limit: feedPage})
		if err != nil {
			return after, false
		}
		for _, n := range page.Entries {
			e.send("message", n.Cursor, describe(n))
			after = n.Cursor
		}
		if e.flush(); e.err != nil {
			return after, false
		}
		if !page.More {
			return after, true
		}
	}
}

// events writes server-sent events; the first error stays.
type events struct {
	w   http.ResponseWriter
	c   *http.ResponseController
	err error
}

func (e *events) send(event string, id uint64, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		e.err = err
		return
	}
	text := "event: " + event + "\ndata: " + string(b) + "\n\n"
	if id > 0 {
		text = fmt.Sprintf("id: %d\n", id) + text
	}
	e.write(text)
}

func (e *events) comment() { e.write(":\n\n") }

func (e *events) write(text string) {
	if e.err != nil {
		return
	}
	if e.err = e.c.SetWriteDeadline(time.Now().Add(feedTimeout)); e.err == nil { // the network's time, not the keeper's clock
		_, e.err = e.w.Write([]byte(text))
	}
}

func (e *events) flush() {
	if e.err == nil {
		e.err = e.c.Flush()
	}
}
