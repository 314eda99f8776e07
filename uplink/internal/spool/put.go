package spool

import (
	"errors"
	"fmt"
	"hash/crc32"
)

// Next returns the number for the next message, reserving a block of numbers
// when it has to. It spends nothing: until Put, it returns the same again.
func (s *Spool) Next() (Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.begun || !s.recorded || s.last.Seq >= s.head.Reserved {
		if s.broken = s.begin(); s.broken != nil {
			return Head{}, s.broken
		}
	}
	return Head{s.last.Seq + 1, s.last.Prev}, nil
}

// Put stores m. When it returns nil, m survives a power cut. When it returns an
// error m is not stored and must not be sent; its number is spent all the same,
// and will be confessed as lost.
func (s *Spool) Put(m Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.begun || !s.recorded || m.Seq != s.last.Seq+1 || m.Seq > s.head.Reserved || m.Class < Status || m.Class >= classes {
		return fmt.Errorf("spool: message %d of class %d does not follow %d", m.Seq, m.Class, s.last.Seq)
	}
	e := &entry{label: label{
		seq: m.Seq, group: m.Group, size: uint32(len(m.Bytes)), class: m.Class, sum: crc32.Checksum(m.Bytes, castagnoli),
	}}
	s.last = Head{m.Seq, m.Hash}
	err := s.put(e, m.Bytes)
	s.broken = err
	if err != nil {
		s.lose(Range{m.Seq, m.Seq})
		return err
	}
	s.x.insert(e)
	s.x.enqueue(e, false)
	s.tidy(batch)
	s.refill()
	return nil
}

func (s *Spool) put(e *entry, b []byte) error {
	if len(b) > MaxMessage || e.cost() > s.config.Budget/2 {
		return &Error{Reason: ErrBudget, Op: "store a message", Err: fmt.Errorf("%d bytes are too large for it", len(b))}
	}
	if over := s.x.bytes + e.cost() - s.config.Budget; over > 0 || len(s.x.entries) >= maxEntries {
		if err := s.evict(over, e); err != nil {
			return err
		}
	}
	// A number that was lost has to be known before a later one is seen.
	if err := s.saveLost(); err != nil {
		return err
	}
	err := s.write(e, b)
	if errors.Is(err, ErrFull) { // somebody else uses the disk too
		if s.evict(2*e.cost(), e) == nil {
			err = s.write(e, b)
		}
	}
	return err
}

func (s *Spool) write(e *entry, b []byte) error {
	name := e.label.path()
	err := writeDurably(s.config.Messages, shardOf(e.seq)+"/"+tempFile, name, b)
	if err != nil {
		_ = s.config.Messages.Remove(name) // renamed, and not known to last
	}
	return failure("store a message", err)
}

// lose remembers that r will never come.
func (s *Spool) lose(r Range) {
	s.lost.Add(r)
	s.x.open.Add(r)
	s.unsaved = true
}
