package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// goodbye is how long Close waits for the DISCONNECT packet to leave.
const goodbye = 250 * time.Millisecond

// Conn is one connection. Its methods are safe for concurrent use.
type Conn struct {
	client   paho.Client
	broker   string
	raw      net.Conn // below TLS: closing it ends everything at once
	wire     *wire
	slot     chan struct{} // full while a message is between Publish and the network
	messages chan Message
	dropped  atomic.Uint64

	end  sync.Once
	done chan struct{}
	err  error // set before done is closed
}

// Token follows one published message.
type Token interface {
	// Done is closed when the broker has acknowledged the message, or never
	// will. On a connection that has ended it may stay open: wait for
	// Conn.Done beside it.
	Done() <-chan struct{}
	// Err returns nil once the broker has acknowledged the message. It may be
	// asked after Done only.
	Err() error
}

// Dial connects to the broker of c. ctx bounds the dialling only; its end
// gives ctx's error, any other failure an *Error. Certificates are judged by the
// clock of c.TLS and by nothing else: whose clock was lost says so there.
func Dial(ctx context.Context, c Config) (*Conn, error) {
	c = c.withDefaults()
	t, err := c.target()
	if err != nil {
		return nil, err
	}
	conn := &Conn{
		broker:   t.addr,
		slot:     make(chan struct{}, 1),
		messages: make(chan Message, c.Queue),
		done:     make(chan struct{}),
	}
	var openErr error
	opened := make(chan struct{})
	opts := options(c)
	opts.SetDefaultPublishHandler(conn.receive)
	opts.SetConnectionLostHandler(func(_ paho.Client, err error) { conn.finish(conn.lost(err)) })
	opts.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
		defer close(opened)
		conn.wire, openErr = conn.open(ctx, c, t)
		if openErr != nil {
			return nil, openErr
		}
		return conn.wire, nil
	})
	conn.client = paho.NewClient(opts)
	token := conn.client.Connect()
	<-opened // bounded by ctx and ConnectTimeout
	if openErr == nil {
		stop := context.AfterFunc(ctx, conn.cut)
		<-token.Done() // bounded by ctx, which cuts, and ConnectTimeout
		stop()
	} else {
		<-token.Done()
	}
	switch err := token.Error(); {
	case ctx.Err() != nil:
		conn.Close()
		return nil, ctx.Err()
	case err != nil:
		var wireErr error
		if conn.wire != nil {
			wireErr = conn.wire.firstError()
			conn.cut()
		}
		return nil, explain(t.addr, openErr, wireErr, err)
	}
	c.Log.Debug("connected", "broker", t.addr)
	return conn, nil
}

// options sets every option of paho whose default would surprise.
func options(c Config) *paho.ClientOptions {
	opts := paho.NewClientOptions().
		AddBroker(c.URL). // for the name only, open does the dialling
		SetClientID(c.ClientID).
		SetProtocolVersion(4). // else it falls back to MQTT 3.1 after any refusal
		SetCleanSession(true). // else tokens of a lost connection never complete
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetOrderMatters(true). // else one goroutine per message received
		SetKeepAlive(c.KeepAlive).
		SetPingTimeout(max(c.WriteTimeout, 10*time.Second)).
		SetConnectTimeout(c.ConnectTimeout).
		SetWriteTimeout(c.WriteTimeout) // here: for handing a message to paho's writer
	if c.User != "" {
		opts.SetUsername(c.User).SetPassword(c.Password)
	}
	if w := c.Will; w != nil {
		opts.SetBinaryWill(w.Topic, w.Payload, w.QoS, w.Retained)
	}
	return opts
}

// open makes the network connection: address, TCP, TLS.
func (c *Conn) open(ctx context.Context, conf Config, t target) (*wire, error) {
	ctx, cancel := context.WithTimeout(ctx, conf.ConnectTimeout)
	defer cancel()
	raw, err := conf.Net(ctx, "tcp", t.addr)
	if err != nil {
		return nil, err
	}
	c.raw = raw
	w := &wire{Conn: raw, timeout: conf.WriteTimeout, slot: c.slot}
	if t.tls != nil {
		conn := tls.Client(raw, t.tls)
		if err := conn.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, err
		}
		w.Conn = conn
	}
	w.read = reader{src: w.Conn, max: conf.MaxIncoming}
	return w, nil
}

// receive is called by paho for every message, one at a time. It must not
// wait: pings would stop.
func (c *Conn) receive(_ paho.Client, m paho.Message) {
	select {
	case c.messages <- Message{Topic: m.Topic(), Payload: m.Payload(), Retained: m.Retained(), QoS: m.Qos()}:
	default:
		c.dropped.Add(1)
	}
}

// Publish hands m to the network. It waits for the message before to have been
// written, so that what is more important can still be chosen as the next one.
// The end of ctx while m itself is handed over cuts the connection: half a
// message cannot be taken back. m.Payload must not be written to until the
// Token is done.
func (c *Conn) Publish(ctx context.Context, m Message) Token {
	if m.QoS > 1 {
		return failed{fmt.Errorf("publish to %s: quality of service %d is not supported", m.Topic, m.QoS)}
	}
	select {
	case <-c.done:
		return failed{c.err}
	default:
	}
	select {
	case c.slot <- struct{}{}:
	case <-c.done:
		return failed{c.err}
	case <-ctx.Done():
		return failed{ctx.Err()}
	}
	stop := context.AfterFunc(ctx, c.cut)
	defer stop()
	t := c.client.Publish(m.Topic, m.QoS, m.Retained, m.Payload)
	if err := t.Error(); err != nil {
		c.finish(c.lost(err))
	}
	return token{t}
}

// askings is how often a subscription is asked for before its denial is believed.
// A NATS cluster that has just lost a node gives the work of some subscriptions
// to the node that is gone, and denies these after 4 s; asked again it draws
// another node. A connection anew would draw for all filters at once, and hardly
// ever get all of them.
const askings = 6

// Subscribe asks for every message that matches one of the filters, with QoS
// 1, and waits for the broker's consent to each.
func (c *Conn) Subscribe(ctx context.Context, filters ...string) error {
	for _, filter := range filters {
		var err error
		for range askings {
			if err = c.subscribe(ctx, filter); !errors.Is(err, errDenied) {
				break
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var errDenied = errors.New("denied")

// subscribe asks for one filter: the wire knows that a SUBACK has one answer.
func (c *Conn) subscribe(ctx context.Context, filter string) error {
	stop := context.AfterFunc(ctx, c.cut)
	defer stop()
	token := c.client.Subscribe(filter, 1, nil)
	select {
	case <-token.Done():
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := token.Error(); err != nil {
		return c.lost(fmt.Errorf("subscribe to %s: %w", filter, err))
	}
	switch granted, ok := token.(*paho.SubscribeToken).Result()[filter]; {
	case !ok:
		return &Error{Reason: ErrProtocol, Broker: c.broker, Err: fmt.Errorf("no answer for %s in its SUBACK", filter)}
	case granted > 1:
		return &Error{Reason: ErrRefused, Broker: c.broker, Err: fmt.Errorf("subscription to %s %w", filter, errDenied)}
	}
	return nil
}

// Messages returns what the broker sends. It is never closed, see Done. Who
// does not read it loses messages, see Dropped.
func (c *Conn) Messages() <-chan Message { return c.messages }

// Dropped counts the messages that found Config.Queue full.
func (c *Conn) Dropped() uint64 { return c.dropped.Load() }

// Done is closed when the connection has ended, for whatever reason.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns why the connection has ended, as an *Error, and nil before.
func (c *Conn) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Close says goodbye, so that the broker does not publish the will, and ends
// the connection. It returns within half a second.
func (c *Conn) Close() {
	c.client.Disconnect(uint(goodbye.Milliseconds()))
	c.finish(&Error{Reason: ErrClosed, Broker: c.broker})
}

// lost names the end of the connection. What the network said first tells more
// than what paho makes of it later.
func (c *Conn) lost(err error) *Error {
	if first := c.wire.firstError(); first != nil {
		err = first
	}
	return lost(c.broker, err)
}

// finish ends the connection once, with the reason that came first.
func (c *Conn) finish(err *Error) {
	c.end.Do(func() {
		c.err = err
		c.cut()
		close(c.done)
	})
}

// cut ends the network connection without a goodbye. Everything that waits for
// it returns.
func (c *Conn) cut() {
	if c.raw != nil {
		_ = c.raw.Close()
	}
}

// token is a Token of a message that paho has taken.
type token struct{ paho.Token }

func (t token) Err() error { return t.Error() }

// failed is a Token of a message that was never sent.
type failed struct{ err error }

func (f failed) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

func (f failed) Err() error { return f.err }
