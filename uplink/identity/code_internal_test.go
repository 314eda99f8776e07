package identity

import (
	"bytes"
	"crypto/elliptic"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

func someCode(wifi *WiFi) *Code {
	return &Code{
		Secret: bytes.Repeat([]byte{7}, SecretSize), Issued: time.Unix(1795300000, 0).UTC(), Valid: 10 * time.Minute,
		Broker: "mqtts://broker.lan:8883", Addrs: []netip.Addr{netip.MustParseAddr("192.168.1.20")}, Port: 41234, WiFi: wifi,
	}
}

// FuzzParseCode asserts that a code has one text: what is read is what would be
// written, byte for byte, and what is refused has a reason.
func FuzzParseCode(f *testing.F) {
	owner, err := newKey()
	if err != nil {
		f.Fatal(err)
	}
	for _, wifi := range []*WiFi{nil, {SSID: []byte("home"), Secret: []byte("correct horse")}, {SSID: bytes.Repeat([]byte{0}, 32)}} {
		c := someCode(wifi)
		text, err := c.Sign(owner)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		f.Add(text[:len(text)-2])
	}
	f.Add(codePrefix)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCode(text)
		if err != nil {
			if r := seal.ReasonOf(err); r != seal.Malformed && r != seal.BrokenSeal {
				t.Errorf("%v", err)
			}
			return
		}
		body, err := c.body()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := codeBase32().DecodeString(strings.TrimSpace(text)[len(codePrefix):])
		if err != nil || !bytes.Equal(raw[:len(raw)-sigSize], body) {
			t.Errorf("another text means the same code: %x, %x", raw, body)
		}
	})
}

// FuzzCodeBody goes where a signature keeps FuzzParseCode from.
func FuzzCodeBody(f *testing.F) {
	owner, err := newKey()
	if err != nil {
		f.Fatal(err)
	}
	for _, wifi := range []*WiFi{nil, {SSID: []byte{0, '"', '\n'}, Secret: []byte("'; rm -rf /")}} {
		c := someCode(wifi)
		if _, err := c.Sign(owner); err != nil {
			f.Fatal(err)
		}
		for _, h := range []seal.HouseholdID{c.Household, seal.HouseholdID(strings.Repeat("a", 52))} {
			c.Household = h
			body, err := c.body()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || len(b) > MaxCode {
			return
		}
		c, err := parseCodeBody(b)
		if err != nil {
			return
		}
		if err := c.check(); err != nil {
			t.Fatalf("what was read could not be written: %v", err)
		}
		again, err := c.body()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("read %x, written again %x, %v", b, again, err)
		}
	})
}

func TestSignatureHasOneForm(t *testing.T) {
	owner, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	n := elliptic.P256().Params().N
	for range 20 { // half of all signatures are made in the upper half
		sig, err := signRaw(owner, []byte("x"))
		if err != nil || !verifyRaw(&owner.PublicKey, []byte("x"), sig) {
			t.Fatalf("own signature: %v", err)
		}
		new(big.Int).Sub(n, new(big.Int).SetBytes(sig[32:])).FillBytes(sig[32:])
		if verifyRaw(&owner.PublicKey, []byte("x"), sig) {
			t.Fatal("the other half is believed too")
		}
	}
}

// TestHouseholdIsNamedOnlyIfItMustBe: a second way to write a code would be a
// second text of it.
func TestHouseholdIsNamedOnlyIfItMustBe(t *testing.T) {
	owner, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	c := someCode(nil)
	if _, err := c.Sign(owner); err != nil {
		t.Fatal(err)
	}
	body, err := c.body()
	if err != nil {
		t.Fatal(err)
	}
	id, err := idBytes(c.Household)
	if err != nil {
		t.Fatal(err)
	}
	long := slices.Concat([]byte{body[0] | codeNamesHousehold}, body[1:1+keySize], id, body[1+keySize:])
	if c, err := parseCodeBody(long); err == nil {
		t.Errorf("read as %+v", c)
	}
	id[0]++
	copy(long[1+keySize:], id)
	if c, err := parseCodeBody(long); err != nil {
		t.Errorf("another household's id: %+v, %v", c, err)
	}
}
