package tuf

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
)

// role says whose signatures metadata needs.
type role struct {
	keyIDs    []string
	threshold int64
}

// parseRole reads "keyids" and "threshold".
func parseRole(o object) (role, error) {
	ids, err := texts(o, "keyids")
	if err != nil {
		return role{}, err
	}
	n, err := field[int64](o, "threshold")
	if err != nil {
		return role{}, err
	}
	if n < 1 {
		return role{}, fmt.Errorf("a threshold of %d", n)
	}
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return role{}, fmt.Errorf("key %.16s stands twice in one role", id)
		}
	}
	return role{keyIDs: ids, threshold: n}, nil
}

// signature is what stands in "signatures": hex as it was written, which may be
// anything.
type signature struct{ keyID, hex string }

// verifySigned refuses message unless it is signed by enough different keys of r.
// Keys are counted by what they are and not by what they are called: one that is
// listed under two names counts once. A key of unknown kind counts as none.
func verifySigned(what string, message []byte, signatures []signature, keys object, r role) error {
	good := map[[sha256.Size]byte]bool{}
	for _, s := range signatures {
		if !slices.Contains(r.keyIDs, s.keyID) {
			continue
		}
		sig, err := hex.DecodeString(s.hex)
		if err != nil {
			continue
		}
		described, ok := keys[s.keyID].(object)
		if !ok {
			continue
		}
		key, err := parseKey(described)
		if err == nil && key.verify(message, sig) {
			good[key.hash] = true
		}
	}
	switch n := int64(len(good)); {
	case n >= r.threshold:
		return nil
	case n == 0:
		return refuse(what, ErrUnsigned, "%d needed", r.threshold)
	default:
		return refuse(what, ErrThreshold, "%d of %d needed", n, r.threshold)
	}
}

type publicKey struct {
	hash   [sha256.Size]byte // of the key itself
	verify func(message, sig []byte) bool
}

var errKey = errors.New("key of unknown kind, or damaged")

// parseKey reads a key as the TUF specification writes it: Ed25519 in hex, ECDSA
// on P-256 and RSA-PSS as PEM. RSA below 2048 bits is no key; above 8192 it
// costs a small processor too much.
func parseKey(o object) (publicKey, error) {
	kind, _ := o["keytype"].(string)
	scheme, _ := o["scheme"].(string)
	value, _ := o["keyval"].(object)
	public, _ := value["public"].(string)
	if kind == "ed25519" && scheme == "ed25519" {
		raw, err := hex.DecodeString(public)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return publicKey{}, errKey
		}
		return publicKey{sha256.Sum256(raw), func(m, sig []byte) bool { return ed25519.Verify(raw, m, sig) }}, nil
	}
	block, _ := pem.Decode([]byte(public))
	if block == nil {
		return publicKey{}, errKey
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return publicKey{}, errKey
	}
	der, err := x509.MarshalPKIXPublicKey(parsed)
	if err != nil {
		return publicKey{}, errKey
	}
	hash := sha256.Sum256(der)
	switch k := parsed.(type) {
	case *ecdsa.PublicKey:
		if (kind == "ecdsa" || kind == "ecdsa-sha2-nistp256") && scheme == "ecdsa-sha2-nistp256" && k.Curve == elliptic.P256() {
			return publicKey{hash, func(m, sig []byte) bool {
				h := sha256.Sum256(m)
				return ecdsa.VerifyASN1(k, h[:], sig)
			}}, nil
		}
	case *rsa.PublicKey:
		if kind == "rsa" && scheme == "rsassa-pss-sha256" && k.N.BitLen() >= 2048 && k.N.BitLen() <= 8192 {
			return publicKey{hash, func(m, sig []byte) bool {
				h := sha256.Sum256(m)
				return rsa.VerifyPSS(k, crypto.SHA256, h[:], sig, nil) == nil
			}}, nil
		}
	}
	return publicKey{}, errKey
}
