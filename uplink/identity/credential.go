package identity

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// Enrolled is a file of what a PKI gave a camera for its broker, in place of the
// household's certificate.
type Enrolled string

// What a camera keeps of its PKI. A new certificate is a candidate until it has
// opened the broker once, and the one before is kept until then.
const (
	Proven    Enrolled = "enrolled.crt"
	Candidate Enrolled = "enrolled-next.crt"
	Anchors   Enrolled = "enrolled-ca.crt" // the PKI's authorities, as it named them
)

// MaxChain bounds the certificates of one file.
const MaxChain = 16

// TLSSigner returns the key for the broker, which certificates are for. It is not
// the key that seals.
func (c *Camera) TLSSigner() crypto.Signer { return c.tlsKey }

// Authority returns the certificate that signed the household's broker's; nil
// while the camera is nobody's.
func (c *Camera) Authority() *x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pairing == nil {
		return nil
	}
	ca, err := parseCert(c.pairing.Authority)
	if err != nil {
		return nil // claim has read it
	}
	return ca
}

// Enrolled reads certificates that SetEnrolled stored: a chain, the camera's own
// first, or authorities in any order. It is fs.ErrNotExist if there are none.
func (c *Camera) Enrolled(what Enrolled) ([]*x509.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, err := readFile(c.path(string(what)))
	if err != nil {
		return nil, err
	}
	certs, err := ParseCertificates(text)
	if err != nil {
		return nil, damaged(c.path(string(what)), err)
	}
	return certs, nil
}

// SetEnrolled stores certificates, durably, in place of those before.
func (c *Camera) SetEnrolled(what Enrolled, certs []*x509.Certificate) error {
	var text bytes.Buffer
	for _, cert := range certs {
		text.Write(certPEM(cert))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return writeFile(c.path(string(what)), text.Bytes())
}

// Promote makes the Candidate the Proven one: a power cut leaves both, or the new
// one in its place.
func (c *Camera) Promote() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := os.Rename(c.path(string(Candidate)), c.path(string(Proven))); err != nil {
		return err
	}
	return syncDir(c.dir)
}

// Forget removes what SetEnrolled stored; that there is nothing is fine.
func (c *Camera) Forget(what Enrolled) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return remove(c.dir, string(what))
}

// ParseCertificates reads a PEM file of 1 to 16 certificates. What stands between
// the blocks is passed over; blocks of another kind are refused.
func ParseCertificates(text []byte) (certs []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		switch {
		case block.Type != "CERTIFICATE":
			return nil, fmt.Errorf("expected certificates, found %.40q", block.Type)
		case len(certs) == MaxChain:
			return nil, fmt.Errorf("more than %d certificates", MaxChain)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("no certificate in it")
	}
	return certs, nil
}
