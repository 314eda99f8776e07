// Package mqtt is one connection to one MQTT broker: dial it, publish,
// subscribe, and know when it is gone. It is the only package that knows
// github.com/eclipse/paho.mqtt.golang, and keeps that library to the part of
// it that holds its promises: one client per connection, clean session, QoS 1,
// MQTT 3.1.1, no reconnecting and nothing stored.
//
// Everything that a broker sends is bounded before paho sees it (see reader.go):
// a five byte header from a hostile broker would otherwise make paho allocate
// 255 MiB, and a SUBACK with one byte too many would end the process.
//
// What this package does not do: it does not reconnect, keeps nothing, and
// takes no acknowledgement for a delivery. Brokers acknowledge publishes that
// their own access rules have just dropped (Mosquitto 2.0.11 and NATS 2.9.10
// do); only a receipt of a viewer is proof. It knows nothing of pictures and
// seals either.
package mqtt

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"time"
)

// Defaults of a Config.
const (
	DefaultKeepAlive      = 60 * time.Second
	DefaultConnectTimeout = 30 * time.Second
	DefaultWriteTimeout   = 20 * time.Second
	DefaultMaxIncoming    = 1 << 20
	DefaultQueue          = 16
)

// Config says which broker to talk to, and as whom.
type Config struct {
	// URL is mqtts://host[:8883]. mqtt://host[:1883], without TLS, is taken for
	// loopback addresses only: for tests, and for what stays on this machine.
	URL string
	// TLS holds the certificate authorities to believe, the client certificate
	// and the clock. It is cloned; versions below TLS 1.3 are never spoken. An
	// empty ServerName means the host of URL.
	TLS *tls.Config
	// ClientID names the connection at the broker. Two connections with the
	// same name throw each other out.
	ClientID string
	// User and Password are for brokers that ask for them; cameras and viewers
	// have a certificate instead.
	User, Password string
	// Will is published by the broker when the connection ends without Close;
	// nil for none.
	Will *Message

	KeepAlive      time.Duration // longest silence before a ping; 0: DefaultKeepAlive
	ConnectTimeout time.Duration // for address, TCP, TLS and MQTT together; 0: DefaultConnectTimeout
	WriteTimeout   time.Duration // longest time in which not even 16 KiB could be handed to the network; 0: DefaultWriteTimeout
	MaxIncoming    int           // bytes of the largest message taken from the broker, a larger one loses its payload; 0: DefaultMaxIncoming
	Queue          int           // messages received and not yet read; more are dropped and counted; 0: DefaultQueue

	// Net makes the network connection below TLS; nil means TCP of this machine.
	Net func(ctx context.Context, network, addr string) (net.Conn, error)
	Log *slog.Logger // nil: nothing is logged
}

// Message is one MQTT message. A Message that was received belongs to the
// reader; of one that is published neither field may be written to before its
// Token is done.
type Message struct {
	Topic    string
	Payload  []byte
	Retained bool // received: it is the stored last message of its topic, not news
	QoS      byte // 0 or 1
}

// withDefaults returns c with its zero fields filled in.
func (c Config) withDefaults() Config {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&c.KeepAlive, DefaultKeepAlive)
	set(&c.ConnectTimeout, DefaultConnectTimeout)
	set(&c.WriteTimeout, DefaultWriteTimeout)
	if c.MaxIncoming <= 0 {
		c.MaxIncoming = DefaultMaxIncoming
	}
	if c.Queue <= 0 {
		c.Queue = DefaultQueue
	}
	if c.Net == nil {
		c.Net = (&net.Dialer{Control: tuneSocket}).DialContext
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate checks URL, TLS and ClientID without talking to anyone.
func (c Config) Validate() error {
	_, err := c.target()
	return err
}

// target is where to dial.
type target struct {
	addr string      // host:port
	tls  *tls.Config // nil: without TLS
}

func (c Config) target() (target, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return target{}, fmt.Errorf("broker URL: %w", err)
	}
	if u.Hostname() == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return target{}, fmt.Errorf("broker URL %q: expected mqtts://host or mqtts://host:port", u.Redacted())
	}
	if c.ClientID == "" {
		return target{}, fmt.Errorf("broker URL %q: no client id given", c.URL)
	}
	switch u.Scheme {
	case "mqtts":
		if c.TLS == nil {
			return target{}, fmt.Errorf("broker URL %q: needs a certificate authority to check the broker with", c.URL)
		}
		conf := c.TLS.Clone()
		conf.MinVersion = max(conf.MinVersion, tls.VersionTLS13)
		if conf.ServerName == "" {
			conf.ServerName = u.Hostname()
		}
		return target{addr: hostPort(u, "8883"), tls: conf}, nil
	case "mqtt":
		if !loopback(u.Hostname()) {
			return target{}, fmt.Errorf("broker URL %q: mqtt:// is not encrypted and is taken for 127.0.0.1 only; use mqtts://", c.URL)
		}
		return target{addr: hostPort(u, "1883")}, nil
	}
	return target{}, fmt.Errorf("broker URL %q: expected mqtts://host or mqtts://host:port", c.URL)
}

func hostPort(u *url.URL, port string) string {
	if p := u.Port(); p != "" {
		port = p
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// loopback tells whether host is this machine whatever the resolver says.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
