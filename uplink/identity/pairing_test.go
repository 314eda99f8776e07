package identity_test

import (
	"encoding/pem"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

func FuzzParsePairing(f *testing.F) {
	c, err := identity.OpenCamera(filepath.Join(f.TempDir(), "c"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"sealcam_pairing":1,"camera":"` + string(c.ID()) + `","household":"` + string(c.ID()) + `","authority":"","certificate":"","roster":"AAAA"}`))
	f.Add([]byte(`{"sealcam_pairing":2}`))
	f.Add([]byte(`{} {}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := identity.ParsePairing(text)
		if err != nil {
			if !errors.Is(err, identity.ErrPairing) {
				t.Errorf("%T: %v", err, err)
			}
			return
		}
		if err := c.Claim(p); err == nil {
			t.Fatal("claimed by garbage")
		}
		again, err := p.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := identity.ParsePairing(again); err != nil && len(again) <= identity.MaxPairing {
			t.Errorf("written again it is refused: %v", err)
		}
	})
}

func TestParseRequest(t *testing.T) {
	c, _ := newCamera(t)
	text, err := c.Request("firmware 7")
	if err != nil {
		t.Fatal(err)
	}
	h, err := identity.ParseRequest(text)
	if err != nil || h.Camera != c.ID() || h.Firmware != "firmware 7" || h.Household != "" {
		t.Errorf("read %+v, %v", h, err)
	}
	bare, err := seal.SignHello(c.Signer(), seal.Hello{})
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"empty":          "",
		"half":           string(text[:len(text)/2]),
		"twice":          string(text) + string(text),
		"other PEM":      strings.ReplaceAll(string(text), "SEALCAM CAMERA REQUEST", "CERTIFICATE"),
		"huge":           strings.Repeat("x", 1<<20),
		"no certificate": string(pem.EncodeToMemory(&pem.Block{Type: "SEALCAM CAMERA REQUEST", Bytes: bare})),
	} {
		if _, err := identity.ParseRequest([]byte(bad)); !errors.Is(err, identity.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	block, _ := pem.Decode(text)
	block.Bytes[len(block.Bytes)-1] ^= 1
	if _, err := identity.ParseRequest(pem.EncodeToMemory(block)); seal.ReasonOf(err) != seal.BrokenSeal {
		t.Errorf("signature broken: %v", err)
	}
}
