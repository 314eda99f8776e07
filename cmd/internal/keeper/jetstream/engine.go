package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Engine is a keeper's store in a cluster, beside others with the same. It is
// safe for concurrent use.
type Engine struct {
	config Config
	log    *slog.Logger
	nc     *nats.Conn
	js     js.JetStream

	index   js.Stream
	rosters js.KeyValue
	format  byte          // newest form of event; only tests have another
	ackWait time.Duration // likewise
	pause   time.Duration // likewise: the longest one before a message comes again

	x     *index
	ready chan struct{} // closed when the index has caught up

	mu      sync.Mutex
	failed  error                    // why nothing is taken any more
	awaited map[[16]byte]chan result // what events did that were written here
	again   []deletion               // those that a keeper may have left unfinished
	shards  map[uint16]js.Stream

	said             atomic.Pointer[string] // by the cluster, unasked
	doubled, damaged atomic.Uint64
	intake           counters
}

// deletion is what is erased in the cluster.
type deletion struct {
	household seal.HouseholdID
	camera    seal.CameraID
	span      seal.Range
	out       []*record // of the index
}

// ErrBehind says that the log could not be read in time, so that what became of
// a message is not known. Nothing is lost; ask again.
var ErrBehind = errors.New("this keeper has not caught up with the cluster's log")

// Open connects to the cluster, makes there what is missing, and checks what is
// not. What it refuses, it says with the setting to change. Nothing works until
// Run runs.
func Open(ctx context.Context, c Config) (*Engine, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	e := &Engine{
		config: c, log: c.Log.With("part", "jetstream"), format: format, ackWait: ackWait, pause: maxPause, x: newIndex(), ready: make(chan struct{}),
		awaited: map[[16]byte]chan result{}, shards: map[uint16]js.Stream{},
	}
	if e.nc, err = nats.Connect(c.URL, e.options()...); err != nil {
		return nil, fmt.Errorf("cluster %s: %w: is it running, and does it know this keeper's certificate or credentials?", c.URL, err)
	}
	e.js, err = js.New(e.nc, js.WithPublishAsyncMaxPending(1024), js.WithPublishAsyncTimeout(30*time.Second), js.WithDefaultTimeout(10*time.Second))
	if err == nil {
		err = e.setUp(ctx)
	}
	if err != nil {
		e.nc.Close()
		return nil, err
	}
	return e, nil
}

// Close ends the connection. What other goroutines wait for fails.
func (e *Engine) Close() error {
	e.fail(store.ErrClosed)
	e.nc.Close()
	return nil
}

// fail says once and for all that nothing is taken any more.
func (e *Engine) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failed == nil {
		e.failed = err
	}
}

// err returns why nothing is taken any more; nil while something is.
func (e *Engine) err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failed
}

// begin waits until the index has caught up.
func (e *Engine) begin(ctx context.Context) error {
	if err := e.err(); err != nil {
		return err
	}
	select {
	case <-e.ready:
		return nil
	default:
	}
	select {
	case <-e.ready:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w (%w)", ErrBehind, ctx.Err())
	}
}

// Run reads the cluster's log into the index until ctx ends, and returns ctx's
// error then. It returns store.ErrNewer if a keeper has written to the log what
// this one is too old for: it must take nothing more, and others do.
func (e *Engine) Run(ctx context.Context) error {
	var begin uint64
	for {
		err := e.follow(ctx, &begin)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, store.ErrNewer), errors.Is(err, errForgotten):
			e.fail(err)
			return err
		case errors.Is(err, errStalled):
			continue // with a reader of its own
		}
		if failed := e.err(); failed != nil {
			return failed
		}
		e.log.Warn("the cluster's log cannot be read; trying again", "err", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var errForgotten = fmt.Errorf("stream %s is shorter than it was: it was restored from a back-up, or made anew; start the keepers again", streamIndex)

// follow reads the log for as long as it goes well. begin is where this keeper
// has made its mark, 0 if it has not yet.
func (e *Engine) follow(ctx context.Context, begin *uint64) error {
	if *begin == 0 {
		m := &event{what: mark, writer: e.config.Name + " " + e.config.Version}
		ack, err := e.js.Publish(ctx, m.subject(rootIndex), m.encode(e.format), js.WithExpectStream(streamIndex))
		if err != nil {
			return e.explain("stream "+streamIndex, err)
		}
		*begin = ack.Sequence
	}
	info, err := e.index.Info(ctx)
	if err != nil {
		return err
	}
	if info.State.LastSeq < e.x.at() {
		return errForgotten
	}
	consumer, err := e.js.OrderedConsumer(ctx, streamIndex, js.OrderedConsumerConfig{DeliverPolicy: js.DeliverByStartSequencePolicy, OptStartSeq: e.x.at() + 1})
	if err != nil {
		return err
	}
	if consumer.CachedInfo().NumPending == 0 { // the last lines were taken back
		e.x.pass(info.State.LastSeq)
	}
	messages, err := consumer.Messages(js.PullMaxMessages(4096))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		waiting, stop := context.WithTimeout(ctx, quiet)
		m, err := messages.Next(js.NextContext(waiting))
		stop()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			if err = e.silent(ctx); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		if err := e.read(m, *begin); err != nil {
			return err
		}
	}
}

// quiet is after how long without news the log is asked whether there is none.
const quiet = 15 * time.Second

var errStalled = errors.New("the cluster's log goes on, and nothing of it comes")

// silent returns errStalled if there is news.
func (e *Engine) silent(ctx context.Context) error {
	info, err := e.index.Info(ctx)
	if err == nil && info.State.LastSeq > e.x.at() {
		err = errStalled
	}
	return err
}

// read takes one message of the log into the index.
func (e *Engine) read(m js.Msg, begin uint64) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	ev, err := decode(m.Subject(), rootIndex, m.Data(), e.format)
	cursor := meta.Sequence.Stream
	switch {
	case errors.Is(err, store.ErrNewer):
		return fmt.Errorf("the keepers' log, at %d: %w: upgrade this keeper (%s); the newer ones do its work until then", cursor, err, e.config.Version)
	case err != nil: // not written by a keeper; every keeper passes over it
		e.log.Error("in the keepers' log is something else: who else may write to "+rootIndex+">?", "at", cursor, "subject", m.Subject())
		e.x.pass(cursor)
	default:
		r := e.x.apply(ev, cursor, meta.Timestamp)
		e.answer(ev, r)
	}
	select {
	case <-e.ready:
	default:
		if cursor >= begin {
			close(e.ready)
			e.log.Info("the index has caught up", "messages", e.x.count())
		}
	}
	return nil
}

// answer tells who wrote ev what it did, if that was here. What a deletion still
// found while the index caught up was not finished by who wrote it.
func (e *Engine) answer(ev *event, r result) {
	if ev.what != gone && ev.what != deleted {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.awaited[ev.token]; c != nil {
		c <- r // has room for one
		delete(e.awaited, ev.token)
		return
	}
	if ev.what == deleted && r.messages > 0 {
		select {
		case <-e.ready:
		default:
			e.again = append(e.again, deletion{ev.household, ev.camera, ev.span, r.out})
		}
	}
}
