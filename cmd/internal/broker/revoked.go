package broker

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync/atomic"
)

// maxList bounds a list of revoked certificates, in bytes: 40 for each.
const maxList = 16 << 20

// errRevoked ends a handshake, or the connection of who is in.
var errRevoked = errors.New("this certificate was revoked")

// Revoke lets nobody in any more whose certificate the list names, and throws out at
// once who is in. text is a CRL (RFC 5280, 5; PEM or DER) that authority has signed,
// as `sealcam household crl` writes it. It takes the place of the list before; one
// that is older is refused. It is safe for concurrent use.
func (b *Broker) Revoke(text []byte, authority *x509.Certificate) error {
	next, err := parseList(text, authority)
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	if err := b.door.list.replace(next); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	b.door.throwOut()
	return nil
}

// revoked is a list in force; nil lists nobody.
type revoked struct {
	issuer  []byte // its name, DER
	list    *x509.RevocationList
	serials map[string]struct{}
}

func parseList(text []byte, authority *x509.Certificate) (*revoked, error) {
	if len(text) > maxList {
		return nil, fmt.Errorf("a list of revoked certificates of %d bytes, at most %d", len(text), maxList)
	}
	if block, _ := pem.Decode(text); block != nil {
		text = block.Bytes
	}
	list, err := x509.ParseRevocationList(text)
	if err != nil {
		return nil, fmt.Errorf("not a list of revoked certificates: %w", err)
	}
	if err := list.CheckSignatureFrom(authority); err != nil {
		return nil, fmt.Errorf("the list of revoked certificates is not of the clients' authority: %w", err)
	}
	r := &revoked{issuer: authority.RawSubject, list: list, serials: map[string]struct{}{}}
	for _, e := range list.RevokedCertificateEntries {
		r.serials[string(e.SerialNumber.Bytes())] = struct{}{}
	}
	return r, nil
}

// has says whether a certificate is listed.
func (r *revoked) has(c *x509.Certificate) bool {
	if r == nil || c == nil || !bytes.Equal(c.RawIssuer, r.issuer) {
		return false
	}
	_, yes := r.serials[string(c.SerialNumber.Bytes())]
	return yes
}

// register holds the list in force.
type register struct{ atomic.Pointer[revoked] }

func (r *register) replace(next *revoked) error {
	for {
		old := r.Load()
		if old != nil && old.list.Number != nil && next.list.Number != nil && bytes.Equal(old.issuer, next.issuer) && next.list.Number.Cmp(old.list.Number) < 0 {
			return fmt.Errorf("the list of revoked certificates is number %v, and there is number %v already", next.list.Number, old.list.Number)
		}
		if r.CompareAndSwap(old, next) {
			return nil
		}
	}
}

// verify ends a handshake by a certificate that is listed.
func (r *register) verify(s tls.ConnectionState) error {
	if len(s.PeerCertificates) > 0 && r.Load().has(s.PeerCertificates[0]) {
		return errRevoked
	}
	return nil
}

// throwOut ends every connection by a certificate that is listed.
func (d *door) throwOut() {
	list := d.list.Load()
	d.mu.Lock()
	var out []*visitor
	for v := range d.inside {
		if list.has(v.leaf.Load()) {
			out = append(out, v)
		}
	}
	d.mu.Unlock()
	for _, v := range out {
		v.NetConn().Close()
	}
}
