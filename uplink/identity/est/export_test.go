package est

import (
	"crypto/x509"
	"net/http"
	"time"
)

// CertsOnly is certsOnly.
func CertsOnly(b []byte) ([]*x509.Certificate, error) { return certsOnly(b) }

// CheckAttributes is checkAttributes.
func CheckAttributes(b []byte) error { return checkAttributes(b) }

// Judge is what a client makes of an answer to an enrolment.
func Judge(status int, kind, after string, body []byte) ([]*x509.Certificate, error) {
	r := &reply{status: status, head: http.Header{"Content-Type": {kind}, "Retry-After": {after}}, body: body, date: time.Unix(1e9, 0)}
	if err := r.judge("application/pkcs7-mime"); err != nil {
		return nil, &Error{Op: "simpleenroll", Status: status, Text: words(body), Err: err}
	}
	der, err := decode(body)
	if err != nil {
		return nil, err
	}
	return certsOnly(der)
}
