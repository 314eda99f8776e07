package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Sizes of a Code, in bytes. MaxCode, of its text, is what a QR code of version
// 15 at level L holds in alphanumeric mode: the largest that a 640x480 camera
// reads from a telephone held before it.
const (
	MaxCode       = 758
	SecretSize    = 16
	MaxSSID       = 32 // IEEE 802.11-2020, 9.4.2.2
	MaxWiFiSecret = 64 // WPA passphrase of 8 to 63 bytes, or a key of 64 hexadecimal digits
	maxCodeBroker = 128
	maxCodeAddrs  = 4
)

// codePrefix starts every code. With base32 after it, a QR code can use its
// alphanumeric mode.
const codePrefix = "SEALCAM-PAIR-1"

// codeContext stands before what the owner's key signs. No COSE structure
// starts like it, so neither signature passes for the other.
const codeContext = "sealcam pairing code 1\x00"

// Code is what a household shows to a camera's lens, or hands it in a file, so
// that the camera can ask to be taken in: whose household it is, where to ask,
// and a secret that proves the asking camera has read it. Whoever reads a Code
// while it is valid can ask too; the person who shows it confirms which camera
// it was. SPEC.md, section 16, has the bytes.
type Code struct {
	Household seal.HouseholdID
	Owner     []byte        // the owner key that signs, SubjectPublicKeyInfo
	Authority [32]byte      // SHA-256 of the certificate of the household's authority, DER
	Secret    []byte        // SecretSize random bytes, for one pairing
	Issued    time.Time     // whole seconds
	Valid     time.Duration // whole seconds, at most 65535
	Broker    string        // mqtts://host:port; may be empty: then the camera's settings say it
	Addrs     []netip.Addr  // where the household answers, 1 to 4
	Port      uint16
	WiFi      *WiFi // nil for none
}

// WiFi is a wireless network to join. Both are bytes, not text: a network's
// name is any 1 to 32 bytes.
type WiFi struct {
	SSID   []byte
	Secret []byte // empty for an open network
}

// Sign returns the code's text, signed by an owner key. It fills Owner, and
// Household if that is empty. The error says which part has no place in a code.
func (c *Code) Sign(owner *ecdsa.PrivateKey) (string, error) {
	var err error
	if c.Owner, err = seal.MarshalPublicKey(owner.Public()); err != nil {
		return "", err
	}
	if c.Household == "" {
		if c.Household, err = seal.HouseholdIDOf(owner.Public()); err != nil {
			return "", err
		}
	}
	if err := c.check(); err != nil {
		return "", fmt.Errorf("pairing code: %w", err)
	}
	body, err := c.body()
	if err != nil {
		return "", err
	}
	sig, err := signRaw(owner, append([]byte(codeContext), body...))
	if err != nil {
		return "", err
	}
	text := codePrefix + codeBase32().EncodeToString(append(body, sig...))
	if len(text) > MaxCode {
		return "", fmt.Errorf("pairing code: %d characters, at most %d can be read by a camera: shorten the broker's name or leave the Wi-Fi settings out", len(text), MaxCode)
	}
	return text, nil
}

// ParseCode reads the text of a code and checks its signature. White space
// around it is overlooked. The error is a *seal.Refusal: Malformed, or
// BrokenSeal for one that its owner key did not sign. Whether a camera may
// follow it, Camera.CheckCode says.
func ParseCode(text string) (*Code, error) {
	text = strings.TrimSpace(text)
	if !IsCode(text) || len(text) > MaxCode {
		return nil, refuseCode(seal.Malformed, "it does not start with %s, or is longer than %d characters", codePrefix, MaxCode)
	}
	raw, err := codeBase32().DecodeString(text[len(codePrefix):])
	if err != nil || codePrefix+codeBase32().EncodeToString(raw) != text {
		return nil, refuseCode(seal.Malformed, "not the base32 of a code")
	}
	if len(raw) <= sigSize {
		return nil, refuseCode(seal.Malformed, "cut short")
	}
	body, sig := raw[:len(raw)-sigSize], raw[len(raw)-sigSize:]
	c, err := parseCodeBody(body)
	if err != nil {
		return nil, refuseCode(seal.Malformed, "%v", err)
	}
	key, err := seal.ParsePublicKey(c.Owner)
	if err != nil {
		return nil, refuseCode(seal.Malformed, "%v", err)
	}
	if !verifyRaw(key, append([]byte(codeContext), body...), sig) {
		return nil, refuseCode(seal.BrokenSeal, "forged: the owner key in it did not sign it")
	}
	return c, nil
}

// IsCode reports whether text means to be a pairing code: other codes that
// hang before a lens are nobody's concern.
func IsCode(text string) bool { return strings.HasPrefix(strings.TrimSpace(text), codePrefix) }

// Expires returns the end of the code's time.
func (c *Code) Expires() time.Time { return c.Issued.Add(c.Valid) }

// Current refuses a code whose time is over. A clock that does not know the time
// is behind, boards start in 1970, and lets every code pass: the household, which
// has a clock, answers none that has expired.
func (c *Code) Current(now time.Time) error {
	if now.Before(c.Expires()) {
		return nil
	}
	return refuseCode(seal.Stale, "expired at %s", c.Expires().UTC().Format(time.RFC3339))
}

// check says what cannot stand in a code.
func (c *Code) check() error {
	seconds := c.Valid / time.Second
	switch {
	case len(c.Secret) != SecretSize:
		return fmt.Errorf("a secret of %d bytes, want %d", len(c.Secret), SecretSize)
	case c.Issued.Unix() < 1 || c.Issued.Unix() >= 1<<40 || c.Issued.Nanosecond() != 0:
		return errors.New("issued at no whole second since 1970")
	case c.Valid%time.Second != 0 || seconds < 1 || seconds > 65535:
		return fmt.Errorf("valid for %v, want 1 to 65535 s", c.Valid)
	case len(c.Broker) > maxCodeBroker:
		return fmt.Errorf("a broker's name of %d bytes, at most %d", len(c.Broker), maxCodeBroker)
	case len(c.Addrs) < 1 || len(c.Addrs) > maxCodeAddrs || c.Port == 0:
		return fmt.Errorf("%d addresses (want 1 to %d) and port %d", len(c.Addrs), maxCodeAddrs, c.Port)
	}
	if err := checkBroker(c.Broker); err != nil {
		return err
	}
	for _, a := range c.Addrs {
		if !a.IsValid() || a.Is4In6() || a.Zone() != "" {
			return fmt.Errorf("address %v has no place in a code", a)
		}
	}
	if w := c.WiFi; w != nil && (len(w.SSID) < 1 || len(w.SSID) > MaxSSID || len(w.Secret) > MaxWiFiSecret) {
		return fmt.Errorf("a Wi-Fi name of %d bytes (want 1 to %d) with a secret of %d (want 0 to %d)", len(w.SSID), MaxSSID, len(w.Secret), MaxWiFiSecret)
	}
	return nil
}

func codeBase32() *base32.Encoding { return base32.StdEncoding.WithPadding(base32.NoPadding) }

func refuseCode(reason seal.Reason, format string, args ...any) *seal.Refusal {
	return &seal.Refusal{Reason: reason, Detail: "pairing code: " + fmt.Sprintf(format, args...)}
}

// founded reports whether key (SubjectPublicKeyInfo) founded the household.
func founded(h seal.HouseholdID, key []byte) bool {
	pub, err := seal.ParsePublicKey(key)
	if err != nil {
		return false
	}
	id, err := seal.HouseholdIDOf(pub)
	return err == nil && id == h
}

// compress writes a P-256 key in 33 bytes (SEC 1, 2.3.3).
func compress(spki []byte) ([]byte, error) {
	if _, err := seal.ParsePublicKey(spki); err != nil {
		return nil, err
	}
	xy := spki[len(spki)-64:]
	return append([]byte{2 | xy[63]&1}, xy[:32]...), nil
}

// expand is the inverse of compress.
func expand(point []byte) ([]byte, error) {
	x, y := elliptic.UnmarshalCompressed(elliptic.P256(), point)
	if x == nil {
		return nil, errors.New("its owner key is no point on P-256")
	}
	full := make([]byte, 65)
	full[0] = 4
	x.FillBytes(full[1:33])
	y.FillBytes(full[33:])
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), full)
	if err != nil {
		return nil, err
	}
	return seal.MarshalPublicKey(pub)
}

func sum256(b []byte) [32]byte { return sha256.Sum256(b) }
