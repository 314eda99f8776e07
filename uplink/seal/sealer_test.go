package seal

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"
)

// hardware is a key as a secure element offers it: it insists on being told the
// hash, and gives whichever of the two signatures it likes.
type hardware struct {
	key    *ecdsa.PrivateKey
	high   bool
	answer []byte
}

func (h hardware) Public() crypto.PublicKey { return h.key.Public() }

func (h hardware) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts == nil || opts.HashFunc() != crypto.SHA256 || len(digest) != 32 {
		return nil, errors.New("hardware: which hash?")
	}
	if h.answer != nil {
		return h.answer, nil
	}
	der, err := h.key.Sign(random, digest, opts)
	if err != nil {
		return nil, err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, err
	}
	if other := new(big.Int).Sub(elliptic.P256().Params().N, sig.S); (sig.S.Cmp(other) > 0) != h.high {
		sig.S = other
	}
	return asn1.Marshal(sig)
}

func TestHardwareKey(t *testing.T) {
	h := newHome(t)
	for _, high := range []bool{false, true} {
		s, err := NewSealer(SealerConfig{Key: hardware{key: h.camera, high: high}, Roster: h.roster})
		must(t, err)
		sealed, err := s.Seal(h.meta(1), []byte("x"))
		must(t, err)
		if _, err := h.opener(t).Open(h.cameraID, sealed.Bytes); err != nil {
			t.Errorf("high %v: %v", high, err)
		}
	}
	n := elliptic.P256().Params().N
	for name, answer := range map[string][]byte{
		"nothing": {}, "not ASN.1": []byte("signature"), "trailing": append(der(t, big.NewInt(1), big.NewInt(1)), 0),
		"zero": der(t, big.NewInt(0), big.NewInt(1)), "negative": der(t, big.NewInt(1), big.NewInt(-1)), "too large": der(t, n, big.NewInt(1)),
	} {
		s, err := NewSealer(SealerConfig{Key: hardware{key: h.camera, answer: answer}, Roster: h.roster})
		must(t, err)
		if _, err := s.Seal(h.meta(1), []byte("x")); err == nil {
			t.Errorf("sealed with a signature that is %s", name)
		}
	}
}

func der(t *testing.T, r, s *big.Int) []byte {
	b, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	must(t, err)
	return b
}

func TestSealerNeedsARoster(t *testing.T) {
	h := newHome(t)
	empty := h.sign(t, 2, func(r *Roster) { r.Viewers = nil })
	without := h.sign(t, 3, func(r *Roster) { r.Cameras = nil })
	for name, c := range map[string]SealerConfig{
		"no key": {Roster: h.roster}, "no roster": {Key: h.camera}, "unsigned roster": {Key: h.camera, Roster: h.unsigned()},
		"no viewers": {Key: h.camera, Roster: empty}, "not named": {Key: h.camera, Roster: without},
	} {
		if _, err := NewSealer(c); err == nil {
			t.Errorf("a sealer with %s", name)
		}
	}
	s := h.sealer(t)
	if s.Camera() != h.cameraID {
		t.Errorf("seals as %s", s.Camera())
	}
	if ReasonOf(s.SetRoster(without)) != Revoked || s.SetRoster(empty) == nil {
		t.Error("took a roster without viewers, or without itself")
	}
	next := h.sign(t, 4, nil)
	must(t, s.SetRoster(next))
	must(t, s.SetRoster(next))
	if ReasonOf(s.SetRoster(h.roster)) != Replayed {
		t.Error("took an older roster")
	}
}

// TestRemovedViewer: whoever is removed opens nothing from the next message on,
// and whoever is added nothing from before.
func TestRemovedViewer(t *testing.T) {
	h := newHome(t)
	laptop, err := NewViewerKey(nil)
	must(t, err)
	second := laptop.Public()
	second.Name = "laptop"
	both := h.sign(t, 2, func(r *Roster) { r.Viewers = append(r.Viewers, second) })
	only := h.sign(t, 3, func(r *Roster) { r.Viewers = []Viewer{second} })
	s := h.sealer(t)
	for version, r := range []*Roster{h.roster, both, only} {
		must(t, s.SetRoster(r))
		sealed, err := s.Seal(h.meta(uint64(version+1)), []byte("x"))
		must(t, err)
		for k, want := range map[*ViewerKey]bool{h.viewer: version < 2, laptop: version > 0} {
			o, err := NewOpener(OpenerConfig{Household: h.id, Roster: only, Key: k, Now: func() time.Time { return h.now }})
			must(t, err)
			_, err = o.Open(h.cameraID, sealed.Bytes)
			if (err == nil) != want || err != nil && ReasonOf(err) != NotForYou {
				t.Errorf("roster %d: %v opens: %v", version+1, k, err)
			}
		}
	}
}

func TestSealRefuses(t *testing.T) {
	h := newHome(t)
	s := h.sealer(t)
	for name, change := range map[string]func(m *Meta, media *[]byte){
		"no stream":           func(m *Meta, _ *[]byte) { m.Stream = 0 },
		"no sequence":         func(m *Meta, _ *[]byte) { m.Seq = 0 },
		"first has previous":  func(m *Meta, _ *[]byte) { m.Prev[0] = 1 },
		"durable expires":     func(m *Meta, _ *[]byte) { m.Expires = h.now.Add(time.Hour) },
		"live without expiry": func(m *Meta, _ *[]byte) { m.Stream = Live },
		"no media type":       func(m *Meta, _ *[]byte) { m.Media = "" },
		"no media":            func(m *Meta, media *[]byte) { *media = nil },
		"too much media":      func(m *Meta, media *[]byte) { *media = make([]byte, MaxMedia+1) },
		"bad kind":            func(m *Meta, _ *[]byte) { m.Kind = "a b" },
		"before 1970":         func(m *Meta, _ *[]byte) { m.Taken = time.Unix(-1, 0) },
		"mono negative":       func(m *Meta, _ *[]byte) { m.Mono = -1000 },
		"expires within the second it was taken": func(m *Meta, _ *[]byte) {
			m.Stream, m.Taken, m.Expires = Live, h.now.Add(time.Millisecond), h.now.Add(2*time.Millisecond)
		},
	} {
		m, media := h.meta(1), []byte("x")
		change(&m, &media)
		if _, err := s.Seal(m, media); err == nil || !strings.HasPrefix(err.Error(), "seal: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	long, err := NewSealer(SealerConfig{Key: h.camera, Roster: h.roster, Firmware: strings.Repeat("x", MaxName+1)})
	must(t, err)
	if _, err := long.Seal(h.meta(1), []byte("x")); err == nil {
		t.Error("sealed with a firmware version that is too long")
	}
}

// TestLargest: the largest media to the most viewers fits and opens.
func TestLargest(t *testing.T) {
	h := newHome(t)
	r := h.sign(t, 2, func(r *Roster) {
		for len(r.Viewers) < MaxViewers {
			k, err := NewViewerKey(nil)
			must(t, err)
			v := k.Public()
			v.Name = k.String()[:40]
			r.Viewers = append(r.Viewers, v)
		}
	})
	h.roster = r
	media := make([]byte, MaxMedia)
	sealed, err := h.sealer(t).Seal(h.meta(1), media)
	must(t, err)
	if len(sealed.Bytes) > MaxSealed {
		t.Errorf("%d bytes", len(sealed.Bytes))
	}
	v, err := h.opener(t).Open(h.cameraID, sealed.Bytes)
	must(t, err)
	if _, got := v.Media(); !bytes.Equal(got, media) {
		t.Error("other media")
	}
	larger := Forge{Envelope: Envelope{Key: h.camera}, Household: h.id, Roster: 2, To: []string{h.viewer.Public().Recipient}, Meta: h.meta(1), Media: make([]byte, MaxSealed)}
	larger.Meta.Taken = h.now
	if _, err := h.opener(t).Open(h.cameraID, larger.Make(t)); ReasonOf(err) != Malformed {
		t.Errorf("a message of more than MaxSealed: %v", err)
	}
}

// TestSealKeepsNothing: two seals of one thing have nothing in common that tells
// a broker so.
func TestSealKeepsNothing(t *testing.T) {
	h := newHome(t)
	media := []byte("the same media")
	s := h.sealer(t)
	a, err := s.Seal(h.meta(1), media)
	must(t, err)
	b, err := s.Seal(h.meta(1), media)
	must(t, err)
	va, err := openSeal(SealOf(t, a.Bytes))
	must(t, err)
	vb, err := openSeal(SealOf(t, b.Bytes))
	must(t, err)
	if bytes.Equal(va.PlainHash, vb.PlainHash) || bytes.Equal(va.BodyHash, vb.BodyHash) {
		t.Error("equal media show as equal hashes")
	}
	for _, word := range []string{"motion", "image/jpeg", "snapshot", "the same media"} {
		if bytes.Contains(a.Bytes, []byte(word)) {
			t.Errorf("%q can be read", word)
		}
	}
}

func TestNoRandomness(t *testing.T) {
	h := newHome(t)
	s, err := NewSealer(SealerConfig{Key: h.camera, Roster: h.roster, Rand: strings.NewReader("short")})
	must(t, err)
	if _, err := s.Seal(h.meta(1), []byte("x")); err == nil {
		t.Error("sealed with a short salt")
	}
	if _, err := NewViewerKey(strings.NewReader("short")); err == nil {
		t.Error("made a key of nothing")
	}
	if _, err := NewViewerKey(zeros{}); err == nil {
		t.Error("made a key of zeros")
	}
	o := h.opener(t)
	o.config.Rand = strings.NewReader("short")
	if _, _, err := o.Ask(h.cameraID); err == nil || len(o.asked) != 0 {
		t.Error("asked with a short nonce")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestKeys(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	for _, k := range []crypto.Signer{ed, p384} {
		if _, err := CameraIDOf(k.Public()); !errors.Is(err, ErrKey) {
			t.Errorf("%T: %v", k, err)
		}
		if _, err := SignRoster(k, Roster{}); !errors.Is(err, ErrKey) {
			t.Errorf("%T: %v", k, err)
		}
	}
	for _, k := range []crypto.PublicKey{nil, (*ecdsa.PublicKey)(nil), "key"} {
		if _, err := MarshalPublicKey(k); !errors.Is(err, ErrKey) {
			t.Errorf("%#v: %v", k, err)
		}
	}
	k := newKey(t)
	spki, err := MarshalPublicKey(k.Public())
	must(t, err)
	again, err := ParsePublicKey(spki)
	must(t, err)
	if !again.Equal(k.Public()) {
		t.Error("another key")
	}
	for i := range spki {
		bad := bytes.Clone(spki)
		bad[i] ^= 1
		if _, err := ParsePublicKey(bad); !errors.Is(err, ErrKey) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
}

func TestViewerKeyText(t *testing.T) {
	k, err := NewViewerKey(nil)
	must(t, err)
	text, err := k.MarshalText()
	must(t, err)
	var again ViewerKey
	must(t, again.UnmarshalText([]byte(" "+string(text)+"\n")))
	if again.ID() != k.ID() || again.AgeIdentity() != k.AgeIdentity() || again.Public().ID() != k.ID() {
		t.Error("another key")
	}
	for i := range text {
		bad := bytes.Clone(text)
		bad[i] ^= 1
		if again.UnmarshalText(bad) == nil || again.UnmarshalText(text[:i]) == nil {
			t.Fatalf("character %d changed, or the rest missing", i)
		}
	}
	for _, shown := range []string{k.String(), k.GoString()} {
		if strings.Contains(shown, string(text[20:40])) || strings.Contains(shown, "SECRET") {
			t.Errorf("%q shows the secret", shown)
		}
	}
}
