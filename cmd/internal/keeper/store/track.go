package store

import (
	"slices"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// maxSeq is above every sequence of a camera: numbers have 53 bits in messages.
const maxSeq = 1 << 53

// track is the account of one camera's durable stream, kept up to date with
// every message so that nobody ever has to count.
type track struct {
	First    uint64 // lowest sequence kept, 0 for none
	Last     uint64 // highest ever kept
	Floor    uint64 // at and below it nothing is missed any more: it was trimmed
	Count    uint64
	Bytes    int64
	Missing  Ranges
	Received time.Time
}

// add takes note of a message that is new. deleted is what must not be missed.
func (t *track) add(seq uint64, size int, received time.Time, deleted Ranges) {
	switch {
	case t.Last == 0:
	case seq > t.Last:
		t.miss(t.Last+1, seq-1, deleted)
	case t.First != 0 && seq < t.First:
		t.miss(seq+1, t.First-1, deleted)
	}
	t.Missing.Remove(seq, seq)
	if t.First == 0 || seq < t.First {
		t.First = seq
	}
	t.Last = max(t.Last, seq)
	t.Count++
	t.Bytes += int64(size)
	t.Received = received
}

// miss adds what is missing, and forgets the oldest when that is too much.
func (t *track) miss(first, last uint64, deleted Ranges) {
	t.Missing.Add(max(first, t.Floor+1), last)
	for _, r := range deleted {
		t.Missing.Remove(r.First, r.Last)
	}
	if n := len(t.Missing) - MaxMissing; n > 0 {
		t.Missing = slices.Delete(t.Missing, 0, n)
	}
}

// lose takes note that a message that was kept is lost.
func (t *track) lose(seq uint64) {
	t.Last = max(t.Last, seq)
	t.miss(seq, seq, nil)
}

// drop takes note that a message went; first is the lowest sequence that is
// then kept, 0 for none.
func (t *track) drop(size int, first uint64) {
	t.Count--
	t.Bytes -= int64(size)
	t.First = first
}

// trimmed says that seq went for its age: nothing as old is asked for again.
func (t *track) trimmed(seq uint64) {
	t.Floor = max(t.Floor, seq)
	t.Missing.Remove(1, t.Floor)
}

func (t *track) camera(id seal.CameraID) Camera {
	return Camera{ID: id, First: t.First, Last: t.Last, Count: t.Count, Bytes: t.Bytes, Missing: slices.Clone(t.Missing), Received: t.Received}
}
