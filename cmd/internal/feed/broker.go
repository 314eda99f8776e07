package feed

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/piece"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Conn is a connection to a broker, as *mqtt.Conn is one.
type Conn interface {
	Subscribe(ctx context.Context, filters ...string) error
	Publish(ctx context.Context, m mqtt.Message) mqtt.Token
	Messages() <-chan mqtt.Message
	Dropped() uint64
	Done() <-chan struct{}
	Err() error
	Close()
}

// BrokerConfig says how a Broker connects.
type BrokerConfig struct {
	// MQTT says where and as whom. An empty ClientID becomes a random one, so
	// that two programs of one viewer do not throw each other out; the bounds of
	// what is received are set by New.
	MQTT mqtt.Config
	// View reads live view too, whoever of the household watches.
	View bool
	// Recordings reads what viewers fetch, too.
	Recordings bool
	// Kinds, unless it is empty, are the only kinds that are read.
	Kinds []string
	Log   *slog.Logger
	// Dial makes a connection; nil means mqtt.Dial.
	Dial func(ctx context.Context, c mqtt.Config) (Conn, error)
	// Jitter returns a number in [0,1); nil means a random one.
	Jitter func() float64
}

// Stats counts what a Broker has seen.
type Stats struct {
	Connected uint64 // connections made
	Received  uint64 // Items handed on
	Ignored   uint64 // messages on topics that no camera has, and what is no piece of one
	Dropped   uint64 // messages lost because the viewer was too slow
}

// Broker is a Feed over MQTT. It connects again, with growing and random
// pauses, as often as it takes.
type Broker struct {
	config BrokerConfig
	log    *slog.Logger

	mu   sync.Mutex
	conn Conn   // nil while there is none
	why  string // there is none

	joiner piece.Joiner // Run's own; what is unfinished outlives a connection

	connected, received, ignored, dropped atomic.Uint64
}

// NewBroker returns a Broker; Run connects. It refuses a configuration that no
// attempt could succeed with.
func NewBroker(c BrokerConfig) (*Broker, error) {
	if c.MQTT.ClientID == "" {
		suffix := make([]byte, 6)
		if _, err := rand.Read(suffix); err != nil {
			return nil, err
		}
		c.MQTT.ClientID = "viewer-" + hex.EncodeToString(suffix)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, c mqtt.Config) (Conn, error) { return mqtt.Dial(ctx, c) }
	}
	if c.Jitter == nil {
		c.Jitter = mathrand.Float64
	}
	c.MQTT.MaxIncoming = seal.MaxSealed + 1024 // and the topic
	c.MQTT.Log = c.Log
	if err := c.MQTT.Validate(); err != nil {
		return nil, err
	}
	return &Broker{config: c, log: c.Log.With("part", "feed"), why: "not connected yet"}, nil
}

// Run implements Feed.
func (b *Broker) Run(ctx context.Context, each func(Item)) error {
	session := func(ctx context.Context) (time.Duration, error) { return b.session(ctx, each) }
	return again(ctx, b.config.Jitter, session, func(err error, news bool) {
		b.set(nil, err.Error())
		if news {
			b.log.Warn("no connection to the broker", "err", err, "hint", cli.HintOf(err))
		}
	})
}

// session is one connection, from dialling to its end. It returns how long
// Items could come.
func (b *Broker) session(ctx context.Context, each func(Item)) (lasted time.Duration, err error) {
	conn, err := b.config.Dial(ctx, b.config.MQTT)
	if err != nil {
		return 0, err
	}
	q := newQueue(maxWaiting, maxWaitingBytes)
	pumped := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(pumped)
		b.pump(conn, q, stop)
	}()
	defer func() {
		b.set(nil, "connection closed")
		conn.Close()
		close(stop)
		<-pumped
		b.dropped.Add(conn.Dropped() + q.dropped())
	}()
	filters := Filters()
	if len(b.config.Kinds) > 0 {
		filters = nil
		for _, kind := range b.config.Kinds {
			filters = append(filters, topicRoot+"+/"+kind)
		}
	}
	if b.config.View {
		filters = append(filters, topicRoot+"+/"+View)
	}
	if b.config.Recordings {
		filters = append(filters, topicRoot+"+/"+Recording)
	}
	if err := conn.Subscribe(ctx, filters...); err != nil {
		return 0, err
	}
	b.connected.Add(1)
	b.set(conn, "")
	b.log.Info("connected to the broker", "url", b.config.MQTT.URL)
	since := time.Now()
	for {
		for it, ok := q.pop(); ok; it, ok = q.pop() {
			if it, ok = b.joined(it); ok {
				b.received.Add(1)
				each(it)
			}
		}
		select {
		case <-q.filled:
		case <-conn.Done():
			return time.Since(since), conn.Err()
		case <-ctx.Done():
			return time.Since(since), ctx.Err()
		}
	}
}

// joined returns it, or the Item that it completes as a piece.
func (b *Broker) joined(it Item) (Item, bool) {
	if it.Kind != pieces && (it.Kind != Recording && it.Kind != View || !piece.Is(it.Sealed)) {
		return it, true
	}
	p, err := piece.Parse(it.Sealed)
	// A recording or live view on the way of news, or the other way round, is neither.
	own := p.Kind == piece.Recording || p.Kind == piece.View
	if err != nil || own != (it.Kind != pieces) || own && p.Kind.String() != it.Kind {
		b.ignored.Add(1)
		return Item{}, false
	}
	kind, whole, err := b.joiner.Add(string(it.Camera), it.Sealed)
	if err != nil {
		b.ignored.Add(1)
		return Item{}, false
	}
	return Item{Camera: it.Camera, Kind: kind.String(), Sealed: whole}, whole != nil
}

// pump takes messages from the connection as they come, so that its short
// queue is never full, and sorts out those on topics that no camera has.
func (b *Broker) pump(conn Conn, q *queue, stop <-chan struct{}) {
	for {
		select {
		case m := <-conn.Messages():
			camera, kind, ok := parseTopic(m.Topic)
			if !ok {
				b.ignored.Add(1)
				continue
			}
			q.push(Item{Camera: camera, Kind: kind, Sealed: m.Payload, Retained: m.Retained})
		case <-stop:
			return
		}
	}
}

// Send implements Feed.
func (b *Broker) Send(ctx context.Context, camera seal.CameraID, kind string, payload []byte) error {
	settings := strings.HasPrefix(kind, Settings+"/")
	if kind != Command && kind != Roster && !settings {
		return fmt.Errorf("a viewer sends to %s, %s or %s, not to %.20q", Command, Roster, Settings, kind)
	}
	b.mu.Lock()
	conn := b.conn
	b.mu.Unlock()
	if conn == nil {
		return ErrOffline
	}
	token := conn.Publish(ctx, mqtt.Message{Topic: Topic(camera, kind), Payload: payload, QoS: 1, Retained: kind == Roster || settings})
	select {
	case <-token.Done():
		return token.Err()
	case <-conn.Done():
		return errors.Join(ErrOffline, conn.Err())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Link implements Feed.
func (b *Broker) Link() (up bool, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.conn != nil, b.why
}

// Stats returns the counts so far; those of losses are complete up to the
// connection before the present one.
func (b *Broker) Stats() Stats {
	return Stats{Connected: b.connected.Load(), Received: b.received.Load(), Ignored: b.ignored.Load(), Dropped: b.dropped.Load()}
}

func (b *Broker) set(conn Conn, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conn, b.why = conn, why
}
