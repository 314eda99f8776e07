package identity_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

func invite(t *testing.T, h *identity.Household, wifi *identity.WiFi) (*identity.Code, string) {
	t.Helper()
	c, text, err := h.Invite([]netip.Addr{netip.MustParseAddr("192.168.1.20"), netip.MustParseAddr("fd00::7")}, 41234, wifi, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return c, text
}

func TestCodeCarriesEveryByte(t *testing.T) {
	h := newHousehold(t)
	all := make([]byte, 32)
	for i := range all {
		all[i] = byte(i * 9)
	}
	for name, wifi := range map[string]*identity.WiFi{
		"none":              nil,
		"open":              {SSID: []byte("café")},
		"quotes":            {SSID: []byte(`it's "mine"`), Secret: []byte(`$(reboot); '"\` + "`")},
		"newlines and NUL":  {SSID: []byte("a\nb\x00c"), Secret: []byte("1\r\n2\x00")},
		"32 arbitrary":      {SSID: all, Secret: bytes.Repeat([]byte{0xff}, 64)},
		"right to left":     {SSID: []byte("\u202eteppop"), Secret: []byte("\u200fx\u2066y")},
		"nothing but zeros": {SSID: make([]byte, 32), Secret: make([]byte, 64)},
	} {
		want, text := invite(t, h, wifi)
		got, err := identity.ParseCode("\n " + text + "\r\n")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if got.Household != h.ID() || !got.Expires().Equal(someday.Add(10*time.Minute)) || got.Broker != h.Broker() {
			t.Errorf("%s: %+v", name, got)
		}
		if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			t.Errorf("%s: %q has no place in a QR code's alphanumeric mode", name, text)
		}
	}
}

func TestCodeRefused(t *testing.T) {
	h := newHousehold(t)
	_, text := invite(t, h, nil)
	forged := []byte(text)
	for i := len(forged) - 40; ; i-- { // within the signature
		if forged[i] != 'Q' {
			forged[i] = 'Q'
			break
		}
	}
	for _, tc := range []struct {
		name, text string
		want       seal.Reason
	}{
		{"empty", "", seal.Malformed},
		{"a shop's", "https://example.com/menu", seal.Malformed},
		{"bare prefix", "SEALCAM-PAIR-1", seal.Malformed},
		{"lower case", strings.ToLower(text), seal.Malformed},
		{"cut short", text[:len(text)-20], seal.BrokenSeal},
		{"cut very short", text[:60], seal.Malformed},
		{"something after it", text + "AA", seal.Malformed},
		{"broken in two", text[:80] + "\n" + text[80:], seal.Malformed},
		{"huge", text + strings.Repeat("A", 1<<16), seal.Malformed},
		{"forged", string(forged), seal.BrokenSeal},
	} {
		_, err := identity.ParseCode(tc.text)
		if got := seal.ReasonOf(err); got != tc.want && !(tc.name == "cut short" && got == seal.Malformed) {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.want)
		}
	}
}

// TestEveryBitOfACodeIsSigned changes each character of a code.
func TestEveryBitOfACodeIsSigned(t *testing.T) {
	h := newHousehold(t)
	_, text := invite(t, h, &identity.WiFi{SSID: []byte("x"), Secret: []byte("y")})
	for i := len("SEALCAM-PAIR-1"); i < len(text); i++ {
		b := []byte(text)
		if b[i]++; b[i] > 'Z' {
			b[i] = '2'
		}
		if _, err := identity.ParseCode(string(b)); err == nil {
			t.Fatalf("character %d changed, and the code is believed", i)
		}
	}
}

func TestCodeAndClocks(t *testing.T) {
	c, _ := invite(t, newHousehold(t), nil)
	for name, tc := range map[string]struct {
		now  time.Time
		want seal.Reason
	}{
		"fresh":                {someday, ""},
		"last second":          {someday.Add(10*time.Minute - time.Second), ""},
		"expired":              {someday.Add(10 * time.Minute), seal.Stale},
		"a year later":         {someday.AddDate(1, 0, 0), seal.Stale},
		"a clock from 1970":    {time.Unix(12, 0), ""},
		"a clock a bit behind": {someday.Add(-4 * time.Minute), ""},
	} {
		if err := c.Current(tc.now); seal.ReasonOf(err) != tc.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// pairingFor is what the household would hand out, without an exchange.
func pairingFor(t *testing.T, h *identity.Household, c *identity.Camera) identity.Pairing {
	t.Helper()
	if err := h.AddCamera(c.ID(), "Garden"); err != nil && !errors.Is(err, identity.ErrKnownCamera) {
		t.Fatal(err)
	}
	csr, err := c.CertificateRequest()
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Pair(c.ID(), csr)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestClaimByCode(t *testing.T) {
	h, stranger := newHousehold(t), newHousehold(t)
	c, dir := newCamera(t)
	code, _ := invite(t, h, nil)
	theirs, _ := invite(t, stranger, nil)
	if err := c.CheckCode(code, someday); err != nil {
		t.Fatal(err)
	}
	good := pairingFor(t, h, c)
	for name, p := range map[string]identity.Pairing{
		"a stranger's pairing": pairingFor(t, stranger, c),
		"another broker":       func() identity.Pairing { p := good; p.Broker = "mqtts://evil.lan:8883"; return p }(),
		"another authority":    func() identity.Pairing { p := good; p.Authority = stranger.Authority(); return p }(),
		"no roster":            func() identity.Pairing { p := good; p.Roster = nil; return p }(),
	} {
		if err := c.ClaimByCode(code, p); err == nil || c.Claimed() {
			t.Fatalf("%s: claimed", name)
		}
	}
	if err := c.ClaimByCode(code, good); err != nil {
		t.Fatal(err)
	}
	if err := c.CodeRefused(seal.Stale); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*identity.Camera{c, openCamera(t, dir)} {
		if c.Household() != h.ID() {
			t.Errorf("belongs to %q", c.Household())
		}
		if err := c.CheckCode(code, someday); seal.ReasonOf(err) != seal.Replayed {
			t.Errorf("the same code again: %v", err)
		}
		if err := c.CheckCode(theirs, someday); seal.ReasonOf(err) != seal.NotForYou || !errors.Is(err, identity.ErrClaimed) {
			t.Errorf("another household's code: %v", err)
		}
		if n := c.CodesRefused(); n[seal.Stale] != 1 || len(n) != 1 {
			t.Errorf("counted %v", n)
		}
	}
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	again := openCamera(t, dir)
	if err := again.CheckCode(theirs, someday); err != nil || again.CodesRefused() != nil {
		t.Errorf("after a reset: %v, %v", err, again.CodesRefused())
	}
}

func TestCodeOfANewOwnerKey(t *testing.T) {
	h := newHousehold(t)
	first, _ := invite(t, h, nil)
	other := newHousehold(t)
	first.Secret[0]++
	text, err := first.Sign(other.Owner()) // a key that did not found the household
	if err != nil {
		t.Fatal(err)
	}
	code, err := identity.ParseCode(text)
	if err != nil || code.Household != h.ID() {
		t.Fatalf("%+v, %v", code, err)
	}
	c, _ := newCamera(t)
	if err := c.ClaimByCode(code, pairingFor(t, h, c)); seal.ReasonOf(err) != seal.BrokenSeal || c.Claimed() {
		t.Errorf("a code in the household's name by a key that is not its owner's: %v", err)
	}
}

func TestCodeAfterTheOwnerKeyWasReplaced(t *testing.T) {
	h := newHousehold(t)
	old, _ := invite(t, h, nil)
	if err := h.RotateOwner(); err != nil {
		t.Fatal(err)
	}
	_, text := invite(t, h, nil)
	code, err := identity.ParseCode(text)
	if err != nil || code.Household != h.ID() || bytes.Equal(code.Owner, old.Owner) {
		t.Fatalf("%+v, %v", code, err)
	}
	c, _ := newCamera(t)
	p := pairingFor(t, h, c)
	if err := c.ClaimByCode(old, p); seal.ReasonOf(err) != seal.BrokenSeal || c.Claimed() {
		t.Errorf("a code by the key that was replaced: %v", err)
	}
	if err := c.ClaimByCode(code, p); err != nil || c.Household() != h.ID() {
		t.Errorf("a code by the new key: %v", err)
	}
}

func TestCreateHouseholdUnder(t *testing.T) {
	template := func() *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Fleet"}, NotBefore: someday.AddDate(-1, 0, 0), NotAfter: someday.AddDate(9, 0, 0),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
	}
	issue := func(key crypto.Signer, c *x509.Certificate) (keyText, certText []byte) {
		t.Helper()
		der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []crypto.Signer{p384, rsaKey} {
		keyText, certText := issue(key, template())
		dir := filepath.Join(t.TempDir(), "home")
		if _, err := identity.CreateHouseholdUnder(dir, "mqtts://broker.lan", keyText, certText, clock); err != nil {
			t.Fatalf("%T: %v", key, err)
		}
		h, err := identity.OpenHousehold(dir, clock)
		if err != nil {
			t.Fatalf("%T: %v", key, err)
		}
		c, dir := newCamera(t)
		code, _ := invite(t, h, nil)
		if err := c.ClaimByCode(code, pairingFor(t, h, c)); err != nil {
			t.Fatalf("%T: %v", key, err)
		}
		conf, err := openCamera(t, dir).TLS()
		if err != nil || conf.Certificates[0].Leaf.Issuer.CommonName != "Fleet" {
			t.Errorf("%T: %v", key, err)
		}
	}
	expired, noCA, noSign := template(), template(), template()
	expired.NotAfter = someday.AddDate(0, 0, -1)
	noCA.IsCA = false
	noSign.KeyUsage = x509.KeyUsageDigitalSignature
	otherKey, _ := issue(rsaKey, template())
	for name, c := range map[string]*x509.Certificate{"expired": expired, "no authority": noCA, "may not sign": noSign, "another's key": template()} {
		keyText, certText := issue(p384, c)
		if name == "another's key" {
			keyText = otherKey
		}
		dir := filepath.Join(t.TempDir(), "home")
		if _, err := identity.CreateHouseholdUnder(dir, "", keyText, certText, clock); err == nil {
			t.Errorf("%s: taken", name)
		}
		if _, err := os.Stat(filepath.Join(dir, "ca.key")); err == nil {
			t.Errorf("%s: its key was kept", name)
		}
	}
}
