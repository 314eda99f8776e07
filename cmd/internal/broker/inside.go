package broker

import (
	"context"
	"sync"
	"sync/atomic"

	server "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/sealcam/sealcam/uplink/mqtt"
)

// insideQueue is how many messages may wait for who reads Inside.Messages. A camera
// that publishes waits when it is full, and nobody else does.
const insideQueue = 64

// Inside is a client within the process, which may read and write everything. It
// has the methods of an *mqtt.Conn, without a network between.
type Inside struct {
	broker   *Broker
	messages chan mqtt.Message
	done     chan struct{}
	close    sync.Once
	subs     map[string]int // filter: identifier
	mu       sync.Mutex     // guards subs
}

// Inside connects a client within the process. It works before Run, too.
func (b *Broker) Inside() *Inside {
	return &Inside{
		broker: b, messages: make(chan mqtt.Message, insideQueue),
		done: make(chan struct{}), subs: map[string]int{},
	}
}

// Subscribe has what is published on filters, and what is retained there, come
// out of Messages, which must be read meanwhile.
func (i *Inside) Subscribe(ctx context.Context, filters ...string) error {
	for _, f := range filters {
		id := int(i.broker.insiders.Add(1)) // the library tells subscriptions apart so
		i.mu.Lock()
		i.subs[f] = id
		i.mu.Unlock()
		var live atomic.Bool
		err := i.broker.server.Subscribe(f, id, func(_ *server.Client, _ packets.Subscription, pk packets.Packet) {
			m := mqtt.Message{Topic: pk.TopicName, Payload: pk.Payload, Retained: pk.FixedHeader.Retain && !live.Load(), QoS: 1}
			select {
			case i.messages <- m:
			case <-i.done:
			}
		})
		if err != nil {
			return err
		}
		live.Store(true)
	}
	return ctx.Err()
}

// Publish hands m to everybody who has subscribed, before it returns.
func (i *Inside) Publish(_ context.Context, m mqtt.Message) mqtt.Token {
	select {
	case <-i.done:
		return token{mqtt.ErrClosed}
	default:
	}
	return token{i.broker.server.Publish(m.Topic, m.Payload, m.Retained, m.QoS)}
}

// Messages returns where messages come.
func (i *Inside) Messages() <-chan mqtt.Message { return i.messages }

// Dropped is 0: who publishes waits.
func (i *Inside) Dropped() uint64 { return 0 }

// Done is closed by Close.
func (i *Inside) Done() <-chan struct{} { return i.done }

// Err says why Done is closed.
func (i *Inside) Err() error { return mqtt.ErrClosed }

// Close ends all subscriptions.
func (i *Inside) Close() {
	i.close.Do(func() {
		close(i.done)
		i.mu.Lock()
		defer i.mu.Unlock()
		for f, id := range i.subs {
			_ = i.broker.server.Unsubscribe(f, id) // fails for bad filters, which were not taken
		}
	})
}

// token is a mqtt.Token of what has happened already.
type token struct{ err error }

func (t token) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

func (t token) Err() error { return t.err }
