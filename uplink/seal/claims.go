package seal

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// visibleClaims is the signed payload of a sealed message: what a broker may
// know. Numbers 1 to 8 are CWT's (RFC 8392, RFC 8747), the others are from its
// private-use range.
type visibleClaims struct {
	Issuer    string       `cbor:"1,keyasint"`           // camera id
	Audience  string       `cbor:"3,keyasint"`           // household id
	Expires   uint64       `cbor:"4,keyasint,omitempty"` // seconds since 1970
	Confirm   confirmation `cbor:"8,keyasint"`           // the camera's public key
	Version   uint64       `cbor:"-65537,keyasint"`
	Roster    uint64       `cbor:"-65538,keyasint"`
	Stream    uint8        `cbor:"-65539,keyasint"`
	Seq       uint64       `cbor:"-65540,keyasint"`
	Prev      []byte       `cbor:"-65541,keyasint,omitempty"` // Durable and Recording only
	Boot      []byte       `cbor:"-65542,keyasint"`
	BodyHash  []byte       `cbor:"-65543,keyasint"` // SHA-256 of the body
	PlainHash []byte       `cbor:"-65544,keyasint"` // SHA-256 of the plaintext, which holds the salt
}

// hiddenClaims stand before the media inside the encryption.
type hiddenClaims struct {
	Camera       string  `cbor:"1,keyasint"`
	Stream       uint8   `cbor:"2,keyasint"`
	Seq          uint64  `cbor:"3,keyasint"`
	Salt         []byte  `cbor:"4,keyasint"`
	Kind         string  `cbor:"5,keyasint"`
	Clock        string  `cbor:"6,keyasint"`
	Taken        uint64  `cbor:"7,keyasint,omitempty"` // microseconds since 1970
	Mono         uint64  `cbor:"8,keyasint,omitempty"` // microseconds
	Media        string  `cbor:"9,keyasint,omitempty"`
	Width        uint32  `cbor:"10,keyasint,omitempty"`
	Height       uint32  `cbor:"11,keyasint,omitempty"`
	Cause        string  `cbor:"12,keyasint,omitempty"`
	Light        string  `cbor:"13,keyasint,omitempty"`
	Event        uint64  `cbor:"14,keyasint,omitempty"`
	Part         uint32  `cbor:"15,keyasint,omitempty"`
	Last         bool    `cbor:"16,keyasint,omitempty"`
	Labels       []Label `cbor:"17,keyasint,omitempty"`
	Nonce        []byte  `cbor:"18,keyasint,omitempty"`
	Masks        []byte  `cbor:"19,keyasint,omitempty"`
	Lost         []Range `cbor:"20,keyasint,omitempty"`
	Firmware     string  `cbor:"21,keyasint,omitempty"`
	FirmwareHash []byte  `cbor:"22,keyasint,omitempty"`
}

const (
	saltSize   = 32
	maxSeconds = MaxSeq / 1000000 // so that microseconds fit too
)

func newVisible(m *Meta) visibleClaims {
	v := visibleClaims{
		Version: Version,
		Roster:  m.Roster,
		Stream:  uint8(m.Stream),
		Seq:     m.Seq,
		Boot:    m.Boot[:],
	}
	if m.Stream.chained() {
		v.Prev = m.Prev[:]
	}
	if !m.Expires.IsZero() {
		v.Expires = uint64(m.Expires.Unix())
	}
	return v
}

// check looks at everything that can be said of visible claims alone.
func (v *visibleClaims) check() error {
	if s := Stream(v.Stream); s < Durable || s > View {
		return fmt.Errorf("unknown %v", s)
	}
	if _, err := parseID(v.Issuer); err != nil {
		return fmt.Errorf("iss: %w", err)
	}
	if _, err := parseID(v.Audience); err != nil {
		return fmt.Errorf("aud: %w", err)
	}
	if len(v.Boot) != 16 || len(v.BodyHash) != 32 || len(v.PlainHash) != 32 {
		return errors.New("boot id or a hash of the wrong length")
	}
	if n := len(v.Prev); n != 0 && n != 32 || (n == 32) != Stream(v.Stream).chained() {
		return errors.New("hash of the previous message missing, or where none belongs")
	}
	if v.Roster == 0 || v.Roster > MaxSeq {
		return errors.New("roster version out of range")
	}
	if v.Expires != 0 && Stream(v.Stream) != Live || v.Expires > maxSeconds {
		return errors.New("expiry out of range, or of a message that does not expire")
	}
	m := v.meta()
	return m.checkVisible()
}

func (v *visibleClaims) meta() Meta {
	m := Meta{Stream: Stream(v.Stream), Seq: v.Seq, Roster: v.Roster}
	copy(m.Prev[:], v.Prev)
	copy(m.Boot[:], v.Boot)
	if v.Expires != 0 {
		m.Expires = time.Unix(int64(v.Expires), 0).UTC()
	}
	return m
}

func newHidden(camera CameraID, m *Meta, salt []byte) hiddenClaims {
	h := hiddenClaims{
		Camera: string(camera), Stream: uint8(m.Stream), Seq: m.Seq, Salt: salt,
		Kind: m.Kind, Clock: m.Clock, Mono: uint64(m.Mono / time.Microsecond),
		Media: m.Media, Width: uint32(m.Width), Height: uint32(m.Height),
		Cause: m.Cause, Light: m.Light, Event: m.Event, Part: m.Part, Last: m.Last,
		Labels: m.Labels, Nonce: m.Nonce, Masks: m.Masks, Lost: m.Lost,
		Firmware: m.Firmware, FirmwareHash: m.FirmwareHash,
	}
	if !m.Taken.IsZero() {
		h.Taken = uint64(m.Taken.UnixMicro())
	}
	return h
}

// addTo completes a Meta that has the visible claims.
func (h *hiddenClaims) addTo(m *Meta) error {
	if h.Taken > MaxSeq || h.Mono > MaxSeq || h.Width > 1<<16 || h.Height > 1<<16 {
		return errors.New("time or size out of range")
	}
	m.Kind, m.Clock, m.Mono = h.Kind, h.Clock, time.Duration(h.Mono)*time.Microsecond
	m.Media, m.Width, m.Height = h.Media, int(h.Width), int(h.Height)
	m.Cause, m.Light, m.Event, m.Part, m.Last = h.Cause, h.Light, h.Event, h.Part, h.Last
	m.Labels, m.Nonce, m.Masks, m.Lost = h.Labels, h.Nonce, h.Masks, h.Lost
	m.Firmware, m.FirmwareHash = h.Firmware, h.FirmwareHash
	if h.Taken != 0 {
		m.Taken = time.UnixMicro(int64(h.Taken)).UTC()
	}
	return nil
}

// agree compares what is said twice.
func (h *hiddenClaims) agree(v *visibleClaims) error {
	if h.Camera != v.Issuer {
		return refuse(WrongCamera, "sealed by %.60s, but taken by %.60s", v.Issuer, h.Camera)
	}
	if h.Stream != v.Stream || h.Seq != v.Seq {
		return refuse(BrokenSeal, "sealed as %v %d, but holds %v %d", Stream(v.Stream), v.Seq, Stream(h.Stream), h.Seq)
	}
	return nil
}

// joinClaims puts together what is said visibly and hidden about media of
// mediaSize bytes, and checks all of it that speaks for itself.
func joinClaims(v *visibleClaims, h *hiddenClaims, mediaSize int) (Meta, error) {
	if len(h.Salt) != saltSize {
		return Meta{}, refuse(Malformed, "hidden claims: salt of %d bytes", len(h.Salt))
	}
	if err := h.agree(v); err != nil {
		return Meta{}, err
	}
	m := v.meta()
	if err := h.addTo(&m); err != nil {
		return Meta{}, refuseErr(Malformed, "hidden claims", err)
	}
	if err := m.check(mediaSize); err != nil {
		return Meta{}, refuseErr(Malformed, "hidden claims", err)
	}
	return m, nil
}

// splitPlain takes a plaintext apart and decodes its hidden claims. media lies
// within plain.
func splitPlain(plain []byte) (hidden []byte, h *hiddenClaims, media []byte, err error) {
	hidden, media, err = splitPair(plain, maxHidden)
	if err != nil {
		return nil, nil, nil, err
	}
	h = new(hiddenClaims)
	if err := decode(hidden, h); err != nil {
		return nil, nil, nil, err
	}
	return bytes.Clone(hidden), h, media, nil
}
