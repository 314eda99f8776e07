package seal

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Everything signed is CBOR in the core deterministic encoding of RFC 8949
// section 4.2.1. Decoding is strict by construction: what was decoded is
// encoded again and must give the same bytes, so that whatever a lenient
// decoder might overlook (a longer integer, another key order, null for
// absent, a float for an integer) is still refused.

// ErrNewer is in the Refusal, which is Malformed, of what a later version of the
// format has signed.
var ErrNewer = errors.New("a newer program may open it")

var errEncoding = errors.New("not the one deterministic encoding, or a claim is missing")

func encMode() cbor.EncMode {
	m, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic("seal: " + err.Error()) // options are constant
	}
	return m
}

func decMode(o cbor.DecOptions) cbor.DecMode {
	o.DupMapKey = cbor.DupMapKeyEnforcedAPF
	o.IndefLength = cbor.IndefLengthForbidden
	o.MaxNestedLevels, o.MaxArrayElements, o.MaxMapPairs = 8, 2*MaxCameras, 64
	m, err := o.DecMode()
	if err != nil {
		panic("seal: " + err.Error()) // options are constant
	}
	return m
}

// Built once: all are immutable and safe for concurrent use.
var (
	enc = encMode()
	dec = decMode(cbor.DecOptions{TagsMd: cbor.TagsForbidden, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField})
	lax = decMode(cbor.DecOptions{}) // for the first look: tags and unknown claims pass
)

func encode(v any) ([]byte, error) { return enc.Marshal(v) }

// decode reads b into v, which must point to a zero value, and refuses all but
// the one encoding that encode gives.
func decode(b []byte, v any) error {
	if err := dec.Unmarshal(b, v); err != nil {
		return err
	}
	again, err := enc.Marshal(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, b) {
		return errEncoding
	}
	return nil
}

// decodeClaims is decode for signed claims. A later version of the format is
// told as such, whatever else is new about it.
func decodeClaims(b []byte, v any) error {
	var c struct {
		Version uint64 `cbor:"-65537,keyasint"`
	}
	if err := lax.Unmarshal(b, &c); err == nil && c.Version > Version {
		return fmt.Errorf("format version %d, this program knows %d: %w", c.Version, uint64(Version), ErrNewer)
	}
	if err := decode(b, v); err != nil {
		return err
	}
	if c.Version != Version {
		return errors.New("no format version")
	}
	return nil
}

// A sealed message, and what is encrypted in it, are pairs: a CBOR array of
// one small item and one byte string. The byte string may be megabytes, so
// pairs are taken apart in place instead of by the decoder.

const pairHead = 0x82 // array of two

// splitPair returns the two parts of a pair, both within b. The first item is
// well-formed and at most maxFirst bytes long; nothing else is known of it.
func splitPair(b []byte, maxFirst int) (first, second []byte, err error) {
	if len(b) == 0 || b[0] != pairHead {
		return nil, nil, errors.New("not an array of two")
	}
	b = b[1:]
	var raw cbor.RawMessage
	rest, err := lax.UnmarshalFirst(b[:min(len(b), maxFirst)], &raw)
	if err != nil {
		return nil, nil, fmt.Errorf("first item: %w", err)
	}
	n := min(len(b), maxFirst) - len(rest)
	first, b = b[:n], b[n:]
	size, head, err := bytesHead(b)
	if err != nil {
		return nil, nil, err
	}
	if size != uint64(len(b)-head) {
		return nil, nil, fmt.Errorf("byte string of %d bytes in a message that has %d left", size, len(b)-head)
	}
	return first, b[head:], nil
}

// bytesHead reads the head of a byte string: its size, and the length of the
// head, which must be the shortest possible.
func bytesHead(b []byte) (size uint64, head int, err error) {
	if len(b) == 0 || b[0]>>5 != 2 {
		return 0, 0, errors.New("second item is not a byte string")
	}
	info := b[0] & 31
	if info < 24 {
		return uint64(info), 1, nil
	}
	if info > 26 { // eight bytes of length, reserved, or indefinite
		return 0, 0, errors.New("byte string too long or of indefinite length")
	}
	head = 1 + 1<<(info-24)
	if len(b) < head {
		return 0, 0, errors.New("truncated")
	}
	for _, c := range b[1:head] {
		size = size<<8 | uint64(c)
	}
	if !bytes.Equal(appendBytesHead(nil, int(size)), b[:head]) {
		return 0, 0, errEncoding
	}
	return size, head, nil
}

// appendBytesHead appends the head of a byte string of n bytes, n < 1<<32.
func appendBytesHead(dst []byte, n int) []byte {
	switch u := uint32(n); {
	case u < 24:
		return append(dst, 0x40|byte(u))
	case u < 1<<8:
		return append(dst, 0x58, byte(u))
	case u < 1<<16:
		return append(dst, 0x59, byte(u>>8), byte(u))
	default:
		return append(dst, 0x5a, byte(u>>24), byte(u>>16), byte(u>>8), byte(u))
	}
}
