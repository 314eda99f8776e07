package seal

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Hello is how a camera introduces itself. It proves that its sender holds the
// camera's key, and, with a MAC, that it has read a pairing code; nothing about
// when.
type Hello struct {
	Camera    CameraID // SignHello fills it
	Key       []byte   // SubjectPublicKeyInfo; SignHello fills it
	Boot      [16]byte
	Model     string      // printable ASCII, at most MaxName bytes
	Firmware  string      // printable ASCII, at most MaxName bytes
	Household HouseholdID // who has claimed it; "" for nobody
	Roster    uint64      // version of the roster it has; 0 for none
	CSR       []byte      // certificate request, DER, at most MaxCSR bytes; nil for none
	MAC       []byte      // of Hello.Bind; nil for none
}

type helloClaims struct {
	Issuer   string       `cbor:"1,keyasint"`           // camera id
	Audience string       `cbor:"3,keyasint,omitempty"` // household id
	Confirm  confirmation `cbor:"8,keyasint"`
	Version  uint64       `cbor:"-65537,keyasint"`
	Roster   uint64       `cbor:"-65538,keyasint,omitempty"`
	Boot     []byte       `cbor:"-65542,keyasint"`
	Model    string       `cbor:"-65556,keyasint,omitempty"`
	Firmware string       `cbor:"-65557,keyasint,omitempty"`
	CSR      []byte       `cbor:"-65558,keyasint,omitempty"`
	MAC      []byte       `cbor:"-65559,keyasint,omitempty"`
}

const macContext = "sealcam hello 1\x00"

// SignHello signs h with the camera's key.
func SignHello(key crypto.Signer, h Hello) ([]byte, error) {
	if err := h.setKey(key.Public()); err != nil {
		return nil, err
	}
	claims, err := h.claims()
	if err != nil {
		return nil, err
	}
	if err := claims.check(); err != nil {
		return nil, fmt.Errorf("seal: hello: %w", err)
	}
	return sign1(rand.Reader, key, typeHello, claims)
}

// OpenHello checks a hello. The error is a *Refusal.
func OpenHello(b []byte) (*Hello, error) {
	if len(b) > MaxHello {
		return nil, refuse(Malformed, "hello of %d bytes, at most %d", len(b), MaxHello)
	}
	e, err := parse1(b, typeHello)
	if err != nil {
		return nil, refuseErr(Malformed, "hello", err)
	}
	var c helloClaims
	if err := decodeClaims(e.payload, &c); err != nil {
		return nil, refuseErr(Malformed, "hello", err)
	}
	if err := c.check(); err != nil {
		return nil, refuseErr(Malformed, "hello", err)
	}
	pub, spki, err := c.Confirm.Key.parse()
	if err != nil {
		return nil, refuseErr(Malformed, "hello", err)
	}
	if sum := sha256.Sum256(spki); formatID(sum) != c.Issuer || sum != e.kid {
		return nil, refuse(BrokenSeal, "the key is not that of camera %s", c.Issuer)
	}
	if err := e.verify(pub); err != nil {
		return nil, refuseErr(BrokenSeal, "hello", err)
	}
	return c.hello(spki), nil
}

// Bind sets h.MAC so that it proves knowledge of a pairing code's one-time
// secret. It must be called last, with the key that will sign.
func (h *Hello) Bind(camera crypto.PublicKey, secret []byte) error {
	if err := h.setKey(camera); err != nil {
		return err
	}
	mac, err := h.mac(secret)
	h.MAC = mac
	return err
}

// Bound reports whether h.MAC was made with secret, for exactly this hello.
func (h *Hello) Bound(secret []byte) bool {
	mac, err := h.mac(secret)
	return err == nil && hmac.Equal(mac, h.MAC)
}

// mac is HMAC-SHA256 over the claims without the MAC, in their encoding.
func (h *Hello) mac(secret []byte) ([]byte, error) {
	if len(secret) < 16 {
		return nil, errors.New("seal: a pairing secret of less than 16 bytes")
	}
	bare := *h
	bare.MAC = nil
	claims, err := bare.claims()
	if err != nil {
		return nil, err
	}
	b, err := encode(claims)
	if err != nil {
		return nil, err
	}
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(macContext))
	m.Write(b)
	return m.Sum(nil), nil
}

func (h *Hello) setKey(pub crypto.PublicKey) (err error) {
	if h.Key, err = MarshalPublicKey(pub); err != nil {
		return err
	}
	h.Camera = CameraID(formatID(sha256.Sum256(h.Key)))
	return nil
}

func (h *Hello) claims() (*helloClaims, error) {
	key, err := newCOSEKey(h.Key)
	if err != nil {
		return nil, err
	}
	return &helloClaims{
		Issuer: string(h.Camera), Audience: string(h.Household), Confirm: confirmation{key}, Version: Version,
		Roster: h.Roster, Boot: h.Boot[:], Model: h.Model, Firmware: h.Firmware, CSR: h.CSR, MAC: h.MAC,
	}, nil
}

func (c *helloClaims) check() error {
	if _, err := parseID(c.Issuer); err != nil {
		return fmt.Errorf("iss: %w", err)
	}
	if (c.Audience == "") != (c.Roster == 0) || c.Roster > MaxSeq {
		return errors.New("a household without a roster, or the other way round")
	}
	if c.Audience != "" {
		if _, err := parseID(c.Audience); err != nil {
			return fmt.Errorf("aud: %w", err)
		}
	}
	for _, s := range []string{c.Model, c.Firmware} {
		if err := checkPrintable(s, MaxName); err != nil {
			return err
		}
	}
	if len(c.Boot) != 16 || len(c.CSR) > MaxCSR || len(c.MAC) != 0 && len(c.MAC) != 32 {
		return errors.New("boot id, certificate request or MAC of the wrong length")
	}
	return nil
}

func (c *helloClaims) hello(spki []byte) *Hello {
	h := &Hello{
		Camera: CameraID(c.Issuer), Key: spki, Model: c.Model, Firmware: c.Firmware,
		Household: HouseholdID(c.Audience), Roster: c.Roster, CSR: c.CSR, MAC: c.MAC,
	}
	copy(h.Boot[:], c.Boot)
	return h
}
