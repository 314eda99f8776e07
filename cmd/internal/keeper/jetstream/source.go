package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/piece"
	"github.com/sealcam/sealcam/uplink/seal"
)

// The consumer that all keepers share.
const (
	group      = "keepers"
	ackWait    = 30 * time.Second
	unacked    = 8192 // of all keepers together
	inHand     = 256  // messages of one keeper
	inHandSize = 96 << 20
	// tries is how often a message is given to keepers that cannot store it,
	// and triesAtAll how often to any: one that ends the keeper that takes it
	// must not end them all.
	tries      = 30
	triesAtAll = 300
	maxPause   = time.Minute
)

// SourceStats counts what a Source has seen since the start.
type SourceStats struct {
	Taken   uint64 // messages of the shared work that were given to this keeper
	Again   uint64 // of them, given back to be tried again
	Newer   uint64 // given back for a newer keeper
	Poison  uint64 // given up: their cameras have no receipt for them, and keep them
	Ignored uint64 // on topics that no camera has, and pieces that fit nothing
	Lagging uint64 // lost because this keeper was too slow; nothing of the shared work
}

type counters struct{ taken, again, newer, poison, ignored, lagging atomic.Uint64 }

// Source is what cameras publish to the cluster, by MQTT or otherwise. What must
// not be lost is shared among all keepers: each such message is given to one of
// them, and to another one if that one does not say in time that it is done.
// What is of the moment is given to all.
type Source struct {
	e   *Engine
	log *slog.Logger
}

// Source returns the way to the cameras.
func (e *Engine) Source() *Source { return &Source{e: e, log: e.log} }

// SourceStats returns what was counted.
func (e *Engine) SourceStats() SourceStats {
	c := &e.intake
	return SourceStats{c.taken.Load(), c.again.Load(), c.newer.Load(), c.poison.Load(), c.ignored.Load(), c.lagging.Load()}
}

// Run hands every Item to each, one at a time, until ctx ends, and returns ctx's
// error then, or that of the Engine when it can take no more. each must not
// block. Where done is not nil, the message is one of the shared work, and done
// is to be called once, from anywhere: with nil when it is durable or refused for
// good, with store.ErrNewer to leave it to a newer keeper, and with any other
// error to be tried again, here or elsewhere, later.
func (s *Source) Run(ctx context.Context, each func(it feed.Item, done func(error))) error {
	var mu sync.Mutex
	one := func(it feed.Item, done func(error)) {
		mu.Lock()
		defer mu.Unlock()
		each(it, done)
	}
	stop, err := s.listen(one)
	if err != nil {
		return err
	}
	defer stop()
	if err := s.e.begin(ctx); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return s.keepOn(ctx, "shared work", func(ctx context.Context) error { return s.share(ctx, one) })
	})
	g.Go(func() error {
		return s.keepOn(ctx, "pieces", func(ctx context.Context) error { return s.pieces(ctx, one) })
	})
	g.Go(func() error {
		return s.keepOn(ctx, "rosters", func(ctx context.Context) error { return s.posted(ctx, one) })
	})
	return g.Wait()
}

// keepOn calls f again whenever it fails.
func (s *Source) keepOn(ctx context.Context, what string, f func(context.Context) error) error {
	for {
		err := f(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failed := s.e.err(); failed != nil {
			return failed
		}
		s.log.Warn("the cluster gives nothing; trying again", "what", what, "err", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// listen subscribes to what is of the moment, on topics below rootTopics.
func (s *Source) listen(each func(feed.Item, func(error))) (stop func(), err error) {
	var subs []*nats.Subscription
	stop = func() {
		for _, sub := range subs {
			_ = sub.Unsubscribe()
		}
	}
	for _, kind := range []string{feed.Hello, feed.Live, feed.View, feed.Recording, feed.Status} {
		sub, err := s.e.nc.Subscribe(rootTopics+"*."+kind, func(m *nats.Msg) {
			it, ok := s.item(m.Subject, m.Data)
			if !ok {
				return
			}
			if it.Kind == feed.Status { // the durable ones are shared
				if v, err := seal.Peek(it.Sealed); err != nil || v.Stream == seal.Durable {
					return
				}
			}
			each(it, nil)
		})
		if err == nil {
			err = sub.SetPendingLimits(4096, 64<<20)
		}
		if err != nil {
			stop()
			return nil, s.e.explain("topic "+kind, err)
		}
		subs = append(subs, sub)
	}
	return stop, nil
}

// item returns what a camera published on a topic, which is a hint.
func (s *Source) item(subject string, data []byte) (feed.Item, bool) {
	rest, _ := strings.CutPrefix(subject, rootTopics)
	id, kind, _ := strings.Cut(rest, ".")
	camera, err := seal.ParseCameraID(id)
	if err != nil || len(data) > seal.MaxSealed || len(data) == 0 {
		s.e.intake.ignored.Add(1)
		return feed.Item{}, false
	}
	return feed.Item{Camera: camera, Kind: kind, Sealed: data}, true
}

// share takes this keeper's part of the shared work.
func (s *Source) share(ctx context.Context, each func(feed.Item, func(error))) error {
	c, err := s.e.js.Consumer(ctx, streamIntake, group)
	if errors.Is(err, js.ErrConsumerNotFound) {
		c, err = s.e.js.CreateOrUpdateConsumer(ctx, streamIntake, js.ConsumerConfig{
			Durable: group, Description: "what keepers share", AckPolicy: js.AckExplicitPolicy,
			AckWait: s.e.ackWait, MaxDeliver: -1, MaxAckPending: unacked,
		})
	}
	if err != nil {
		return s.e.explain("consumer "+group+" of stream "+streamIntake, err)
	}
	messages, err := c.Messages(js.PullMaxMessagesWithBytesLimit(64, 32<<20), js.PullExpiry(10*time.Second))
	if err != nil {
		return err
	}
	defer giveBack(messages)
	room := newRoom(inHand, inHandSize)
	for {
		if err := s.e.err(); err != nil {
			return err
		}
		m, err := messages.Next(js.NextContext(ctx))
		if err != nil {
			return err
		}
		size := int64(len(m.Data()))
		if err := room.take(ctx, size); err != nil {
			return err
		}
		it, ok := s.item(m.Subject(), m.Data())
		meta, err := m.Metadata()
		if err != nil || !ok || meta.NumDelivered > triesAtAll {
			room.give(size)
			s.giveUp(m, "it ends every keeper that takes it, or is no camera's")
			continue
		}
		s.e.intake.taken.Add(1)
		each(it, func(err error) {
			room.give(size)
			s.done(m, meta.NumDelivered, err)
		})
	}
}

// giveBack ends messages. What has come and is in nobody's hands yet goes to
// another keeper at once.
func giveBack(messages js.MessagesContext) {
	messages.Drain()
	for {
		m, err := messages.Next(js.NextMaxWait(time.Second))
		if err != nil {
			break
		}
		_ = m.Nak()
	}
	messages.Stop()
}

// done answers the cluster for one message. When the answer is lost, the message
// comes again.
func (s *Source) done(m js.Msg, delivered uint64, err error) {
	c := &s.e.intake
	switch {
	case err == nil:
		err = m.Ack()
	case errors.Is(err, store.ErrNewer):
		c.newer.Add(1)
		err = m.NakWithDelay(s.e.pause / 4)
	case s.e.err() != nil: // this keeper is at its end: the next one shall have it
		err = m.Nak()
	case delivered >= tries:
		s.giveUp(m, err.Error())
		return
	default:
		c.again.Add(1)
		err = m.NakWithDelay(min(s.e.pause, time.Second<<min(delivered, 10)/2))
	}
	if err != nil {
		s.log.Debug("an answer did not get through; the message comes again", "err", err)
	}
}

func (s *Source) giveUp(m js.Msg, why string) {
	s.e.intake.poison.Add(1)
	s.log.Error("a message was given up; its camera still has it", "subject", m.Subject(), "bytes", len(m.Data()), "why", why)
	_ = m.Term()
}

// pieces joins messages that came in pieces. Every keeper reads all pieces of
// the last hour: what is whole is put by whoever is first, and once.
func (s *Source) pieces(ctx context.Context, each func(feed.Item, func(error))) error {
	since := s.e.config.Now().Add(-piecesAge)
	var joiner piece.Joiner
	return s.all(ctx, streamPieces, js.OrderedConsumerConfig{DeliverPolicy: js.DeliverByStartTimePolicy, OptStartTime: &since}, func(m js.Msg) {
		it, ok := s.item(m.Subject(), m.Data())
		if !ok {
			return
		}
		kind, whole, err := joiner.Add(string(it.Camera), it.Sealed)
		if err != nil {
			s.e.intake.ignored.Add(1)
			return
		}
		if whole != nil {
			each(feed.Item{Camera: it.Camera, Kind: kind.String(), Sealed: whole}, nil)
		}
	})
}

// posted hands on the newest roster of each camera, and then every newer one.
func (s *Source) posted(ctx context.Context, each func(feed.Item, func(error))) error {
	return s.all(ctx, streamPosted, js.OrderedConsumerConfig{DeliverPolicy: js.DeliverLastPerSubjectPolicy, FilterSubjects: []string{rootTopics + "*." + feed.Roster}}, func(m js.Msg) {
		if it, ok := s.item(m.Subject(), m.Data()); ok {
			it.Retained = true
			each(it, nil)
		}
	})
}

func (s *Source) all(ctx context.Context, stream string, from js.OrderedConsumerConfig, each func(js.Msg)) error {
	c, err := s.e.js.OrderedConsumer(ctx, stream, from)
	if err != nil {
		return s.e.explain("stream "+stream, err)
	}
	messages, err := c.Messages(js.PullMaxMessagesWithBytesLimit(64, 32<<20))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(js.NextContext(ctx))
		if err != nil {
			return err
		}
		each(m)
	}
}

// Send publishes to a topic of a camera, and returns when a node has it. What is
// sent this way is heard by cameras that are connected; the cluster does not
// retain it for the others.
func (s *Source) Send(ctx context.Context, camera seal.CameraID, kind string, payload []byte) error {
	if _, err := seal.ParseCameraID(string(camera)); err != nil || strings.ContainsAny(kind, ".*> ") {
		return fmt.Errorf("no topic %.20q of camera %.60q", kind, camera)
	}
	subject := rootTopics + string(camera) + "." + strings.ReplaceAll(kind, "/", ".")
	if err := s.e.nc.Publish(subject, payload); err != nil {
		return errors.Join(feed.ErrOffline, err)
	}
	ctx, stop := context.WithTimeout(ctx, answerTime) // Flush wants one
	defer stop()
	if err := s.e.nc.FlushWithContext(ctx); err != nil {
		return errors.Join(feed.ErrOffline, err)
	}
	return nil
}

// Link says whether a node of the cluster is reached.
func (s *Source) Link() (up bool, why string) {
	if err := s.e.err(); err != nil {
		return false, err.Error()
	}
	if s.e.nc.IsConnected() {
		return true, ""
	}
	if err := s.e.nc.LastError(); err != nil {
		return false, err.Error()
	}
	return false, "not connected to the cluster"
}
