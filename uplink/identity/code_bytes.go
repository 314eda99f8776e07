package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"math/big"
	"net/netip"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Flags in the first byte of a code's body.
const (
	codeNamesHousehold = 1 << iota // the owner key did not found the household, whose id follows
	codeHasWiFi
)

const (
	keySize = 33 // a compressed point
	sigSize = 64
)

// body writes c in the one form that it has.
func (c *Code) body() ([]byte, error) {
	point, err := compress(c.Owner)
	if err != nil {
		return nil, err
	}
	var flags byte
	if !founded(c.Household, c.Owner) {
		flags |= codeNamesHousehold
	}
	if c.WiFi != nil {
		flags |= codeHasWiFi
	}
	b := append([]byte{flags}, point...)
	if flags&codeNamesHousehold != 0 {
		id, err := idBytes(c.Household)
		if err != nil {
			return nil, err
		}
		b = append(b, id...)
	}
	b = append(b, c.Authority[:]...)
	b = append(b, c.Secret...)
	issued := binary.BigEndian.AppendUint64(nil, uint64(c.Issued.Unix()))
	b = append(b, issued[3:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(c.Valid/time.Second))
	b = appendShort(b, []byte(c.Broker))
	b = binary.BigEndian.AppendUint16(b, c.Port)
	b = append(b, byte(len(c.Addrs)))
	for _, a := range c.Addrs {
		b = appendShort(b, a.AsSlice())
	}
	if c.WiFi != nil {
		b = appendShort(appendShort(b, c.WiFi.SSID), c.WiFi.Secret)
	}
	return b, nil
}

func lowerBase32() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}

// idBytes returns the hash that an id is written from.
func idBytes(id seal.HouseholdID) ([]byte, error) {
	if _, err := seal.ParseHouseholdID(string(id)); err != nil {
		return nil, err
	}
	return lowerBase32().DecodeString(string(id))
}

// appendShort appends up to 255 bytes with their number before them.
func appendShort(b, s []byte) []byte { return append(append(b, byte(len(s))), s...) }

// parseCodeBody is the inverse of Code.body.
func parseCodeBody(b []byte) (*Code, error) {
	r := codeReader{b}
	flags := r.take(1)[0]
	if flags&^(codeNamesHousehold|codeHasWiFi) != 0 {
		return nil, errors.New("a flag that this program does not know: it may be too old")
	}
	c := &Code{}
	var err error
	if c.Owner, err = expand(r.take(keySize)); err != nil {
		return nil, err
	}
	if flags&codeNamesHousehold != 0 {
		c.Household = seal.HouseholdID(lowerBase32().EncodeToString(r.take(32)))
		if founded(c.Household, c.Owner) {
			return nil, errors.New("it names the household that its owner key founded")
		}
	} else if pub, err := seal.ParsePublicKey(c.Owner); err != nil {
		return nil, err
	} else if c.Household, err = seal.HouseholdIDOf(pub); err != nil {
		return nil, err
	}
	copy(c.Authority[:], r.take(32))
	c.Secret = r.take(SecretSize)
	c.Issued = time.Unix(int64(binary.BigEndian.Uint64(append(make([]byte, 3), r.take(5)...))), 0).UTC()
	c.Valid = time.Duration(binary.BigEndian.Uint16(r.take(2))) * time.Second
	c.Broker = string(r.short())
	c.Port = binary.BigEndian.Uint16(r.take(2))
	for range min(r.take(1)[0], maxCodeAddrs+1) {
		a, _ := netip.AddrFromSlice(r.short())
		c.Addrs = append(c.Addrs, a)
	}
	if flags&codeHasWiFi != 0 {
		c.WiFi = &WiFi{SSID: r.short(), Secret: r.short()}
	}
	if r.b == nil || len(r.b) != 0 {
		return nil, errors.New("cut short, or something follows after its end")
	}
	return c, c.check()
}

// codeReader takes bytes from the front of b. Past the end it gives zeros, and
// b is nil from then on.
type codeReader struct{ b []byte }

func (r *codeReader) take(n int) []byte {
	if r.b == nil || len(r.b) < n {
		r.b = nil
		return make([]byte, n)
	}
	out := append(make([]byte, 0, n), r.b[:n]...)
	r.b = r.b[n:]
	return out
}

func (r *codeReader) short() []byte { return r.take(int(r.take(1)[0])) }

// signRaw makes a signature of 64 bytes: r and s, s in the lower half.
func signRaw(key *ecdsa.PrivateKey, message []byte) ([]byte, error) {
	sum := sum256(message)
	der, err := key.Sign(rand.Reader, sum[:], nil)
	if err != nil {
		return nil, err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, err
	}
	n := elliptic.P256().Params().N
	if sig.S.Cmp(new(big.Int).Rsh(n, 1)) > 0 {
		sig.S.Sub(n, sig.S)
	}
	out := make([]byte, sigSize)
	sig.R.FillBytes(out[:sigSize/2])
	sig.S.FillBytes(out[sigSize/2:])
	return out, nil
}

// verifyRaw checks a signature of signRaw, and refuses its twin with s in the
// upper half: one code has one text.
func verifyRaw(key *ecdsa.PublicKey, message, sig []byte) bool {
	r, s := new(big.Int).SetBytes(sig[:sigSize/2]), new(big.Int).SetBytes(sig[sigSize/2:])
	if s.Cmp(new(big.Int).Rsh(elliptic.P256().Params().N, 1)) > 0 {
		return false
	}
	sum := sum256(message)
	return ecdsa.Verify(key, sum[:], r, s)
}
