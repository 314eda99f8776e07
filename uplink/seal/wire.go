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

var errEncoding = errors.New("not the one deterministic encoding")

func encMode() cbor.EncMode {
	m, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic("seal: " + err.Error()) // options are constant
	}
	return m
}

func decMode() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   8,
		MaxArrayElements:  2 * MaxCameras,
		MaxMapPairs:       64,
	}.DecMode()
	if err != nil {
		panic("seal: " + err.Error()) // options are constant
	}
	return m
}

// Built once: both are immutable and safe for concurrent use.
var (
	enc = encMode()
	dec = decMode()
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
	rest, err := pairMode.UnmarshalFirst(b[:min(len(b), maxFirst)], &raw)
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

// pairMode reads the first item of a pair, which may carry the tag of
// COSE_Sign1; its content is decoded strictly later.
var pairMode = func() cbor.DecMode {
	m, err := cbor.DecOptions{IndefLength: cbor.IndefLengthForbidden, MaxNestedLevels: 8, MaxArrayElements: 2 * MaxCameras, MaxMapPairs: 64}.DecMode()
	if err != nil {
		panic("seal: " + err.Error())
	}
	return m
}()

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
