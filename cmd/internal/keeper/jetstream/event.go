package jetstream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// format is the newest form of event that this version writes and reads. A
// keeper reads the forms below its own, and stops at one above it.
const format = 1

// The kinds of event, each the token of a subject.
const (
	kept    = "kept"    // a message was stored
	gone    = "gone"    // retention took some of a camera
	deleted = "deleted" // the owner took some of a camera, for good
	mark    = "mark"    // a keeper began: it has read the log when it meets its own
)

// place is where the bytes of a message lie: a stream of bytes, and the
// sequence in it.
type place struct {
	shard uint16
	seq   uint64
}

// event is one line of the log, from which every keeper makes the same index.
type event struct {
	what      string
	household seal.HouseholdID // "" of a mark
	camera    seal.CameraID    // "" of a mark
	token     [16]byte         // of all but kept: how its writer knows it again

	// kept
	entry store.Entry // but for Received and Cursor, which the log gives
	at    place

	// gone and deleted
	upto uint64     // gone: cursors up to this one
	last uint64     // highest sequence that was ever kept
	span seal.Range // sequences that nobody misses any more; deleted: and that never come again

	// mark
	writer string // name and version of a keeper
}

var (
	errEvent = errors.New("not an event of the keepers' log")
	kinds    = [...]string{"", "status", "media"}
)

const maxWriter = 128

// subject returns where e is published, below root.
func (e *event) subject(root string) string {
	if e.what == mark {
		return root + mark
	}
	return root + e.what + "." + string(e.household) + "." + string(e.camera)
}

// encode returns e in the form version.
func (e *event) encode(version byte) []byte {
	be := binary.BigEndian
	b := []byte{version}
	if e.what != kept {
		b = append(b, e.token[:]...)
	}
	switch e.what {
	case kept:
		v := e.entry.Visible
		kind := byte(0)
		for i, k := range kinds {
			if k == e.entry.Kind {
				kind = byte(i)
			}
		}
		b = append(b, kind, byte(v.Stream))
		b = append(append(append(b, v.Hash[:]...), v.Prev[:]...), v.Boot[:]...)
		b = be.AppendUint64(be.AppendUint64(b, v.Seq), v.Roster)
		b = be.AppendUint32(b, uint32(v.Size))
		b = be.AppendUint64(be.AppendUint16(b, e.at.shard), e.at.seq)
	case gone, deleted:
		for _, n := range []uint64{e.upto, e.last, e.span.First, e.span.Last} {
			b = be.AppendUint64(b, n)
		}
	case mark:
		b = append(b, e.writer[:min(len(e.writer), maxWriter)]...)
	}
	return b
}

// decode reads what was published at subject. An event of a newer form than
// version is store.ErrNewer; what is no event at all is errEvent.
func decode(subject, root string, b []byte, version byte) (*event, error) {
	rest, ok := strings.CutPrefix(subject, root)
	if !ok || len(b) == 0 || b[0] == 0 {
		return nil, errEvent
	}
	if b[0] > version {
		return nil, fmt.Errorf("%w: an event of form %d, and this one reads up to form %d", store.ErrNewer, b[0], version)
	}
	form, b := b[0], b[1:]
	part := strings.Split(rest, ".")
	e := &event{what: part[0]}
	if e.what != kept {
		if len(b) < len(e.token) {
			return nil, errEvent
		}
		copy(e.token[:], b)
		b = b[len(e.token):]
	}
	if e.what == mark && len(part) == 1 && len(b) <= maxWriter {
		e.writer = string(b)
		return e, nil
	}
	if len(part) != 3 {
		return nil, errEvent
	}
	h, err1 := seal.ParseHouseholdID(part[1])
	c, err2 := seal.ParseCameraID(part[2])
	if err1 != nil || err2 != nil {
		return nil, errEvent
	}
	e.household, e.camera = h, c
	switch e.what {
	case kept:
		return e, e.decodeKept(b, form)
	case gone, deleted:
		return e, e.decodeSpan(b, form)
	}
	return nil, errEvent
}

// sizeKept is how long an event of form 1 is behind its first byte. Later forms
// add behind it.
const sizeKept = 2 + 32 + 32 + 16 + 8 + 8 + 4 + 2 + 8

func (e *event) decodeKept(b []byte, form byte) error {
	if len(b) < sizeKept || form == 1 && len(b) > sizeKept {
		return errEvent
	}
	kind, v := b[0], &e.entry.Visible
	if kind == 0 || int(kind) >= len(kinds) || seal.Stream(b[1]) != seal.Durable {
		return errEvent
	}
	e.entry.Kind, v.Stream = kinds[kind], seal.Stream(b[1])
	v.Household, v.Camera = e.household, e.camera
	b = b[2:]
	b = b[copy(v.Hash[:], b):]
	b = b[copy(v.Prev[:], b):]
	b = b[copy(v.Boot[:], b):]
	be := binary.BigEndian
	v.Seq, v.Roster = be.Uint64(b), be.Uint64(b[8:])
	size := be.Uint32(b[16:])
	e.at = place{shard: be.Uint16(b[20:]), seq: be.Uint64(b[22:])}
	if v.Seq == 0 || v.Seq > seal.MaxSeq || size > seal.MaxSealed {
		return errEvent
	}
	v.Size = int(size)
	return nil
}

const sizeSpan = 4 * 8

func (e *event) decodeSpan(b []byte, form byte) error {
	if len(b) < sizeSpan || form == 1 && len(b) > sizeSpan {
		return errEvent
	}
	be := binary.BigEndian
	e.upto, e.last = be.Uint64(b), be.Uint64(b[8:])
	e.span = seal.Range{First: be.Uint64(b[16:]), Last: be.Uint64(b[24:])}
	if e.last > seal.MaxSeq || e.span.First == 0 || e.span.Last < e.span.First || e.span.Last > seal.MaxSeq {
		return errEvent
	}
	return nil
}
