package spool

import (
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"
)

const (
	markerFile = "spool-made" // says in which boot the directory was made
	asideDir   = "aside"      // foreign and damaged files
)

// markerRecord is the content of markerFile.
type markerRecord struct {
	Boot uint64 `json:"boot"`
}

func shardOf(seq uint64) string {
	return string(appendHex(nil, seq%shards, 2))
}

func (l label) path() string {
	return string(l.appendName(append([]byte(shardOf(l.seq)), '/')))
}

// Open reads what is stored and counts this boot. A disk that is full,
// read-only or missing is no error: what is stored can still be sent, and Put
// and Next say what is wrong until it is better.
func Open(c Config) (*Spool, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.State == nil || c.Hash == nil || c.Messages == nil && c.NoDisk == nil {
		return nil, errors.New("spool: Config is incomplete")
	}
	s := &Spool{config: c, log: c.Log, x: newIndex(max(c.Holes, 1)), flying: map[uint64]*entry{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.head, s.known = loadHead(c.State, c.Messages)
	s.head.Boot++
	for _, name := range []string{headFile, lostFile} { // a power cut may have left them
		_ = c.State.Remove(name + tempFile)
	}
	s.refill()
	if c.Messages != nil {
		for _, e := range s.scan() {
			s.x.insert(e)
			if e.state == waiting {
				s.x.enqueue(e, false)
			}
		}
	}
	if s.broken = s.begin(); s.broken != nil {
		s.log.Error("the spool takes no messages", "error", s.broken)
	}
	return s, nil
}

// begin finds out where the order stands, and puts this boot on record. It is
// tried again by Next until it succeeds.
func (s *Spool) begin() error {
	made, err := s.prepare()
	if err != nil {
		s.countBoot()
		return failure("prepare the spool's directory", err)
	}
	if !s.begun {
		replaced := s.order(made)
		s.recall(replaced)
		s.head.Spool = made
		s.begun = true
	}
	s.head.Reserved = max(s.head.Reserved, s.last.Seq+block)
	s.recorded = false
	if err := s.saveHead(); err != nil {
		return err
	}
	return s.saveLost()
}

// countBoot puts this boot on record while nothing else is known.
func (s *Spool) countBoot() {
	if err := s.save(headFile, s.head); err != nil {
		s.log.Debug("boot not counted", "error", err)
		return
	}
	s.stats.Counted = true
}

// prepare makes the directories, and returns the boot in which the spool was
// made: this one if it is new.
func (s *Spool) prepare() (made uint64, err error) {
	f := s.config.Messages
	if f == nil {
		return 0, s.config.NoDisk
	}
	var m markerRecord
	if err = loadRecord(f, markerFile, &m); err == nil {
		return m.Boot, nil
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errDamaged) {
		return 0, err
	}
	_ = f.Remove(markerFile + tempFile)
	m.Boot = s.head.Boot
	err = f.Mkdir(asideDir)
	for i := uint64(0); i < shards && err == nil; i++ {
		err = f.Mkdir(shardOf(i))
	}
	if err == nil {
		err = saveRecord(f, markerFile, m) // syncs the directories too
	}
	return m.Boot, err
}

// scan lists the stored messages by number, and cleans up after power cuts.
func (s *Spool) scan() []*entry {
	bySeq := map[uint64]*entry{}
	for i := range uint64(shards) {
		shard := shardOf(i)
		names, err := s.config.Messages.List(shard)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Error("part of the spool cannot be read", "part", shard, "error", err)
		}
		for _, name := range names {
			s.scanned(bySeq, shard, name)
		}
	}
	found := make([]*entry, 0, len(bySeq))
	for _, e := range bySeq {
		found = append(found, e)
	}
	slices.SortFunc(found, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	return found
}

func (s *Spool) scanned(bySeq map[uint64]*entry, shard, name string) {
	l, ok := parseName(name)
	switch {
	case name == tempFile:
		_ = s.config.Messages.Remove(shard + "/" + name)
		s.stats.Torn++
		return
	case !ok || shardOf(l.seq) != shard || l.size > MaxMessage || l.seq > maxSeq || s.known && l.seq > s.head.Reserved:
		s.setAside(shard+"/"+name, "not a message of this spool")
		return
	}
	e := &entry{label: l, onDisk: l.state}
	other := bySeq[l.seq]
	if other == nil {
		bySeq[l.seq] = e
		return
	}
	if other.state < e.state { // nobody writes a message twice; keep what is known best
		bySeq[l.seq], e = e, other
	}
	s.setAside(e.label.path(), "a second message with its number")
}

// setAside moves a file out of the way, never deleting what may be evidence.
func (s *Spool) setAside(name, why string) {
	s.stats.Aside++
	to := asideDir + "/" + strings.ReplaceAll(name, "/", "-")
	err := s.config.Messages.Rename(name, to)
	s.log.Warn("file set aside in the spool", "file", name, "reason", why, "error", err)
}

// order finds out where the order of messages stands. replaced tells that
// messages are missing from its end.
func (s *Spool) order(made uint64) (replaced bool) {
	var last [32]byte
	copy(last[:], s.head.Hash)
	top := s.x.top()
	switch {
	case s.known && s.head.Head == s.head.Reserved:
		s.last = Head{s.head.Head, last} // nothing can have come after
		return made != s.head.Spool
	case s.known && (made != s.head.Spool || top < s.head.Head):
		// How far the order went is only known to within the reserved block.
		s.last = Head{Seq: s.head.Reserved}
		s.log.Warn("the spool was lost or replaced", "next", s.head.Reserved+1)
		return true
	case top > 0:
		s.last = Head{Seq: top}
		if hash, err := s.hashOf(s.x.entries[top]); err == nil {
			s.last.Prev = hash
		} else if top == s.head.Head {
			s.last.Prev = last
		}
	}
	return false
}

func (s *Spool) hashOf(e *entry) ([32]byte, error) {
	b, err := s.read(e)
	if err != nil {
		return [32]byte{}, err
	}
	return s.config.Hash(b)
}

// read returns the bytes of e, or an error that is ErrCorrupt when they are
// not what was stored.
func (s *Spool) read(e *entry) ([]byte, error) {
	l := e.label
	l.state = e.onDisk
	b, err := s.config.Messages.Read(l.path(), MaxMessage)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, failure("read a message", err)
	}
	if err != nil || len(b) != int(e.size) || crc32.Checksum(b, castagnoli) != e.sum {
		return nil, &Error{Reason: ErrCorrupt, Op: "read message " + strconv.FormatUint(e.seq, 10), Err: err}
	}
	return b, nil
}

// recall loads what is to be confessed. When the spool was replaced, that is
// everything that is not there and was not delivered.
func (s *Spool) recall(replaced bool) {
	stored, err := loadLost(s.config.State)
	if err != nil {
		s.log.Error("what was lost before cannot be confessed", "error", err)
	}
	if replaced {
		stored.Add(Range{max(s.head.Open, 1), s.last.Seq})
	}
	s.lost = stored.Within(Range{1, s.last.Seq}).Minus(s.x.have) // what is there is not lost
	s.unsaved = replaced || !slices.Equal(s.lost, stored)
	for _, r := range s.lost {
		s.x.open.Add(r)
	}
}

// String names the range as people write it.
func (r Range) String() string {
	if r.First == r.Last {
		return strconv.FormatUint(r.First, 10)
	}
	return fmt.Sprintf("%d..%d", r.First, r.Last)
}
