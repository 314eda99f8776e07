// Package esttest is a certificate authority that answers by EST, for tests of what
// real servers do not do when they are asked to: think for a day, refuse to renew,
// give a certificate of last year. It is a fake of our own hand and proves nothing
// about EST; what does is the server of others that cmd/internal/enrol's tests run.
package esttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"path"
	"sync"
	"time"
)

// Authority is a certificate authority and its EST server. Its fields may be
// written to between requests.
type Authority struct {
	Cert *x509.Certificate
	Key  crypto.Signer

	Now          func() time.Time // the server's clock; certificates begin at it
	Life         time.Duration    // of certificates
	User, Secret string           // lets a new camera in; "" for only by certificate
	Clients      *x509.CertPool   // whose certificates let a new camera in; nil: its own
	RenewEnded   bool             // renews certificates that have ended
	Pending      int              // so many answers 202 come first
	RetryAfter   string
	Attributes   []byte                  // of csrattrs, DER; nil: 204
	Change       func(*x509.Certificate) // of a certificate before it is signed; nil for nothing
	Answer       func(op string) []byte  // the body of an answer, as it is; nil for a good one
	Extra        []*x509.Certificate     // in cacerts, beside its own

	mu    sync.Mutex
	asked []string
}

// New makes an authority that lives for ten years around now.
func New(name string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &Authority{Key: key, Now: func() time.Time { return now }, Life: 90 * 24 * time.Hour}
	a.Cert, err = a.Sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(-5, 0, 0), NotAfter: now.AddDate(5, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, key.Public())
	return a, err
}

// Sign signs a certificate; the serial number is filled in.
func (a *Authority) Sign(c *x509.Certificate, pub crypto.PublicKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, err
	}
	c.SerialNumber = serial.Add(serial, big.NewInt(1))
	parent := a.Cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, a.Key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Client signs a client's certificate that lives from begin to end.
func (a *Authority) Client(name string, pub crypto.PublicKey, begin, end time.Time) (*x509.Certificate, error) {
	return a.Sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: begin, NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, pub)
}

// TLS returns the server's side for 127.0.0.1, whose certificate lives from begin to
// end. Clients need no certificate; one that they show is judged by ServeHTTP.
func (a *Authority) TLS(begin, end time.Time) (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	cert, err := a.Sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "est"}, NotBefore: begin, NotAfter: end, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key.Public())
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}, ClientAuth: tls.RequestClientCert}, nil
}

// Asked returns the questions so far.
func (a *Authority) Asked() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.asked...)
}

// ServeHTTP implements http.Handler.
func (a *Authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	op := path.Base(r.URL.Path)
	a.asked = append(a.asked, op)
	w.Header().Set("Date", a.Now().UTC().Format(http.TimeFormat))
	kind, body, status := "application/pkcs7-mime; smime-type=certs-only", []byte(nil), http.StatusOK
	switch op {
	case "cacerts":
		body = CertsOnly(append([]*x509.Certificate{a.Cert}, a.Extra...)...)
	case "csrattrs":
		if kind, body = "application/csrattrs", a.Attributes; body == nil {
			status = http.StatusNoContent
		}
	case "simpleenroll", "simplereenroll":
		body, status = a.enroll(w, r, op)
	default:
		status = http.StatusNotFound
	}
	if status != http.StatusOK {
		w.WriteHeader(status)
		return
	}
	text := []byte(base64.StdEncoding.EncodeToString(body))
	if a.Answer != nil {
		if other := a.Answer(op); other != nil {
			text = other
		}
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(text)
}

func (a *Authority) enroll(w http.ResponseWriter, r *http.Request, op string) (body []byte, status int) {
	if !a.allowed(r, op) {
		return nil, http.StatusUnauthorized
	}
	if a.Pending > 0 {
		a.Pending--
		w.Header().Set("Retry-After", a.RetryAfter)
		return nil, http.StatusAccepted
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return nil, http.StatusBadRequest
	}
	der, err := base64.StdEncoding.DecodeString(string(text)) // it passes over line ends
	if err != nil {
		return nil, http.StatusBadRequest
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil || csr.CheckSignature() != nil {
		return nil, http.StatusBadRequest
	}
	c := &x509.Certificate{
		RawSubject: csr.RawSubject, NotBefore: a.Now(), NotAfter: a.Now().Add(a.Life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if a.Change != nil {
		a.Change(c)
	}
	cert, err := a.Sign(c, csr.PublicKey)
	if err != nil {
		return nil, http.StatusInternalServerError
	}
	return CertsOnly(cert), http.StatusOK
}

// allowed says whether who asks may have a certificate.
func (a *Authority) allowed(r *http.Request, op string) bool {
	own := x509.NewCertPool()
	own.AddCert(a.Cert)
	verified := func(roots *x509.CertPool, at time.Time) bool {
		if len(r.TLS.PeerCertificates) == 0 || roots == nil {
			return false
		}
		_, err := r.TLS.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		return err == nil
	}
	if op == "simplereenroll" {
		at := a.Now()
		if a.RenewEnded && len(r.TLS.PeerCertificates) > 0 {
			at = r.TLS.PeerCertificates[0].NotBefore
		}
		return verified(own, at)
	}
	user, secret, _ := r.BasicAuth()
	return a.Secret != "" && user == a.User && secret == a.Secret || verified(a.Clients, a.Now())
}

// CertsOnly returns certificates as PKCS #7 that nobody signed, DER.
func CertsOnly(certs ...*x509.Certificate) []byte {
	type contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"optional"`
	}
	var list []byte
	for _, c := range certs {
		list = append(list, c.Raw...)
	}
	signed := struct {
		Version int
		Digests []asn1.RawValue `asn1:"set"`
		Content contentInfo
		Certs   asn1.RawValue
		Signers []asn1.RawValue `asn1:"set"`
	}{
		Version: 1, Content: contentInfo{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}},
		Certs: asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: list},
	}
	inner, err := asn1.Marshal(signed)
	if err != nil {
		panic(fmt.Sprint("esttest: ", err)) // of values that are all known
	}
	outer, err := asn1.Marshal(contentInfo{
		Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}, Content: asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: inner},
	})
	if err != nil {
		panic(fmt.Sprint("esttest: ", err))
	}
	return outer
}
