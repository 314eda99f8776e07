package pairing

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// The parts of the exchange. Each travels as its letter, its length in four
// bytes, big-endian, and its bytes.
const (
	partHello   = 'H' // camera: a hello bound to the secret
	partNonce   = 'N' // household: nonceSize bytes, from which both make the two words
	partPairing = 'P' // household: a pairing, as in a file
	partRefusal = 'R' // household: a refusal, JSON
	partClaimed = 'A' // camera: empty; it is the household's now, durably
)

const (
	nonceSize  = 16
	maxRefusal = 1 << 10
)

// errWire says that the other side does not speak this exchange.
var errWire = errors.New("pairing: the other side does not speak this exchange")

// limit returns how long a part may be.
func limit(part byte) int {
	switch part {
	case partHello:
		return seal.MaxHello
	case partNonce:
		return nonceSize
	case partPairing:
		return identity.MaxPairing
	case partRefusal:
		return maxRefusal
	}
	return 0
}

func writePart(w io.Writer, part byte, data []byte) error {
	head := binary.BigEndian.AppendUint32([]byte{part}, uint32(len(data)))
	_, err := w.Write(append(head, data...))
	return err
}

// readPart reads the next part, which must be one of want. What it allocates
// grows with what has arrived, not with what was announced.
func readPart(r io.Reader, want ...byte) (part byte, data []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	for _, p := range want {
		if head[0] != p {
			continue
		}
		if uint64(n) > uint64(limit(p)) {
			return 0, nil, fmt.Errorf("%w: a part of %d bytes", errWire, n)
		}
		data, err := io.ReadAll(io.LimitReader(r, int64(n)))
		if err == nil && len(data) < int(n) {
			err = io.ErrUnexpectedEOF
		}
		return p, data, err
	}
	return 0, nil, fmt.Errorf("%w: a part %q", errWire, head[0])
}

// refusalPart is a refusal as it travels.
type refusalPart struct {
	Reason seal.Reason `json:"reason"`
	Detail string      `json:"detail,omitempty"`
}

func marshalRefusal(r *seal.Refusal) []byte {
	detail := []rune(r.Detail)
	text, err := json.Marshal(refusalPart{r.Reason, string(detail[:min(len(detail), 160)])})
	if err != nil || len(text) > maxRefusal {
		return []byte(`{"reason":"` + seal.Malformed + `"}`)
	}
	return text
}

// parseRefusal never fails: what is no refusal is one that says so.
func parseRefusal(text []byte) *seal.Refusal {
	var p refusalPart
	if json.Unmarshal(text, &p) == nil {
		switch p.Reason {
		case seal.Malformed, seal.BrokenSeal, seal.WrongCamera, seal.NotForYou, seal.Revoked, seal.Replayed, seal.Stale:
			return &seal.Refusal{Reason: p.Reason, Detail: "by the household: " + p.Detail}
		}
	}
	return &seal.Refusal{Reason: seal.Malformed, Detail: "by the household, for no reason that this program knows"}
}
