package drill

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/sealcam/sealcam/uplink/seal"
)

// forgery is something that was made from genuine messages without any key that
// could make it genuine.
type forgery struct {
	of    *message
	bytes []byte
}

// parts is a sealed message taken apart by somebody who has only SPEC.md: each
// part is the content of a byte string.
type parts struct{ header, payload, signature, body []byte }

const (
	pairOf    = 0x82 // an array of two
	sign1Head = "\xd2\x84"
	noHeaders = 0xa0 // an empty map
)

// takeApart reads what true cameras seal.
func takeApart(sealed []byte) (p parts, err error) {
	rest, ok := bytes.CutPrefix(sealed, append([]byte{pairOf}, sign1Head...))
	if !ok {
		return p, errors.New("not a sealed message")
	}
	for i, part := range []*[]byte{&p.header, &p.payload, &p.signature, &p.body} {
		if *part, rest, err = takeBytes(rest); err != nil {
			return p, err
		}
		if i == 0 && len(rest) > 0 {
			rest = rest[1:] // the empty map
		}
	}
	return p, nil
}

func takeBytes(b []byte) (content, rest []byte, err error) {
	if len(b) < 5 || b[0]>>5 != 2 {
		return nil, nil, errors.New("not a byte string")
	}
	n, head := int(b[0]&31), 1
	switch n {
	case 24:
		n, head = int(b[1]), 2
	case 25:
		n, head = int(binary.BigEndian.Uint16(b[1:])), 3
	case 26:
		n, head = int(binary.BigEndian.Uint32(b[1:])), 5
	}
	if n > len(b)-head {
		return nil, nil, errors.New("a byte string that is cut off")
	}
	return b[head : head+n], b[head+n:], nil
}

// bytesOf is the encoding of a byte string.
func bytesOf(b []byte) []byte {
	var head []byte
	switch n := len(b); {
	case n < 24:
		head = []byte{0x40 | byte(n)}
	case n < 1<<8:
		head = []byte{0x58, byte(n)}
	case n < 1<<16:
		head = binary.BigEndian.AppendUint16([]byte{0x59}, uint16(n))
	default:
		head = binary.BigEndian.AppendUint32([]byte{0x5a}, uint32(n))
	}
	return slices.Concat(head, b)
}

// bytes puts a message together.
func (p parts) bytes() []byte {
	return slices.Concat([]byte{pairOf}, p.seal([]byte{noHeaders}), bytesOf(p.body))
}

func (p parts) seal(unprotected []byte) []byte {
	return slices.Concat([]byte(sign1Head), bytesOf(p.header), unprotected, bytesOf(p.payload), bytesOf(p.signature))
}

// toSign is the Sig_structure of RFC 9052.
func (p parts) toSign() []byte {
	return slices.Concat([]byte("\x84\x6aSignature1"), bytesOf(p.header), bytesOf(nil), bytesOf(p.payload))
}

// signedBy returns p with a valid signature of key, in the lower half.
func (p parts) signedBy(key *ecdsa.PrivateKey) (parts, error) {
	sum := sha256.Sum256(p.toSign())
	der, err := key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return p, err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return p, err
	}
	n := key.Params().N
	if other := new(big.Int).Sub(n, sig.S); sig.S.Cmp(other) > 0 {
		sig.S = other
	}
	p.signature = slices.Concat(sig.R.FillBytes(make([]byte, 32)), sig.S.FillBytes(make([]byte, 32)))
	return p, nil
}

// replaced returns b with every old replaced, which must be there.
func replaced(b, old, by []byte) ([]byte, error) {
	if !bytes.Contains(b, old) {
		return nil, fmt.Errorf("a seal without %.20x", old)
	}
	return bytes.ReplaceAll(b, old, by), nil
}

// macBy is p under HS256, with a public key for the secret: what a verifier
// that takes the algorithm from the message would believe.
func (p parts) macBy(public []byte) parts {
	mac := hmac.New(sha256.New, public)
	mac.Write(p.toSign())
	p.signature = mac.Sum(nil)
	return p
}

func idOf(key *ecdsa.PrivateKey) (kid []byte, xy [2][]byte, err error) {
	spki, err := seal.MarshalPublicKey(key.Public())
	if err != nil {
		return nil, xy, err
	}
	sum := sha256.Sum256(spki)
	n := len(spki)
	return sum[:], [2][]byte{spki[n-64 : n-32], spki[n-32:]}, nil
}
