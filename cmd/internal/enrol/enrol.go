// Package enrol gets a camera its certificate for the broker, and a new one before
// that ends: from a PKI by EST (RFC 7030), or from files that somebody else
// keeps up to date. Credentials is what the uplink connects with meanwhile.
//
// A certificate is taken only if it is for the camera's own key, names the camera,
// is for this time, comes from an authority that the settings or the pairing name,
// and ends later than the one before. Then it is a candidate: the broker is
// opened with it at once, while the old one still works. Once it has, it takes
// the old one's place; if the broker refuses it, the old one goes on.
//
// The clock may be wrong. Where it is not known to be right, the last time that was
// believed is what certificates are judged by, which has passed for certain; the
// date of the PKI's server, once its certificate is believed, says when to ask for
// a new one, and nothing else.
//
// # What this package does not do
//
// It makes no key: certificates are for the key that the camera has for its
// broker (identity), or for the one that a file brings. It judges no picture:
// certificates open brokers, and prove nothing about what a camera seals.
package enrol

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

const (
	// look is how often Run looks whether there is something to do. It is no timer of
	// many days, because boards sleep, and clocks are set.
	look = 30 * time.Second
	// again is when a certificate that the broker refused is tried once more.
	again = time.Hour
)

// Config is what Credentials are made of.
type Config struct {
	Settings Settings
	Camera   *identity.Camera // claimed
	Mono     func() time.Duration
	Chance   func() float64 // random, from [0, 1)
	Log      *slog.Logger
}

// Clock is how well a camera knows the time; *uplink.Uplink is one.
type Clock interface {
	// Time returns the time, and whether it is known to be right. If not, it is one
	// that has passed for certain.
	Time() (t time.Time, known bool)
}

// Credentials are a camera's certificates, the newest first. They implement
// uplink.Credentials, and are safe for concurrent use beside one Run.
type Credentials struct {
	Config
	household *tls.Certificate // of the pairing
	changed   chan struct{}
	wake      chan struct{}
	est       enrolment // Run's own
	files     watched   // Run's own

	mu        sync.Mutex
	candidate *tls.Certificate    // has opened no broker yet
	proven    *tls.Certificate    // has
	anchors   []*x509.Certificate // beside the household's authority
	over      bool                // proven has ended for certain
	wanted    bool                // the broker refuses what there is
	turn      int                 // of options, which is tried next
	handed    option              // what TLS gave last
	retry     time.Duration       // when to try what was refused again; 0 for never
	refused   string              // why the candidate is
	trouble   string              // why there is none
}

// Open returns the credentials of a camera. Files that cannot be used yet are no
// error: the camera goes on with its household's certificate, and says so.
func Open(c Config) (*Credentials, error) {
	if key, expected := c.Settings.Validate(); key != "" {
		return nil, fmt.Errorf("%s: %s", key, expected)
	}
	conf, err := c.Camera.TLS()
	if err != nil {
		return nil, err
	}
	k := &Credentials{Config: c, household: &conf.Certificates[0], changed: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
	switch c.Settings.From {
	case FromEST:
		return k, k.openEST()
	case FromFiles:
		k.readFiles(nil)
	}
	return k, nil
}

// Run renews until ctx ends. It returns nil then, and no trouble ends it. Of nil
// Credentials it does nothing, and Status says nothing.
func (k *Credentials) Run(ctx context.Context, clock Clock) error {
	if k == nil {
		return nil
	}
	for {
		switch k.Settings.From {
		case FromEST:
			k.stepEST(ctx, clock)
		case FromFiles:
			k.readFiles(clock)
		}
		k.retryRefused()
		select {
		case <-ctx.Done():
			return nil
		case <-k.wake:
		case <-time.After(look):
		}
	}
}

// option is something to open the broker with.
type option struct {
	from string
	new  bool // the candidate
	cert *tls.Certificate
}

// options returns what to open the broker with, the best first; k.mu is held.
func (k *Credentials) options() (all []option) {
	if k.candidate != nil {
		all = append(all, option{k.Settings.From, true, k.candidate})
	}
	if k.proven != nil && !(k.over && len(all) > 0) {
		all = append(all, option{k.Settings.From, false, k.proven})
	}
	return append(all, option{FromPairing, false, k.household})
}

// current returns what is tried next, or was; k.mu is held.
func (k *Credentials) current() option {
	all := k.options()
	return all[k.turn%len(all)]
}

// TLS implements uplink.Credentials.
func (k *Credentials) TLS() (*tls.Config, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	o := k.current()
	k.handed = o
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: k.roots(), Certificates: []tls.Certificate{*o.cert}}, nil
}

// roots returns whom to believe: the household's authority and all anchors; k.mu
// is held.
func (k *Credentials) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	if ca := k.Camera.Authority(); ca != nil {
		pool.AddCert(ca)
	}
	for _, c := range k.anchors {
		pool.AddCert(c)
	}
	return pool
}

// Changed implements uplink.Credentials.
func (k *Credentials) Changed() <-chan struct{} { return k.changed }

// Tried implements uplink.Credentials. What was handed out may not be the best any
// more: a better one may have come meanwhile, which this says nothing about.
func (k *Credentials) Tried(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	o := k.handed
	switch {
	case o.cert == nil: // nothing was
	case err == nil:
		k.opened(o)
	case errors.Is(err, mqtt.ErrRefused) && o == k.current(): // any other trouble would be the same with any certificate
		k.turn++
		if o.new {
			k.refused = err.Error()
			k.Log.Warn("the broker refuses the camera's new certificate; the one before is tried", "err", err)
		} else if o.from != FromPairing {
			k.wanted = true
			signal(k.wake)
		}
	}
}

// opened takes note that the broker has let the camera in with o; k.mu is held.
func (k *Credentials) opened(o option) {
	switch {
	case o != k.options()[0]:
		k.retry = k.Mono() + again
		return
	case o.new:
		if k.Settings.From == FromEST {
			if err := k.Camera.Promote(); err != nil {
				k.Log.Error("the new certificate is used, and not kept in the place of the old one", "err", err)
			}
		}
		k.proven, k.candidate, k.over = o.cert, nil, false
		k.Log.Info("the broker takes the camera's new certificate", "until", stamp(o.cert.Leaf.NotAfter), "issuer", o.cert.Leaf.Issuer.String())
	}
	k.wanted, k.turn, k.retry, k.refused = false, 0, 0, ""
	select {
	case <-k.changed: // this is what changed
	default:
	}
}

// retryRefused has what the broker refused tried once more, in time.
func (k *Credentials) retryRefused() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.retry > 0 && k.Mono() >= k.retry {
		k.retry, k.turn = 0, 0
		signal(k.changed)
	}
}

// offer makes cert what the broker is opened with next.
func (k *Credentials) offer(cert *tls.Certificate) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.candidate, k.turn, k.retry, k.refused, k.trouble = cert, 0, 0, "", ""
	signal(k.changed)
}

// content takes back what complain said.
func (k *Credentials) content() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trouble = ""
}

// complain sets why there is no certificate, and says so once.
func (k *Credentials) complain(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if text := err.Error(); text != k.trouble {
		k.trouble = text
		var h interface{ Hint() string }
		hint := ""
		if errors.As(err, &h) {
			hint = h.Hint()
		}
		k.Log.Warn("no new certificate for the broker", "err", err, "hint", hint)
	}
}

// Status says what the broker is opened with. now is the camera's clock, known if
// it is right.
func (k *Credentials) Status(now time.Time, known bool) *uplink.Certificate {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	o := k.current()
	leaf := o.cert.Leaf
	s := &uplink.Certificate{From: o.from, Issuer: leaf.Issuer.String(), Until: leaf.NotAfter.UTC()}
	if o.from == FromEST {
		s.Renew = renewAt(leaf, string(k.Camera.ID())).UTC().Truncate(time.Second)
	}
	if known {
		days := int(leaf.NotAfter.Sub(now).Hours() / 24)
		s.Days = &days
	}
	switch {
	case k.refused != "":
		s.Trouble = "the broker refuses the new certificate: " + k.refused
	case k.trouble != "":
		s.Trouble = k.trouble
	case known && now.After(leaf.NotAfter):
		s.Trouble = "it has ended"
	}
	if len(s.Trouble) > maxTrouble {
		s.Trouble = s.Trouble[:maxTrouble]
	}
	return s
}

// maxTrouble bounds what a status says of a trouble, in bytes.
const maxTrouble = 300

// pair returns what TLS shows: a chain and its key.
func pair(chain []*x509.Certificate, key any) *tls.Certificate {
	c := &tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, cert := range chain {
		c.Certificate = append(c.Certificate, cert.Raw)
	}
	return c
}

// signal sends to a channel that holds one, if it does not hold it yet.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
