package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sealcam/sealcam/uplink/seal"
)

// chunk is how many messages are dropped by one change of the index, after
// which others have their turn.
const chunk = 1000

// Delete deletes messages of a household for good: of camera c, or of all the
// cameras that are known if c is "", those with sequences from to to, both
// included; 0 is open, and an open end is that of what has come by now. What
// comes again of it is refused (ErrDeleted), also after a restart or a repair.
//
// When it returns without an error the bytes were overwritten in place, synced,
// and their blocks given back to the file system, and no part of this store
// leads to them. What it cannot promise: flash and copy-on-write file systems
// write elsewhere than where they were told to, so a forensic reader of the raw
// disk may find sealed bytes until it is trimmed or encrypted under a key that
// is destroyed; and backups hold what they held. What can be found there is
// sealed. The index may keep the numbers and hashes, not the bytes, in its free
// pages until it writes there again.
//
// After an error part of it may be done; the rest is done by the next Open, or
// by the same Delete again.
func (s *Store) Delete(ctx context.Context, h seal.HouseholdID, c seal.CameraID, from, to uint64) (messages uint64, size int64, err error) {
	if !named(string(h)) || c != "" && !named(string(c)) {
		return 0, 0, fmt.Errorf("%w: household %.60q, camera %.60q", ErrQuery, h, c)
	}
	hh, err := s.house(h)
	if err != nil {
		return 0, 0, err
	}
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.steady(); err != nil {
		return 0, 0, err
	}
	if err := s.entomb(hh, h, c, from, to); err != nil {
		return 0, 0, failure("delete", err)
	}
	return s.deleteAll(ctx, h)
}

// steady says that the store is open, and brings the index up to date, so that
// what is dropped is all in it; s.write is held.
func (s *Store) steady() error {
	s.mu.RLock()
	closed := s.closed
	s.mu.RUnlock()
	if closed {
		return ErrClosed
	}
	return s.flush()
}

// breathe lets others have their turn between two chunks.
func (s *Store) breathe(ctx context.Context) error {
	s.write.Unlock()
	s.write.Lock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.steady()
}

// entomb makes it last that messages are to be deleted, before any of them is.
func (s *Store) entomb(hh *house, h seal.HouseholdID, c seal.CameraID, from, to uint64) error {
	cameras, err := s.tracks(h, hh)
	if err != nil {
		return err
	}
	if _, ok := cameras[c]; c != "" && !ok {
		cameras[c] = track{}
	}
	file, err := loadHouse(s.disk, h)
	if err != nil {
		return err
	}
	for id, t := range cameras {
		if c == "" || c == id {
			first, last := span(from, to, t.Last)
			deleted := slices.Clone(file.Deleted[id])
			deleted.Add(first, last)
			file.Deleted[id] = deleted
		}
	}
	if n := file.deletions(); n > MaxDeleted {
		return fmt.Errorf("household %s: %d separate deletions to remember, at most %d: delete one range that covers several", h, n, MaxDeleted)
	}
	file.Cursor, file.Received = hh.cursor, hh.received
	err = s.x.update(func(t tx) error { return t.tree(treeDeleting).Put([]byte(h), nil) })
	if err == nil {
		err = file.save(s.disk)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	hh.deleted = file.Deleted
	s.mu.Unlock()
	return nil
}

// unmiss makes that no camera is asked for what was deleted. A camera of which
// nothing ever came has a line from then on.
func (t tx) unmiss(h seal.HouseholdID, deleted map[seal.CameraID]Ranges) error {
	c, err := t.change()
	if err != nil {
		return err
	}
	for id, d := range deleted {
		m, err := c.camera(h, id)
		if err != nil {
			return err
		}
		for _, r := range d {
			m.Missing.Remove(r.First, r.Last)
		}
	}
	return c.write()
}

// deleteAll drops and erases what the household's file says, and forgets then
// that it had to; s.write is held, but let go between chunks.
func (s *Store) deleteAll(ctx context.Context, h seal.HouseholdID) (messages uint64, size int64, err error) {
	file, err := loadHouse(s.disk, h)
	if err == nil {
		err = s.x.update(func(t tx) error { return t.unmiss(h, file.Deleted) })
	}
	if err != nil {
		return 0, 0, failure("delete", err)
	}
	for _, id := range slices.Sorted(maps.Keys(file.Deleted)) {
		for _, r := range file.Deleted[id] {
			n, b, err := s.dropAll(ctx, h, true, func(t tx) ([]row, error) { return t.bySeq(h, id, r.First, r.Last) })
			messages, size = messages+n, size+b
			if err != nil {
				return messages, size, failure("delete", err)
			}
		}
	}
	if err := s.erase(ctx); err != nil {
		return messages, size, err
	}
	err = s.x.update(func(t tx) error { return t.tree(treeDeleting).Delete([]byte(h)) })
	return messages, size, failure("index", err)
}

// bySeq returns the first chunk of a camera's messages from first to last.
func (t tx) bySeq(h seal.HouseholdID, c seal.CameraID, first, last uint64) (out []row, err error) {
	house, err := t.house(h)
	if err == nil {
		var m camRow
		if m, err = t.camera(house.Num, c); err == nil {
			var cursors []uint64
			walk(t.tree(treeSeq), m.Num, first, last, false, func(_ uint64, v []byte) bool {
				cursors = append(cursors, cursorOf(v))
				return len(cursors) < chunk
			})
			return t.rows(h, house.Num, cursors)
		}
	}
	if errors.Is(err, ErrNotKept) {
		err = nil
	}
	return nil, err
}

// dropAll drops what pick finds in the index, a chunk at a time, until it finds
// nothing more; s.write is held, but let go between chunks.
func (s *Store) dropAll(ctx context.Context, h seal.HouseholdID, thorough bool, pick func(tx) ([]row, error)) (messages uint64, size int64, err error) {
	for {
		var rows []row
		if err := s.x.view(func(t tx) (err error) { rows, err = pick(t); return err }); err != nil || len(rows) == 0 {
			return messages, size, err
		}
		b, err := s.dropRows(h, rows, thorough)
		if err != nil {
			return messages, size, err
		}
		messages, size = messages+uint64(len(rows)), size+b
		if len(rows) < chunk {
			return messages, size, nil
		}
		if err := s.breathe(ctx); err != nil {
			return messages, size, err
		}
	}
}

func (s *Store) dropRows(h seal.HouseholdID, rows []row, thorough bool) (size int64, err error) {
	err = s.x.update(func(t tx) error {
		c, err := t.change()
		if err != nil {
			return err
		}
		size = 0
		for i := range rows {
			r := &rows[i]
			if err := c.drop(r, thorough); err != nil {
				return err
			}
			size += int64(r.Visible.Size)
			m, err := c.camera(h, r.Visible.Camera)
			if err != nil {
				return err
			}
			if !thorough {
				m.trimmed(r.Visible.Seq)
			}
		}
		return c.write()
	})
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Messages -= uint64(len(rows))
	s.stats.Bytes -= size
	return size, nil
}
