package slot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealcam/sealcam/uplink/ota"
)

// The names within the directory of a Store.
const (
	stateFile     = "state"
	programFile   = "sealcamd"
	confirmedFile = "confirmed"
)

// The reasons for which a Store does not do what it is asked.
var (
	ErrOnTrial = errors.New("what runs is on trial, so no other slot is free")
	ErrNoTrial = errors.New("nothing is on trial")
	ErrNothing = errors.New("nothing is installed that could be tried")
	ErrOld     = errors.New("its number is not above what was confirmed last")
	ErrRelease = errors.New("it is not what the release says")
)

// Store is the directory of the slots. It is an ota.Installer for releases of the
// kind ota.Agent. Its methods may be called by several processes.
type Store struct {
	fs      FS
	dir     string // for Launch; empty where nothing is started
	factory Running
	running Running
}

// Open opens the slots in dir, which is made if it is missing. factory is what was
// flashed, its Version and Number; running says what this process is, as FromEnv
// has it, nil if it is the factory itself.
func Open(dir string, factory Running, running *Running) (*Store, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := makeDir(dir); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if info, err := root.Stat("."); err != nil {
		return nil, errors.Join(err, root.Close())
	} else if err := owned(info); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", dir, err), root.Close())
	}
	s := newStore(disk{root}, factory, running)
	s.dir = dir
	return s, nil
}

// makeDir makes dir to stay.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	parent, err := os.OpenRoot(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer parent.Close()
	return disk{parent}.SyncDir(".")
}

func newStore(f FS, factory Running, running *Running) *Store {
	factory.Slot, factory.Trial = Factory, false
	s := &Store{fs: f, factory: factory, running: factory}
	if running != nil {
		s.running = *running
	}
	return s
}

// Close lets go of the directory.
func (s *Store) Close() error {
	if d, ok := s.fs.(disk); ok {
		return d.Close()
	}
	return nil
}

// load returns the state; damage, a sentence, says that it had to be made anew.
func (s *Store) load() (st *state, damage string, err error) {
	b, err := read(s.fs, stateFile)
	if err == nil {
		st = new(state)
		if err = decode(b, st); err == nil {
			err = st.check()
		}
		if err == nil {
			return s.finish(st), "", nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errRecord) {
		return nil, "", err // a disk that does not read now may do so later
	}
	missing := errors.Is(err, fs.ErrNotExist)
	st = s.rebuild()
	if !missing || st.Confirmed != "" {
		damage = fmt.Sprintf("the record of the slots is damaged (%v), so it is made anew from what the slots say of themselves", err)
	}
	return st, damage, nil
}

// finish goes on with a Confirm that the power cut off: the slot's own word is
// what counts.
func (s *Store) finish(st *state) *state {
	if st.Trial != "" && st.Started {
		if h := s.word(st.Trial); h != nil && *h == *st.held(st.Trial) {
			st.confirm()
		}
	}
	return st
}

// rebuild makes a state from what the slots say of themselves. The higher number
// counts, also if its slot turns out to be damaged; of two with one number, of
// which the later was to mend the other, the one that is not.
func (s *Store) rebuild() *state {
	st := new(state)
	for _, n := range []Name{A, B} {
		h := s.word(n)
		if h == nil {
			continue
		}
		st.hold(n, h)
		if h.Number > st.Number || h.Number == st.Number && s.broken(st) {
			st.Confirmed, st.Number = n, h.Number
		}
	}
	return st
}

// word returns what a slot says of itself, nil if it was never confirmed.
func (s *Store) word(n Name) *Held {
	b, err := read(s.fs, string(n)+"/"+confirmedFile)
	if err != nil {
		return nil
	}
	h := new(Held)
	if decode(b, h) != nil || h.check() != nil {
		return nil
	}
	return h
}

func (s *Store) save(st *state) error { return write(s.fs, stateFile, bytes.NewReader(encode(st))) }

// change is what all that changes does: under the lock, from the state as it is.
func (s *Store) change(f func(st *state) error) error {
	unlock, err := s.fs.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	st, _, err := s.load()
	if err != nil {
		return err
	}
	return f(st)
}

// intact reads what a slot holds, and refuses what is not what was installed.
func (s *Store) intact(h *Held, n Name) error {
	r, err := s.fs.Open(string(n) + "/" + programFile)
	if err != nil {
		return fmt.Errorf("its file cannot be read: %w", err)
	}
	defer r.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, io.LimitReader(r, h.Size+1))
	if err != nil {
		return fmt.Errorf("its file cannot be read: %w", err)
	}
	if size != h.Size || !bytes.Equal(sum.Sum(nil), h.SHA256[:]) {
		return errors.New("its file is damaged")
	}
	return nil
}

// Status says what runs, and how the last trial ended.
func (s *Store) Status(context.Context) (ota.Status, error) {
	st, _, err := s.load()
	if err != nil {
		return ota.Status{}, err
	}
	r := s.running
	return ota.Status{
		Slot: string(r.Slot), Version: r.Version, Number: max(st.Number, s.factory.Number),
		Trial: r.Trial && st.Trial == r.Slot && st.Started, Fell: st.Fell,
		Mend: r.Slot == Factory && st.Number > s.factory.Number && s.broken(st),
	}, nil
}

// Install copies the file at path, which must be r's to the byte.
func (s *Store) Install(_ context.Context, r ota.Release, path string) error {
	h := &Held{Version: clip(r.Version), Number: r.Number, Size: r.Size, SHA256: r.SHA256}
	if err := h.check(); err != nil || r.Kind != ota.Agent {
		return fmt.Errorf("%s: %w: no agent of at most %d MiB", r.Path, ErrRelease, MaxSize>>20)
	}
	return s.change(func(st *state) error {
		switch {
		case st.Trial != "" && st.Started:
			return ErrOnTrial
		case r.Number <= s.factory.Number, r.Number < st.Number, r.Number == st.Number && !s.broken(st):
			return fmt.Errorf("%s has number %d: %w (%d)", r.Version, r.Number, ErrOld, max(st.Number, s.factory.Number))
		}
		return s.install(st, h, path)
	})
}

// broken says that the slot of the newest release that was confirmed cannot run,
// so that the same release may mend it.
func (s *Store) broken(st *state) bool {
	h := st.held(st.Confirmed)
	return h == nil || s.intact(h, st.Confirmed) != nil
}

func (s *Store) install(st *state, h *Held, path string) error {
	in, err := os.Open(filepath.Clean(path))
	if err != nil {
		return err
	}
	defer in.Close()
	n := st.free()
	dir := string(n)
	// First nothing speaks of what is there any more, then it goes. Its own word may
	// stay: it is of another hash, and of a number below what is confirmed.
	st.hold(n, nil)
	st.Trial, st.Started, st.Fell = "", false, ""
	if err := s.save(st); err != nil {
		return err
	}
	if err := s.fs.Mkdir(dir); err != nil {
		return err
	}
	if err := s.fs.SyncDir("."); err != nil {
		return err
	}
	sum := sha256.New()
	if err := write(s.fs, dir+"/"+programFile, io.TeeReader(io.LimitReader(in, h.Size+1), sum)); err != nil {
		return err
	}
	// Read back; the launcher does so again at every start.
	if !bytes.Equal(sum.Sum(nil), h.SHA256[:]) || s.intact(h, n) != nil {
		return fmt.Errorf("%s: %w", path, errors.Join(ErrRelease, forget(s.fs, dir+"/"+programFile)))
	}
	st.hold(n, h)
	return s.save(st)
}

// Try has the next start run what Install wrote.
func (s *Store) Try(context.Context) error {
	return s.change(func(st *state) error {
		if st.Trial != "" && st.Started {
			return ErrOnTrial
		}
		n := st.free()
		if h := st.held(n); h == nil || h.Number < st.Number {
			return ErrNothing
		}
		st.Trial, st.Fell = n, ""
		return s.save(st)
	})
}

// Confirm makes what is on trial the slot of all later starts.
func (s *Store) Confirm(context.Context) error {
	return s.change(func(st *state) error {
		if st.Trial == "" || !st.Started {
			return ErrNoTrial
		}
		// The slot's own word is the moment: load finishes what is cut off after it.
		if err := write(s.fs, string(st.Trial)+"/"+confirmedFile, bytes.NewReader(encode(st.held(st.Trial)))); err != nil {
			return err
		}
		st.confirm()
		return s.save(st)
	})
}

// Reject gives up what is on trial, or is going to be.
func (s *Store) Reject(_ context.Context, why string) error {
	return s.change(func(st *state) error {
		if st.Trial == "" {
			return ErrNoTrial
		}
		st.fall(why)
		return s.save(st)
	})
}

// View is what the slots are for, for people.
type View struct {
	Confirmed Name   // that runs, unless a trial is due; Factory for what was flashed
	Trial     Name   // that is on trial, or will be at the next start; empty for none
	Started   bool   // the trial has begun
	Number    uint64 // of the newest release that was ever confirmed
	A, B      *Held  // nil for nothing
	Fell      string // why the last trial was given up
	Damage    string // the record had to be made anew, and why
}

// View returns what the slots are for now.
func (s *Store) View() (View, error) {
	st, damage, err := s.load()
	if err != nil {
		return View{}, err
	}
	v := View{Confirmed: st.Confirmed, Trial: st.Trial, Started: st.Started, Number: st.Number, A: st.A, B: st.B, Fell: st.Fell, Damage: damage}
	if v.Confirmed == "" || st.held(v.Confirmed).Number <= s.factory.Number {
		v.Confirmed = Factory
	}
	return v, nil
}
