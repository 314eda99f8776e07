package store

import (
	"fmt"
	"math"

	"github.com/sealcam/sealcam/uplink/seal"
)

// bounds checks a query and returns the lowest and highest cursor (BySeq:
// sequence) that it allows, not counting Since and Until. Nothing is allowed
// if low is above high.
func (q Query) bounds() (low, high uint64, err error) {
	switch {
	case !named(string(q.Household)) || q.Camera != "" && !named(string(q.Camera)):
		return 0, 0, fmt.Errorf("%w: household %.60q, camera %.60q", ErrQuery, q.Household, q.Camera)
	case q.Limit < 1 || q.Limit > MaxLimit:
		return 0, 0, fmt.Errorf("%w: limit of %d, expected 1 to %d", ErrQuery, q.Limit, MaxLimit)
	case q.BySeq && q.Camera == "":
		return 0, 0, fmt.Errorf("%w: by sequence, but of no camera", ErrQuery)
	case q.BySeq && !(q.Since.IsZero() && q.Until.IsZero()):
		return 0, 0, fmt.Errorf("%w: by sequence and by time", ErrQuery)
	}
	low, high = max(q.From, 1), math.MaxUint64
	if q.To != 0 {
		high = q.To
	}
	if q.After == math.MaxUint64 {
		return 1, 0, nil
	}
	low = max(low, q.After+1)
	if q.Before != 0 {
		high = min(high, q.Before-1)
	}
	return low, high, nil
}

// fit says whether m is something that is kept; the error is of kind ErrMessage.
func (m *Message) fit() error {
	if m.Visible.Size != len(m.Sealed) {
		return fmt.Errorf("%w: %d bytes, claimed %d", ErrMessage, len(m.Sealed), m.Visible.Size)
	}
	return m.fitClaims()
}

func (m *Message) fitClaims() error {
	v := &m.Visible
	switch {
	case v.Stream != seal.Durable:
		return fmt.Errorf("%w: stream %v", ErrMessage, v.Stream)
	case v.Seq == 0 || v.Seq >= maxSeq:
		return fmt.Errorf("%w: sequence %d", ErrMessage, v.Seq)
	case v.Size < 1 || v.Size > seal.MaxSealed:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrMessage, v.Size, seal.MaxSealed)
	case len(m.Kind) > maxKind || !named(string(v.Camera)) || !named(string(v.Household)):
		return fmt.Errorf("%w: kind, camera or household", ErrMessage)
	}
	return nil
}

// maxKind is the longest name of a kind.
const maxKind = 32

// named says whether s is the id of something: lower-case base32, so that it
// can be the name of a file.
func named(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}
