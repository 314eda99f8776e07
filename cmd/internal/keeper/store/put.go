package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

const (
	maxPending = 1 << 10  // messages that are not yet in the index; a restart reads them
	maxDebt    = 1 << 13  // as many when the index cannot be written: then nothing is taken
	maxGroup   = 16 << 20 // bytes that wait for one fsync
)

// queue holds the calls of Put that wait for the disk.
type queue struct {
	sync.Mutex
	waiting []*call
}

type call struct {
	batch []Message
	errs  []error
	err   error
	done  bool // read and written under Store.write
}

// take returns calls of at most maxGroup bytes, or one.
func (q *queue) take() (group []*call) {
	q.Lock()
	defer q.Unlock()
	size := 0
	for len(q.waiting) > 0 {
		for _, m := range q.waiting[0].batch {
			size += len(m.Sealed)
		}
		if len(group) > 0 && size > maxGroup {
			break
		}
		group, q.waiting = append(group, q.waiting[0]), q.waiting[1:]
	}
	return group
}

// Put stores messages, and returns when a power cut cannot take them: calls
// that come while the disk is busy share its next fsync. It fills in Cursor
// and Received. For each message there is nil, also if it was there already,
// or ErrConflict, ErrDeleted, ErrMessage, or ErrDamaged if what is known of its
// household or number cannot be read; the second error is for all of them, ErrFull or one of the disk, and then none is stored. The caller has
// checked that Visible is what the sealed bytes say.
func (s *Store) Put(ctx context.Context, batch []Message) ([]error, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &call{batch: batch, errs: make([]error, len(batch))}
	s.queue.Lock()
	s.queue.waiting = append(s.queue.waiting, c)
	s.queue.Unlock()
	s.write.Lock()
	defer s.write.Unlock()
	for !c.done { // somebody before us may have taken it along
		group := s.queue.take()
		err := failure("put", s.commit(group))
		for _, c := range group {
			c.err, c.done = err, true
		}
	}
	if c.err != nil {
		return nil, c.err
	}
	return c.errs, nil
}

// draft is what one group adds, until it is durable.
type draft struct {
	pending
	houses map[seal.HouseholdID]*progress
	now    time.Time
}

// progress is how far a household has come in a draft.
type progress struct {
	*house
	cursor   uint64
	received time.Time
}

// commit writes a group of calls; s.write is held.
func (s *Store) commit(group []*call) error {
	if err := s.ready(); err != nil {
		return err
	}
	if err := s.roll(); err != nil {
		return err
	}
	d := &draft{houses: map[seal.HouseholdID]*progress{}, now: s.config.Now().UTC().Truncate(time.Microsecond)}
	d.clear()
	err := s.x.view(func(t tx) error {
		for _, c := range group {
			for i := range c.batch {
				err := s.place(t, d, &c.batch[i])
				if c.errs[i] = err; err != nil && !refusal(err) {
					return err
				}
			}
		}
		return nil
	})
	if err == nil && len(d.rows) > 0 {
		err = s.out.f.Sync()
	}
	if err != nil {
		s.abandon(err)
		return err
	}
	s.publish(d)
	if len(s.pending.rows) >= maxPending {
		if err := s.flush(); err != nil { // what was put is safe all the same
			s.log.Error("the index cannot be written", "err", err)
		}
	}
	return nil
}

// refusal says that an error is about one message, and stops no other: one
// household's damaged file is not the others' trouble.
func refusal(err error) bool {
	return errors.Is(err, ErrMessage) || errors.Is(err, ErrConflict) || errors.Is(err, ErrDeleted) || errors.Is(err, ErrDamaged)
}

// ready says whether anything can be written, and puts right what hindered it.
func (s *Store) ready() error {
	s.mu.RLock()
	closed := s.closed
	s.mu.RUnlock()
	if closed {
		return ErrClosed
	}
	if s.full != nil {
		if err := s.cut(); err != nil {
			return fmt.Errorf("%w (since: %w)", err, s.full)
		}
	}
	if len(s.pending.rows) >= maxDebt {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if free, size := s.disk.Space(); size > 0 && free < s.config.Reserve {
		return fmt.Errorf("%w: %d MiB are free, %d MiB are kept free", ErrFull, free>>20, s.config.Reserve>>20)
	}
	return nil
}

// abandon gives up the segment being written: what an fsync has refused once
// must not be asked again, and what is there in part must not stay.
func (s *Store) abandon(err error) {
	if s.out == nil {
		return
	}
	if cerr := s.cut(); cerr != nil {
		s.full = err
	}
}

// cut ends the segment being written where it is durable.
func (s *Store) cut() error {
	o := s.out
	if err := o.f.Truncate(o.good); err != nil {
		return err
	}
	if err := o.f.Sync(); err != nil {
		return err
	}
	s.out, s.full = nil, nil
	_ = o.f.Close()
	if o.good == 0 && s.disk.Remove(o.name()) == nil { // else the next start does
		s.mu.Lock()
		delete(s.files, o.ID)
		s.mu.Unlock()
	}
	return nil
}

// place gives a message its place, and writes it if it has none yet.
func (s *Store) place(t tx, d *draft, m *Message) error {
	if err := m.fit(); err != nil {
		return err
	}
	v := &m.Visible
	h, err := s.house(v.Household)
	if err != nil {
		return err
	}
	p := d.houses[v.Household]
	if p == nil {
		p = &progress{house: h, cursor: h.cursor, received: h.received}
		d.houses[v.Household] = p
	}
	old, err := s.known(t, d, m)
	switch {
	case err == nil:
		m.Cursor, m.Received = old.Cursor, old.Received
		return nil
	case !errors.Is(err, ErrNotKept):
		return err
	case h.deleted[v.Camera].Has(v.Seq):
		return ErrDeleted
	}
	if d.now.After(p.received) {
		p.received = d.now
	}
	m.Cursor, m.Received, v.Expires = p.cursor+1, p.received, time.Time{}
	r := &row{Entry: m.Entry}
	if r.place, err = s.append(&m.Entry, m.Sealed); err != nil {
		return err
	}
	p.cursor++
	d.add(r)
	return nil
}

// known returns the message if it is kept, ErrNotKept, or ErrConflict.
func (s *Store) known(t tx, d *draft, m *Message) (*row, error) {
	v := &m.Visible
	for _, p := range []*pending{&d.pending, &s.pending} {
		if r := p.byHash[v.Hash]; r != nil {
			return r, nil
		}
		if p.byNumber[camSeq{v.Household, v.Camera, v.Seq}] != nil {
			return nil, ErrConflict
		}
	}
	r, err := t.find(v.Hash)
	if !errors.Is(err, ErrNotKept) {
		return &r, err
	}
	h, err := t.house(v.Household)
	if err != nil {
		return nil, err
	}
	c, err := t.camera(h.Num, v.Camera)
	if err != nil {
		return nil, err
	}
	if t.tree(treeSeq).Get(place32(c.Num, v.Seq)) != nil {
		return nil, ErrConflict
	}
	return nil, ErrNotKept
}

// publish shows a draft that is durable.
func (s *Store) publish(d *draft) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range d.rows {
		s.pending.add(r)
		p := d.houses[r.Visible.Household]
		p.house.tail = append(p.house.tail, r)
		s.stats.Messages++
		s.stats.Bytes += int64(r.Visible.Size)
	}
	for _, p := range d.houses {
		if p.cursor != p.house.cursor {
			p.house.cursor, p.house.received = p.cursor, p.received
			close(p.house.news)
			p.house.news = make(chan struct{})
		}
	}
	if s.out != nil {
		s.out.good = s.out.end
	}
}

// pending are the messages that are durable and not yet in the index.
type pending struct {
	rows     []*row
	byHash   map[[32]byte]*row
	byNumber map[camSeq]*row
}

type camSeq struct {
	household seal.HouseholdID
	camera    seal.CameraID
	seq       uint64
}

func (p *pending) clear() {
	*p = pending{byHash: map[[32]byte]*row{}, byNumber: map[camSeq]*row{}}
}

func (p *pending) add(r *row) {
	v := &r.Visible
	p.rows = append(p.rows, r)
	p.byHash[v.Hash], p.byNumber[camSeq{v.Household, v.Camera, v.Seq}] = r, r
}

// output is the segment being written.
type output struct {
	segment
	f    file
	end  int64 // where the next record goes
	good int64 // everything before it is durable
}

// append writes a record; it is durable with the next Sync of s.out.
func (s *Store) append(e *Entry, sealed []byte) (place, error) {
	var head [maxHeader]byte
	if s.out == nil {
		if err := s.newOutput(); err != nil {
			return place{}, err
		}
	}
	b := appendHeader(head[:0], s.out.Salt, e, sealed)
	p := place{Segment: s.out.ID, At: s.out.end, Head: len(b)}
	if _, err := s.out.f.WriteAt(b, p.At); err != nil {
		return p, err
	}
	if _, err := s.out.f.WriteAt(sealed, p.At+int64(len(b))); err != nil {
		return p, err
	}
	s.out.end = roundUp(p.At + int64(len(b)) + int64(len(sealed)))
	return p, nil
}

// roll ends a segment that is full. It is between groups, so that a group that
// fails is undone by cutting one file.
func (s *Store) roll() error {
	if s.out == nil || s.out.end < s.config.segment {
		return nil
	}
	err := s.out.f.Close()
	s.out = nil
	return err
}

func (s *Store) newOutput() error {
	seg := segment{ID: s.next}
	_, _ = rand.Read(seg.Salt[:])
	f, err := s.disk.Create(seg.name())
	if err != nil {
		return err
	}
	if err := s.disk.SyncDir(segmentDir); err != nil {
		_ = f.Close()
		_ = s.disk.Remove(seg.name())
		return err
	}
	s.next++
	s.mu.Lock()
	s.files[seg.ID] = seg
	s.mu.Unlock()
	s.out = &output{segment: seg, f: f}
	return nil
}
