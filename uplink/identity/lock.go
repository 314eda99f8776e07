package identity

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// errLocked is what lockFile returns when another program holds the lock.
var errLocked = errors.New("locked")

// lock makes this program the only one that changes dir, until unlock is
// called or the program ends, however it ends: the system holds the lock, and
// the file in dir only says who asked for it. It does not wait. The error is a
// *LockedError when there is another program.
func lock(dir, what string) (unlock func(), err error) {
	path := filepath.Join(dir, "lock")
	f, err := lockFile(path)
	if errors.Is(err, errLocked) {
		return nil, &LockedError{Path: path, What: what, PID: readPID(path)}
	}
	if err != nil {
		return nil, err
	}
	// For a person to read; the lock does not depend on it.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return func() { _ = f.Close() }, nil
}

// readPID returns who wrote a lock file, 0 if it does not say.
func readPID(path string) int {
	text, err := readFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 1 {
		return 0
	}
	return pid
}

// LockedError says that another program uses what only one may.
type LockedError struct {
	Path string
	What string // "household" or "viewer NAME"
	PID  int    // of the other program; 0 if it is not known
}

func (e *LockedError) Error() string {
	who := "another program"
	if e.PID != 0 {
		who = fmt.Sprintf("another program (process %d)", e.PID)
	}
	return fmt.Sprintf("%s: %s uses this %s", filepath.Dir(e.Path), who, e.What)
}

// Hint says how both can go on.
func (e *LockedError) Hint() string {
	if strings.HasPrefix(e.What, "viewer") {
		return "stop it, or give each program a viewer of its own: sealcam household add-viewer"
	}
	return "try again when it has finished"
}
