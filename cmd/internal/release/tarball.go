package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
)

// contents returns what is in the tarball of program.
func (c *Config) contents(program, binary string) []file {
	files := []file{{program, binary, 0o755, false}, {"LICENSE", filepath.Join(c.Tree, "LICENSE"), 0o644, false}}
	if program != "sealcamd" {
		return files
	}
	own := func(name string, mode os.FileMode) file {
		return file{name, filepath.Join(c.Tree, "cmd/sealcamd", name), mode, false}
	}
	if c.Root != "" {
		files = append(files, file{"root.json", c.Root, 0o644, false})
	}
	return append(files,
		own("README.md", 0o644), own("sealcamd.toml", 0o644), own("sealcamd.service", 0o644), own("sealcamd.sysusers", 0o644),
		own("sealcamd.rules", 0o644), own("sealcamd.init", 0o755), own("sealcamd.openrc", 0o755), own("sealcamd.procd", 0o755))
}

// tarball writes files into a gzipped tar below the directory top. Owners, times
// and order are fixed, so that the same files give the same bytes.
func (c *Config) tarball(out, top string, files []file) (err error) {
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	t := tar.NewWriter(z)
	defer func() { err = errors.Join(err, t.Close(), z.Close(), f.Close()) }()
	head := tar.Header{Typeflag: tar.TypeDir, Name: top + "/", Mode: 0o755, ModTime: c.Stamp.Date, Uname: "root", Gname: "root", Format: tar.FormatUSTAR}
	if err := t.WriteHeader(&head); err != nil {
		return err
	}
	for _, member := range files {
		head.Typeflag, head.Name, head.Mode = tar.TypeReg, path.Join(top, member.Path), int64(member.Mode)
		if err := add(t, head, member.Source); err != nil {
			return err
		}
	}
	return nil
}

// add writes the file source with the header head, but for its size.
func add(t *tar.Writer, head tar.Header, source string) error {
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	head.Size = st.Size()
	if err := t.WriteHeader(&head); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}
