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
	kid     [32]byte
	payload []byte
	msg     cose.Sign1Message
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

// parse1 reads a COSE_Sign1 of type typ. Beyond what COSE asks, it must be
// tagged, in the deterministic encoding, with exactly the headers that sign1
// writes, an attached payload, and a signature of 64 bytes.
func parse1(b []byte, typ string) (*envelope, error) {
	var e envelope
	if err := e.msg.UnmarshalCBOR(b); err != nil {
		return nil, err
	}
	kid, _ := e.msg.Headers.Protected[cose.HeaderLabelKeyID].([]byte)
	if len(kid) != len(e.kid) {
		return nil, errors.New("header: kid is not 32 bytes")
	}
	copy(e.kid[:], kid)
	want, err := protected(e.kid, typ).MarshalCBOR()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(e.msg.Headers.RawProtected, want) {
		return nil, fmt.Errorf("header: not exactly alg ES256, kid and typ %q", typ)
	}
	if len(e.msg.Headers.Unprotected) != 0 {
		return nil, errors.New("header: unprotected headers")
	}
	if e.msg.Payload == nil || len(e.msg.Signature) != 64 {
		return nil, errors.New("no payload, or a signature that is not 64 bytes")
	}
	again, err := e.msg.MarshalCBOR()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) {
		return nil, errEncoding
	}
	e.payload = e.msg.Payload
	return &e, nil
}

// verify checks the signature. Of the two signatures that ECDSA makes from
// one, only that with the lower half of S is valid: else anybody could change a
// message's bytes, and so its hash, without breaking it.
func (e *envelope) verify(pub *ecdsa.PublicKey) error {
	if s := new(big.Int).SetBytes(e.msg.Signature[32:]); s.Cmp(halfOrder()) > 0 {
		return fmt.Errorf("%w: S is in the upper half", errSignature)
	}
	v, err := cose.NewVerifier(cose.AlgorithmES256, pub)
	if err != nil {
		return err
	}
	if err := e.msg.Verify(nil, v); err != nil {
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
