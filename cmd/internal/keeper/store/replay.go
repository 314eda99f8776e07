package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealcam/sealcam/uplink/seal"
)

// flush brings the index up to what is in the segments; s.write is held.
func (s *Store) flush() error {
	if len(s.pending.rows) == 0 || s.x == nil {
		return nil
	}
	last := s.pending.rows[len(s.pending.rows)-1]
	err := s.x.update(func(t tx) error {
		c, err := t.change()
		if err != nil {
			return err
		}
		for _, r := range s.pending.rows {
			s.mu.RLock() // a reader may be adding another household
			h := s.houses[r.Visible.Household]
			s.mu.RUnlock()
			if err := c.add(r, h.deleted[r.Visible.Camera]); err != nil {
				return err
			}
		}
		c.state.Segment, c.state.At = last.Segment, last.At+last.blocks()
		if err := c.write(); err != nil {
			return err
		}
		s.mu.Lock()
		s.stats.Households, s.stats.Cameras = int(c.state.Households), int(c.state.Cameras)
		s.mu.Unlock()
		return nil
	})
	if err != nil {
		return failure("index", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.pending.rows {
		if h := s.houses[r.Visible.Household]; h != nil {
			h.tail, h.indexed = nil, h.cursor
		}
	}
	s.pending.clear()
	return nil
}

// settle brings the index up to date for a reader of it.
func (s *Store) settle() error {
	s.write.Lock()
	defer s.write.Unlock()
	return s.flush()
}

// replay puts into the index what the segments hold behind the place that it
// knows of, and numbers the next segment. It changes nothing but the index,
// which then knows what is to be erased. With a check, records are held against
// their hash and not only their checksum, and what is lost is told.
func (s *Store) replay(ctx context.Context, check *Report) error {
	segments, err := listSegments(s.disk)
	if err != nil {
		return err
	}
	var st state
	if err := s.x.view(func(t tx) (err error) { st, err = t.state(); return err }); err != nil {
		return err
	}
	s.next = st.Segment + 1
	for _, seg := range segments {
		s.next = max(s.next, seg.ID+1)
		s.files[seg.ID] = seg
		if seg.ID < st.Segment {
			continue
		}
		from := int64(0)
		if seg.ID == st.Segment {
			from = st.At
		}
		if err := s.replaySegment(ctx, seg, from, check); err != nil {
			return fmt.Errorf("segment %s: %w", seg.name(), err)
		}
	}
	return nil
}

// replaySegment adds a segment's records to the index, some at a time.
func (s *Store) replaySegment(ctx context.Context, seg segment, from int64, check *Report) error {
	f, err := s.disk.Open(seg.name(), false)
	if err != nil {
		return err
	}
	defer f.Close()
	r := replayer{s: s, houses: map[seal.HouseholdID]houseFile{}, check: check}
	_, err = scan(f, seg, from, func(m found) error {
		if check != nil && !m.Damaged {
			hash, err := s.config.Hash(m.Sealed)
			m.Damaged = err != nil || hash != m.Visible.Hash
		}
		m.Sealed = nil
		if r.found = append(r.found, m); len(r.found) < maxPending {
			return ctx.Err()
		}
		return r.write()
	})
	return errors.Join(err, r.write())
}

// replayer takes records from a scan to the index.
type replayer struct {
	s      *Store
	houses map[seal.HouseholdID]houseFile
	found  []found
	check  *Report // nil: at a start
}

// write adds what was found to the index, with the place up to which it is.
func (p *replayer) write() error {
	if len(p.found) == 0 {
		return nil
	}
	err := p.s.x.update(func(t tx) error {
		c, err := t.change()
		if err != nil {
			return err
		}
		for i := range p.found {
			if err := p.add(c, &p.found[i]); err != nil {
				return err
			}
		}
		last := &p.found[len(p.found)-1]
		c.state.Segment, c.state.At = last.Segment, last.At+last.blocks()
		return c.write()
	})
	p.found = p.found[:0]
	return err
}

// add adds one record, if it is whole and was not deleted. Else it is noted for
// erasing, and its camera will be asked for it.
func (p *replayer) add(c *change, m *found) error {
	v := &m.Visible
	h, err := p.house(v.Household)
	if err != nil {
		return err
	}
	deleted := h.Deleted[v.Camera]
	switch {
	case deleted.Has(v.Seq):
		return c.noteErase(&m.row, true)
	case m.Damaged:
		p.s.log.Warn("a stored message is damaged", "household", v.Household, "camera", v.Camera, "seq", v.Seq)
		return errors.Join(c.lose(v), p.check.lose(v), c.noteErase(&m.row, false))
	}
	switch old, err := c.find(v.Hash); {
	case err == nil && old.place == m.place:
		return nil
	case err == nil:
		return c.noteErase(&m.row, false) // twice: only somebody's copying makes that
	case !errors.Is(err, ErrNotKept):
		return err
	}
	cam, err := c.camera(v.Household, v.Camera)
	if err != nil {
		return err
	}
	line, err := c.house(v.Household)
	if err != nil {
		return err
	}
	if c.tree(treeSeq).Get(place32(cam.Num, v.Seq)) != nil || c.tree(treeArrival).Get(place32(line.Num, m.Cursor)) != nil {
		return c.noteErase(&m.row, true)
	}
	return c.add(&m.row, deleted)
}

// house returns a household's file. One that is damaged stops a start, for what
// was deleted must not come back; a check has told of it.
func (p *replayer) house(id seal.HouseholdID) (houseFile, error) {
	h, ok := p.houses[id]
	if ok {
		return h, nil
	}
	h, err := loadHouse(p.s.disk, id)
	if errors.Is(err, ErrDamaged) && p.check != nil {
		err = nil
	}
	if err == nil {
		p.houses[id] = h
	}
	return h, err
}

// lose notes that a message is to be asked for again, unless it is there.
func (c *change) lose(v *seal.Visible) error {
	m, err := c.camera(v.Household, v.Camera)
	if err != nil || c.tree(treeSeq).Get(place32(m.Num, v.Seq)) != nil {
		return err
	}
	m.lose(v.Seq)
	return nil
}
