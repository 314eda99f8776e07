package store

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strconv"
	"strings"
)

const segmentDir = "segments"

// segment is a file of records. It is written by one run of a program, to its
// end; after that records only go.
type segment struct {
	ID   uint64
	Salt [8]byte // what its records begin with
}

// name returns the segment's file, which holds the salt so that one damaged
// block does not hide a whole file.
func (s segment) name() string {
	return fmt.Sprintf("%s/%016x.%s.seg", segmentDir, s.ID, hex.EncodeToString(s.Salt[:]))
}

// parseSegment is the inverse of name, without the directory.
func parseSegment(name string) (s segment, ok bool) {
	body, ok := strings.CutSuffix(name, ".seg")
	id, salt, _ := strings.Cut(body, ".")
	n, err := strconv.ParseUint(id, 16, 64)
	b, herr := hex.DecodeString(salt)
	if !ok || err != nil || herr != nil || len(b) != len(s.Salt) {
		return s, false
	}
	s = segment{ID: n, Salt: [8]byte(b)}
	return s, s.name() == segmentDir+"/"+name
}

// listSegments returns the segments of a store, rising.
func listSegments(d directory) ([]segment, error) {
	names, err := d.List(segmentDir)
	if err != nil {
		return nil, err
	}
	var out []segment
	for _, name := range names {
		if s, ok := parseSegment(name); ok {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b segment) int {
		return strings.Compare(a.name(), b.name())
	})
	return out, nil
}

// found is what a scan hands out: a record, whole or damaged.
type found struct {
	row
	Sum     uint32 // CRC-32C that the sealed bytes should have
	Damaged bool   // they have not, or are not there
	Sealed  []byte // valid until the next one
}

// scan reads the records of a segment from a place on, which is a multiple of
// block, and hands each to each. It looks for the next one behind whatever is
// no record, and returns the end of the last one. It holds one message in
// memory.
func scan(f file, s segment, from int64, each func(found) error) (end int64, err error) {
	size, err := f.Size()
	if err != nil {
		return from, err
	}
	head, body := make([]byte, maxHeader), []byte(nil)
	for at, end := roundUp(from), from; ; {
		at, err = nextRecord(f, s.Salt, at, size)
		if err != nil || at >= size {
			return end, err
		}
		n, err := f.ReadAt(head, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return end, err
		}
		var r found
		r.Entry, r.Head, r.Sum, err = parseHeader(head[:n], s.Salt)
		if err != nil {
			at += block
			continue
		}
		r.place = place{Segment: s.ID, At: at, Head: r.Head}
		body = slices.Grow(body[:0], r.Visible.Size)[:r.Visible.Size]
		n, err = f.ReadAt(body, at+int64(r.Head))
		if n < len(body) || crc32.Checksum(body, castagnoli()) != r.Sum {
			if err != nil && !errors.Is(err, io.EOF) && !unreadable(err) {
				return end, err
			}
			r.Damaged = true
		} else {
			r.Sealed = body
		}
		if err := each(r); err != nil {
			return end, err
		}
		at += r.blocks()
		end = at
	}
}

// nextRecord returns the first place from at on where the salt stands, or size.
func nextRecord(f file, salt [8]byte, at, size int64) (int64, error) {
	const window = 64 * block
	b := make([]byte, window)
	for at < size {
		// One block first: mostly there is the next record.
		for _, look := range []int64{block, window} {
			n, err := f.ReadAt(b[:look], at)
			if err != nil && !errors.Is(err, io.EOF) && !unreadable(err) {
				return at, err
			}
			for i := 0; i+len(salt) <= n; i += block {
				if binary.BigEndian.Uint64(b[i:]) == binary.BigEndian.Uint64(salt[:]) {
					return at + int64(i), nil
				}
			}
			if err != nil && n < int(look) && unreadable(err) {
				at += int64(n)&^(block-1) + block // past the block that cannot be read
				break
			}
			at += look
		}
	}
	return size, nil
}
