package store

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"
)

// noteErase notes that a record's bytes are to be erased. Thorough is for what
// an owner had deleted: it is overwritten before its room is given back.
func (c *change) noteErase(r *row, thorough bool) error {
	n := uint64(r.blocks()) << 1
	if thorough {
		n |= 1
	}
	return c.tree(treeErase).Put(append(key64(r.Segment), key64(uint64(r.At))...), key64(n))
}

// hole is room in a segment that nobody needs any more.
type hole struct {
	at, n    int64
	thorough bool
}

// maxErase is how many records are erased between two changes of the index.
const maxErase = 4096

// erase erases what the index has noted, and forgets the notes only then; s.write
// is held. It can be broken off at any time.
func (s *Store) erase(ctx context.Context) error {
	for ctx.Err() == nil {
		holes, keys, err := s.notes()
		if err != nil || len(keys) == 0 {
			return err
		}
		for id, in := range holes {
			if err := s.eraseIn(id, in); err != nil {
				return failure("erase", err)
			}
		}
		err = s.x.update(func(t tx) error {
			for _, k := range keys {
				if err := t.tree(treeErase).Delete(k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return failure("index", err)
		}
	}
	return ctx.Err()
}

// notes returns what is to be erased, by segment, neighbours as one.
func (s *Store) notes() (holes map[uint64][]hole, keys [][]byte, err error) {
	holes = map[uint64][]hole{}
	err = s.x.view(func(t tx) error {
		c := t.tree(treeErase).Cursor()
		for k, v := c.First(); k != nil && len(keys) < maxErase; k, v = c.Next() {
			if len(k) != 16 || len(v) != 8 {
				return errShort
			}
			keys = append(keys, append([]byte(nil), k...))
			id, room := binary.BigEndian.Uint64(k), binary.BigEndian.Uint64(v)
			h := hole{at: int64(binary.BigEndian.Uint64(k[8:])), n: int64(room >> 1), thorough: room&1 == 1}
			in := holes[id]
			if n := len(in); n > 0 && in[n-1].at+in[n-1].n == h.at && in[n-1].thorough == h.thorough {
				in[n-1].n += h.n
			} else {
				in = append(in, h)
			}
			holes[id] = in
		}
		return nil
	})
	return holes, keys, err
}

// eraseIn erases holes of one segment, or the whole of it when nothing in it is
// kept any more.
func (s *Store) eraseIn(id uint64, holes []hole) error {
	seg, ok := s.file(id)
	if !ok {
		return nil // it has gone as a whole
	}
	thorough := slices.ContainsFunc(holes, func(h hole) bool { return h.thorough })
	if !thorough {
		if gone, err := s.dropEmpty([]segment{seg}); gone || err != nil {
			return err
		}
	}
	f, err := s.disk.Open(seg.name(), true)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = eraseHoles(f, holes, thorough)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil || !thorough {
		return err
	}
	_, err = s.dropEmpty([]segment{seg})
	return err
}

// eraseHoles gives room back. What is to be thorough is overwritten and synced
// before, for a hole alone leaves the bytes on the disk for others to find.
func eraseHoles(f file, holes []hole, thorough bool) error {
	if thorough {
		for _, h := range holes {
			if !h.thorough {
				continue
			}
			if err := overwrite(f, h.at, h.n); err != nil {
				return err
			}
		}
		if err := f.Sync(); err != nil {
			return err
		}
	}
	for _, h := range holes {
		if err := f.Erase(h.at, h.n); err != nil {
			return err
		}
	}
	return f.Sync()
}

// file returns a segment by its number.
func (s *Store) file(id uint64) (segment, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	seg, ok := s.files[id]
	return seg, ok
}

// dropEmpty removes those of the segments in which nothing is kept and which
// are not being written, and says whether that was all; s.write is held.
func (s *Store) dropEmpty(segments []segment) (all bool, err error) {
	if err := s.flush(); err != nil { // what is not yet in the index must not seem to be nothing
		return false, err
	}
	var empty []segment
	err = s.x.view(func(t tx) error {
		for _, seg := range segments {
			b := t.tree(treeSegment).Get(key64(seg.ID))
			if (len(b) != 8 || binary.BigEndian.Uint64(b) == 0) && (s.out == nil || s.out.ID != seg.ID) {
				empty = append(empty, seg)
			}
		}
		return nil
	})
	if err != nil || len(empty) == 0 {
		return false, err
	}
	for _, seg := range empty {
		if err := s.disk.Remove(seg.name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		s.mu.Lock()
		delete(s.files, seg.ID)
		s.mu.Unlock()
	}
	if err := s.disk.SyncDir(segmentDir); err != nil {
		return false, err
	}
	err = s.x.update(func(t tx) error {
		for _, seg := range empty {
			if err := t.tree(treeSegment).Delete(key64(seg.ID)); err != nil {
				return err
			}
		}
		return nil
	})
	return len(empty) == len(segments), err
}
