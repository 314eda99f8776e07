package seal

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/veraison/go-cose"
)

// What a signature is for stands in its protected header (RFC 9596), so that
// no signed thing can be taken for one of another kind.
const (
	typeSeal    = "application/vnd.sealcam.seal"
	typeRoster  = "application/vnd.sealcam.roster"
	typeGrant   = "application/vnd.sealcam.grant"
	typeCommand = "application/vnd.sealcam.command"
	typeHello   = "application/vnd.sealcam.hello"

	typeAddition = "application/vnd.sealcam.addition"
	typePass     = "application/vnd.sealcam.pass"
	typeDeletion = "application/vnd.sealcam.deletion"
	typeDeleted  = "application/vnd.sealcam.deleted"
	typeSettings = "application/vnd.sealcam.settings"
)

var errSignature = errors.New("the signature does not fit")

// envelope is a COSE_Sign1 that has the one form this format allows: its
// signature is not checked yet.
type envelope struct {
	kid                        [32]byte
	header, payload, signature []byte
}

// sign1 signs claims with key (P-256) as typ.
func sign1(random io.Reader, key crypto.Signer, typ string, claims any) ([]byte, error) {
	payload, err := encode(claims)
	if err != nil {
		return nil, err
	}
	spki, err := MarshalPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	headers := cose.Headers{Protected: protected(sha256.Sum256(spki), typ)}
	return cose.Sign1(random, es256{key}, headers, payload, nil)
}

func protected(kid [32]byte, typ string) cose.ProtectedHeader {
	return cose.ProtectedHeader{
		cose.HeaderLabelAlgorithm: cose.AlgorithmES256,
		cose.HeaderLabelKeyID:     kid[:],
		cose.HeaderLabelType:      typ,
	}
}

// What surrounds the parts of a COSE_Sign1 that may differ: of all else this format
// has one encoding, which is compared and not decoded.
const (
	sign1Head = "\xd2\x84"                 // tag 18, array of four
	kidHead   = "\xa3\x01\x26\x04\x58\x20" // map of three, alg: ES256, kid: 32 bytes
	typHead   = "\x10\x78"                 // typ: text of 24 to 255 bytes
	noHeaders = "\xa0"                     // unprotected: empty map
	sigHead   = "\x58\x40"                 // 64 bytes
)

// parse1 reads a COSE_Sign1 (RFC 9052 section 4.2) of type typ. Beyond what COSE asks, it must be
// tagged, in the deterministic encoding, with exactly the headers that sign1
// writes, an attached payload, and a signature of 64 bytes. The envelope's
// payload and signature are parts of b.
func parse1(b []byte, typ string) (*envelope, error) {
	rest, ok := bytes.CutPrefix(b, []byte(sign1Head))
	if !ok {
		return nil, errors.New("not a tagged COSE_Sign1")
	}
	header, rest, err := cutBytes(rest)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	var e envelope
	kid, ok := bytes.CutPrefix(header, []byte(kidHead))
	if !ok || len(kid) < len(e.kid) || string(kid[len(e.kid):]) != typHead+string([]byte{byte(len(typ))})+typ {
		return nil, fmt.Errorf("header: not exactly alg ES256, kid and typ %q", typ)
	}
	copy(e.kid[:], kid)
	if rest, ok = bytes.CutPrefix(rest, []byte(noHeaders)); !ok {
		return nil, errors.New("header: unprotected headers")
	}
	if e.payload, rest, err = cutBytes(rest); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	if e.signature, ok = bytes.CutPrefix(rest, []byte(sigHead)); !ok || len(e.signature) != 64 {
		return nil, errors.New("a signature that is not 64 bytes")
	}
	e.header = header
	return &e, nil
}

// cutBytes returns the byte string that b begins with, and what follows it.
func cutBytes(b []byte) (s, rest []byte, err error) {
	size, head, err := bytesHead(b)
	if err != nil {
		return nil, nil, err
	}
	b = b[head:]
	if size > uint64(len(b)) {
		return nil, nil, errors.New("truncated")
	}
	return b[:size], b[size:], nil
}

// verify checks the signature: ES256 (RFC 9053 section 2.1) over the Sig_structure of RFC 9052
// section 4.4. Of the two signatures that ECDSA makes from
// one, only that with the lower half of S is valid: else anybody could change a
// message's bytes, and so its hash, without breaking it.
func (e *envelope) verify(pub *ecdsa.PublicKey) error {
	r, s := new(big.Int).SetBytes(e.signature[:32]), new(big.Int).SetBytes(e.signature[32:])
	if s.Cmp(halfOrder()) > 0 {
		return fmt.Errorf("%w: S is in the upper half", errSignature)
	}
	signed := make([]byte, 0, 32+len(e.header)+len(e.payload))
	signed = append(signed, "\x84\x6aSignature1"...)
	signed = append(appendBytesHead(signed, len(e.header)), e.header...)
	signed = append(signed, 0x40) // no external data
	signed = append(appendBytesHead(signed, len(e.payload)), e.payload...)
	sum := sha256.Sum256(signed)
	if !ecdsa.Verify(pub, sum[:], r, s) {
		return errSignature
	}
	return nil
}

func halfOrder() *big.Int { return new(big.Int).Rsh(elliptic.P256().Params().N, 1) }

// es256 is ES256 with any crypto.Signer, for example one in a TPM. go-cose has
// such a signer too, but it leaves out the options that hardware asks for, and
// it does not bring S to the lower half.
type es256 struct{ key crypto.Signer }

func (es256) Algorithm() cose.Algorithm { return cose.AlgorithmES256 }

func (s es256) Sign(random io.Reader, content []byte) ([]byte, error) {
	sum := sha256.Sum256(content)
	der, err := s.key.Sign(random, sum[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("seal: the key did not sign: %w", err)
	}
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) != 0 {
		return nil, errors.New("seal: the key gave a signature that is not ASN.1")
	}
	n := elliptic.P256().Params().N
	if sig.R.Sign() <= 0 || sig.S.Sign() <= 0 || sig.R.Cmp(n) >= 0 || sig.S.Cmp(n) >= 0 {
		return nil, errors.New("seal: the key gave a signature out of range")
	}
	if sig.S.Cmp(halfOrder()) > 0 {
		sig.S.Sub(n, sig.S)
	}
	out := make([]byte, 64)
	sig.R.FillBytes(out[:32])
	sig.S.FillBytes(out[32:])
	return out, nil
}

func randomOr(r io.Reader) io.Reader {
	if r == nil {
		return rand.Reader
	}
	return r
}
