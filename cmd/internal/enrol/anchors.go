package enrol

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/identity/est"
)

// openAnchors reads whom to believe: first those whom the settings name, by file or
// by fingerprint, or else the household's authority; and what the PKI has named over
// connections that these vouched for. What it named under other settings is
// forgotten.
func (k *Credentials) openAnchors() error {
	stored, err := k.Camera.Enrolled(identity.Anchors)
	if err != nil && !absent(err) {
		k.Log.Error("the PKI's authorities are passed over", "err", err)
	}
	switch s := k.Settings; {
	case s.Anchor != "":
		if k.est.base, err = readCertificates(s.Anchor); err != nil {
			return fmt.Errorf("identity.anchor: %w", err)
		}
	case s.Pin != "":
		pin, err := est.ParsePin(s.Pin)
		if err != nil {
			return fmt.Errorf("identity.pin: %w", err)
		}
		for _, c := range stored {
			if sha256.Sum256(c.Raw) == pin {
				k.est.base = []*x509.Certificate{c}
			}
		}
	default:
		if ca := k.Camera.Authority(); ca != nil {
			k.est.base = []*x509.Certificate{ca}
		}
	}
	k.anchors = k.est.base
	if slices.ContainsFunc(k.est.base, func(c *x509.Certificate) bool { return slices.ContainsFunc(stored, c.Equal) }) {
		k.anchors = stored
	}
	return nil
}

// keepAnchors keeps the authorities that the PKI named over a connection that the
// ones before vouched for (RFC 7030, 4.1.3), beside those that it began with.
func (k *Credentials) keepAnchors(certs []*x509.Certificate) error {
	anchors := slices.Clone(k.est.base)
	for _, c := range certs {
		if c.IsCA && bytes.Equal(c.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(c) == nil && !slices.ContainsFunc(anchors, c.Equal) {
			anchors = append(anchors, c)
		}
	}
	if len(anchors) > identity.MaxChain {
		return fmt.Errorf("%d authorities, at most %d", len(anchors), identity.MaxChain)
	}
	k.mu.Lock()
	same := slices.EqualFunc(k.anchors, anchors, (*x509.Certificate).Equal)
	k.anchors = anchors
	k.mu.Unlock()
	if same {
		return nil
	}
	return k.Camera.SetEnrolled(identity.Anchors, anchors)
}
