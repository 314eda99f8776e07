package enrol

import (
	"path/filepath"

	"github.com/sealcam/sealcam/uplink/identity/est"
)

// Where a camera's certificate for its broker comes from.
const (
	FromPairing = "pairing" // the household's own authority
	FromEST     = "est"     // a PKI that is asked, and asked again before it ends
	FromFiles   = "files"   // two files that somebody else keeps up to date
)

// Settings is the part of the camera's settings about its certificate.
type Settings struct {
	From   string `toml:"from"`
	Anchor string `toml:"anchor"` // file: authorities of broker and PKI, PEM
	// Of FromEST.
	URL                string `toml:"url"`
	Pin                string `toml:"pin"`    // fingerprint of an authority
	Secret             string `toml:"secret"` // file: NAME:SECRET
	FactoryCertificate string `toml:"factory_certificate"`
	FactoryKey         string `toml:"factory_key"`
	// Of FromFiles.
	Certificate string `toml:"certificate"`
	Key         string `toml:"key"`
}

// Validate returns the key that makes no sense and what was expected of it, or
// nothing.
func (s Settings) Validate() (key, expected string) {
	for _, f := range []struct{ key, path string }{
		{"anchor", s.Anchor}, {"secret", s.Secret}, {"factory_certificate", s.FactoryCertificate},
		{"factory_key", s.FactoryKey}, {"certificate", s.Certificate}, {"key", s.Key},
	} {
		if f.path != "" && !filepath.IsAbs(f.path) {
			return "identity." + f.key, "expected an absolute path, or nothing"
		}
	}
	switch s.From {
	case FromPairing:
		return "", ""
	case FromFiles:
		if s.Certificate == "" || s.Key == "" {
			return "identity.from", "files needs identity.certificate and identity.key"
		}
		return "", ""
	case FromEST:
		return s.validateEST()
	}
	return "identity.from", "expected pairing, est or files"
}

func (s Settings) validateEST() (key, expected string) {
	if err := est.CheckURL(s.URL); err != nil {
		return "identity.url", err.Error()
	}
	if s.Pin != "" {
		if _, err := est.ParsePin(s.Pin); err != nil {
			return "identity.pin", err.Error()
		}
	}
	if s.Pin != "" && s.Anchor != "" {
		return "identity.pin", "expected either a pin or identity.anchor"
	}
	if (s.FactoryCertificate == "") != (s.FactoryKey == "") {
		return "identity.factory_key", "expected identity.factory_certificate and identity.factory_key together, or neither"
	}
	return "", ""
}
