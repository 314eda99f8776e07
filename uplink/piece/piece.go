// Package piece carries a sealed message over a link that is too thin, or too
// often cut, for it to pass at once: as pieces, each a message of MQTT of its own,
// which are put together again before anybody looks at them. What a cut takes is
// one piece, and what is urgent waits for no more than one.
//
// A piece is 28 bytes and then a part of the message:
//
//	0   3  "SP1"
//	3   1  'm' for the topic media, 'l' for live, 'r' for recording, 'v' for view
//	4   4  size of the message in bytes, big endian
//	8   4  where the part begins in it
//	12  16 name of the message, see Name
//
// Parts begin at multiples of Block, and all but the last are multiples of it
// long. They may come in any order, overlap, come twice, and be cut differently
// when they are sent again.
//
// What this package does not do: it proves nothing. Name tells messages apart and
// does not say who made them: whoever may write to a camera's topics can spoil a
// message in pieces, as he could send a false one whole. What comes out of a
// Joiner is checked where every message is, by its seal.
package piece

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Topic is the last part of the topic that pieces are published on.
const Topic = "piece"

// Sizes in bytes.
const (
	Head  = 28      // in front of a part
	Block = 1 << 10 // what parts are cut at
	// MaxMessage is the largest message in pieces.
	MaxMessage = 16 << 20
)

// Kind is the topic that a message would have been published on, were it whole.
type Kind byte

// The kinds of message that come in pieces.
const (
	Media Kind = 'm'
	Live  Kind = 'l'
	// Recording and View come on the topics of these names, for the few who ask for them.
	Recording Kind = 'r'
	View      Kind = 'v'
)

// String returns the last part of the topic.
func (k Kind) String() string {
	switch k {
	case Media:
		return "media"
	case Live:
		return "live"
	case Recording:
		return "recording"
	case View:
		return "view"
	}
	return "unknown"
}

const magic = "SP1"

// named is how much of a message its name is made of: a message begins with its
// seal, and no two have the same.
const named = 4 << 10

// Name returns what tells message apart from others.
func Name(message []byte) (name [16]byte) {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(message))))
	h.Write(message[:min(named, len(message))])
	copy(name[:], h.Sum(nil))
	return name
}

// Piece is one part of a message.
type Piece struct {
	Kind Kind
	Size int // bytes of the message
	At   int // where Data begins in it
	Name [16]byte
	Data []byte
}

// Append appends p, as it travels, to dst.
func (p Piece) Append(dst []byte) []byte {
	dst = append(dst, magic...)
	dst = append(dst, byte(p.Kind))
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.Size))
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.At))
	dst = append(dst, p.Name[:]...)
	return append(dst, p.Data...)
}

// ErrMalformed is of bytes that are no piece.
var ErrMalformed = errors.New("no piece of a message")

// Is reports whether b calls itself a piece. No sealed message does.
func Is(b []byte) bool { return bytes.HasPrefix(b, []byte(magic)) }

// Parse is the inverse of Append. Data is part of b. The error is ErrMalformed.
func Parse(b []byte) (Piece, error) {
	if len(b) <= Head || !Is(b) {
		return Piece{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	size, at := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	p := Piece{Kind: Kind(b[3]), Size: int(min(size, MaxMessage+1)), At: int(min(at, MaxMessage)), Name: [16]byte(b[12:Head]), Data: b[Head:]}
	end := p.At + len(p.Data)
	switch {
	case p.Kind != Media && p.Kind != Live && p.Kind != Recording && p.Kind != View:
		return Piece{}, fmt.Errorf("%w: of kind %#x", ErrMalformed, byte(p.Kind))
	case p.Size > MaxMessage || end > p.Size:
		return Piece{}, fmt.Errorf("%w: bytes %d to %d of %d", ErrMalformed, at, end, size)
	case p.At%Block != 0 || len(p.Data)%Block != 0 && end != p.Size:
		return Piece{}, fmt.Errorf("%w: bytes %d to %d of %d, cut beside the multiples of %d", ErrMalformed, at, end, size, Block)
	}
	return p, nil
}
