package identity

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// pairingHost is the name in the certificate of who answers for a household
// while it shows a code. No broker, page or camera of the household has a
// certificate with it, and no resolver knows it (RFC 6761, 6.4).
const pairingHost = "pairing.sealcam.invalid"

// Invite makes a code by which one camera can ask to be taken in, for valid
// (whole seconds) from now on, at addrs and port. wifi may be nil. The caller
// keeps the Code, which holds the secret, and shows the text.
func (h *Household) Invite(addrs []netip.Addr, port uint16, wifi *WiFi, valid time.Duration) (*Code, string, error) {
	c := &Code{
		Household: h.id, Authority: sum256(h.ca.cert.Raw), Secret: make([]byte, SecretSize),
		Issued: h.now().UTC().Truncate(time.Second), Valid: valid,
		Broker: h.about.Broker, Addrs: addrs, Port: port, WiFi: wifi,
	}
	if _, err := rand.Read(c.Secret); err != nil {
		return nil, "", err
	}
	text, err := c.Sign(h.owner)
	return c, text, err
}

// PairingTLS returns the server's side of TLS 1.3 for cameras that have read a
// code of this household. They have no certificate yet.
func (h *Household) PairingTLS() (*tls.Config, error) {
	certText, keyText, err := h.IssueServer(pairingHost)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return nil, err
	}
	cert.Certificate = append(cert.Certificate, h.ca.cert.Raw) // the code holds its hash alone
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}}, nil
}

// TLS returns the camera's side of TLS 1.3 to the household of the code: it
// believes who has a certificate for answering, by the authority in the code.
// Dates are not looked at: a camera that is being paired may have no clock.
func (c *Code) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		ServerName: pairingHost,
		// The chain is checked below, against a hash in place of a certificate.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			if err := c.believe(state.PeerCertificates); err != nil {
				return fmt.Errorf("who answers is not the household of the code: %w", err)
			}
			return nil
		},
	}
}

func (c *Code) believe(chain []*x509.Certificate) error {
	if len(chain) != 2 {
		return fmt.Errorf("%d certificates, want its own and its authority's", len(chain))
	}
	leaf, ca := chain[0], chain[1]
	if sum256(ca.Raw) != c.Authority {
		return errors.New("its authority is not the one in the code")
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, DNSName: pairingHost, CurrentTime: leaf.NotBefore,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
}
