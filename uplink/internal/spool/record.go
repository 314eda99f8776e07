package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
)

// Names of the small files. All are in the state directory; the head is with
// the messages too, for the case that one copy is damaged.
const (
	headFile = "spool-head"
	lostFile = "spool-lost"
	roomFile = "spool-room" // holds room for the others on a full disk
	tempFile = ".new"
)

const (
	maxRecord = 1 << 20
	roomSize  = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// headRecord is what must outlive the spool directory itself.
type headRecord struct {
	Boot     uint64 `json:"boot"`     // boots counted, this one included
	Reserved uint64 `json:"reserved"` // no number above it has ever been used
	Head     uint64 `json:"head"`     // last number used when this was written
	Hash     []byte `json:"hash"`     // of the message Head; empty if unknown
	Open     uint64 `json:"open"`     // every number below it was delivered or confessed
	Spool    uint64 `json:"spool"`    // boot in which the spool directory was made
	Clock    int64  `json:"clock"`    // latest wall clock seen, unix seconds
}

// What no camera gets to: numbers have 53 bits in messages, and a boot a second
// for three weeks is no camera.
const (
	maxSeq  = 1 << 52
	maxBoot = 1 << 21
)

// plausible says whether a camera can have written h. A checksum proves nothing
// against somebody who has had the card in hand.
func (h headRecord) plausible() bool {
	return h.Boot <= maxBoot && h.Spool <= maxBoot && h.Head <= h.Reserved && h.Reserved <= maxSeq
}

// lostRecord holds what is still to be confessed.
type lostRecord struct {
	Lost Ranges `json:"lost"`
}

// saveRecord writes v durably, followed by its checksum.
func saveRecord(f FS, name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	b = fmt.Appendf(b, "%08x\n", crc32.Checksum(b, castagnoli))
	return writeDurably(f, name+tempFile, name, b)
}

// errDamaged is a record whose content does not fit its checksum.
var errDamaged = errors.New("damaged")

// loadRecord reads what saveRecord wrote. A record that does not exist leaves
// v alone and gives fs.ErrNotExist; a damaged one gives errDamaged.
func loadRecord(f FS, name string, v any) error {
	b, err := f.Read(name, maxRecord)
	if err != nil {
		return err
	}
	i := bytes.IndexByte(b, '\n') + 1
	if string(b[i:]) != fmt.Sprintf("%08x\n", crc32.Checksum(b[:i], castagnoli)) {
		return fmt.Errorf("%s: %w", name, errDamaged)
	}
	if err := json.Unmarshal(b[:i], v); err != nil {
		return fmt.Errorf("%s: %w: %w", name, errDamaged, err)
	}
	return nil
}

// loadHead returns the newer of the two copies. With none it returns the zero
// record and known false.
func loadHead(state, dir FS) (head headRecord, known bool) {
	for _, f := range []FS{state, dir} {
		var h headRecord
		if f != nil && loadRecord(f, headFile, &h) == nil && h.plausible() && (!known || h.Boot > head.Boot || h.Boot == head.Boot && h.Reserved > head.Reserved) {
			head, known = h, true
		}
	}
	return head, known
}

// loadLost returns what is to be confessed. A record that cannot be read is
// as if there was none: who misses something asks for it.
func loadLost(state FS) (Ranges, error) {
	var stored lostRecord
	if err := loadRecord(state, lostFile, &stored); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var lost Ranges
	for _, r := range stored.Lost { // Add, as nothing says that the file is in order
		if r.First > 0 && r.Last <= maxSeq {
			lost.Add(r)
		}
	}
	return lost, nil
}
