// Package broker is an MQTT broker inside the process, for the bench and for
// tests: TLS 1.3, client certificates, and the access rules that every broker
// of cameras should have. It is the only package that knows mochi-mqtt.
//
// What this package does not do: over a restart it keeps nothing but, with
// Config.Retain, the lists and settings that wait for cameras; a connection's
// state it never keeps. It asks nobody about a certificate that was revoked: who
// knows tells it (Revoke).
// What verifies pictures never depends on it.
package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
)

// MaxPacket bounds one message in bytes; larger ones end the connection.
const MaxPacket = 9 << 20

// Config says who the broker is and whom it lets in.
type Config struct {
	Addr string      // address to listen on, "127.0.0.1:0" for any free port
	TLS  *tls.Config // the broker's certificate and the authorities of its clients; a client's name is its CN
	// Retain is the directory in which rosters and settings that are retained
	// outlive a restart; "" for none.
	Retain string
	Log    *slog.Logger
	// Limits bound what clients cost.
	Limits Limits
}

// Broker is a running or not yet running broker.
type Broker struct {
	server   *mqtt.Server
	door     *door
	insiders atomic.Int64 // subscriptions within the process so far
}

// New listens on c.Addr. Connections wait until Run.
func New(c Config) (*Broker, error) {
	if c.TLS == nil || c.TLS.ClientCAs == nil || len(c.TLS.Certificates) == 0 && c.TLS.GetCertificate == nil {
		return nil, errors.New("broker: a certificate and the clients' authority are needed")
	}
	conf := c.TLS.Clone()
	conf.MinVersion, conf.ClientAuth = tls.VersionTLS13, tls.RequireAndVerifyClientCert
	l, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	limits := c.Limits.withDefaults()
	d := newDoor(l, conf, limits)
	conf.VerifyConnection = d.list.verify // of a connection that is resumed, too
	capabilities := mqtt.NewDefaultServerCapabilities()
	capabilities.MaximumPacketSize = MaxPacket
	capabilities.MaximumClients = int64(limits.Clients)
	capabilities.MaximumClientWritesPending = int32(limits.Writes)
	capabilities.MaximumMessageExpiryInterval = 0 // else a roster is gone after a day
	capabilities.MaximumSessionExpiryInterval = 0 // cameras and viewers start afresh
	server := mqtt.New(&mqtt.Options{Capabilities: capabilities, Logger: quiet(c.Log), InlineClient: true})
	if err := addHooks(server, c); err != nil {
		l.Close()
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := server.AddListener(listeners.NewNet("tls", d)); err != nil {
		l.Close()
		return nil, fmt.Errorf("broker: %w", err)
	}
	return &Broker{server: server, door: d}, nil
}

// addHooks adds who asks for permission, and what is kept over restarts.
func addHooks(s *mqtt.Server, c Config) error {
	if err := s.AddHook(new(rules), nil); err != nil || c.Retain == "" {
		return err
	}
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r := &retained{dir: c.Retain, log: log.With("part", "broker"), loading: true}
	if err := s.AddHook(r, nil); err != nil {
		return err
	}
	defer func() { r.loading = false }()
	return r.load(func(topic string, payload []byte) error { return s.Publish(topic, payload, true, 1) })
}

// quiet keeps the library's own chatter (every TLS handshake that failed, every
// client that went away) at the level of debugging.
func quiet(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(lowered{log.With("part", "broker").Handler()})
}

// lowered is a slog.Handler that hands every record on as debugging.
type lowered struct{ slog.Handler }

func (l lowered) Enabled(ctx context.Context, _ slog.Level) bool {
	return l.Handler.Enabled(ctx, slog.LevelDebug)
}

func (l lowered) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return l.Handler.Handle(ctx, r)
}

func (l lowered) WithAttrs(attrs []slog.Attr) slog.Handler {
	return lowered{l.Handler.WithAttrs(attrs)}
}
func (l lowered) WithGroup(name string) slog.Handler { return lowered{l.Handler.WithGroup(name)} }

// URL returns the address that clients dial.
func (b *Broker) URL() string { return "mqtts://" + b.door.Addr().String() }

// Run serves until ctx ends, then closes every connection.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.server.Serve(); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	<-ctx.Done()
	b.door.Cut()
	if err := b.server.Close(); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	return nil
}

// Cut ends every connection of a client whose name matches, and refuses new
// ones, as a network does that is gone. Nobody says goodbye.
func (b *Broker) Cut(match func(name string) bool) { b.door.cut(match) }

// Heal lets everybody in again.
func (b *Broker) Heal() { b.door.cut(nil) }

// may reports whether the client called name may publish to (write) or
// subscribe to a topic. It is Mosquitto's `pattern readwrite sealcam/v1/%u/#`,
// and for the household's viewers what they need of every camera.
func may(name, topic string, write bool) bool {
	rest, ok := strings.CutPrefix(topic, "sealcam/v1/")
	if !ok {
		return false
	}
	if !strings.HasPrefix(name, "viewer-") && !strings.HasPrefix(name, "keeper-") {
		return strings.HasPrefix(rest, name+"/")
	}
	if !write {
		return true
	}
	_, kind, _ := strings.Cut(rest, "/")
	return kind == "cmd" || kind == "roster" || strings.HasPrefix(kind+"/", "settings/")
}
