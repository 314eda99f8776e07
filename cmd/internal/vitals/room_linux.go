package vitals

import "syscall"

// Room returns how many bytes are free for an ordinary user on the file system
// that path is on, and how large it is; ok is false where that cannot be known.
func Room(path string) (free, size int64, ok bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil || st.Bsize <= 0 {
		return 0, 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), true // types differ by architecture
}
