package spool

import "errors"

// Offer takes the most important message that waits, and reads it. ok is false
// when none waits. Each message is offered once until Return, Ack or Resend.
// A message that turns out damaged is set aside, to be confessed, and the next
// one offered. An error is about the disk: that message is offered again after
// the next Return, and the call may be repeated for the next one.
func (s *Spool) Offer() (m Offer, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offer(s.x.next())
}

// Instead is for a message that was offered and has not been sent to its end. It
// offers, in place of it, one that is to be sent before it, and the first waits
// again. ok is false when there is none such; keep says whether seq is still to be
// sent. It reads nothing unless there is one.
func (s *Spool) Instead(seq uint64) (m Offer, ok, keep bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.flying[seq]
	if e == nil {
		return Offer{}, false, false, nil
	}
	if e.state != delivered { // a viewer may have got it by another way
		s.x.enqueue(e, true)
		if n := s.x.next(); n != e {
			e.inFlight = false
			delete(s.flying, seq)
			m, ok, err = s.offer(n)
			return m, ok, false, err
		}
		return Offer{}, false, true, nil
	}
	e.inFlight = false
	delete(s.flying, seq)
	return Offer{}, false, false, nil
}

// offer hands out e, or what comes after it when it is damaged. e may be nil.
func (s *Spool) offer(e *entry) (m Offer, ok bool, err error) {
	for ; e != nil; e = s.x.next() {
		b, err := s.read(e)
		switch {
		case errors.Is(err, ErrCorrupt):
			s.condemn(e, err)
			continue
		case err != nil:
			e.parked = true
			s.flying[e.seq] = e
			return Offer{}, false, err
		}
		e.inFlight = true
		s.flying[e.seq] = e
		return Offer{Seq: e.seq, Class: e.class, Group: e.group, Bytes: b}, true, nil
	}
	return Offer{}, false, nil
}

// condemn sets a damaged message aside. Its loss is on record first.
func (s *Spool) condemn(e *entry, why error) {
	if e.state != delivered {
		s.lose(Range{e.seq, e.seq})
		if err := s.saveLost(); err != nil {
			s.log.Debug("loss not stored yet", "error", err)
		}
	}
	if e.seq == s.x.top() { // it carries the order over a restart
		if err := s.saveHead(); err != nil {
			s.log.Debug("damaged message left where it is", "error", err)
			s.x.drop(e)
			return
		}
	}
	l := e.label
	l.state = e.onDisk
	s.setAside(l.path(), why.Error())
	s.x.drop(e)
}

// Ack says that a broker has acknowledged message seq. It is not offered again
// unless somebody asks, and kept while there is room.
func (s *Spool) Ack(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.flying[seq]
	if e == nil {
		return
	}
	delete(s.flying, seq)
	e.inFlight, e.parked = false, false
	if e.state == waiting && !e.gone {
		s.move(e, acknowledged)
	}
	s.tidy(batch)
}

// Return says that the connection is gone: what was offered and not
// acknowledged waits again, ahead of its like.
func (s *Spool) Return() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var back Ranges
	for seq := range s.flying {
		back.Add(Range{seq, seq})
	}
	for i := len(back) - 1; i >= 0; i-- { // the oldest ends up in front
		for seq := back[i].Last; seq >= back[i].First; seq-- {
			e := s.flying[seq]
			e.inFlight, e.parked = false, false
			if !e.gone && e.state != delivered {
				s.x.enqueue(e, true)
			}
		}
	}
	clear(s.flying)
}

// Delivered says that a viewer has every message in got. They are kept while
// there is room, and are the first to go.
func (s *Spool) Delivered(got ...Range) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range got {
		r = Range{max(r.First, 1), min(r.Last, s.last.Seq)}
		for _, have := range s.x.open.Within(r) {
			for seq := have.First; seq <= have.Last; seq++ {
				if e := s.x.entries[seq]; e != nil {
					s.x.dequeue(e)
					s.move(e, delivered)
				}
			}
		}
		s.x.open.Remove(r)
		if len(s.lost.Within(r)) > 0 {
			s.lost.Remove(r)
			s.unsaved = true
		}
	}
	s.tidy(batch)
}

// Resend offers the messages in wanted again, behind everything that was never
// sent, and returns which of them are gone. Numbers not used yet are ignored.
func (s *Spool) Resend(wanted ...Range) (gone Ranges) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range wanted {
		r = Range{max(r.First, 1), min(r.Last, s.last.Seq)}
		if r.Last < r.First {
			continue
		}
		missing := Ranges{r}
		for _, have := range s.x.have.Within(r) {
			missing.Remove(have)
			for seq := have.First; seq <= have.Last; seq++ {
				if e := s.x.entries[seq]; !e.inFlight && !e.parked {
					s.x.enqueue(e, false)
				}
			}
		}
		for _, m := range missing {
			gone.Add(m)
		}
	}
	return gone
}

// Lost returns what is to be confessed, at most max ranges of it, oldest first.
func (s *Spool) Lost(max int) Ranges {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(Ranges(nil), s.lost[:min(max, len(s.lost))]...)
}

// Confessed says that a stored message tells of the loss of told.
func (s *Spool) Confessed(told Ranges) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range told {
		s.lost.Remove(r)
		s.x.open.Remove(r)
	}
	s.unsaved = true
	if err := s.saveLost(); err != nil {
		s.log.Debug("confession not stored yet", "error", err) // it is made twice then
	}
}

// Tidy brings some file names up to date with what is known, and tells whether
// there is more to do. A restart forgets what it has not done.
func (s *Spool) Tidy() (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tidy(batch)
	return len(s.dirty) > 0
}

// move gives e a new state, and its file's name a place on the list of those
// to be brought up to date.
func (s *Spool) move(e *entry, to state) {
	e.unlink(byVictim)
	e.state = to
	s.x.victims[to][e.class].pushBack(e)
	if !e.dirty {
		e.dirty = true
		s.dirty = append(s.dirty, e)
	}
}

// tidy renames at most n files. It is not synced: what a power cut undoes is
// sent once more.
func (s *Spool) tidy(n int) {
	for ; n > 0 && len(s.dirty) > 0; n-- {
		e := s.dirty[0]
		s.dirty[0] = nil
		s.dirty = s.dirty[1:]
		e.dirty = false
		if e.gone || e.onDisk == e.state {
			continue
		}
		from := e.label
		from.state = e.onDisk
		if err := s.config.Messages.Rename(from.path(), e.label.path()); err != nil {
			s.log.Debug("name of a message not brought up to date", "error", err)
			continue
		}
		e.onDisk = e.state
	}
}
