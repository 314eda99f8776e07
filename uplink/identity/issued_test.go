package identity

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// list returns the household's list, and whether a certificate is on it.
func list(t *testing.T, h *Household) func(*x509.Certificate) bool {
	t.Helper()
	text, err := h.Revoked()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	l, err := x509.ParseRevocationList(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.CheckSignatureFrom(h.ca.cert); err != nil {
		t.Fatal(err)
	}
	return func(c *x509.Certificate) bool {
		return slices.ContainsFunc(l.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool { return e.SerialNumber.Cmp(c.SerialNumber) == 0 })
	}
}

// Whoever was removed is listed; who comes back, or gets a name that somebody had,
// is not, and what was before stays listed.
func TestRevoked(t *testing.T) {
	dir := t.TempDir() + "/home"
	h, err := CreateHousehold(dir, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	viewer := func() *x509.Certificate {
		t.Helper()
		v, err := h.AddViewer("phone")
		check(err)
		return v.TLS().Certificates[0].Leaf
	}
	_, err = h.AddViewer("desk")
	check(err)
	c, err := OpenCamera(t.TempDir() + "/camera")
	check(err)
	camera := func() *x509.Certificate {
		t.Helper()
		check(h.AddCamera(c.ID(), "door"))
		check(h.Adopt(c))
		conf, err := c.TLS()
		check(err)
		return conf.Certificates[0].Leaf
	}
	oldPhone, oldDoor := viewer(), camera()
	if is := list(t, h); is(oldPhone) || is(oldDoor) {
		t.Error("listed without having been removed")
	}
	check(h.RemoveViewer("phone"))
	check(h.RemoveCamera(c.ID()))
	if is := list(t, h); !is(oldPhone) || !is(oldDoor) {
		t.Error("removed, and not listed")
	}
	// The power fails in the middle of a line, which nobody was given.
	f, err := os.OpenFile(filepath.Join(dir, issuedFile), os.O_APPEND|os.O_WRONLY, 0)
	check(err)
	_, err = f.WriteString("viewer-phone 12")
	check(err)
	check(f.Close())
	h, err = OpenHousehold(dir, time.Now)
	check(err)
	newPhone, newDoor := viewer(), camera()
	if is := list(t, h); !is(oldPhone) || !is(oldDoor) || is(newPhone) || is(newDoor) {
		t.Errorf("old phone %t, old door %t, new phone %t, new door %t", is(oldPhone), is(oldDoor), is(newPhone), is(newDoor))
	}
}

// OpenSSL, which Mosquitto has it checked by, takes the list and refuses whom it names.
func TestRevokedByOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatal("openssl is not installed: run make test-deps")
	}
	dir := t.TempDir()
	h, err := CreateHousehold(dir+"/home", "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"desk", "phone"} {
		if _, err := h.AddViewer(name); err != nil {
			t.Fatal(err)
		}
	}
	cert := func(name string) string { return filepath.Join(dir, "home", viewersDir, name, viewerCertFile) }
	phone := filepath.Join(dir, "phone.crt")
	text, err := os.ReadFile(cert("phone"))
	if err == nil {
		err = os.WriteFile(phone, text, 0o600)
	}
	if err == nil {
		err = h.RemoveViewer("phone")
	}
	if err != nil {
		t.Fatal(err)
	}
	crl, err := h.Revoked()
	if err == nil {
		err = os.WriteFile(dir+"/crl.pem", crl, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	verify := func(path string) string {
		out, _ := exec.Command("openssl", "verify", "-crl_check", "-CAfile", filepath.Join(dir, "home", authorityCert), "-CRLfile", dir+"/crl.pem", path).CombinedOutput()
		return string(out)
	}
	if out := verify(cert("desk")); !strings.Contains(out, ": OK") {
		t.Errorf("who stays: %s", out)
	}
	if out := verify(phone); !strings.Contains(out, "certificate revoked") {
		t.Errorf("who was removed: %s", out)
	}
}
