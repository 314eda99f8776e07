package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Memory is a store that forgets everything when the program ends: a fake for
// tests of what uses a store, and the model that Store is held against. The
// zero value but for Now is an empty one. Its methods are those of Store.
type Memory struct {
	Now func() time.Time

	mu         sync.Mutex
	households map[seal.HouseholdID]*memories
	byHash     map[[32]byte]Message
}

type memories struct {
	messages []Message // in order of arrival
	tracks   map[seal.CameraID]*track
	deleted  map[seal.CameraID]*Ranges
	roster   []byte
	cursor   uint64
	received time.Time
	news     chan struct{} // closed and replaced with every message
}

func (s *Memory) of(h seal.HouseholdID) *memories {
	if s.households == nil {
		s.households, s.byHash = map[seal.HouseholdID]*memories{}, map[[32]byte]Message{}
	}
	m := s.households[h]
	if m == nil {
		m = &memories{tracks: map[seal.CameraID]*track{}, deleted: map[seal.CameraID]*Ranges{}, news: make(chan struct{})}
		s.households[h] = m
	}
	return m
}

// Put is Store.Put.
func (s *Memory) Put(ctx context.Context, batch []Message) ([]error, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, len(batch))
	for i := range batch {
		errs[i] = s.put(&batch[i])
	}
	return errs, nil
}

func (s *Memory) put(m *Message) error {
	if err := m.fit(); err != nil {
		return err
	}
	h := s.of(m.Visible.Household)
	if old, ok := s.byHash[m.Visible.Hash]; ok {
		m.Entry = old.Entry
		return nil
	}
	camera, seq := m.Visible.Camera, m.Visible.Seq
	if d := h.deleted[camera]; d != nil && d.Has(seq) {
		return ErrDeleted
	}
	for _, old := range h.messages {
		if old.Visible.Camera == camera && old.Visible.Seq == seq {
			return ErrConflict
		}
	}
	if now := s.Now().UTC().Truncate(time.Microsecond); now.After(h.received) {
		h.received = now
	}
	h.cursor++
	m.Cursor, m.Received, m.Visible.Expires = h.cursor, h.received, time.Time{}
	h.messages = append(h.messages, *m)
	s.byHash[m.Visible.Hash] = *m
	if h.tracks[camera] == nil {
		h.tracks[camera], h.deleted[camera] = new(track), new(Ranges)
	}
	h.tracks[camera].add(seq, m.Visible.Size, m.Received, *h.deleted[camera])
	close(h.news)
	h.news = make(chan struct{})
	return nil
}

// Get is Store.Get.
func (s *Memory) Get(_ context.Context, hash [32]byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.byHash[hash]
	if !ok {
		return nil, ErrNotKept
	}
	return m.Sealed, nil
}

// List is Store.List.
func (s *Memory) List(_ context.Context, q Query) (Page, error) {
	low, high, err := q.bounds()
	if err != nil {
		return Page{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	place := func(e Entry) uint64 { return e.Cursor }
	if q.BySeq {
		place = func(e Entry) uint64 { return e.Visible.Seq }
	}
	var all []Entry
	for _, m := range s.of(q.Household).messages {
		switch n := place(m.Entry); {
		case n < low || n > high, q.Camera != "" && q.Camera != m.Visible.Camera:
		case !q.Since.IsZero() && m.Received.Before(q.Since), !q.Until.IsZero() && !m.Received.Before(q.Until):
		default:
			all = append(all, m.Entry)
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(place(a), place(b)) })
	if q.Newest {
		slices.Reverse(all)
	}
	n := min(q.Limit, len(all))
	return Page{Entries: all[:n], More: n < len(all)}, nil
}

// Cameras is Store.Cameras.
func (s *Memory) Cameras(_ context.Context, h seal.HouseholdID) ([]Camera, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Camera
	for id, t := range s.of(h).tracks {
		out = append(out, t.camera(id))
	}
	slices.SortFunc(out, func(a, b Camera) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// Delete is Store.Delete.
func (s *Memory) Delete(_ context.Context, h seal.HouseholdID, c seal.CameraID, from, to uint64) (messages uint64, size int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hh := s.of(h)
	if c != "" && hh.tracks[c] == nil {
		hh.tracks[c], hh.deleted[c] = new(track), new(Ranges)
	}
	for id, t := range hh.tracks {
		if c == "" || c == id {
			first, last := span(from, to, t.Last)
			hh.deleted[id].Add(first, last)
			t.Missing.Remove(first, last)
		}
	}
	messages, size = s.drop(hh, func(m *Message) bool { return hh.deleted[m.Visible.Camera].Has(m.Visible.Seq) })
	return messages, size, nil
}

// drop removes what gone says, and brings the cameras' accounts up to date.
func (s *Memory) drop(hh *memories, gone func(*Message) bool) (messages uint64, size int64) {
	hh.messages = slices.DeleteFunc(hh.messages, func(m Message) bool {
		if !gone(&m) {
			return false
		}
		delete(s.byHash, m.Visible.Hash)
		messages, size = messages+1, size+int64(m.Visible.Size)
		hh.tracks[m.Visible.Camera].drop(m.Visible.Size, 0)
		return true
	})
	for id, t := range hh.tracks {
		t.First = 0
		for _, m := range hh.messages {
			if m.Visible.Camera == id && (t.First == 0 || m.Visible.Seq < t.First) {
				t.First = m.Visible.Seq
			}
		}
	}
	return messages, size
}

// Trim is Store.Trim.
func (s *Memory) Trim(ctx context.Context, policy func(seal.HouseholdID) Policy) (messages uint64, size int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	for id, hh := range s.households {
		p, total := policy(id), int64(0)
		for _, m := range hh.messages {
			total += int64(m.Visible.Size)
		}
		old := true // what came after something that stays, stays too
		n, b := s.drop(hh, func(m *Message) bool {
			old = old && (p.Age > 0 && m.Received.Before(now.Add(-p.Age)) || p.Bytes > 0 && total > p.Bytes)
			if old {
				total -= int64(m.Visible.Size)
				hh.tracks[m.Visible.Camera].trimmed(m.Visible.Seq)
			}
			return old
		})
		messages, size = messages+n, size+b
	}
	return messages, size, ctx.Err()
}

// SetRoster is Store.SetRoster.
func (s *Memory) SetRoster(_ context.Context, h seal.HouseholdID, roster []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of(h).roster = bytes.Clone(roster)
	return nil
}

// Rosters is Store.Rosters.
func (s *Memory) Rosters(ctx context.Context, each func(h seal.HouseholdID, roster []byte) error) error {
	s.mu.Lock()
	rosters := map[seal.HouseholdID][]byte{}
	for id, hh := range s.households {
		if hh.roster != nil {
			rosters[id] = hh.roster
		}
	}
	s.mu.Unlock()
	for id, roster := range rosters {
		if err := each(id, roster); err != nil {
			return fmt.Errorf("household %s: %w", id, err)
		}
	}
	return ctx.Err()
}

// Wait is Store.Wait.
func (s *Memory) Wait(ctx context.Context, h seal.HouseholdID, after uint64) error {
	for {
		s.mu.Lock()
		hh := s.of(h)
		cursor, news := hh.cursor, hh.news
		s.mu.Unlock()
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

// Stats is Store.Stats.
func (s *Memory) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{Households: len(s.households), Messages: uint64(len(s.byHash))}
	for _, hh := range s.households {
		st.Cameras += len(hh.tracks)
		for _, t := range hh.tracks {
			st.Bytes += t.Bytes
		}
	}
	return st
}

// Close is Store.Close.
func (s *Memory) Close() error { return nil }

// span is what Delete means by from and to of a camera whose last message is
// last: 0 is open, and the future is not deleted unless somebody names it.
func span(from, to, last uint64) (uint64, uint64) {
	if to == 0 {
		to = last
	}
	return max(from, 1), min(to, maxSeq)
}
