// Package store keeps sealed messages: bytes by their hash, and an index by
// household in order of arrival and by camera in order of sequence.
//
// What this package does not do: it opens no seal, checks no signature and
// decides nothing. That a message belongs where its visible claims say is for
// the keeper to check before it calls Put.
package store

import (
	"errors"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Entry is what an index knows of one sealed message: its visible claims, and
// when it came.
type Entry struct {
	Visible  seal.Visible // Expires is not kept: what is durable never expires
	Kind     string       // feed.Status or feed.Media: the topic that it came on
	Received time.Time    // keeper's clock, UTC in microseconds, never falling within a household
	Cursor   uint64       // place in the household's order of arrival: from 1, rising, with holes where something was deleted
}

// Message is an Entry and its bytes.
type Message struct {
	Entry
	Sealed []byte // nobody writes to it any more
}

// Query selects entries of one household, in order of arrival or, with Camera
// and BySeq, of sequence. All conditions that are set must hold.
type Query struct {
	Household    seal.HouseholdID
	Camera       seal.CameraID // "" for all
	BySeq        bool          // needs Camera: order is that of sequences, and From and To are some
	From, To     uint64        // sequences with BySeq, else cursors; both included, 0 for open
	Since, Until time.Time     // of Received, [Since, Until); zero for open; not with BySeq
	After        uint64        // only cursors (BySeq: sequences) above it: the last one of the page before
	Before       uint64        // only cursors (BySeq: sequences) below it, 0 for open: the page before, when Newest
	Newest       bool          // falling order
	Limit        int           // entries of the page, 1 to MaxLimit
}

// MaxLimit is the longest page.
const MaxLimit = 1000

// Page is what a Query found.
type Page struct {
	Entries []Entry
	More    bool // there is at least one entry behind the last one
}

// Camera is what is kept of one camera's durable stream.
type Camera struct {
	ID          seal.CameraID
	First, Last uint64       // lowest sequence kept (0 for none), highest ever kept
	Count       uint64       // messages kept
	Bytes       int64        // of them
	Missing     []seal.Range // never seen between First and Last: the newest MaxMissing ranges, rising, without what was deleted or trimmed
	Received    time.Time    // when its latest message came
}

// MaxMissing is how many ranges of missing messages are remembered of a camera.
const MaxMissing = 64

// Policy is how long and how much of a household is kept; zero is without end.
type Policy struct {
	Age   time.Duration
	Bytes int64
}

// Stats is the state of a store for metrics.
type Stats struct {
	Households, Cameras int
	Messages            uint64
	Bytes               int64  // of messages
	DiskFree, DiskSize  int64  // of the file system; 0 if it does not say
	Segments            int    // files that hold the bytes
	Damaged             uint64 // messages that could not be given out since the start
}

// Reasons for which a store refuses.
var (
	ErrNotKept  = errors.New("no such message is kept")
	ErrConflict = errors.New("another message of this camera has this number")
	ErrDeleted  = errors.New("it was deleted by the household's owner")
	ErrFull     = errors.New("the keeper's disk is full")
	ErrDamaged  = errors.New("what is stored is damaged")
	ErrQuery    = errors.New("no such query")
	ErrMessage  = errors.New("not a message that is kept")
	ErrClosed   = errors.New("the store is closed")
	ErrInUse    = errors.New("another keeper uses this store")
	ErrNewer    = errors.New("the store was written by a newer sealcam")
)
