// Package cpio writes an initramfs: the archive that a Linux kernel unpacks into
// its first root file system.
//
// What this package does not do: read archives, or write links and devices.
package cpio

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// File is one file of an initramfs: either a file of the host, or Data.
type File struct {
	Host string
	Data []byte
	Mode fs.FileMode // permissions; 0 for those of the file of the host
}

// Write writes files (by absolute guest path) and the directories above
// them as an uncompressed "newc" archive (kernel documentation,
// driver-api/early-userspace/buffer-format). Unpacking gzip in an emulated
// guest costs more than reading twice the bytes.
func Write(w io.Writer, files map[string]File) error {
	c := &writer{w: bufio.NewWriterSize(w, 1<<20)}
	made := map[string]bool{"/": true}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !path.IsAbs(name) || path.Clean(name) != name {
			return fmt.Errorf("initramfs: %q is not a clean absolute path", name)
		}
		if err := c.parents(name, made); err != nil {
			return err
		}
		if err := c.file(name, files[name]); err != nil {
			return fmt.Errorf("initramfs: %s: %w", name, err)
		}
	}
	if err := c.header("TRAILER!!!", 0, 0); err != nil {
		return err
	}
	return c.w.Flush()
}

type writer struct {
	w   *bufio.Writer
	ino int
}

func (c *writer) parents(name string, made map[string]bool) error {
	for i, r := range name {
		dir := name[:i]
		if r != '/' || i == 0 || made[dir] {
			continue
		}
		made[dir] = true
		if err := c.header(strings.TrimPrefix(dir, "/"), 0o040755, 0); err != nil {
			return err
		}
	}
	return nil
}

func (c *writer) file(name string, e File) error {
	var from io.Reader = strings.NewReader(string(e.Data))
	size := int64(len(e.Data))
	if e.Host != "" {
		f, err := os.Open(e.Host)
		if err != nil {
			return err
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return err
		}
		if !st.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file", e.Host)
		}
		from, size = f, st.Size()
		if e.Mode == 0 {
			e.Mode = st.Mode().Perm()
		}
	}
	if err := c.header(strings.TrimPrefix(name, "/"), 0o100000|uint32(e.Mode.Perm()), size); err != nil {
		return err
	}
	if _, err := io.CopyN(c.w, from, size); err != nil {
		return err
	}
	return c.pad(size)
}

// header writes one File's head: 13 fields of 8 hex digits after the magic,
// then the name, padded to 4 bytes.
func (c *writer) header(name string, mode uint32, size int64) error {
	if size > 1<<31 {
		return fmt.Errorf("%d bytes are too many for an initramfs", size)
	}
	c.ino++
	fields := []int64{int64(c.ino), int64(mode), 0, 0, 1, 0, size, 0, 0, 0, 0, int64(len(name) + 1), 0}
	fmt.Fprint(c.w, "070701")
	for _, f := range fields {
		fmt.Fprintf(c.w, "%08X", f)
	}
	fmt.Fprintf(c.w, "%s\x00", name)
	return c.pad(int64(6 + 13*8 + len(name) + 1))
}

// pad fills up to a multiple of 4. Errors of the bufio.Writer stick, so the
// last one is enough.
func (c *writer) pad(n int64) error {
	_, err := c.w.Write(make([]byte, (4-n%4)%4))
	return err
}
