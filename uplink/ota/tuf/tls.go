package tuf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// anyDay returns conf, which may be nil, for a camera whose clock may be behind: a
// certificate that begins later than the clock says says itself that its day has
// come, if a known authority signed it. One that has ended is refused as ever, and
// one of another name or authority, too. No trust in what is installed rests on it.
func anyDay(conf *tls.Config) *tls.Config {
	if conf = conf.Clone(); conf == nil {
		conf = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	now := conf.Time
	if now == nil {
		now = time.Now
	}
	conf.InsecureSkipVerify = true // VerifyConnection does all of it, at the right time
	conf.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the server has no certificate")
		}
		at, others := now(), x509.NewCertPool()
		for i, c := range state.PeerCertificates {
			if c.NotBefore.After(at) {
				at = c.NotBefore
			}
			if i > 0 {
				others.AddCert(c)
			}
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
			Roots: conf.RootCAs, Intermediates: others, DNSName: state.ServerName, CurrentTime: at,
		})
		return err
	}
	return conf
}
