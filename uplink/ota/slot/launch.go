package slot

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Running says what a process is.
type Running struct {
	Slot    Name
	Trial   bool
	Number  uint64
	Version string // for people
}

// Variable is the environment variable by which the launcher tells the process
// what it is. Where it is set, nothing is launched again.
const Variable = "SEALCAM_SLOT"

// Env returns the variable for the environment of a process that is r, as in
// "SEALCAM_SLOT=b trial 141 v1.4.1".
func (r Running) Env() string {
	trial := ""
	if r.Trial {
		trial = "trial "
	}
	return fmt.Sprintf("%s=%s %s%d %s", Variable, r.Slot, trial, r.Number, r.Version)
}

// FromEnv returns what the launcher has told this process, nil if it was not
// launched. getenv is os.Getenv.
func FromEnv(getenv func(string) string) *Running {
	words := strings.SplitN(getenv(Variable), " ", 2)
	r := &Running{Slot: Name(words[0])}
	if len(words) < 2 || r.Slot != A && r.Slot != B {
		return nil
	}
	rest, trial := strings.CutPrefix(words[1], "trial ")
	number, version, _ := strings.Cut(rest, " ")
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return nil
	}
	r.Trial, r.Number, r.Version = trial, n, clip(version)
	return r
}

// Choice is what shall run.
type Choice struct {
	Running
	Path  string   // of the program; empty for the factory, which goes on
	Notes []string // what a person should know, one sentence each
}

// Launch decides what this start runs, and makes it durable. It always decides:
// what cannot be read or written is in the Notes, and is no reason not to run.
// Only once may a Choice on Trial be started.
func (s *Store) Launch() Choice {
	unlock, err := s.fs.Lock()
	if err != nil {
		// Somebody else may be writing: what is confirmed can run, and no trial.
		return s.launch(false, fmt.Sprintf("no trial can begin: %v", err))
	}
	defer unlock()
	return s.launch(true)
}

func (s *Store) launch(writable bool, notes ...string) Choice {
	st, damage, err := s.load()
	if err != nil {
		return s.choice(new(state), Factory, append(notes, fmt.Sprintf("the slots cannot be read: %v", err)))
	}
	if damage != "" {
		notes = append(notes, damage)
	}
	before := string(encode(st))
	if !writable {
		st.Trial, st.Started = "", false
	}
	run, more := st.next(func(n Name) error { return s.intact(st.held(n), n) }, s.factory.Number)
	notes = append(notes, more...)
	if !writable || string(encode(st)) == before && damage == "" {
		return s.choice(st, run, notes)
	}
	if err := s.save(st); err != nil {
		notes = append(notes, fmt.Sprintf("the record of the slots cannot be written: %v", err))
		if st.Trial != "" { // a trial that is not on record would be tried again and again
			return s.launch(false, notes...)
		}
	}
	return s.choice(st, run, notes)
}

func (s *Store) choice(st *state, run Name, notes []string) Choice {
	c := Choice{Running: s.factory, Notes: notes}
	if h := st.held(run); h != nil {
		c.Running = Running{Slot: run, Trial: st.Trial == run, Number: h.Number, Version: h.Version}
		c.Path = filepath.Join(s.dir, string(run), programFile)
	}
	return c
}
