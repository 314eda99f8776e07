package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/exposition"
	"github.com/sealcam/sealcam/uplink/identity"
)

// lookEvery is how often a keeper looks whether its papers were renewed.
const lookEvery = 10 * time.Second

// maxCRL bounds a list of revoked certificates.
const maxCRL = 4 << 20

// papers are what others renew in a keeper's files while it runs: its certificate, the
// one that it shows to viewers, and the list of those that were revoked. What is new
// holds for the next connection. What cannot be used leaves what was before in force.
type papers struct {
	who   *identity.Keeper // as it was at the start: its key and its name stay
	flags keepFlags
	log   *slog.Logger

	own, viewers atomic.Pointer[tls.Certificate]
	revoked      time.Time // of when the list is that is in force; watch's own
}

func newPapers(who *identity.Keeper, f keepFlags, log *slog.Logger) (*papers, error) {
	p := &papers{who: who, flags: f, log: log}
	p.own.Store(&who.ServerTLS().Certificates[0])
	return p, p.readViewers()
}

// readOwn reads the keeper's own certificate again.
func (p *papers) readOwn() error {
	now, err := identity.OpenKeeper(p.flags.identity)
	if err != nil {
		return err
	}
	if now.ID() != p.who.ID() || now.Name() != p.who.Name() {
		return fmt.Errorf("%s: it is keeper %s's now; start again to be that one", p.flags.identity, now.Name())
	}
	p.take(&p.own, &now.ServerTLS().Certificates[0], "the broker")
	return nil
}

// readViewers reads the certificate for viewers, if there is another one for them.
func (p *papers) readViewers() error {
	if p.flags.cert == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(p.flags.cert, p.flags.key)
	if err != nil {
		return fmt.Errorf("%s: %w", p.flags.cert, err)
	}
	p.take(&p.viewers, &pair, "viewers")
	return nil
}

// take puts a certificate in the place of another, unless it is the same.
func (p *papers) take(place *atomic.Pointer[tls.Certificate], next *tls.Certificate, whom string) {
	old := place.Load()
	if old != nil && old.Leaf.Equal(next.Leaf) {
		return
	}
	place.Store(next)
	if old != nil {
		p.log.Info("a new certificate was put here", "for", whom, "until", next.Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
}

// shown is the certificate for viewers.
func (p *papers) shown() *tls.Certificate {
	if c := p.viewers.Load(); c != nil {
		return c
	}
	return p.own.Load()
}

// viewersTLS is the side of TLS of the server for viewers.
func (p *papers) viewersTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.shown(), nil }}
}

// brokerTLS is the side of TLS of the broker in the process.
func (p *papers) brokerTLS() *tls.Config {
	c := p.who.BrokerTLS()
	c.Certificates = nil // else it is shown to those who say no name
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.own.Load(), nil }
	return c
}

// clientTLS is how to reach another broker, or a cluster.
func (p *papers) clientTLS() *tls.Config {
	c := p.who.TLS()
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return p.own.Load(), nil }
	return c
}

// revoke has b obey the list of revoked certificates, if there is one and it has
// changed.
func (p *papers) revoke(b *broker.Broker) error {
	if p.flags.crl == "" {
		return nil
	}
	info, err := os.Stat(p.flags.crl)
	if err != nil || info.ModTime().Equal(p.revoked) {
		return err
	}
	text, err := readBounded(nil, p.flags.crl, maxCRL)
	if err != nil {
		return err
	}
	if err := b.Revoke(text, p.who.Authority()); err != nil {
		return fmt.Errorf("%s: %w", p.flags.crl, err)
	}
	p.revoked = info.ModTime()
	return nil
}

// watch reads all again when it changes, until ctx ends. b is nil if the broker is
// another's.
func (p *papers) watch(ctx context.Context, b *broker.Broker) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	told := map[string]string{}
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		p.look(b, told)
	}
}

// look reads all once, and tells of each trouble once.
func (p *papers) look(b *broker.Broker, told map[string]string) {
	all := map[string]error{"certificate": p.readOwn(), "certificate for viewers": p.readViewers()}
	if b != nil {
		all["list of revoked certificates"] = p.revoke(b)
	}
	for what, err := range all {
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != "" && text != told[what] {
			p.log.Warn("the "+what+" could not be read again; the one before stays in force", "err", err)
		}
		told[what] = text
	}
}

// figures tells when the certificates end.
func (p *papers) figures(e *exposition.Text) {
	const name = "sealcam_keeper_certificate_expires_seconds"
	e.Family(name, "gauge", "When the certificate ends that is shown to the broker or its clients, and the one for viewers, since 1970.")
	e.Sample(name, float64(p.own.Load().Leaf.NotAfter.Unix()), "for", "broker")
	e.Sample(name, float64(p.shown().Leaf.NotAfter.Unix()), "for", "viewers")
}
