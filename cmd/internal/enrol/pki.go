package enrol

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/identity/est"
)

// enrolment is what Run knows of the PKI.
type enrolment struct {
	base     []*x509.Certificate // the authorities that the settings or the pairing name
	next     time.Duration       // of the monotonic clock: not to ask before
	offered  time.Duration       // when it gave a certificate last
	failures int                 // in a row
	asked    time.Duration       // when the server told its date; 0 for never
	date     time.Time           // that
	csr      []byte              // of a request that the authority thinks about; nil for none
	renewal  bool                // which is one for a certificate in place of another
}

// openEST reads what the PKI gave before.
func (k *Credentials) openEST() error {
	for what, to := range map[identity.Enrolled]**tls.Certificate{identity.Proven: &k.proven, identity.Candidate: &k.candidate} {
		chain, err := k.Camera.Enrolled(what)
		if absent(err) {
			continue
		}
		if err == nil && !sameKey(chain[0].PublicKey, k.Camera.TLSSigner().Public()) {
			err = errKey
		}
		if err != nil { // it is asked for again
			k.Log.Error("a certificate that the PKI gave is passed over", "err", err)
			continue
		}
		*to = pair(chain, k.Camera.TLSSigner())
	}
	return k.openAnchors()
}

// stepEST asks the PKI for what is due.
func (k *Credentials) stepEST(ctx context.Context, clock Clock) {
	now := k.moment(clock)
	k.mu.Lock()
	proven, candidate, wanted, refused := k.proven, k.candidate, k.wanted, k.refused != ""
	k.over = proven != nil && now.over(proven.Leaf)
	k.mu.Unlock()
	if k.est.next > k.Mono() {
		return
	}
	if candidate != nil && !now.over(candidate.Leaf) && (!refused || k.Mono() < k.est.offered+longestPause) {
		return // the broker is to judge it first, and what it refuses is not asked for all day
	}
	due := proven == nil || wanted || !now.at.Before(renewAt(proven.Leaf, string(k.Camera.ID())))
	if !due && (now.known || k.est.asked > 0) {
		return
	}
	if err := k.renew(ctx, now, proven, due); err != nil {
		k.failed(err, now, proven, due)
		return
	}
	k.est.failures, k.est.next = 0, 0
}

// failed takes note of an attempt that came to nothing.
func (k *Credentials) failed(err error, now moment, proven *tls.Certificate, due bool) {
	var pending *est.PendingError
	if errors.As(err, &pending) {
		k.est.next = k.Mono() + pending.After
	} else {
		k.est.failures++
		k.est.csr = nil
		left := time.Duration(0)
		if proven != nil {
			left = proven.Leaf.NotAfter.Sub(now.at)
		}
		k.est.next = k.Mono() + pause(k.est.failures, left, k.Chance())
	}
	if !due {
		k.Log.Debug("the PKI cannot be asked for the time", "err", err)
		return
	}
	if proven == nil {
		err = fmt.Errorf("not enrolled yet: %w", err)
	}
	k.complain(err)
}

// moment returns what is known of the time. A server's date helps a clock that
// is not known to be right; it never goes back behind what has passed for certain.
func (k *Credentials) moment(clock Clock) moment {
	t, known := clock.Time()
	if !known && k.est.asked > 0 {
		if hint := k.est.date.Add(k.Mono() - k.est.asked); hint.After(t) {
			t = hint
		}
	}
	return moment{t, known}
}

// renew asks for the authorities and, if it is due, for a certificate.
func (k *Credentials) renew(ctx context.Context, now moment, proven *tls.Certificate, due bool) error {
	client, err := k.client(ctx, now)
	if err != nil {
		return err
	}
	cas, err := client.CACerts(ctx)
	if begins, ok := begins(err); ok && !now.known && begins.After(now.at) {
		// Its authority's word says that this time has come.
		client.Now = func() time.Time { return begins }
		cas, err = client.CACerts(ctx)
	}
	if err != nil {
		return err
	}
	k.est.asked, k.est.date = k.Mono(), cas.Date
	if !now.known && cas.Date.After(now.at) {
		now.at = cas.Date
		client.Now = func() time.Time { return now.at }
	}
	if err := k.keepAnchors(cas.Certificates); err != nil {
		return err
	}
	if !due && now.at.Before(renewAt(proven.Leaf, string(k.Camera.ID()))) {
		return nil
	}
	answer, err := k.ask(ctx, client, now, proven)
	if err != nil {
		return err
	}
	k.est.csr = nil
	d := demand{key: k.Camera.TLSSigner().Public(), id: string(k.Camera.ID()), others: cas.Certificates, now: now}
	k.mu.Lock()
	d.roots = k.roots()
	k.mu.Unlock()
	if proven != nil {
		d.before = proven.Leaf
	}
	chain, err := d.judge(answer.Certificates)
	if err != nil {
		return fmt.Errorf("the certificate that %s gave is refused: %w", k.Settings.URL, err)
	}
	if err := k.Camera.SetEnrolled(identity.Candidate, chain); err != nil {
		return err
	}
	k.Log.Info("a new certificate for the broker", "issuer", chain[0].Issuer.String(), "until", stamp(chain[0].NotAfter))
	k.est.offered = k.Mono()
	k.offer(pair(chain, k.Camera.TLSSigner()))
	return nil
}

// client returns how to ask the PKI. Who was told a fingerprint alone looks for the
// authority that has it.
func (k *Credentials) client(ctx context.Context, now moment) (*est.Client, error) {
	c := &est.Client{URL: k.Settings.URL, Now: func() time.Time { return now.at }}
	if len(k.est.base) == 0 {
		pin, err := est.ParsePin(k.Settings.Pin)
		if err != nil {
			return nil, err
		}
		ca, err := c.Bootstrap(ctx, pin)
		if err != nil {
			return nil, err
		}
		k.est.base = []*x509.Certificate{ca}
		if err := k.keepAnchors(nil); err != nil {
			return nil, err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	c.Roots = k.roots()
	return c, nil
}

// ask asks for a certificate: in place of the one that there is, or by what the
// camera was given to begin with.
func (k *Credentials) ask(ctx context.Context, client *est.Client, now moment, proven *tls.Certificate) (*est.Answer, error) {
	if proven == nil || k.est.csr != nil && !k.est.renewal {
		return k.enroll(ctx, client)
	}
	answer, err := k.reenroll(ctx, client, proven)
	if err == nil || still(err) || !errors.Is(err, est.ErrRefused) && !now.over(proven.Leaf) {
		return answer, err
	}
	k.Log.Warn("the PKI does not renew the camera's certificate; asking as a new camera", "err", err)
	k.est.csr = nil
	answer, again := k.enroll(ctx, client)
	if again != nil && !still(again) {
		return nil, &lockedOutError{fmt.Errorf("the PKI does not renew the camera's certificate, which ends on %s (%w), nor does it take it as a new camera: %w", stamp(proven.Leaf.NotAfter), err, again)}
	}
	return answer, again
}

// still says that err would be the same for any certificate.
func still(err error) bool {
	var pending *est.PendingError
	return errors.As(err, &pending) || errors.Is(err, est.ErrTrust) || errors.Is(err, est.ErrUnsupported)
}

func (k *Credentials) reenroll(ctx context.Context, client *est.Client, proven *tls.Certificate) (*est.Answer, error) {
	if k.est.csr == nil {
		csr, err := k.request(proven.Leaf)
		if err != nil {
			return nil, err
		}
		k.est.csr, k.est.renewal = csr, true
	}
	client.Identities, client.User, client.Secret = []tls.Certificate{*proven}, "", ""
	return client.Reenroll(ctx, k.est.csr)
}

// enroll asks as a camera that has nothing from this PKI yet: by its maker's
// certificate, by a secret, or by its household's certificate.
func (k *Credentials) enroll(ctx context.Context, client *est.Client) (*est.Answer, error) {
	client.Identities = nil
	if f := k.Settings.FactoryCertificate; f != "" {
		cert, err := readPair(f, k.Settings.FactoryKey)
		if err != nil {
			return nil, fmt.Errorf("identity.factory_certificate: %w", err)
		}
		client.Identities = append(client.Identities, *cert)
	}
	client.Identities = append(client.Identities, *k.household)
	if f := k.Settings.Secret; f != "" {
		text, err := readSmall(f, true)
		if err != nil && !absent(err) {
			return nil, fmt.Errorf("identity.secret: %w", err)
		}
		client.User, client.Secret, _ = strings.Cut(strings.TrimSpace(string(text)), ":")
	}
	if err := client.Attributes(ctx); errors.Is(err, est.ErrUnsupported) {
		return nil, err
	}
	if k.est.csr == nil {
		csr, err := k.Camera.CertificateRequest()
		if err != nil {
			return nil, err
		}
		k.est.csr, k.est.renewal = csr, false
	}
	return client.Enroll(ctx, k.est.csr)
}

// request asks for a certificate like c, with its subject and other names as they
// are: a PKI that renews compares them (RFC 7030, 4.2.2).
func (k *Credentials) request(c *x509.Certificate) ([]byte, error) {
	template := &x509.CertificateRequest{RawSubject: c.RawSubject}
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) { // subjectAltName
			template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: e.Id, Critical: e.Critical, Value: e.Value})
		}
	}
	return x509.CreateCertificateRequest(rand.Reader, template, k.Camera.TLSSigner())
}

// lockedOutError is a camera that its PKI neither renews nor takes in.
type lockedOutError struct{ error }

func (e *lockedOutError) Unwrap() error { return e.error }

// Hint says how such a camera gets back.
func (*lockedOutError) Hint() string {
	return "give this camera a new one-time secret (identity.secret), or its maker's certificate (identity.factory_certificate); the PKI may allow renewal after the end, too"
}

// begins returns when a server's certificate begins that was refused because that
// is later than now.
func begins(err error) (time.Time, bool) {
	var invalid x509.CertificateInvalidError
	if !errors.Is(err, est.ErrNotYetValid) || !errors.As(err, &invalid) || invalid.Cert == nil {
		return time.Time{}, false
	}
	return invalid.Cert.NotBefore, true
}
