package jetstream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Config says which cluster, and as whom.
type Config struct {
	// URL is tls://host[:4222], or several with commas between them: nodes of
	// one cluster. nats://, without TLS, is taken for loopback addresses only.
	URL string
	// TLS holds the authorities to believe and the client certificate, for tls://; it is
	// cloned, and versions below TLS 1.3 are never spoken.
	TLS *tls.Config
	// Creds is a file with the credentials of an account's user (NATS 2.0
	// security), "" for none.
	Creds string
	// Name and Version are how this keeper is called in the cluster's own lists
	// and in what it writes.
	Name, Version string
	// Replicas is how many nodes hold each message; 0 is 3, and 1 is for trials.
	Replicas int
	// Shards is over how many streams the bytes of new messages are spread, by
	// camera; 0 is 1. Each has a leader of its own. It may be raised at any time.
	Shards int
	// IntakeBytes is how much the cluster may hold of what no keeper has taken
	// in yet; 0 is 4 GiB. Above it the oldest goes, unacknowledged: its camera
	// still has it.
	IntakeBytes int64
	// StoreBytes is how much each stream of bytes may hold; 0 is as much as the
	// cluster has room for. Above it nothing is taken in.
	StoreBytes int64

	Rand io.Reader        // for tokens
	Now  func() time.Time // for retention alone
	Log  *slog.Logger
}

// needPayload is the least max_payload of the cluster: the largest message,
// and its headers.
const needPayload = 9 << 20

func (c Config) withDefaults() (Config, error) {
	if c.Replicas == 0 {
		c.Replicas = 3
	}
	if c.Shards == 0 {
		c.Shards = 1
	}
	if c.IntakeBytes == 0 {
		c.IntakeBytes = 4 << 30
	}
	if c.StoreBytes == 0 {
		c.StoreBytes = -1
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Rand == nil || c.Now == nil:
		return c, errors.New("jetstream: no randomness or no clock was given")
	case c.Replicas < 1 || c.Replicas > 5 || c.Replicas%2 == 0:
		return c, fmt.Errorf("%d replicas: expected 3 or 5, or 1 for a trial", c.Replicas)
	case c.Shards < 1 || c.Shards > 1024:
		return c, fmt.Errorf("%d shards: expected 1 to 1024", c.Shards)
	case c.IntakeBytes < 2*seal.MaxSealed:
		return c, fmt.Errorf("an intake of %d bytes: expected %d or more", c.IntakeBytes, 2*seal.MaxSealed)
	}
	for one := range strings.SplitSeq(c.URL, ",") {
		if err := c.checkURL(strings.TrimSpace(one)); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c Config) checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/":
		return fmt.Errorf("NATS URL %.100q: expected tls://host or tls://host:4222", text)
	case u.Scheme == "tls" && c.TLS == nil:
		return fmt.Errorf("NATS URL %q: needs a certificate authority to check the cluster with", text)
	case u.Scheme == "tls":
		return nil
	case u.Scheme == "nats" && loopback(u.Hostname()):
		return nil
	case u.Scheme == "nats":
		return fmt.Errorf("NATS URL %q: nats:// is not encrypted and is taken for 127.0.0.1 only; use tls://", text)
	}
	return fmt.Errorf("NATS URL %.100q: expected tls://host or tls://host:4222", text)
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// options are those of a connection that tells when it is broken, instead of
// holding back what cannot be sent, and that never gives up.
func (e *Engine) options() []nats.Option {
	c := e.config
	opts := []nats.Option{
		nats.Name(c.Name), nats.Timeout(10 * time.Second), nats.RetryOnFailedConnect(false),
		nats.MaxReconnects(-1), nats.ReconnectWait(time.Second), nats.ReconnectJitter(time.Second, time.Second),
		nats.ReconnectBufSize(-1), nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) { e.trouble(err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				c.Log.Warn("connection to the cluster lost", "err", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { c.Log.Info("connected to the cluster again", "node", nc.ConnectedServerName()) }),
	}
	if strings.Contains(c.URL, "tls://") { // with a nats:// beside it, that one speaks TLS too
		conf := c.TLS.Clone()
		conf.MinVersion = max(conf.MinVersion, tls.VersionTLS13)
		opts = append(opts, nats.Secure(conf))
	}
	if c.Creds != "" {
		opts = append(opts, nats.UserCredentials(c.Creds))
	}
	return opts
}

// trouble takes note of what the cluster said that was no answer.
func (e *Engine) trouble(err error) {
	text := err.Error()
	if old := e.said.Swap(&text); old == nil || *old != text {
		e.log.Warn("the cluster says", "err", err)
	}
}
