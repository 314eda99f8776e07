package spool

import (
	"errors"
	"fmt"
	"io/fs"
)

// evict gives up messages until they make room for need bytes more, but
// nothing that is more important than for. What is given up undelivered is on
// record before its file goes. It is an error if nothing may be given up; less
// than need may be enough.
func (s *Spool) evict(need int64, for_ *entry) error {
	victims, undelivered := s.choose(need, for_)
	if len(victims) == 0 {
		return &Error{Reason: ErrBudget, Op: "make room"}
	}
	if undelivered && len(s.lost) >= maxLost {
		return &Error{Reason: ErrBudget, Op: "make room", Err: errors.New("too much is lost and not confessed yet")}
	}
	if undelivered {
		before := append(Ranges(nil), s.lost...)
		for _, e := range victims {
			if e.state != delivered {
				s.lose(Range{e.seq, e.seq})
			}
		}
		if err := s.saveLost(); err != nil {
			s.lost = before
			return fmt.Errorf("make room: %w", err)
		}
	}
	for _, e := range victims {
		if err := s.unlink(e); err != nil {
			return failure("make room", err)
		}
		if e.state != delivered {
			s.stats.Evicted++
		}
	}
	return nil
}

// unlink removes e and its file. When the disk refuses, e stays.
func (s *Spool) unlink(e *entry) error {
	l := e.label
	l.state = e.onDisk
	if err := s.config.Messages.Remove(l.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.lost.Remove(Range{e.seq, e.seq})
		s.unsaved = true
		return err
	}
	s.x.drop(e)
	return nil
}

// choose picks what is given up for need bytes, in order: delivered, then
// acknowledged, then waiting; of each the least important, of these the
// oldest. It picks a little more than needed of what it picked last, so that
// what is lost is not put on record for each message.
func (s *Spool) choose(need int64, for_ *entry) (victims []*entry, undelivered bool) {
	spare := -s.config.Budget / 64
	many := len(s.x.entries) + 1 - maxEntries
	top := s.x.top()
	for st := delivered; ; st-- {
		for c := classes - 1; c >= Status; c-- {
			if need <= 0 && many <= 0 || st == waiting && c < for_.class {
				return victims, undelivered
			}
			for e := s.x.victims[st][c].first; e != nil && (need > spare || many > -batch); e = e.links[byVictim].next {
				if e.inFlight || e.seq == top { // the newest carries the order over a restart
					continue
				}
				victims = append(victims, e)
				undelivered = undelivered || st != delivered
				need -= e.cost()
				many--
			}
		}
		if st == waiting {
			return victims, undelivered
		}
	}
}
