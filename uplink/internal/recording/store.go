// Package recording keeps what a camera sees all the time: a ring of sealed
// parts on flash or a card, of which the oldest go first, and out of which any
// minute can be read again.
//
// A segment is a file of several parts, written one behind the other and synced
// every SyncEvery, so that a card is spared: a power cut loses at most what was
// not synced, and opening drops a torn tail. What is kept in memory is one entry
// a segment, of which a budget makes a bounded number. No file is ever written to
// again once it was ended.
//
// # What this package does not do
//
// It does not look into messages, and does not know what a seal is. It starts
// nothing. It does not protect against somebody who can write to its directory:
// its checksums are against tired flash, and who is meant to see a part checks its
// seal. Times stand beside the parts in plain.
package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Bounds of a Store.
const (
	// MinBudget holds two minutes of 4 Mbit/s.
	MinBudget = 64 << 20
	// SyncEvery is how much a power cut may cost.
	SyncEvery = 10 * time.Second

	segmentLeast = 8 << 20 // bytes at which a segment is ended, at least
	segmentsMost = 2048    // what a budget is divided into, at most
	filesMost    = 8 * segmentsMost
	numberMost   = 1 << 48
	suffix       = ".rec"
)

// Config says where a Store is, and how large it may get.
type Config struct {
	FS     FS    // closed by Store.Close
	Budget int64 // bytes of files, never more
	Log    *slog.Logger
}

// Validate checks what a person may have set.
func (c Config) Validate() error {
	if c.Budget < MinBudget {
		return fmt.Errorf("recording of %d bytes: expected at least %d", c.Budget, MinBudget)
	}
	return nil
}

// Store is open. Append, Mark and Close are for one goroutine; reading and Stats
// are safe beside them.
type Store struct {
	conf Config
	each int64 // bytes at which a segment is ended

	mu       sync.Mutex // guards what follows, never held while the disk works
	segments []segment  // rising by number; the last may be the one being written
	stats    Stats

	// Of the goroutine that appends:
	file   File // the segment being written; nil for none
	synced time.Duration
	named  bool  // its name is durable
	dirty  bool  // something was written since it was synced
	late   error // of what was done after the last record was written
}

// segment is a file.
type segment struct {
	number uint64
	size   int64 // bytes that are good
	summary
}

func (s *segment) name() string { return fmt.Sprintf("%016x%s", s.number, suffix) }

// Stats is what a Store has and has done since Open.
type Stats struct {
	Bytes   int64 // of all segments
	Parts   int
	Oldest  time.Time // wall clock of the oldest part of which it is known; zero for none
	Newest  time.Time // end of the newest part, the same
	Written uint64    // bytes
	Syncs   uint64    // calls that wait for the disk
	Evicted uint64    // parts overwritten
	Healed  int       // segments that a power cut had torn
}

// Open reads what is there, drops what is torn, and never writes to an old
// segment again. What cannot be read is left out, and goes when its time comes.
func Open(c Config) (*Store, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{conf: c, each: max(segmentLeast, c.Budget/segmentsMost)}
	names, err := c.FS.List(filesMost)
	if err != nil {
		return nil, failure("read", err)
	}
	for _, name := range names {
		if n, ok := parseName(name); ok {
			s.segments = append(s.segments, segment{number: n})
		}
	}
	slices.SortFunc(s.segments, func(a, b segment) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	for i := range s.segments {
		g := &s.segments[i]
		if err := s.look(g); err != nil {
			c.Log.Warn("a part of the recording cannot be read", "file", g.name(), "err", err)
		}
		s.stats.Bytes += g.size
		s.stats.Parts += g.parts
	}
	if err := s.makeRoom(0); err != nil {
		c.Log.Warn("the recording is larger than it may be", "err", err)
	}
	return s, nil
}

// parseName returns the number of a segment's file.
func parseName(name string) (uint64, bool) {
	if len(name) != 16+len(suffix) || name[16:] != suffix {
		return 0, false
	}
	n, err := strconv.ParseUint(name[:16], 16, 64)
	return n, err == nil && n > 0 && n < numberMost && name == (&segment{number: n}).name()
}

// look fills in a segment of an earlier Open: from its summary, or, where that is
// missing, record by record, and then writes the summary that is missing.
func (s *Store) look(g *segment) error {
	f, err := s.conf.FS.Open(g.name())
	if err != nil {
		return err
	}
	defer f.Close()
	if g.size, err = f.Size(); err != nil {
		return err
	}
	var b [headSize]byte
	if g.size >= headSize {
		if _, err := f.ReadAt(b[:], g.size-headSize); err != nil {
			return err
		}
		if h, ok := parseHead(b[:]); ok && h.kind == kindSummary {
			g.summary = summaryOf(&h)
			return nil
		}
	}
	w := walk{file: f, size: g.size}
	good := int64(0)
	for {
		h, ok := w.next()
		if !ok || h.kind == kindSummary || h.kind == kindPart && !w.intact(&h) {
			break
		}
		g.add(&h)
		good = w.at
	}
	if good < g.size {
		s.stats.Healed++
		s.conf.Log.Warn("the end of the recording was torn by a power cut", "file", g.name(), "bytes", g.size-good)
		if err := s.conf.FS.Truncate(g.name(), good); err != nil {
			return failure("heal", err) // it counts with what it takes
		}
		g.size = good
	}
	return nil
}

// Append stores p, now being the monotonic clock. When it returns nil, p can be
// read, and survives a power cut once it is synced. After an error nothing of p
// is there. p's bytes are not kept.
func (s *Store) Append(p Part, now time.Duration) error {
	if len(p.Bytes) == 0 || len(p.Bytes) > maxPart {
		return fmt.Errorf("recording: a part of %d bytes", len(p.Bytes))
	}
	h := p.head()
	err := s.write(&h, p.Bytes, now)
	if errors.Is(err, ErrFull) && s.evict() == nil {
		err = s.write(&h, p.Bytes, now) // the disk is smaller than the budget
	}
	return err
}

// Mark says from which moment on nothing is kept, and why.
func (s *Store) Mark(boot [16]byte, wall time.Time, now time.Duration, why Why) error {
	h := (&Part{Boot: boot, Taken: wall, Mono: now}).head()
	h.kind, h.size, h.sum = kindMark, uint32(why), 0
	return s.write(&h, nil, now)
}

// write appends a record to the newest segment, or to a new one.
func (s *Store) write(h *head, data []byte, now time.Duration) error {
	if err := s.late; err != nil {
		s.late = nil
		return err
	}
	need := int64(headSize + len(data))
	if err := s.makeRoom(need + headSize); err != nil { // its summary has to fit, too
		return err
	}
	if s.file == nil {
		if err := s.begin(now); err != nil {
			return err
		}
	}
	var b [headSize]byte
	h.put(&b)
	_, err := s.file.Write(b[:])
	if err == nil && len(data) > 0 {
		_, err = s.file.Write(data)
	}
	if err != nil {
		s.abandon()
		return failure("write", err)
	}
	s.dirty = true
	s.mu.Lock()
	g := &s.segments[len(s.segments)-1]
	g.add(h)
	g.size += need
	s.stats.Bytes += need
	s.stats.Written += uint64(need)
	if h.kind == kindPart {
		s.stats.Parts++
	}
	full := g.size >= s.each
	s.mu.Unlock()
	// What goes wrong now does not take h back: it is there, and the next one hears
	// of it. A segment without its summary is read all the same.
	if full {
		err = s.end()
	} else {
		err = s.tick(now)
	}
	if !errors.Is(err, ErrFull) {
		s.late = err
	}
	return nil
}

// tick syncs what was written if it is time to.
func (s *Store) tick(now time.Duration) error {
	if !s.dirty || now-s.synced < SyncEvery && now >= s.synced {
		return nil
	}
	return s.sync(now)
}

func (s *Store) sync(now time.Duration) error {
	err := s.file.Sync()
	calls := uint64(1)
	if err == nil && !s.named {
		err = s.conf.FS.Sync()
		calls++
	}
	s.count(calls)
	if err != nil {
		s.abandon()
		return failure("sync", err)
	}
	s.synced, s.named, s.dirty = now, true, false
	return nil
}

func (s *Store) count(syncs uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Syncs += syncs
}

// begin makes a new segment.
func (s *Store) begin(now time.Duration) error {
	g := segment{number: 1}
	if n := len(s.segments); n > 0 {
		g.number = s.segments[n-1].number + 1
	}
	if g.number >= numberMost {
		return failure("write", fs.ErrExist)
	}
	f, err := s.conf.FS.Create(g.name())
	if err != nil {
		return failure("write", err)
	}
	s.file, s.named, s.dirty, s.synced = f, false, false, now
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments = append(s.segments, g)
	return nil
}

// end writes the summary of the segment, and closes it for good.
func (s *Store) end() error {
	if s.file == nil {
		return nil
	}
	h := s.segments[len(s.segments)-1].head()
	var b [headSize]byte
	h.put(&b)
	if _, err := s.file.Write(b[:]); err != nil {
		s.abandon()
		return failure("write", err)
	}
	s.grow(headSize)
	if err := s.sync(s.synced); err != nil {
		return err
	}
	err := s.file.Close()
	s.file = nil
	return failure("write", err)
}

func (s *Store) grow(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments[len(s.segments)-1].size += bytes
	s.stats.Bytes += bytes
	s.stats.Written += uint64(bytes)
}

// abandon leaves the segment as far as it is good: the disk has refused
// something.
func (s *Store) abandon() {
	_ = s.file.Close()
	s.file, s.dirty = nil, false
	g := &s.segments[len(s.segments)-1]
	if g.parts == 0 {
		if err := s.conf.FS.Remove(g.name()); err == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.stats.Bytes -= g.size
			s.segments = s.segments[:len(s.segments)-1]
		}
		return
	}
	_ = s.conf.FS.Truncate(g.name(), g.size)
}

// makeRoom removes the oldest segments until need bytes fit.
func (s *Store) makeRoom(need int64) error {
	for s.Stats().Bytes+need > s.conf.Budget {
		if err := s.evict(); err != nil {
			return err
		}
	}
	return nil
}

// errEmpty says that there is nothing that could go.
var errEmpty = errors.New("recording: there is nothing left to overwrite")

// evict removes the oldest segment.
func (s *Store) evict() error {
	if len(s.segments) == 0 {
		return errEmpty
	}
	if len(s.segments) == 1 && s.file != nil {
		if err := s.end(); err != nil {
			return err
		}
	}
	g := s.segments[0]
	if err := s.conf.FS.Remove(g.name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failure("make room", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments = slices.Delete(s.segments, 0, 1)
	s.stats.Bytes -= g.size
	s.stats.Parts -= g.parts
	s.stats.Evicted += uint64(g.parts)
	return nil
}

// Stats returns what there is.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	from, to := int64(math.MaxInt64), int64(0)
	for i := range s.segments {
		if g := &s.segments[i]; g.from != 0 {
			from, to = min(from, g.from), max(to, g.to)
		}
	}
	if to != 0 {
		st.Oldest, st.Newest = time.UnixMicro(from).UTC(), time.UnixMicro(to).UTC()
	}
	return st
}

// Close ends the newest segment and gives the directory back.
func (s *Store) Close() error { return errors.Join(s.end(), s.conf.FS.Close()) }
