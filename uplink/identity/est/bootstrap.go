package est

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
)

// Pin is the SHA-256 of an authority's certificate.
type Pin [sha256.Size]byte

// ParsePin reads a fingerprint as openssl x509 -fingerprint -sha256 prints it: 64
// hex digits, with or without colons.
func ParsePin(s string) (p Pin, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil || len(b) != len(p) {
		return p, fmt.Errorf("expected 64 hex digits, the SHA-256 of an authority's certificate, found %.80q", s)
	}
	return Pin(b), nil
}

// Bootstrap asks a server that nobody vouches for yet for its authorities, and
// returns the one that pin names (RFC 7030, 4.1.1). No certificate and no secret is
// shown, and nothing else that the server says is believed; the next connection
// proves whether it belongs to that authority. Errors are those of CACerts, and
// ErrTrust if none of the server's authorities is the one.
func (c *Client) Bootstrap(ctx context.Context, pin Pin) (*x509.Certificate, error) {
	const op = "cacerts"
	answer, err := c.certificatesOver(ctx, op, nil, &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // the pin judges what comes, and it is all that is taken
	})
	if err != nil {
		return nil, err
	}
	for _, cert := range answer.Certificates {
		if sha256.Sum256(cert.Raw) == pin && cert.IsCA {
			return cert, nil
		}
	}
	return nil, &Error{Op: op, URL: c.URL, Err: fmt.Errorf("%w: none of its %d authorities has the fingerprint that was given", ErrTrust, len(answer.Certificates))}
}
