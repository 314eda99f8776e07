package store

import (
	"os"
	"syscall"
)

// punch makes a hole (fallocate(2)): the bytes read as zero and their blocks
// are free. Parts of blocks are overwritten by the kernel.
func punch(f *os.File, at, n int64) error {
	const keepSize, punchHole = 1, 2 // linux/falloc.h
	for {
		err := syscall.Fallocate(int(f.Fd()), keepSize|punchHole, at, n)
		if err != syscall.EINTR {
			return err
		}
	}
}

func space(dir string) (free, size int64) {
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil {
		return 0, 0
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize)
}
