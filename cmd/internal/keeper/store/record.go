package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// A record is one message in a segment: a header, then the sealed bytes. It
// begins at a multiple of block, so that room given back is whole blocks of a
// file system, and so that the next record is found behind a damaged one.
//
//	8  salt of the segment, which no stranger knows: no message holds a record
//	2  length of the header, with its checksum
//	4  length of the sealed bytes
//	4  their CRC-32C
//	8  cursor         8 received, microseconds since 1970
//	8  sequence       8 roster
//	32 previous hash  16 boot  32 hash
//	1+n kind          1+n camera  1+n household
//	4  CRC-32C of the header before it
const (
	block     = 4096
	fixed     = 8 + 2 + 4 + 4 + 8 + 8 + 8 + 8 + 32 + 16 + 32
	maxName   = 64
	maxHeader = fixed + 1 + maxKind + 2*(1+maxName) + 4
)

// place is where a record is.
type place struct {
	Segment uint64
	At      int64 // of its header
	Head    int   // bytes of its header
}

// row is an entry, and where its bytes are.
type row struct {
	Entry
	place
}

// blocks is the room that a record takes.
func (r *row) blocks() int64 { return roundUp(int64(r.Head) + int64(r.Visible.Size)) }

func roundUp(n int64) int64 { return (n + block - 1) &^ (block - 1) }

// appendHeader appends the header of e's record.
func appendHeader(b []byte, salt [8]byte, e *Entry, sealed []byte) []byte {
	start, v := len(b), &e.Visible
	b = append(b, salt[:]...)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(sealed)))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(sealed, castagnoli()))
	b = binary.BigEndian.AppendUint64(b, e.Cursor)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Received.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, v.Seq)
	b = binary.BigEndian.AppendUint64(b, v.Roster)
	b = append(b, v.Prev[:]...)
	b = append(b, v.Boot[:]...)
	b = append(b, v.Hash[:]...)
	for _, s := range []string{e.Kind, string(v.Camera), string(v.Household)} {
		b = append(append(b, byte(len(s))), s...)
	}
	binary.BigEndian.PutUint16(b[start+8:], uint16(len(b)-start+4))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli()))
}

// errNoRecord is no header at this place.
var errNoRecord = errors.New("no record")

// parseHeader reads the header at the start of b, and returns the checksum of
// the bytes behind it. b may be longer, and anything.
func parseHeader(b []byte, salt [8]byte) (e Entry, head int, sum uint32, err error) {
	if len(b) < fixed || [8]byte(b) != salt {
		return e, 0, 0, errNoRecord
	}
	head = int(binary.BigEndian.Uint16(b[8:]))
	if head < fixed+3+4 || head > maxHeader || head > len(b) ||
		crc32.Checksum(b[:head-4], castagnoli()) != binary.BigEndian.Uint32(b[head-4:]) {
		return e, 0, 0, errNoRecord
	}
	v := &e.Visible
	v.Stream = seal.Durable
	v.Size = int(binary.BigEndian.Uint32(b[10:]))
	sum = binary.BigEndian.Uint32(b[14:])
	e.Cursor = binary.BigEndian.Uint64(b[18:])
	e.Received = time.UnixMicro(int64(binary.BigEndian.Uint64(b[26:]))).UTC()
	v.Seq, v.Roster = binary.BigEndian.Uint64(b[34:]), binary.BigEndian.Uint64(b[42:])
	b2 := b[50:]
	v.Prev, v.Boot, v.Hash = [32]byte(b2), [16]byte(b2[32:]), [32]byte(b2[48:])
	names := b[fixed : head-4]
	var kind, camera, household string
	for _, s := range []*string{&kind, &camera, &household} {
		if len(names) == 0 || len(names) < 1+int(names[0]) {
			return e, 0, 0, errNoRecord
		}
		*s, names = string(names[1:1+names[0]]), names[1+names[0]:]
	}
	e.Kind, v.Camera, v.Household = kind, seal.CameraID(camera), seal.HouseholdID(household)
	// What a keeper can have written; a checksum proves nothing against
	// somebody who has had the disk in hand.
	m := Message{Entry: e}
	if len(names) != 0 || m.fitClaims() != nil || e.Cursor == 0 {
		return e, 0, 0, errNoRecord
	}
	return e, head, sum, nil
}
