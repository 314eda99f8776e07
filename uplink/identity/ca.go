package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"time"
)

// How long certificates last. A camera that nobody visits must not go dark on
// a date: what ends its access is its removal, so its certificate lasts as
// long as the authority. A broker has a person who looks after it.
const (
	authorityYears = 40
	serverYears    = 10
	// backdate covers clocks that are a little behind, at the broker or here.
	backdate = 24 * time.Hour
)

// authority is a household's own small certificate authority. It says who may
// talk to the household's broker, and nothing about pictures.
type authority struct {
	key  crypto.Signer
	cert *x509.Certificate
	dir  string // where it notes what it has signed; "" for nowhere
}

// createAuthority makes ca.key and ca.crt in dir.
func createAuthority(dir, name string, now time.Time) (*authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.AddDate(authorityYears, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true, // signs clients and servers, no other authority
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if err := writeKey(filepath.Join(dir, authorityKey), key); err != nil {
		return nil, err
	}
	return &authority{key, cert, dir}, writeFile(filepath.Join(dir, authorityCert), certPEM(cert))
}

// takeAuthority puts a fleet's own authority into dir, where createAuthority
// would have made one. It must be able to sign what a household needs signed.
func takeAuthority(dir string, keyText, certText []byte, now time.Time) (*authority, error) {
	a, err := parseAuthority(keyText, certText)
	if err != nil {
		return nil, err
	}
	if now.Before(a.cert.NotBefore) || now.After(a.cert.NotAfter) {
		return nil, fmt.Errorf("%w: it is valid from %s to %s", ErrAuthority, a.cert.NotBefore.Format(time.DateOnly), a.cert.NotAfter.Format(time.DateOnly))
	}
	trial, err := newKey()
	if err != nil {
		return nil, err
	}
	for _, issue := range []func() ([]byte, error){
		func() ([]byte, error) { return a.client("trial", &trial.PublicKey, now) },
		func() ([]byte, error) { return a.server([]string{pairingHost}, &trial.PublicKey, now) },
	} {
		text, err := issue()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAuthority, err)
		}
		cert, err := parseCert(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAuthority, err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(a.cert)
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAuthority, err)
		}
	}
	if err := writeFile(filepath.Join(dir, authorityKey), keyText); err != nil {
		return nil, err
	}
	a.dir = dir
	return a, writeFile(filepath.Join(dir, authorityCert), certPEM(a.cert))
}

// ErrAuthority says that an authority cannot be a household's.
var ErrAuthority = errors.New("this authority cannot sign what a household needs")

// openAuthority reads what createAuthority wrote, or takeAuthority put there.
func openAuthority(dir string) (*authority, error) {
	path := filepath.Join(dir, authorityKey)
	key, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	cert, err := readFile(filepath.Join(dir, authorityCert))
	if err != nil {
		return nil, err
	}
	a, err := parseAuthority(key, cert)
	if err != nil {
		return nil, fmt.Errorf("%s and %s beside it: %w", path, authorityCert, err)
	}
	a.dir = dir
	return a, nil
}

func parseAuthority(keyText, certText []byte) (*authority, error) {
	key, err := parseSigner(keyText)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", authorityKey, err)
	}
	cert, err := parseCert(certText)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", authorityCert, err)
	}
	if pub, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(key.Public()) || !cert.IsCA {
		return nil, fmt.Errorf("%s is not the authority whose key is %s", authorityCert, authorityKey)
	}
	return &authority{key: key, cert: cert}, nil
}

// client signs a certificate for somebody who connects to the broker. Its
// common name becomes the user name there.
func (a *authority) client(name string, pub *ecdsa.PublicKey, now time.Time) ([]byte, error) {
	return a.clientUntil(name, pub, now, a.cert.NotAfter)
}

// clientUntil is client for a certificate that ends sooner than the authority.
func (a *authority) clientUntil(name string, pub *ecdsa.PublicKey, now, until time.Time) ([]byte, error) {
	cert, err := sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		NotBefore:   later(now.Add(-backdate), a.cert.NotBefore),
		NotAfter:    until,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, a.cert, pub, a.key)
	if err != nil {
		return nil, err
	}
	if err := a.note(name, cert.SerialNumber.Text(16)); err != nil {
		return nil, err
	}
	return certPEM(cert), nil
}

// server signs a certificate for the hosts (names or addresses) of a broker or
// a page.
func (a *authority) server(hosts []string, pub *ecdsa.PublicKey, now time.Time) ([]byte, error) {
	if len(hosts) == 0 {
		return nil, errors.New("a server certificate needs the name or address that clients connect to")
	}
	until := now.AddDate(serverYears, 0, 0)
	if until.After(a.cert.NotAfter) {
		until = a.cert.NotAfter
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: hosts[0]},
		NotBefore:   later(now.Add(-backdate), a.cert.NotBefore),
		NotAfter:    until,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if err := addHosts(template, hosts); err != nil {
		return nil, err
	}
	cert, err := sign(template, a.cert, pub, a.key)
	if err != nil {
		return nil, err
	}
	return certPEM(cert), nil
}

// keeper signs a certificate for a keeper: it connects to the broker under name, and
// serves at hosts, of which there may be none.
func (a *authority) keeper(name string, hosts []string, pub *ecdsa.PublicKey, now time.Time) ([]byte, error) {
	until := now.AddDate(serverYears, 0, 0)
	if until.After(a.cert.NotAfter) {
		until = a.cert.NotAfter
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		NotBefore:   later(now.Add(-backdate), a.cert.NotBefore),
		NotAfter:    until,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if err := addHosts(template, hosts); err != nil {
		return nil, err
	}
	cert, err := sign(template, a.cert, pub, a.key)
	if err != nil {
		return nil, err
	}
	if err := a.note(name, cert.SerialNumber.Text(16)); err != nil {
		return nil, err
	}
	return certPEM(cert), nil
}

// addHosts says in template at which names and addresses its holder is reached.
func addHosts(template *x509.Certificate, hosts []string) error {
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if err := checkHost(host); err != nil {
			return err
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return nil
}

// sign fills in a random serial number and signs.
func sign(template, parent *x509.Certificate, pub any, key crypto.Signer) (*x509.Certificate, error) {
	serial := make([]byte, 16)
	if _, err := rand.Read(serial); err != nil {
		return nil, err
	}
	serial[0] = serial[0]&0x7f | 0x40 // positive, and always 16 bytes
	template.SerialNumber = new(big.Int).SetBytes(serial)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func certPEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func parseCert(text []byte) (*x509.Certificate, error) {
	der, err := onePEM(text, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// checkHost refuses what could not be a host's name, before a certificate
// says it is one.
func checkHost(host string) error {
	if host == "" || len(host) > 253 {
		return fmt.Errorf("%q is not a host name or address", host)
	}
	for _, r := range host {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-') {
			return fmt.Errorf("%.60q is not a host name or address", host)
		}
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
