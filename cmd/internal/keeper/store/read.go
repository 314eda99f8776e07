package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Get returns the bytes of the message of that hash, which are the caller's. It
// checks them against the hash, so it gives out the right ones or none:
// ErrNotKept, or ErrDamaged when the disk has lost them.
func (s *Store) Get(ctx context.Context, hash [32]byte) ([]byte, error) {
	for range 2 { // what was just deleted may be read when it is half gone
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, err := s.locate(hash)
		if err != nil {
			return nil, err
		}
		b, err := s.read(r)
		if err == nil {
			return b, nil
		}
		if again, lerr := s.locate(hash); lerr != nil {
			return nil, lerr
		} else if again.place == r.place {
			s.mu.Lock()
			s.stats.Damaged++
			s.mu.Unlock()
			s.log.Error("a stored message cannot be given out", "camera", r.Visible.Camera, "seq", r.Visible.Seq, "err", err)
			return nil, failure("get", fmt.Errorf("%w: message %d of camera %s: %w", ErrDamaged, r.Visible.Seq, r.Visible.Camera, err))
		}
	}
	return nil, ErrNotKept
}

// locate finds a message by its hash.
func (s *Store) locate(hash [32]byte) (row, error) {
	s.mu.RLock()
	r, closed := s.pending.byHash[hash], s.closed
	s.mu.RUnlock()
	if closed {
		return row{}, ErrClosed
	}
	if r != nil {
		return *r, nil
	}
	var found row
	err := s.x.view(func(t tx) (err error) { found, err = t.find(hash); return err })
	return found, err
}

// read reads a message and holds it against its hash.
func (s *Store) read(r row) ([]byte, error) {
	seg, ok := s.file(r.Segment)
	if !ok {
		return nil, fmt.Errorf("segment %d is gone", r.Segment)
	}
	f, err := s.disk.Open(seg.name(), false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, r.Visible.Size)
	if n, err := f.ReadAt(b, r.At+int64(r.Head)); n < len(b) {
		return nil, err
	}
	hash, err := s.config.Hash(b)
	if err != nil {
		return nil, err
	}
	if hash != r.Visible.Hash {
		return nil, errors.New("its bytes are others")
	}
	return b, nil
}

// List returns entries of a household. A page costs what is on it, and not what
// is kept.
func (s *Store) List(ctx context.Context, q Query) (p Page, err error) {
	low, high, err := q.bounds()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return Page{}, err
	}
	h, err := s.house(q.Household)
	if err != nil {
		return Page{}, err
	}
	if !q.BySeq {
		if p, ok := s.listTail(h, q, low, high); ok {
			return p, nil
		}
	}
	if err := s.settle(); err != nil {
		return Page{}, err
	}
	err = s.x.view(func(t tx) error { p, err = t.list(q, low, high); return err })
	return p, failure("list", err)
}

// listTail answers from memory what is asked of the latest messages only, as
// who follows a household does: that needs no turn at the index.
func (s *Store) listTail(h *house, q Query, low, high uint64) (p Page, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if low <= h.indexed {
		return Page{}, false
	}
	tail := h.tail
	if q.Newest {
		tail = slices.Clone(tail)
		slices.Reverse(tail)
	}
	for _, r := range tail {
		switch {
		case r.Cursor < low || r.Cursor > high, q.Camera != "" && q.Camera != r.Visible.Camera:
		case !q.Since.IsZero() && r.Received.Before(q.Since), !q.Until.IsZero() && !r.Received.Before(q.Until):
		case len(p.Entries) == q.Limit:
			p.More = true
			return p, true
		default:
			p.Entries = append(p.Entries, r.Entry)
		}
	}
	return p, true
}

func cursorOf(v []byte) uint64 {
	if len(v) != 8 {
		return 0 // of no message
	}
	return binary.BigEndian.Uint64(v)
}

// list answers a query whose bounds are low and high.
func (t tx) list(q Query, low, high uint64) (p Page, err error) {
	h, err := t.house(q.Household)
	if errors.Is(err, ErrNotKept) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	high = min(high, math.MaxInt64)
	if !q.Since.IsZero() {
		low = max(low, t.since(h, q.Since))
	}
	if !q.Until.IsZero() {
		high = min(high, t.since(h, q.Until)-1)
	}
	tree, num := treeArrival, h.Num
	if q.Camera != "" {
		c, err := t.camera(h.Num, q.Camera)
		if errors.Is(err, ErrNotKept) {
			return p, nil
		}
		if err != nil {
			return p, err
		}
		tree, num = treeCame, c.Num
		if q.BySeq {
			tree = treeSeq
		}
	}
	var cursors []uint64
	walk(t.tree(tree), num, low, high, q.Newest, func(at uint64, v []byte) bool {
		if q.BySeq {
			at = cursorOf(v)
		}
		if p.More = len(cursors) == q.Limit; !p.More {
			cursors = append(cursors, at)
		}
		return !p.More
	})
	rows, err := t.rows(q.Household, h.Num, cursors)
	for i := range rows {
		p.Entries = append(p.Entries, rows[i].Entry)
	}
	return p, err
}

// rows returns the messages at places in a household's order of arrival.
func (t tx) rows(h seal.HouseholdID, num uint32, cursors []uint64) ([]row, error) {
	out := make([]row, 0, len(cursors))
	for _, cursor := range cursors {
		r, err := t.row(h, num, cursor)
		if errors.Is(err, ErrNotKept) {
			err = errShort
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// since returns the first cursor of a household whose message did not come
// before a time. As times of arrival never fall, that is a search by halves,
// and no tree of times is needed.
func (t tx) since(h houseRow, at time.Time) uint64 {
	c := t.tree(treeArrival).Cursor()
	low, high := uint64(1), h.Cursor+1
	for low < high {
		mid := low + (high-low)/2
		k, v := c.Seek(place32(h.Num, mid))
		if len(k) != 12 || binary.BigEndian.Uint32(k) != h.Num || !rowReceived(v).Before(at) {
			high = mid
		} else {
			low = binary.BigEndian.Uint64(k[4:]) + 1
		}
	}
	return low
}

// Cameras returns the account of every camera of a household, by id. It counts
// nothing: accounts are kept with every message.
func (s *Store) Cameras(ctx context.Context, h seal.HouseholdID) ([]Camera, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !named(string(h)) {
		return nil, fmt.Errorf("%w: household %.60q", ErrQuery, h)
	}
	hh, err := s.house(h)
	if err != nil {
		return nil, err
	}
	tracks, err := s.tracks(h, hh)
	if err != nil {
		return nil, failure("cameras", err)
	}
	var out []Camera
	for _, id := range slices.Sorted(maps.Keys(tracks)) {
		t := tracks[id]
		out = append(out, t.camera(id))
	}
	return out, nil
}

// tracks returns the accounts of a household's cameras, with what is not yet in
// the index.
func (s *Store) tracks(h seal.HouseholdID, hh *house) (out map[seal.CameraID]track, err error) {
	for {
		s.mu.RLock()
		tail, indexed, deleted := hh.tail, hh.indexed, hh.deleted
		s.mu.RUnlock()
		out = map[seal.CameraID]track{}
		var is uint64
		err = s.x.view(func(t tx) error {
			row, err := t.house(h)
			if errors.Is(err, ErrNotKept) {
				return nil
			}
			is = row.Cursor
			if err != nil {
				return err
			}
			return t.eachCamera(row.Num, func(id seal.CameraID, c camRow) { out[id] = c.track })
		})
		if err != nil {
			return nil, err
		}
		if len(tail) > 0 && is > indexed {
			continue // what was in memory has just gone to the index
		}
		for _, r := range tail {
			v := &r.Visible
			t := out[v.Camera]
			t.add(v.Seq, v.Size, r.Received, deleted[v.Camera])
			out[v.Camera] = t
		}
		return out, nil
	}
}

func (t tx) eachCamera(household uint32, each func(seal.CameraID, camRow)) error {
	prefix := key32(household)
	c := t.tree(treeCamera).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		m, err := decodeCamera(v)
		if err != nil {
			return err
		}
		each(seal.CameraID(k[4:]), m)
	}
	return nil
}

// SetRoster keeps the roster of a household in place of the one before. The
// caller has checked that it is one, and newer.
func (s *Store) SetRoster(ctx context.Context, h seal.HouseholdID, roster []byte) error {
	if len(roster) > MaxRoster || !named(string(h)) {
		return fmt.Errorf("%w: roster of %d bytes, at most %d, of household %.60q", ErrMessage, len(roster), MaxRoster, h)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.write.Lock()
	defer s.write.Unlock()
	if _, err := s.house(h); err != nil {
		return err
	}
	file, err := loadHouse(s.disk, h)
	if err == nil {
		file.Roster = roster
		err = file.save(s.disk)
	}
	return failure("roster", err)
}

// Rosters hands each roster that is kept to each, until it fails.
func (s *Store) Rosters(ctx context.Context, each func(h seal.HouseholdID, roster []byte) error) error {
	houses, err := listHouses(s.disk)
	if err != nil {
		return failure("rosters", err)
	}
	for _, id := range houses {
		if err := ctx.Err(); err != nil {
			return err
		}
		file, err := loadHouse(s.disk, id)
		if errors.Is(err, ErrDamaged) && !errors.Is(err, fs.ErrNotExist) {
			s.log.Error("a household's file is damaged, and nothing of it is taken", "household", id, "err", err)
			continue
		}
		if err == nil && len(file.Roster) > 0 {
			err = each(id, file.Roster)
		}
		if err != nil {
			return failure("household "+string(id), err)
		}
	}
	return nil
}

// Wait returns when a household has a message above the cursor after, or with
// the error of ctx, or ErrClosed.
func (s *Store) Wait(ctx context.Context, h seal.HouseholdID, after uint64) error {
	if !named(string(h)) {
		return fmt.Errorf("%w: household %.60q", ErrQuery, h)
	}
	for {
		hh, err := s.house(h)
		if err != nil {
			return err
		}
		s.mu.RLock()
		cursor, news := hh.cursor, hh.news
		s.mu.RUnlock()
		if cursor > after {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-news:
		}
	}
}

// Stats returns what the store holds. It is cheap.
func (s *Store) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := s.stats
	st.Segments = len(s.files)
	if !s.closed {
		st.DiskFree, st.DiskSize = s.disk.Space()
	}
	return st
}
