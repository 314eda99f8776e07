// Package spool is the camera's only memory of what it has sealed: a queue of
// what still has to be sent, and an archive of what was, until a viewer has it.
//
// One message is one file, written, synced, renamed and synced in its
// directory before Put returns. The file's name says everything that the index
// needs, so a restart reads directories and not files. Nothing that is done
// per message depends on how many wait.
//
// The spool also owns the order: the numbers of messages, and the hash that
// links each to the one before. A number is never used twice, whatever is lost
// and whenever the power is cut. Numbers are reserved in blocks in a directory
// of its own (with the camera's identity), so this holds when the directory
// of messages, perhaps on a card, has gone.
//
// When space is short, what was delivered goes first, then what a broker has
// acknowledged, then the least important. What goes without having been
// delivered is remembered, to be confessed.
//
// # What this package does not do
//
// It does not look into messages, and does not know what a seal is. It sends
// nothing and starts nothing. It does not protect against somebody who can
// write to its directories; its checksums are against tired flash, and who is
// meant to read a message checks its seal.
package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
)

// Config says where the spool is, and how large it may get.
type Config struct {
	// State holds two small files with what must never be lost: the order of
	// messages, and what is to be confessed. It is the caller's to close.
	State FS
	// Messages holds the messages. It is the caller's to close. It may be nil
	// when there is no such disk now: the spool then takes no messages and says
	// so with NoDisk.
	Messages FS
	NoDisk   error
	Budget   int64 // bytes of Messages to use, counted in blocks of 4 KiB
	// Holes is how many gaps the order of importance may leave in what was sent.
	// Viewers remember a bounded number of gaps, and give up on the oldest when
	// there are more: then what is less important would come too late.
	Holes int
	// Hash returns the hash by which the next message names this one. It is
	// asked at most once, by Open.
	Hash func(message []byte) ([32]byte, error)
	Log  *slog.Logger // nil: nothing is logged
}

// Validate checks what a person may have set.
func (c Config) Validate() error {
	if c.Budget < MinBudget {
		return fmt.Errorf("spool budget of %d bytes: expected at least %d", c.Budget, MinBudget)
	}
	return nil
}

// Bounds of a spool.
const (
	MinBudget  = 64 << 10
	MaxMessage = 16 << 20 // bytes of one message
	maxEntries = 1 << 18  // messages, whatever their size: the index is in memory
	maxLost    = 1 << 10  // ranges to be confessed

	shards = 64   // directories that messages are spread over
	block  = 4096 // numbers reserved at a time
	batch  = 64   // names brought up to date per operation
)

// Head is where the next message stands in the order.
type Head struct {
	Seq  uint64   // its number, from 1
	Prev [32]byte // hash of the message before; zero for the first, and when unknown
}

// Message is a message to be stored.
type Message struct {
	Seq   uint64   // as Next said
	Hash  [32]byte // by which the next message names this one
	Class Class
	Group uint64 // for Clip: which clip, the same for all its parts; else the caller's own
	Bytes []byte // not kept
}

// Offer is a message to be sent.
type Offer struct {
	Seq   uint64
	Class Class
	Group uint64
	Bytes []byte
}

// Stats are counts of messages, and bytes.
type Stats struct {
	Boot, Head    uint64 // this boot's number; last number used
	Counted       bool   // the number of this boot is on disk, and no other's
	Waiting       int    // not acknowledged by any broker
	Acknowledged  int    // by a broker, not delivered
	Delivered     int    // and kept while there is room
	Bytes, Budget int64
	Evicted       uint64 // given up without having been delivered, since Open
	Aside         uint64 // foreign or damaged files set aside, since Open
	Torn          uint64 // half-written files that a power cut had left, found by Open
	Unconfessed   uint64 // numbers lost and not yet confessed
	Err           error  // why messages are not taken now; nil when they are
}

// Spool is an open spool. Its methods are safe for concurrent use.
type Spool struct {
	config Config
	log    *slog.Logger

	mu       sync.Mutex
	x        *index
	flying   map[uint64]*entry // offered, and neither acknowledged nor returned
	head     headRecord        // as stored, or to be stored next
	roomy    bool              // roomFile is there
	known    bool              // there was a head on record
	begun    bool              // last and lost are known
	last     Head              // last number used, and that message's hash
	lost     Ranges            // to be confessed
	unsaved  bool              // lost differs from its file
	recorded bool              // this boot's number is on disk
	dirty    []*entry          // whose names are behind their states
	stats    Stats
	broken   error // last failure to take a message; nil after a success
}

// Boot returns the number of this boot. Unless Stats.Err is set it is larger
// than that of every boot before.
func (s *Spool) Boot() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head.Boot
}

// Clock returns the wall clock that was stored last, in unix seconds: a floor
// for a clock that starts in 1970. 0 if none ever was.
func (s *Spool) Clock() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head.Clock
}

// SetClock tells the time of a clock that can be believed. It is stored when it
// is an hour from what is stored.
func (s *Spool) SetClock(unix int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := unix - s.head.Clock; !s.begun || -3600 < d && d < 3600 {
		return
	}
	s.head.Clock = unix
	if err := s.saveHead(); err != nil {
		s.log.Debug("clock not stored", "error", err)
	}
}

// Stats returns counts as of now.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	count := func(of state) (n int) {
		for c := range s.x.victims[of] {
			n += s.x.victims[of][c].n
		}
		return n
	}
	st.Boot, st.Head = s.head.Boot, s.last.Seq
	st.Waiting, st.Acknowledged, st.Delivered = count(waiting), count(acknowledged), count(delivered)
	st.Bytes, st.Budget = s.x.bytes, s.config.Budget
	st.Unconfessed, st.Err = s.lost.Count(), s.broken
	return st
}

// Close brings the records up to date, so that the order is known exactly even
// if the messages are gone at the next Open. Without it nothing is lost
// either, but numbers may be skipped.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.begun {
		return nil
	}
	s.tidy(16 * batch)
	s.head.Reserved = s.last.Seq
	err := s.saveHead()
	s.recorded = false // Next would have to reserve again
	return errors.Join(err, s.saveLost())
}

// saveHead stores the head, in the state directory and, as a second copy that
// may fail, with the messages.
func (s *Spool) saveHead() error {
	s.head.Head, s.head.Hash = s.last.Seq, nil
	if s.last.Prev != ([32]byte{}) {
		s.head.Hash = s.last.Prev[:]
	}
	s.head.Open = s.last.Seq + 1
	if len(s.x.open) > 0 {
		s.head.Open = s.x.open[0].First
	}
	if err := s.save(headFile, s.head); err != nil {
		return failure("store the order of messages", err)
	}
	s.recorded, s.stats.Counted = true, true
	if err := saveRecord(s.config.Messages, headFile, s.head); err != nil {
		s.log.Debug("second copy of the order not stored", "error", err)
	}
	return nil
}

// saveLost stores what is to be confessed, if that has changed.
func (s *Spool) saveLost() error {
	if !s.unsaved {
		return nil
	}
	if err := s.save(lostFile, lostRecord{Lost: s.lost}); err != nil {
		return failure("store what was lost", err)
	}
	s.unsaved = false
	return nil
}

// save stores a record in the state directory. On a full disk it gives up the
// room kept for this: without it nothing could be evicted, and so nothing
// could ever be stored again.
func (s *Spool) save(name string, record any) error {
	err := saveRecord(s.config.State, name, record)
	if errors.Is(failure("", err), ErrFull) && s.config.State.Remove(roomFile) == nil {
		s.roomy = false
		err = saveRecord(s.config.State, name, record)
	}
	return err
}

// refill keeps room on the disk for the two records. The bytes are such that a
// compressing file system cannot make them small.
func (s *Spool) refill() {
	if s.roomy {
		return
	}
	b := make([]byte, roomSize)
	rand.NewChaCha8([32]byte{}).Read(b)
	err := writeFile(s.config.State, roomFile, b)
	if s.roomy = err == nil; !s.roomy {
		_ = s.config.State.Remove(roomFile)
	}
}
