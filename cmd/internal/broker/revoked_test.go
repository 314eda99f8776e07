package broker

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
)

func certificate(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A list of another authority, or an older one, changes nothing.
func TestListRefused(t *testing.T) {
	b, now := newHouse(t).broker, time.Now()
	h, err := identity.CreateHousehold(t.TempDir()+"/home", "", func() time.Time { now = now.Add(time.Second); return now })
	if err != nil {
		t.Fatal(err)
	}
	ca := certificate(t, h.Authority())
	if _, err := h.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	old, err := h.Revoked()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveViewer("phone"); err != nil {
		t.Fatal(err)
	}
	list, err := h.Revoked()
	if err != nil {
		t.Fatal(err)
	}
	other, err := identity.CreateHousehold(t.TempDir()+"/other", "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Revoke(list, certificate(t, other.Authority())); err == nil {
		t.Error("took a list by an authority that did not sign it")
	}
	if err := b.Revoke(list, ca); err != nil {
		t.Fatal(err)
	}
	if err := b.Revoke(old, ca); err == nil {
		t.Error("took an older list")
	}
	if err := b.Revoke([]byte("-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n"), ca); err == nil {
		t.Error("took an empty list")
	}
}
