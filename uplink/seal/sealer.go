package seal

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// Room in a message for what is not media.
const (
	maxSeal   = 1 << 10 // COSE_Sign1 of a seal; the longest possible has under 600
	maxHidden = 8 << 10 // hidden claims; typically 200 bytes, the longest possible have under 6,000
	// maxAge is the age header for MaxViewers: 1,600 bytes a stanza, and some.
	maxAge = MaxViewers*1700 + 256
)

// MaxMedia is how many bytes of media always fit into one message.
const MaxMedia = MaxSealed - maxSeal - maxHidden - maxAge - MaxSealed/4096

// Sealed is a message as it travels and is stored.
type Sealed struct {
	Bytes []byte
	// Hash names the message: SHA-256 of its seal, the signed part of Bytes,
	// which holds the hash of the rest. The next Durable message names it as
	// Meta.Prev. (So a chain can be checked without the bodies.)
	Hash   [32]byte
	Stream Stream
	Seq    uint64
}

// SealerConfig is what a Sealer needs.
type SealerConfig struct {
	Key          crypto.Signer // the camera's, P-256; may live in hardware
	Roster       *Roster       // must name the camera, and at least one viewer
	Boot         [16]byte      // random, new at every boot
	Firmware     string        // version, printable ASCII of at most MaxName bytes
	FirmwareHash []byte        // SHA-256, or nil
	Rand         io.Reader     // nil for crypto/rand; age always takes its own from crypto/rand
}

// Sealer seals for one camera, and to all viewers of one roster at a time. It
// is not safe for concurrent use.
type Sealer struct {
	config     SealerConfig
	id         CameraID
	key        coseKey
	recipients []age.Recipient
}

// NewSealer returns a Sealer.
func NewSealer(c SealerConfig) (*Sealer, error) {
	if c.Key == nil {
		return nil, errors.New("seal: a sealer without a key")
	}
	spki, err := MarshalPublicKey(c.Key.Public())
	if err != nil {
		return nil, err
	}
	key, err := newCOSEKey(spki)
	if err != nil {
		return nil, err
	}
	c.Rand = randomOr(c.Rand)
	s := &Sealer{config: c, id: CameraID(formatID(sha256.Sum256(spki))), key: key}
	s.config.Roster = nil
	return s, s.SetRoster(c.Roster)
}

// Camera returns the id of the camera that seals.
func (s *Sealer) Camera() CameraID { return s.id }

// SetRoster seals to the viewers of r that may watch from now on. A roster that
// does not follow the present one, that does not name the camera, or that has no
// such viewer is refused, and the present one stays.
func (s *Sealer) SetRoster(r *Roster) error {
	if r == nil {
		return errors.New("seal: no roster: a camera that nobody has claimed seals nothing")
	}
	if !r.opened() {
		return errNotOpened
	}
	r, err := r.Over(s.config.Roster)
	var f *Refusal
	switch {
	case errors.As(err, &f) && f.Duplicate:
		return nil
	case err != nil:
		return err
	}
	if _, ok := r.Camera(s.id); !ok {
		return refuse(Revoked, "roster %d does not name camera %s", r.Version, s.id)
	}
	var recipients []age.Recipient
	for _, v := range r.Viewers {
		if !v.May(MayWatch) {
			continue
		}
		rec, err := newRecipient(v.Recipient)
		if err != nil {
			return fmt.Errorf("seal: viewer %q: %w", v.Name, err)
		}
		recipients = append(recipients, rec)
	}
	if len(recipients) == 0 {
		return fmt.Errorf("seal: roster %d has no viewers that may watch: there is nobody to seal to", r.Version)
	}
	s.config.Roster, s.recipients = r, recipients
	return nil
}

// Seal makes one message of m and media, which may be empty. It does not keep
// media. m.Seq and m.Prev are the caller's to get right: two messages of one
// stream with one number accuse the camera of having been copied.
func (s *Sealer) Seal(m Meta, media []byte) (Sealed, error) {
	m.Boot, m.Roster = s.config.Boot, s.config.Roster.Version
	m.Firmware, m.FirmwareHash = s.config.Firmware, s.config.FirmwareHash
	m.truncate()
	if err := m.check(len(media)); err != nil {
		return Sealed{}, fmt.Errorf("seal: %w", err)
	}
	if len(media) > MaxMedia {
		return Sealed{}, fmt.Errorf("seal: media of %d bytes, at most %d: send it in parts", len(media), MaxMedia)
	}
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(s.config.Rand, salt); err != nil {
		return Sealed{}, fmt.Errorf("seal: no randomness for a salt: %w", err)
	}
	hidden, err := encode(newHidden(s.id, &m, salt))
	if err != nil {
		return Sealed{}, fmt.Errorf("seal: %w", err)
	}
	v := newVisible(&m)
	v.Issuer, v.Audience = string(s.id), string(s.config.Roster.Household)
	v.Confirm.Key = s.key
	b, hash, err := s.seal(v, hidden, media)
	if err != nil {
		return Sealed{}, err
	}
	return Sealed{Bytes: b, Hash: hash, Stream: m.Stream, Seq: m.Seq}, nil
}

// seal encrypts hidden and media, completes v and signs it. The body is written
// once, behind room for the seal that is put before it when it is known.
func (s *Sealer) seal(v visibleClaims, hidden, media []byte) (b []byte, hash [32]byte, err error) {
	head := appendBytesHead(append([]byte{pairHead}, hidden...), len(media))
	size := maxSeal + 1700*len(s.recipients) + len(head) + len(media) + len(media)/4096 + 512
	buf := bytes.NewBuffer(make([]byte, maxSeal, size))
	w, err := age.Encrypt(buf, s.recipients...)
	if err != nil {
		return nil, hash, fmt.Errorf("seal: %w", err)
	}
	plain := sha256.New()
	for _, part := range [][]byte{head, media} {
		plain.Write(part)
		if _, err := w.Write(part); err != nil {
			return nil, hash, fmt.Errorf("seal: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, hash, fmt.Errorf("seal: %w", err)
	}
	b = buf.Bytes()
	body := sha256.Sum256(b[maxSeal:])
	v.BodyHash, v.PlainHash = body[:], plain.Sum(nil)
	sig, err := sign1(s.config.Rand, s.config.Key, typeSeal, v)
	if err != nil {
		return nil, hash, err
	}
	front := appendBytesHead(append([]byte{pairHead}, sig...), len(b)-maxSeal)
	b = b[maxSeal-len(front):]
	copy(b, front)
	return b, sha256.Sum256(sig), nil
}
