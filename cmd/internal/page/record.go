package page

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
)

// kind says what a record of the feed stream holds.
type kind uint8

// The kinds of record. The first four, and kindRoster, hold bytes as they came
// from the broker; kindBench and kindLink are JSON by this server and are
// never shown as anything but the server's own words.
const (
	kindHello  kind = iota + 1 // hello of a camera
	kindStatus                 // newest sealed status or last will of a camera
	kindLive                   // newest sealed live picture of a camera
	kindMedia                  // sealed picture of an event
	kindBench                  // BenchStats
	kindLink                   // linkState: is the broker reached; also the heartbeat
	kindRoster                 // signed roster of the household
	kindView                   // sealed frame of live view, for whoever watches
)

// kindOf returns the kind of record for a topic's last part, or 0 for a topic
// that the page has no use for.
func kindOf(topic string) kind {
	switch topic {
	case feed.Hello:
		return kindHello
	case feed.Status:
		return kindStatus
	case feed.Live:
		return kindLive
	case feed.Media:
		return kindMedia
	case feed.Roster:
		return kindRoster
	case feed.View:
		return kindView
	}
	return 0
}

// The flags of a record.
const (
	flagRetained uint8 = 1 << iota // the broker kept it; it may be old
	flagHistory                    // it came before this stream was opened, or from an archive
)

// cameraBytes is the length of a camera id in a record; records that are not
// about a camera hold zero bytes there.
const cameraBytes = 52

// headerBytes is everything of a record before its payload.
const headerBytes = 4 + 1 + 1 + cameraBytes + 8

// record is one entry of the feed stream:
//
//	uint32 BE  length of everything after this field
//	uint8      kind
//	uint8      flags
//	52 bytes   camera id, or zeros
//	uint64 BE  when this server received it, milliseconds since 1970
//	...        payload
//
// A record is never changed after it was made; payload is shared between the
// history and every stream.
type record struct {
	kind     kind
	flags    uint8
	camera   string
	received time.Time
	payload  []byte
}

// size is what the record costs in a queue or on the wire, in bytes.
func (r *record) size() int { return headerBytes + len(r.payload) }

// writeTo writes the record to w.
func (r *record) writeTo(w io.Writer) error {
	var h [headerBytes]byte
	binary.BigEndian.PutUint32(h[0:], uint32(headerBytes-4+len(r.payload)))
	h[4], h[5] = uint8(r.kind), r.flags
	copy(h[6:6+cameraBytes], r.camera)
	binary.BigEndian.PutUint64(h[6+cameraBytes:], uint64(r.received.UnixMilli()))
	if _, err := w.Write(h[:]); err != nil {
		return err
	}
	_, err := w.Write(r.payload)
	return err
}
