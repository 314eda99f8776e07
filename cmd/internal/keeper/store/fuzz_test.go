package store

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"reflect"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

func fuzzed(b []byte) *powerFile {
	return &powerFile{d: newPowerDisk(), n: &inode{data: b}, name: "fuzzed"}
}

// FuzzScan reads a segment that somebody has written who even knows its salt: a
// whole record behind it is found all the same, unless it is covered by one
// that claims its room, and everything that is found could have been written.
func FuzzScan(f *testing.F) {
	salt := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	m := message("h", "a", 7, 300, "")
	m.Cursor, m.Received = 9, time.UnixMicro(1_700_000_000_000_000).UTC()
	good := append(appendHeader(nil, salt, &m.Entry, m.Sealed), m.Sealed...)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(make([]byte, block), good...))
	f.Add(append(append(salt[:], 0xff, 0xff), make([]byte, 600)...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		whole := make([]byte, roundUp(int64(len(b))), roundUp(int64(len(b)))+2*block)
		copy(whole, b)
		whole = append(whole, good...)
		behind, covered := false, false
		seg := segment{ID: 3, Salt: salt}
		end, err := scan(fuzzed(whole), seg, 0, func(r found) error {
			if r.At%block != 0 || r.Segment != 3 || r.Head > maxHeader || r.Visible.Size > seal.MaxSealed {
				t.Fatalf("found %+v", r)
			}
			if !r.Damaged && (len(r.Sealed) != r.Visible.Size || crc32.Checksum(r.Sealed, castagnoli()) != r.Sum) {
				t.Fatalf("whole, and is not: %+v", r.row)
			}
			at := int64(len(whole) - len(good))
			behind = behind || r.At == at && !r.Damaged && r.Entry == m.Entry && bytes.Equal(r.Sealed, m.Sealed)
			covered = covered || r.At < at && r.At+r.blocks() > at
			return nil
		})
		if err != nil || end < 0 || !behind && !covered {
			t.Fatalf("end %d, %v, the record behind found: %v", end, err, behind)
		}
	})
}

// FuzzHousehold reads a household's file that somebody has changed: what is taken
// of it is in order, and comes back when it is saved.
func FuzzHousehold(f *testing.F) {
	b, err := json.Marshal(houseFile{Household: "h", Cursor: 4, Deleted: map[seal.CameraID]Ranges{"a": {{First: 1, Last: 3}}}, Roster: []byte("r")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"household":"h","deleted":{"a":[{"First":9,"Last":2},{"First":0,"Last":18446744073709551615}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := newPowerDisk()
		if err := writeDurably(d, houseName("h"), b); err != nil {
			t.Fatal(err)
		}
		h, err := loadHouse(d, "h")
		if err != nil {
			return
		}
		for _, deleted := range h.Deleted {
			last := uint64(0)
			for i, r := range deleted {
				if r.First == 0 || r.Last < r.First || r.Last > maxSeq || i > 0 && r.First <= last+1 {
					t.Fatalf("ranges %v", deleted)
				}
				last = r.Last
			}
		}
		if err := h.save(d); err != nil {
			t.Fatal(err)
		}
		if again, err := loadHouse(d, "h"); err != nil || !reflect.DeepEqual(again.Deleted, h.Deleted) || !bytes.Equal(again.Roster, h.Roster) {
			t.Fatalf("%+v, %v, want %+v", again, err, h)
		}
	})
}

// FuzzRows reads rows of an index that is damaged where no checksum is.
func FuzzRows(f *testing.F) {
	c := camRow{Num: 3, track: track{First: 1, Last: 9, Count: 4, Bytes: 5, Received: time.UnixMicro(7).UTC(), Missing: Ranges{{First: 2, Last: 3}}}}
	f.Add(c.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCamera(b)
		if err == nil && !bytes.Equal(c.encode(), b) {
			t.Fatalf("%x becomes %x", b, c.encode())
		}
		_ = rowReceived(b)
		_ = cursorOf(b)
	})
}
