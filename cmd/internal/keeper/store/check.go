package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/sealcam/sealcam/uplink/seal"
)

// MaxLost is how many lost messages a Report names.
const MaxLost = 10_000

// Report is what Check found.
type Report struct {
	Segments int
	Messages uint64 // that are whole, each held against its hash
	Bytes    int64  // of them
	Lost     uint64 // messages that were there and are not
	Named    []Lost // the first MaxLost of them
	// Unindexed are messages that are whole and that the index did not know: the
	// last ones before a power cut, which Open would have found, or an old index.
	Unindexed uint64
	// Index says why the index could not be used, "" if it could.
	Index string
	// Households are those whose file is damaged: what was deleted there is
	// forgotten, so a camera that sends it again is not refused.
	Households []seal.HouseholdID
	Repaired   bool

	told map[[32]byte]bool // hashes of Named
}

// Lost is a message that was there.
type Lost struct {
	Household seal.HouseholdID
	Camera    seal.CameraID
	Seq       uint64
	Hash      [32]byte
}

// Clean says that there was nothing to repair.
func (r *Report) Clean() bool {
	return r.Lost == 0 && r.Index == "" && len(r.Households) == 0
}

// lose counts a message as lost, once.
func (r *Report) lose(v *seal.Visible) error {
	if r == nil || r.told[v.Hash] {
		return nil
	}
	if r.Lost++; len(r.Named) < MaxLost {
		if r.told == nil {
			r.told = map[[32]byte]bool{}
		}
		r.told[v.Hash] = true
		r.Named = append(r.Named, Lost{v.Household, v.Camera, v.Seq, v.Hash})
	}
	return nil
}

// checkFile is the index that Check makes.
const checkFile = "index.check"

// Check reads everything in a store that nobody else uses, and makes its index
// anew beside the old one. With repair the new one takes the place of the old
// one, damaged messages are erased, and what was lost is in Camera.Missing from
// then on, so that a keeper asks the cameras for it. Without, the store stays
// as it is. It holds one message in memory, and can be broken off.
func Check(ctx context.Context, c Config, repair bool) (r Report, err error) {
	if _, err := os.Stat(filepath.Join(c.Dir, formatFile)); err != nil {
		return r, failure("check "+c.Dir, err)
	}
	s := newStore(c)
	defer func() { err = failure("check "+c.Dir, errors.Join(err, s.closeFiles())) }()
	if err := s.openFiles(); err != nil {
		return r, err
	}
	path := filepath.Join(c.Dir, checkFile)
	_ = os.Remove(path) // left by one that was broken off
	defer os.Remove(path)
	if s.x, err = openIndex(path, s.name, false); err != nil {
		return r, err
	}
	if err := s.checkHouses(&r, repair); err != nil {
		return r, err
	}
	if err := s.replay(ctx, &r); err != nil {
		return r, err
	}
	r.Segments = len(s.files)
	if err := s.compare(&r); err != nil {
		return r, err
	}
	if !repair {
		return r, nil
	}
	r.Repaired = true
	return r, s.adopt(path)
}

// checkHouses reads the households' files; with repair it puts damaged ones aside.
func (s *Store) checkHouses(r *Report, repair bool) error {
	houses, err := listHouses(s.disk)
	if err != nil {
		return err
	}
	for _, id := range houses {
		_, err := loadHouse(s.disk, id)
		if errors.Is(err, ErrDamaged) {
			r.Households = append(r.Households, id)
			err = nil
			if repair {
				err = s.disk.Rename(houseName(id), houseName(id)+".damaged")
			}
		}
		if err != nil {
			return err
		}
	}
	if repair {
		return s.disk.SyncDir(houseDir)
	}
	return nil
}

// compare holds the new index against the old one: what only the old one knows
// is lost, and what only the new one knows it had not found.
func (s *Store) compare(r *Report) error {
	old, err := openOldIndex(filepath.Join(s.config.Dir, indexFile), s.name)
	if err == nil {
		defer old.close()
		err = s.compareWith(old, r)
	}
	if err != nil {
		r.Index = err.Error()
	}
	return s.x.view(func(t tx) error {
		st, err := t.state()
		r.Messages, r.Bytes = st.Messages, st.Bytes
		return err
	})
}

func openOldIndex(path, store string) (*index, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return openIndex(path, store, true)
}

// compareWith walks along the old index, a chunk at a time.
func (s *Store) compareWith(old *index, r *Report) error {
	names := map[uint32]seal.HouseholdID{}
	err := old.view(func(t tx) error {
		return t.tree(treeHousehold).ForEach(func(k, _ []byte) error {
			h, err := t.house(seal.HouseholdID(k))
			names[h.Num] = seal.HouseholdID(k)
			return err
		})
	})
	if err != nil {
		return err
	}
	known := uint64(0)
	err = old.view(func(t tx) error {
		var lost []row
		err := t.tree(treeArrival).ForEach(func(k, v []byte) error {
			if len(k) != 12 {
				return errShort
			}
			m, err := t.decodeRow(v, binary.BigEndian.Uint64(k[4:]))
			if err != nil {
				return err
			}
			m.Visible.Household = names[binary.BigEndian.Uint32(k)]
			ferr := s.x.view(func(t tx) error { _, err := t.find(m.Visible.Hash); return err })
			if ferr == nil {
				known++
				return nil
			}
			if lost = append(lost, m); len(lost) >= chunk {
				err = s.loseAll(lost, r)
				lost = lost[:0]
			}
			return err
		})
		return errors.Join(err, s.loseAll(lost, r))
	})
	if err != nil {
		return err
	}
	var found uint64
	err = s.x.view(func(t tx) error { st, err := t.state(); found = st.Messages; return err })
	r.Unindexed = found - known
	return errors.Join(err, s.keepAccounts(old, names, r))
}

// loseAll notes messages that only the old index knows.
func (s *Store) loseAll(lost []row, r *Report) error {
	return s.x.update(func(t tx) error {
		c, err := t.change()
		if err != nil {
			return err
		}
		for i := range lost {
			v := &lost[i].Visible
			file, err := loadHouse(s.disk, v.Household)
			if err != nil && !errors.Is(err, ErrDamaged) {
				return err
			}
			if file.Deleted[v.Camera].Has(v.Seq) {
				continue // its deletion was broken off
			}
			if err := errors.Join(c.lose(v), r.lose(v)); err != nil {
				return err
			}
		}
		return c.write()
	})
}

// keepAccounts carries over what the segments do not say: how far each
// household had come, so that no cursor is given out twice, and what each
// camera had been found to miss, before the losses of this check come on top.
func (s *Store) keepAccounts(old *index, names map[uint32]seal.HouseholdID, r *Report) error {
	return old.view(func(before tx) error {
		return s.x.update(func(t tx) error {
			c, err := t.change()
			if err != nil {
				return err
			}
			for _, id := range names {
				if err := c.keepAccount(before, id); err != nil {
					return err
				}
			}
			for _, l := range r.Named {
				err := c.lose(&seal.Visible{Household: l.Household, Camera: l.Camera, Seq: l.Seq})
				if err != nil {
					return err
				}
			}
			return c.write()
		})
	})
}

func (c *change) keepAccount(before tx, id seal.HouseholdID) error {
	was, err := before.house(id)
	if err != nil {
		return err
	}
	h, err := c.house(id)
	if err != nil {
		return err
	}
	h.Cursor = max(h.Cursor, was.Cursor)
	if was.Received.After(h.Received) {
		h.Received = was.Received
	}
	var errs []error
	err = before.eachCamera(was.Num, func(camera seal.CameraID, was camRow) {
		m, err := c.camera(id, camera)
		if err != nil {
			errs = append(errs, err)
			return
		}
		m.Last, m.Floor, m.Missing = max(m.Last, was.Last), was.Floor, was.Missing
		for _, r := range slices.Clone(was.Missing) {
			walk(c.tree(treeSeq), m.Num, r.First, r.Last, false, func(seq uint64, _ []byte) bool {
				m.Missing.Remove(seq, seq)
				return true
			})
		}
	})
	return errors.Join(append(errs, err)...)
}

// adopt puts the new index in the place of the old one, and ends what it says
// is to be ended.
func (s *Store) adopt(path string) error {
	x := s.x
	s.x = nil
	if err := errors.Join(x.db.Sync(), x.close()); err != nil {
		return err
	}
	if err := os.Rename(path, filepath.Join(s.config.Dir, indexFile)); err != nil {
		return err
	}
	if err := s.disk.SyncDir("."); err != nil {
		return err
	}
	if err := s.openIndex(); err != nil {
		return err
	}
	return s.finish(context.Background())
}
