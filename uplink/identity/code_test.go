package identity_test

import (
	"bytes"
	"errors"
	"net/netip"
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
