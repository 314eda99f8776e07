package feed

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	maxEvent = 16 << 10 // bytes of one event
	// silence is how long a keeper may say nothing; it says something each 15 s.
	silence   = time.Minute
	maxEvents = 256 // events that wait for the reader; then the keeper waits
)

// event is one thing that a keeper tells as it happens.
type event struct {
	roster bool // there is another; else it is entry
	entry  entry
}

// news is the stream of events of one session.
type news struct {
	events chan event
	ended  chan struct{} // closed when there are no more
	err    error         // why, once ended
	cancel context.CancelFunc
}

// follow opens the stream of what comes after a place in the keeper's order.
func (k *Keeper) follow(ctx context.Context, after uint64) *news {
	ctx, cancel := context.WithCancel(ctx)
	n := &news{events: make(chan event, maxEvents), ended: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(n.ended)
		n.err = k.api.follow(ctx, after, func(e event) {
			select {
			case n.events <- e:
			case <-ctx.Done():
			}
		})
	}()
	return n
}

// close ends the stream and waits until it has ended.
func (n *news) close() {
	n.cancel()
	<-n.ended
}

// poll returns what waits, without waiting.
func (n *news) poll() (e event, ok bool, err error) {
	select {
	case e := <-n.events:
		return e, true, nil
	default:
	}
	select {
	case <-n.ended:
		return event{}, false, n.err
	default:
		return event{}, false, nil
	}
}

// follow reads the stream until it ends; the error is never nil.
func (a *api) follow(ctx context.Context, after uint64, each func(event)) error {
	pass, err := a.ticket()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(silence, func() { cancel(fmt.Errorf("the keeper has said nothing for %v", silence)) })
	defer quiet.Stop()
	u := a.of("feed")
	u.RawQuery = url.Values{"after": {strconv.FormatUint(after, 10)}}.Encode()
	answer, err := a.do(ctx, http.MethodGet, pass, u, nil)
	if err == nil {
		defer answer.Body.Close()
		err = readEvents(bufio.NewReaderSize(answer.Body, maxEvent), func() { quiet.Reset(silence) }, each)
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// readEvents reads an event stream (WHATWG HTML, 9.2) as keepers write it: one line
// of data an event. alive is called for every line.
func readEvents(r *bufio.Reader, alive func(), each func(event)) error {
	var kind string
	var data []byte
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("the keeper tells of something in more than %d bytes", maxEvent)
		}
		if err != nil {
			return fmt.Errorf("the keeper's feed has ended: %w", err)
		}
		alive()
		line = bytes.TrimRight(line, "\r\n")
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(line) == 0:
			if err := tellEvent(kind, data, each); err != nil {
				return err
			}
			kind, data = "", nil
		case string(field) == "event":
			kind = string(value)
		case string(field) == "data":
			data = bytes.Clone(value)
		}
	}
}

func tellEvent(kind string, data []byte, each func(event)) error {
	switch kind {
	case "roster":
		each(event{roster: true})
	case "message":
		var e entry
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("the keeper tells of no message: %w", err)
		}
		each(event{entry: e})
	}
	return nil // hello, and what later keepers tell of
}

// take hands on what an event tells of.
func (k *Keeper) take(ctx context.Context, n event, each func(Item)) error {
	if n.roster {
		signed, err := k.api.roster(ctx)
		if err == nil {
			each(Item{Camera: k.someone, Kind: Roster, Sealed: signed, Stored: true})
		}
		return err
	}
	if n.entry.kind == Recording || n.entry.kind == View && !k.config.View {
		return nil
	}
	c := &coming{entry: n.entry}
	c.sealed, c.err = k.api.message(ctx, n.entry)
	return k.handOn(c, each)
}
