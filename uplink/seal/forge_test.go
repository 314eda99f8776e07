package seal

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/fxamacker/cbor/v2"
)

// Map is a CBOR map taken apart: every key is an int64, or a string.
type Map map[any]any

// Envelope signs claims without any of the package's own signing code, and with
// a hook at every step. It is exported, like Forge, for the tests outside.
type Envelope struct {
	Key    *ecdsa.PrivateKey // whose id the header names
	Signer *ecdsa.PrivateKey // who signs; nil for Key
	Type   string

	Claims      func(Map)                 // changes what is signed
	Payload     func([]byte) []byte       // changes its encoding
	Protected   func(Map)                 // changes the protected header
	RawHeader   func([]byte) []byte       // changes its encoding
	Unprotected Map                       // the unprotected header
	Signature   func([]byte) []byte       // changes the signature
	Parts       func(parts []any) []any   // changes the array of four
	Signed      func(sign1 []byte) []byte // changes the whole
	HighS       bool                      // the other one of the two valid signatures
}

// Forge seals a message without any of the package's own sealing code.
type Forge struct {
	Envelope
	Household HouseholdID
	Roster    uint64
	To        []string // recipients
	Boot      [16]byte
	Meta      Meta
	Media     []byte
	Salt      []byte

	Hidden    func(Map)           // changes the hidden claims
	RawHidden func([]byte) []byte // changes their encoding
	Plain     func([]byte) []byte // changes the plaintext before it is hashed
	Swap      func([]byte) []byte // changes the plaintext after it was hashed
	Encrypt   func([]byte) []byte // replaces the encryption
	Body      func([]byte) []byte // changes the body before it is hashed
	Carried   func([]byte) []byte // changes the body after it was hashed
	Message   func([]byte) []byte // changes the message
}

// Make returns the message.
func (f Forge) Make(t testing.TB) []byte {
	t.Helper()
	f.Meta.Boot, f.Meta.Roster = f.Boot, f.Roster
	id, err := CameraIDOf(f.Key.Public())
	must(t, err)
	salt := f.Salt
	if salt == nil {
		salt = bytes.Repeat([]byte{0x5a}, saltSize)
	}
	hidden, err := encode(newHidden(id, &f.Meta, salt))
	must(t, err)
	hidden = apply(f.RawHidden, edit(t, hidden, f.Hidden))
	plain := append(appendBytesHead(append([]byte{pairHead}, hidden...), len(f.Media)), f.Media...)
	plain = apply(f.Plain, plain)
	sum := sha256.Sum256(plain)
	encrypt := f.Encrypt
	if encrypt == nil {
		encrypt = func(b []byte) []byte { return EncryptTo(t, b, f.To...) }
	}
	body := apply(f.Body, encrypt(apply(f.Swap, plain)))
	bodySum := sha256.Sum256(body)
	v := newVisible(&f.Meta)
	spki, err := MarshalPublicKey(f.Key.Public())
	must(t, err)
	v.Issuer, v.Audience, v.PlainHash, v.BodyHash = string(id), string(f.Household), sum[:], bodySum[:]
	v.Confirm.Key, err = newCOSEKey(spki)
	must(t, err)
	if f.Type == "" {
		f.Type = typeSeal
	}
	seal := f.Sign(t, v)
	body = apply(f.Carried, body)
	front := appendBytesHead(append([]byte{pairHead}, seal...), len(body))
	return apply(f.Message, append(front, body...))
}

// Sign returns claims as a COSE_Sign1.
func (e Envelope) Sign(t testing.TB, claims any) []byte {
	t.Helper()
	payload, err := encode(claims)
	must(t, err)
	payload = apply(e.Payload, edit(t, payload, e.Claims))
	spki, err := MarshalPublicKey(e.Key.Public())
	must(t, err)
	kid := sha256.Sum256(spki)
	header := Map{int64(1): -7, int64(4): kid[:], int64(16): e.Type}
	if e.Protected != nil {
		e.Protected(header)
	}
	protected, err := encode(map[any]any(header))
	must(t, err)
	protected = apply(e.RawHeader, protected)
	toSign, err := encode([]any{"Signature1", protected, []byte{}, payload})
	must(t, err)
	signer := e.Signer
	if signer == nil {
		signer = e.Key
	}
	unprotected := e.Unprotected
	if unprotected == nil {
		unprotected = Map{}
	}
	parts := []any{protected, map[any]any(unprotected), payload, apply(e.Signature, signP256(t, signer, toSign, e.HighS))}
	if e.Parts != nil {
		parts = e.Parts(parts)
	}
	b, err := enc.Marshal(cbor.Tag{Number: 18, Content: parts})
	must(t, err)
	return apply(e.Signed, b)
}

// signP256 is deterministic (RFC 6979).
func signP256(t testing.TB, key *ecdsa.PrivateKey, content []byte, high bool) []byte {
	t.Helper()
	sum := sha256.Sum256(content)
	der, err := key.Sign(nil, sum[:], crypto.SHA256)
	must(t, err)
	var sig struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(der, &sig)
	must(t, err)
	n := elliptic.P256().Params().N
	if other := new(big.Int).Sub(n, sig.S); (sig.S.Cmp(other) > 0) != high {
		sig.S = other
	}
	return append(sig.R.FillBytes(make([]byte, 32)), sig.S.FillBytes(make([]byte, 32))...)
}

// EncryptTo encrypts with age.
func EncryptTo(t testing.TB, plain []byte, recipients ...string) []byte {
	t.Helper()
	var list []age.Recipient
	for _, s := range recipients {
		r, err := age.ParseRecipients(bytes.NewReader([]byte(s)))
		must(t, err)
		list = append(list, r...)
	}
	var b bytes.Buffer
	w, err := age.Encrypt(&b, list...)
	must(t, err)
	_, err = w.Write(plain)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

// edit takes an encoded map apart, lets change work on it, and encodes it.
func edit(t testing.TB, b []byte, change func(Map)) []byte {
	t.Helper()
	if change == nil {
		return b
	}
	m := DecodeMap(t, b)
	change(m)
	out, err := encode(map[any]any(m))
	must(t, err)
	return out
}

// DecodeMap decodes a CBOR map; integer keys become int64.
func DecodeMap(t testing.TB, b []byte) Map {
	t.Helper()
	var raw map[any]any
	must(t, cbor.Unmarshal(b, &raw))
	m := Map{}
	for k, v := range raw {
		if u, ok := k.(uint64); ok {
			k = int64(u)
		}
		m[k] = v
	}
	return m
}

func apply(f func([]byte) []byte, b []byte) []byte {
	if f == nil {
		return b
	}
	return f(b)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Types of signed things, for tests outside.
const (
	TypeSeal   = typeSeal
	TypeRoster = typeRoster

	TypeAddition = typeAddition
	TypePass     = typePass
	TypeDeletion = typeDeletion
	TypeDeleted  = typeDeleted
	TypeSettings = typeSettings

	TypeGrant   = typeGrant
	TypeCommand = typeCommand
	TypeHello   = typeHello
)

// HashOf returns what Sealed.Hash would be of a message, valid or not.
func HashOf(t testing.TB, b []byte) [32]byte {
	t.Helper()
	seal, _, err := splitPair(b, maxSeal)
	must(t, err)
	return sha256.Sum256(seal)
}

// PlainOf decrypts the body of a message.
func PlainOf(t testing.TB, k *ViewerKey, b []byte) []byte {
	t.Helper()
	_, body, err := splitPair(b, maxSeal)
	must(t, err)
	r, err := age.Decrypt(bytes.NewReader(body), k.identity)
	must(t, err)
	var out bytes.Buffer
	_, err = out.ReadFrom(r)
	must(t, err)
	return out.Bytes()
}

// SealOf returns the seal of a message.
func SealOf(t testing.TB, b []byte) []byte {
	t.Helper()
	seal, _, err := splitPair(b, maxSeal)
	must(t, err)
	return seal
}

// HiddenOf returns the hidden claims of a message, encoded.
func HiddenOf(t testing.TB, k *ViewerKey, b []byte) []byte {
	t.Helper()
	hidden, _, err := splitPair(PlainOf(t, k, b), maxHidden)
	must(t, err)
	return hidden
}

// OpenForTest opens one message with a new Opener.
func OpenForTest(t testing.TB, k *ViewerKey, roster []byte, h HouseholdID, camera CameraID, b []byte, now time.Time) *Verified {
	t.Helper()
	r, err := OpenRoster(h, roster)
	must(t, err)
	o, err := NewOpener(OpenerConfig{Household: h, Roster: r, Key: k, Now: func() time.Time { return now }})
	must(t, err)
	v, err := o.Open(camera, b)
	must(t, err)
	return v
}
