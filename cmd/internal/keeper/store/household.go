package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

const (
	houseDir = "households"
	maxHouse = 64 << 20 // bytes of a household's file
	// MaxDeleted is how many ranges of deleted messages are remembered of one
	// household, all cameras together.
	MaxDeleted = 16384
	// MaxRoster is the largest roster, in bytes.
	MaxRoster = 8 << 20
)

// houseFile is what a store knows of a household and cannot find in its
// messages: one small file, replaced as a whole.
type houseFile struct {
	Household seal.HouseholdID         `json:"household"`
	Cursor    uint64                   `json:"cursor"`   // none at or below it is ever given out again
	Received  time.Time                `json:"received"` // no message comes before it
	Deleted   map[seal.CameraID]Ranges `json:"deleted,omitempty"`
	Roster    []byte                   `json:"roster,omitempty"`
}

func houseName(id seal.HouseholdID) string { return houseDir + "/" + string(id) + ".json" }

// loadHouse reads a household's file; there need not be one.
func loadHouse(d directory, id seal.HouseholdID) (h houseFile, err error) {
	h.Household, h.Deleted = id, map[seal.CameraID]Ranges{}
	b, err := readWhole(d, houseName(id), maxHouse)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(b, &h); err != nil || h.Household != id {
		return h, fmt.Errorf("%w: %s is not this household's: %v", ErrDamaged, houseName(id), err)
	}
	if h.Deleted == nil {
		h.Deleted = map[seal.CameraID]Ranges{}
	}
	for camera, deleted := range h.Deleted { // nothing says that the file is in order
		var sane Ranges
		for _, r := range deleted {
			if r.First > 0 && r.Last <= maxSeq {
				sane.Add(r.First, r.Last)
			}
		}
		h.Deleted[camera] = sane
	}
	return h, nil
}

// save replaces the household's file, durably.
func (h *houseFile) save(d directory) error {
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if len(b) > maxHouse {
		return fmt.Errorf("household %s: %d bytes to remember, at most %d", h.Household, len(b), maxHouse)
	}
	return writeDurably(d, houseName(h.Household), append(b, '\n'))
}

// deletions counts the ranges of what was deleted.
func (h *houseFile) deletions() int {
	n := 0
	for _, d := range h.Deleted {
		n += len(d)
	}
	return n
}

// listHouses returns the households that have a file.
func listHouses(d directory) ([]seal.HouseholdID, error) {
	names, err := d.List(houseDir)
	if err != nil {
		return nil, err
	}
	var out []seal.HouseholdID
	for _, name := range names {
		if id, ok := strings.CutSuffix(name, ".json"); ok && named(id) {
			out = append(out, seal.HouseholdID(id))
		}
	}
	return out, nil
}
