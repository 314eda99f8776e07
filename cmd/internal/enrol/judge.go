package enrol

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// slack is how far a PKI's clock may be ahead of a camera's.
const slack = time.Hour

// Reasons to refuse a certificate.
var (
	errKey   = errors.New("it is not for this camera's key")
	errName  = errors.New("it does not name this camera")
	errDates = errors.New("it is not for this time")
	errWorse = errors.New("it is no better than the one that there is")
)

// moment is what a camera knows of the time.
type moment struct {
	at    time.Time
	known bool // else at has passed for certain, and more is not known
}

// demand is what a new certificate must meet.
type demand struct {
	key    crypto.PublicKey
	id     string // the camera's
	roots  *x509.CertPool
	others []*x509.Certificate // that may stand between
	now    moment
	before *x509.Certificate // the one that it is to replace; nil for none
}

// judge finds the certificate that d demands among certs, and returns it and what
// stands between it and one of the roots, without that. It is a pure function.
func (d demand) judge(certs []*x509.Certificate) ([]*x509.Certificate, error) {
	i := slices.IndexFunc(certs, func(c *x509.Certificate) bool { return sameKey(c.PublicKey, d.key) })
	if i < 0 {
		return nil, fmt.Errorf("%w: none of %d is", errKey, len(certs))
	}
	leaf := certs[i]
	if err := named(leaf, d.id); err != nil {
		return nil, err
	}
	if leaf.IsCA {
		return nil, errors.New("it is an authority's, not a camera's")
	}
	at, err := d.now.within(leaf)
	if err != nil {
		return nil, err
	}
	if b := d.before; b != nil && at.Before(b.NotAfter) && !leaf.NotAfter.After(b.NotAfter) {
		return nil, fmt.Errorf("%w: it ends on %s, that one on %s", errWorse, stamp(leaf.NotAfter), stamp(b.NotAfter))
	}
	between := x509.NewCertPool()
	for _, c := range slices.Concat(certs, d.others) {
		between.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: d.roots, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, err
	}
	chain := chains[0]
	return chain[:max(1, len(chain)-1)], nil
}

// within returns the time by which to judge a certificate, if it can be one of its
// own. Where the clock is not known to be right, that somebody signed it says that
// its time has come; that its time is over, a time that has passed says for certain.
func (m moment) within(c *x509.Certificate) (time.Time, error) {
	at := m.at
	if c.NotBefore.After(at) && (!m.known || c.NotBefore.Sub(at) <= slack) {
		at = c.NotBefore
	}
	if at.Before(c.NotBefore) || at.After(c.NotAfter) {
		return at, fmt.Errorf("%w: it is valid from %s to %s, and this camera's clock says %s", errDates, stamp(c.NotBefore), stamp(c.NotAfter), stamp(at))
	}
	return at, nil
}

// over says whether a certificate has ended for certain.
func (m moment) over(c *x509.Certificate) bool { return m.at.After(c.NotAfter) }

// named says whether a certificate names the camera: as its common name, which is
// what brokers take for the user's name, or as a DNS name or the last element of a
// URI (spiffe://trust.example/camera/ID) for brokers that are told to look there.
func named(c *x509.Certificate, id string) error {
	if c.Subject.CommonName == id || slices.Contains(c.DNSNames, id) ||
		slices.ContainsFunc(c.URIs, func(u *url.URL) bool { return u.Path[strings.LastIndexByte(u.Path, '/')+1:] == id }) {
		return nil
	}
	return fmt.Errorf("%w: its subject is %.100q, expected CN=%s", errName, c.Subject.String(), id)
}

func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// renewAt returns when a certificate is to be replaced: after about two thirds of
// its life, some sooner, some later, so that a fleet that was enrolled in an hour does
// not come back in one. The same camera and certificate always give the same time.
func renewAt(c *x509.Certificate, id string) time.Time {
	sum := sha256.Sum256(append([]byte(id), c.SerialNumber.Bytes()...))
	spread := float64(binary.BigEndian.Uint32(sum[:])) / (1 << 32)
	life := c.NotAfter.Sub(c.NotBefore)
	return c.NotBefore.Add(time.Duration(float64(life) * (2.0/3 - 1.0/24 + spread/12)))
}

// Pauses between attempts that failed.
const (
	firstPause   = time.Minute
	longestPause = 6 * time.Hour
)

// pause returns how long to wait after so many failures in a row, when a certificate
// has so long to live; chance is from [0, 1). What ends soon is tried more often.
func pause(failures int, left time.Duration, chance float64) time.Duration {
	d := firstPause << min(failures-1, 10)
	if left > 0 {
		d = min(d, max(left/8, firstPause))
	}
	d = min(d, longestPause)
	return d*3/4 + time.Duration(chance*float64(d)/2)
}
