package est

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The reasons for which there is no certificate, as far as they have a name. Every
// error of a Client's methods is an *Error.
var (
	ErrRefused     = errors.New("the server refuses this client")
	ErrTrust       = errors.New("the server's certificate is not believed")
	ErrNotYetValid = errors.New("the server's certificate is not valid yet")
	ErrAnswer      = errors.New("the server's answer makes no sense")
	ErrUnsupported = errors.New("the server wants what this program does not do")
)

// Error says what a server was asked, and why that came to nothing.
type Error struct {
	Op     string // as in the URL: cacerts, simpleenroll, ...
	URL    string
	Status int    // of HTTP; 0 if it did not come to that
	Text   string // what the server said, one line, printable, bounded
	Err    error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s: %v", e.URL, e.Op, e.Err)
	if e.Status != 0 && e.Status != http.StatusOK {
		s += fmt.Sprintf(" (%d", e.Status)
		if e.Text != "" {
			s += ": " + e.Text
		}
		s += ")"
	}
	return s
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Hint tells a person what to do about it.
func (e *Error) Hint() string {
	var dns *net.DNSError
	switch {
	case errors.Is(e.Err, ErrRefused):
		return "the server must know the certificate that is shown to it, or the one-time secret; its log says which it missed"
	case errors.Is(e.Err, ErrNotYetValid):
		return "check this machine's clock"
	case errors.Is(e.Err, ErrTrust):
		return "give the authority that signed the server's certificate, and check this machine's clock"
	case errors.Is(e.Err, ErrUnsupported):
		return "have the PKI ask for no more than a subject and a P-256 key"
	case errors.Is(e.Err, ErrAnswer):
		return "check that the address is that of an EST server, with the label that its PKI gives to cameras"
	case errors.As(e.Err, &dns):
		return "check the server's name and this network's name server"
	}
	return "it is tried again"
}

// PendingError says that the authority has taken the request and is not ready: the
// same request is to be put again, after the time that it names (RFC 7030, 4.2.3).
type PendingError struct{ After time.Duration }

func (e *PendingError) Error() string {
	return fmt.Sprintf("the authority has not decided yet, and is asked again in %v", e.After)
}

// Bounds of what a server may ask a client to wait.
const (
	leastWait = 10 * time.Second
	mostWait  = 24 * time.Hour
	someWait  = 10 * time.Minute // if it does not say
)

// retryAfter reads a Retry-After, which is seconds or a date (RFC 9110, 10.2.3); a
// date is held against the server's own clock.
func retryAfter(text string, now time.Time) time.Duration {
	d := someWait
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		d = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(text); err == nil && !now.IsZero() {
		d = at.Sub(now)
	}
	return min(max(d, leastWait), mostWait)
}

// named gives a failed connection its reason.
func named(err error) error {
	var (
		name    x509.HostnameError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		op      *net.OpError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && strings.Contains(invalid.Detail, "is before"):
		return fmt.Errorf("%w: %w", ErrNotYetValid, err)
	case errors.As(err, &name), errors.As(err, &unknown), errors.As(err, &invalid):
		return fmt.Errorf("%w: %w", ErrTrust, err)
	case errors.As(err, &op) && op.Op == "remote error": // an alert: what the server says of our certificate
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// maxWords bounds what is kept of what a server said, in bytes.
const maxWords = 120

// words returns the first line of text that a server sent, if it is one.
func words(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body[:min(len(body), 4*maxWords)])), "\n")
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, line)
	return line[:min(len(line), maxWords)]
}
