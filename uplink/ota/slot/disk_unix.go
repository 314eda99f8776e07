//go:build unix

package slot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

const nonblock = syscall.O_NONBLOCK

// patience is how long another process may hold the lock; copying an agent to slow
// flash takes some seconds.
const patience = 30 * time.Second

// Lock waits for the lock, which the kernel takes from a process that ends.
func (d disk) Lock() (func() error, error) {
	f, err := d.OpenFile("lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) || time.Now().After(until) {
			f.Close()
			return nil, fmt.Errorf("the slots are in use by another process: %w", err)
		}
	}
}

// owned refuses a directory of another user: root must not run what the camera's
// user has written.
func owned(info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("the directory of the slots belongs to user %d, and this is user %d", st.Uid, os.Geteuid())
	}
	if info.Mode().Perm()&0o022 != 0 {
		return errors.New("the directory of the slots can be written by others (mend it with chmod go-w)")
	}
	return nil
}
