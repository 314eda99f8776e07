//go:build !linux

package vitals

// Room returns how many bytes are free for an ordinary user on the file system
// that path is on, and how large it is; ok is false where that cannot be known.
func Room(string) (free, size int64, ok bool) { return 0, 0, false }
