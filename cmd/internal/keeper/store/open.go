package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Config says where a store is.
type Config struct {
	Dir string           // made if missing
	Now func() time.Time // wall clock
	// Reserve is what is left free of the disk, in bytes, so that what is there
	// can still be indexed, trimmed and deleted; 0 for DefaultReserve.
	Reserve int64
	// Hash returns the hash by which a message is kept, having checked it as far
	// as that can be done without a key; nil for that of seal.Peek.
	Hash func(sealed []byte) ([32]byte, error)
	Log  *slog.Logger

	disk    directory    // for tests: where all but the index is
	segment int64        // for tests: bytes after which a segment is full
	unsafe  bool         // for tests: the index is not synced
	commit  func() error // for tests: asked before the index is written
}

// DefaultReserve is what is left free of a disk.
const DefaultReserve = 256 << 20

const (
	segmentSize = 64 << 20
	indexFile   = "index.db"
	lockName    = "lock"
	formatFile  = "format"
	// Format is the version in which this package writes.
	Format     = 1
	formatText = "sealcam keeper store "
)

// Store keeps messages in a directory of this machine:
//
//	format       version, and the store's own name
//	lock         held by the program that uses it
//	segments/    the messages, see record.go; written once, to the end
//	households/  rosters and what was deleted, see houseFile
//	index.db     finds messages; made again when it is lost
//
// All methods are safe for concurrent use.
type Store struct {
	config Config
	disk   directory
	lock   *os.File
	name   string // of the store, random
	log    *slog.Logger

	queue queue
	write sync.Mutex // held by whoever changes anything on disk
	x     *index
	out   *output // nil until something is written
	next  uint64  // number of the next segment
	full  error   // what must be put right before anything is written; nil for nothing

	mu      sync.RWMutex // over what follows; held for no longer than a look
	houses  map[seal.HouseholdID]*house
	files   map[uint64]segment
	pending pending
	stats   Stats
	closed  bool
}

// house is what is in memory of a household that somebody has touched.
type house struct {
	cursor   uint64
	received time.Time
	indexed  uint64                   // messages above it are in tail
	tail     []*row                   // rising
	deleted  map[seal.CameraID]Ranges // replaced, never changed
	news     chan struct{}            // closed and replaced with every message
}

// Open opens the store of a directory, makes it, or puts it right after a
// power cut. Where the index is lost it is made again, which reads everything.
// The caller closes the store. ErrInUse and ErrNewer have their meaning.
func Open(c Config) (*Store, error) {
	s := newStore(c)
	if err := s.open(); err != nil {
		_ = s.closeFiles()
		return nil, failure("open "+c.Dir, err)
	}
	return s, nil
}

func newStore(c Config) *Store {
	s := &Store{config: c, log: c.Log, houses: map[seal.HouseholdID]*house{}, files: map[uint64]segment{}, disk: c.disk}
	if s.config.Reserve == 0 {
		s.config.Reserve = DefaultReserve
	}
	if s.config.segment == 0 {
		s.config.segment = segmentSize
	}
	if s.config.Hash == nil {
		s.config.Hash = peek
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.pending.clear()
	return s
}

// peek is the hash of a sealed message whose signature and body are in order.
func peek(sealed []byte) ([32]byte, error) {
	v, err := seal.Peek(sealed)
	return v.Hash, err
}

func (s *Store) open() error {
	if err := s.openFiles(); err != nil {
		return err
	}
	if err := s.openIndex(); err != nil {
		return err
	}
	return s.finish(context.Background())
}

// openFiles opens all but the index.
func (s *Store) openFiles() error {
	if err := os.MkdirAll(s.config.Dir, 0o700); err != nil {
		return err
	}
	var err error
	if s.lock, err = lockFile(filepath.Join(s.config.Dir, lockName)); err != nil {
		return err
	}
	if s.disk == nil {
		d, err := openDisk(s.config.Dir)
		if err != nil {
			return err
		}
		s.disk = d
	}
	s.name, err = prepare(s.disk)
	return err
}

// prepare makes the directories of a store, and returns its name.
func prepare(d directory) (name string, err error) {
	name, err = readFormat(d)
	if errors.Is(err, fs.ErrNotExist) {
		if segments, lerr := listSegments(d); lerr == nil && len(segments) > 0 {
			return "", fmt.Errorf("%w: there are messages, but no file %q", ErrDamaged, formatFile)
		}
		name = strings.ToLower(rand.Text())
		err = writeDurably(d, formatFile, fmt.Appendf(nil, "%s%d %s\n", formatText, Format, name))
	}
	if err != nil {
		return "", err
	}
	for _, dir := range []string{segmentDir, houseDir} {
		if err := d.Mkdir(dir); err != nil {
			return "", err
		}
	}
	return name, d.SyncDir(".")
}

// readFormat returns the name of the store in a directory.
func readFormat(d directory) (name string, err error) {
	b, err := readWhole(d, formatFile, 1<<10)
	if err != nil {
		return "", err
	}
	version, name, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(string(b), formatText), "\n"), " ")
	n, err := strconv.Atoi(version)
	switch {
	case !ok || err != nil || n < 1 || !strings.HasPrefix(string(b), formatText):
		return "", fmt.Errorf("%w: file %q does not name a format", ErrDamaged, formatFile)
	case n > Format:
		return "", fmt.Errorf("%w: format %d, this one knows up to %d", ErrNewer, n, Format)
	}
	return name, nil
}

// openIndex opens the index and brings it up to what the segments hold.
func (s *Store) openIndex() error {
	path := filepath.Join(s.config.Dir, indexFile)
	x, err := openIndex(path, s.name, !s.config.unsafe)
	if errors.Is(err, ErrDamaged) {
		s.log.Warn("the index cannot be used and is made again; this reads all messages", "why", err)
		if err := os.Remove(path); err != nil {
			return err
		}
		x, err = openIndex(path, s.name, !s.config.unsafe)
	}
	if err != nil {
		return err
	}
	s.x, x.commit = x, s.config.commit
	return s.replay(context.Background(), nil)
}

// finish ends what a power cut has interrupted: deletions, and erasing.
func (s *Store) finish(ctx context.Context) error {
	var deleting []seal.HouseholdID
	err := s.x.view(func(t tx) error {
		st, err := t.state()
		s.stats.Households, s.stats.Cameras = int(st.Households), int(st.Cameras)
		s.stats.Messages, s.stats.Bytes = st.Messages, st.Bytes
		ferr := t.tree(treeDeleting).ForEach(func(k, _ []byte) error {
			deleting = append(deleting, seal.HouseholdID(k))
			return nil
		})
		return errors.Join(err, ferr)
	})
	if err != nil {
		return err
	}
	s.write.Lock()
	defer s.write.Unlock()
	left, err := s.leftOver()
	if err != nil {
		return err
	}
	if _, err := s.dropEmpty(left); err != nil {
		return err
	}
	for _, h := range deleting {
		if _, _, err := s.deleteAll(ctx, h); err != nil {
			return err
		}
	}
	return s.erase(ctx)
}

// leftOver returns the segments that may be removed when the index knows nothing
// in them: those that it knew, and those without a byte. One in which there is
// something that nobody can read stays for a person to look at.
func (s *Store) leftOver() (out []segment, err error) {
	err = s.x.view(func(t tx) error {
		for _, seg := range s.files {
			if t.tree(treeSegment).Get(key64(seg.ID)) != nil {
				out = append(out, seg)
				continue
			}
			f, err := s.disk.Open(seg.name(), false)
			if err != nil {
				return err
			}
			size, err := f.Size()
			_ = f.Close()
			switch {
			case err != nil:
				return err
			case size == 0:
				out = append(out, seg)
			default:
				s.log.Warn("a file holds nothing that can be read, and stays", "file", seg.name(), "bytes", size)
			}
		}
		return nil
	})
	return out, err
}

// Close writes what is not yet in the index, and ends the use of the store.
// Nothing that Put has promised depends on it.
func (s *Store) Close() error {
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.Lock()
	was := s.closed
	s.closed = true
	for _, h := range s.houses {
		close(h.news)
		h.news = make(chan struct{})
	}
	s.mu.Unlock()
	if was {
		return nil
	}
	return failure("close", errors.Join(s.flush(), s.closeFiles()))
}

func (s *Store) closeFiles() error {
	var errs []error
	if s.out != nil {
		errs = append(errs, s.out.f.Close())
	}
	if s.x != nil {
		errs = append(errs, s.x.close())
	}
	if s.disk != nil {
		errs = append(errs, s.disk.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// house returns what is known of a household; it reads its file the first time.
func (s *Store) house(id seal.HouseholdID) (*house, error) {
	s.mu.RLock()
	h, closed := s.houses[id], s.closed
	s.mu.RUnlock()
	if closed {
		return nil, ErrClosed
	}
	if h != nil {
		return h, nil
	}
	file, err := loadHouse(s.disk, id)
	if err != nil {
		return nil, failure("household "+string(id), err)
	}
	h = &house{cursor: file.Cursor, received: file.Received, deleted: file.Deleted, news: make(chan struct{})}
	err = s.x.view(func(t tx) error {
		r, err := t.house(id)
		if errors.Is(err, ErrNotKept) {
			return nil
		}
		h.cursor = max(h.cursor, r.Cursor)
		if r.Received.After(h.received) {
			h.received = r.Received
		}
		return err
	})
	if err != nil {
		return nil, failure("household "+string(id), err)
	}
	h.indexed = h.cursor
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.houses[id]; other != nil {
		return other, nil
	}
	s.houses[id] = h
	return h, nil
}
