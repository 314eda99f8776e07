//go:build linux

package debian

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// CacheDir returns where what was fetched and built is kept:
// $SEALCAM_LAB_CACHE, or sealcam-lab in the user's cache. It may be deleted at
// any time; what is made next then has the newest kernels.
func CacheDir() (string, error) {
	if dir := os.Getenv("SEALCAM_LAB_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for the cache, set SEALCAM_LAB_CACHE: %w", err)
	}
	return filepath.Join(dir, "sealcam-lab"), nil
}

// Lock takes the cache for this process. The kernel lets go of it when the
// process ends, however it ends.
func Lock(cache string) (unlock func(), err error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	return func() { f.Close() }, nil
}
