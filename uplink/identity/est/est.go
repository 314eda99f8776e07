// Package est asks a PKI for certificates by EST, Enrollment over Secure
// Transport (RFC 7030, as clarified by RFC 8951): CACerts, Attributes, Enroll and
// Reenroll, over HTTPS.
//
// Whom to believe is the caller's to say (Client.Roots). Who has nothing but the
// fingerprint of an authority's certificate begins with Bootstrap. The camera shows
// itself by a certificate (its own, or its maker's), by a name and a secret (HTTP
// Basic), or by both; the server decides what it wants.
//
// TLS 1.3 is used where the server has it. TLS 1.2 is accepted, because RFC 7030
// asks servers for no more; nothing older is.
//
// Everything that a server says is bounded in size, number and time before it is
// looked at, and a certificate that it gives is only handed on: whether it may be
// used, its receiver judges.
//
// # What this package does not do
//
// It makes no keys, keeps nothing, tries nothing twice and never waits. Keys that a
// server makes (RFC 7030, 4.4, serverkeygen) are not wanted: a camera's key never
// leaves it. Full CMC (4.3) and HTTP Digest are not there either. A request is not
// bound to its TLS connection (3.5): the binding, tls-unique, does not exist in
// TLS 1.3 (RFC 9266), and what would take its place, tls-exporter, is no part of EST
// over HTTPS (RFC 9148 has it for CoAP). A server that demands it is told apart, see
// ErrUnsupported.
package est

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// maxBody bounds an answer, in bytes: a chain of large RSA certificates in
	// base64 is a fifth of it.
	maxBody = 128 << 10
	// maxHead bounds the head of an answer, in bytes.
	maxHead = 16 << 10
	// patience is how long one question may take, connection included. An authority
	// that needs a person's consent answers at once to come back later.
	patience = time.Minute
	// wellKnown is where a server answers if the URL does not say (RFC 7030, 3.2.2).
	wellKnown = "/.well-known/est"
)

// Client asks one EST server. Its methods are safe for concurrent use, as long as
// nobody writes to the fields.
type Client struct {
	URL   string         // https://HOST[:PORT][/.well-known/est[/LABEL]]
	Roots *x509.CertPool // the authorities of the server's certificate; Bootstrap needs none
	// Identities are certificates to show, the best first: the first that is signed
	// by an authority which the server names is shown. May be empty.
	Identities []tls.Certificate
	User       string // of HTTP Basic, with Enroll and Reenroll; empty for none
	Secret     string
	Now        func() time.Time // by which the server's certificate is judged
}

// CheckURL says what is wrong with the URL of a server.
func CheckURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("expected https://HOST[:PORT][/.well-known/est[/LABEL]], found %.100q", s)
	}
	return nil
}

// Answer is what a server said.
type Answer struct {
	// Certificates in the order in which they came; at most 16, and not verified.
	Certificates []*x509.Certificate
	// Date is the server's clock; zero if it did not say. It is a hint: it came over
	// a connection that Client.Roots vouch for, and from one machine's clock.
	Date time.Time
}

// CACerts asks for the authorities that the server's PKI has (RFC 7030, 4.1).
func (c *Client) CACerts(ctx context.Context) (*Answer, error) {
	return c.certificates(ctx, "cacerts", nil)
}

// Enroll asks for a first certificate (RFC 7030, 4.2.1). csr is PKCS #10, DER. Among
// its errors are *PendingError and ErrRefused.
func (c *Client) Enroll(ctx context.Context, csr []byte) (*Answer, error) {
	return c.certificates(ctx, "simpleenroll", csr)
}

// Reenroll asks for a certificate in place of the first of Identities, which must
// have the same subject as csr (RFC 7030, 4.2.2). Errors are those of Enroll.
func (c *Client) Reenroll(ctx context.Context, csr []byte) (*Answer, error) {
	return c.certificates(ctx, "simplereenroll", csr)
}

func (c *Client) certificates(ctx context.Context, op string, csr []byte) (*Answer, error) {
	if c.Roots == nil {
		return nil, &Error{Op: op, URL: c.URL, Err: errors.New("nobody says which authority to believe")}
	}
	return c.certificatesOver(ctx, op, csr, c.tls())
}

// certificatesOver is certificates over a connection that conf judges.
func (c *Client) certificatesOver(ctx context.Context, op string, csr []byte, conf *tls.Config) (*Answer, error) {
	body, date, err := c.ask(ctx, op, csr, "application/pkcs7-mime", conf)
	if err != nil {
		return nil, err
	}
	certs, err := certsOnly(body)
	if err != nil {
		return nil, &Error{Op: op, URL: c.URL, Err: fmt.Errorf("%w: %w", ErrAnswer, err)}
	}
	return &Answer{certs, date}, nil
}

// Attributes asks what the server wants to find in requests (RFC 7030, 4.5). Servers
// need not say, and then want nothing. Its error is ErrUnsupported if one wants what
// this package cannot do.
func (c *Client) Attributes(ctx context.Context) error {
	const op = "csrattrs"
	body, _, err := c.ask(ctx, op, nil, "application/csrattrs", c.tls())
	var e *Error
	if errors.As(err, &e) && (e.Status == http.StatusNoContent || e.Status == http.StatusNotFound || e.Status == http.StatusNotImplemented) {
		return nil
	}
	if err != nil || len(body) == 0 {
		return err
	}
	if err := checkAttributes(body); err != nil {
		return &Error{Op: op, URL: c.URL, Err: err}
	}
	return nil
}

// tls returns how to believe the server, and what to show it.
func (c *Client) tls() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots, Time: c.Now, GetClientCertificate: c.choose}
}

// ask puts one question and returns the answer's body without its base64, and the
// server's clock. The question is a POST if there is a csr.
func (c *Client) ask(ctx context.Context, op string, csr []byte, want string, conf *tls.Config) ([]byte, time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	e := &Error{Op: op, URL: c.URL}
	r, err := c.request(ctx, op, csr)
	if err != nil {
		e.Err = err
		return nil, time.Time{}, e
	}
	answer, err := roundTrip(r, conf)
	if err != nil {
		e.Err = named(err)
		return nil, time.Time{}, e
	}
	if e.Status, e.Err = answer.status, answer.judge(want); e.Err != nil {
		e.Text = words(answer.body)
		return nil, time.Time{}, e
	}
	body, err := decode(answer.body)
	if err != nil {
		e.Err = fmt.Errorf("%w: %w", ErrAnswer, err)
		return nil, time.Time{}, e
	}
	return body, answer.date, nil
}

// choose returns the first identity that the server can judge, and none otherwise:
// some servers hang up on a certificate that they do not know, instead of asking
// for the secret.
func (c *Client) choose(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	for i := range c.Identities {
		if asked.SupportsCertificate(&c.Identities[i]) == nil {
			return &c.Identities[i], nil
		}
	}
	return new(tls.Certificate), nil
}

func (c *Client) request(ctx context.Context, op string, csr []byte) (*http.Request, error) {
	if err := CheckURL(c.URL); err != nil {
		return nil, err
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	if u.Path = strings.TrimSuffix(u.Path, "/"); u.Path == "" {
		u.Path = wellKnown
	}
	u.Path += "/" + op
	if csr == nil {
		return http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(lines(csr)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/pkcs10")
	r.Header.Set("Content-Transfer-Encoding", "base64") // RFC 8951 makes it moot; older servers insist
	if c.User != "" || c.Secret != "" {
		r.SetBasicAuth(c.User, c.Secret)
	}
	return r, nil
}

// reply is a server's answer, not judged yet.
type reply struct {
	status int
	head   http.Header
	body   []byte
	date   time.Time
}

// roundTrip puts one question over a connection of its own.
func roundTrip(r *http.Request, conf *tls.Config) (*reply, error) {
	client := &http.Client{
		Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHead},
		// A redirection would carry request and secret to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("%w: more than %d KiB", ErrAnswer, maxBody>>10)
	}
	date, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		date = time.Time{}
	}
	return &reply{answer.StatusCode, answer.Header, body, date}, nil
}

// judge says what is wrong with an answer whose content should be of type want.
func (r *reply) judge(want string) error {
	switch r.status {
	case http.StatusOK:
	case http.StatusAccepted:
		return &PendingError{After: retryAfter(r.head.Get("Retry-After"), r.date)}
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrRefused
	default:
		return ErrAnswer
	}
	if kind, _, err := mime.ParseMediaType(r.head.Get("Content-Type")); err != nil || kind != want {
		return fmt.Errorf("%w: its content is %.60q, expected %s", ErrAnswer, r.head.Get("Content-Type"), want)
	}
	return nil
}

// decode undoes base64, whose lines may end in any way (RFC 8951, 3.1).
func decode(body []byte) ([]byte, error) {
	out, err := base64.StdEncoding.AppendDecode(nil, bytes.Join(bytes.Fields(body), nil))
	if err != nil {
		return nil, fmt.Errorf("not base64: %w", err)
	}
	return out, nil
}

// lines returns b in base64, in lines of 64 characters.
func lines(b []byte) string {
	text := base64.StdEncoding.EncodeToString(b)
	var out strings.Builder
	for ; len(text) > 64; text = text[64:] {
		out.WriteString(text[:64] + "\n")
	}
	out.WriteString(text + "\n")
	return out.String()
}
