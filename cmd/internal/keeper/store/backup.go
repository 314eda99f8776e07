package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Copied is what Backup or Restore has done.
type Copied struct {
	Segments int    // files of messages that were copied
	Same     int    // that were there already
	Removed  int    // that the store has no more
	Messages uint64 // in what was copied
	Bytes    int64  // of them
	Damaged  uint64 // messages that were not copied: run Check
}

// Backup copies the store of dir to the directory dest, also while a keeper
// uses it: it takes no lock and writes nothing to dir. All that Put had stored
// before it began is in it. The second time it copies what has changed, and
// removes what the store has no more, so a backup forgets what was deleted with
// the next Backup, and not before. It can be broken off and begun again.
func Backup(ctx context.Context, dir, dest string) (Copied, error) {
	from, err := os.OpenRoot(dir)
	if err != nil {
		return Copied{}, failure("backup", err)
	}
	defer from.Close()
	to, err := openDisk(dest)
	if err != nil {
		return Copied{}, failure("backup", err)
	}
	defer to.Close()
	c := copier{from: disk{from, dir}, to: to}
	err = c.copy(ctx, false)
	return c.did, failure("backup to "+dest, err)
}

// Restore makes a store in dir, which must be empty or missing, from a backup.
// Its index is made by the first Open. What was deleted after the backup was
// made comes back: delete it again. ErrNewer says that the backup was made by a
// newer sealcam.
func Restore(ctx context.Context, backup, dir string) (Copied, error) {
	from, err := os.OpenRoot(backup)
	if err != nil {
		return Copied{}, failure("restore", err)
	}
	defer from.Close()
	to, err := openDisk(dir)
	if err != nil {
		return Copied{}, failure("restore", err)
	}
	defer to.Close()
	c := copier{from: disk{from, backup}, to: to}
	err = c.copy(ctx, true)
	return c.did, failure("restore to "+dir, err)
}

// copier copies a store, but for its index.
type copier struct {
	from, to disk
	did      Copied
}

// copy copies everything. The format file is written last: what has none is no
// backup, and nobody can take half of one for a whole one.
func (c *copier) copy(ctx context.Context, anew bool) error {
	name, err := readFormat(c.from)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no store in %s: %w", c.from.path, err)
	}
	if err != nil {
		return err
	}
	there, err := readFormat(c.to)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil && (there != name || anew):
		return fmt.Errorf("%s holds another store", c.to.path)
	case err != nil:
		if err := c.begin(anew); err != nil {
			return err
		}
	}
	if err := c.segments(ctx); err != nil {
		return err
	}
	if err := c.houses(ctx); err != nil {
		return err
	}
	return writeDurably(c.to, formatFile, fmt.Appendf(nil, "%s%d %s\n", formatText, Format, name))
}

// begin makes the directories of a new copy.
func (c *copier) begin(anew bool) error {
	names, err := c.to.List(".")
	if err != nil {
		return err
	}
	for _, name := range names {
		if anew || name != segmentDir && name != houseDir { // these are from a backup that was broken off
			return fmt.Errorf("%s is not empty: there is %q", c.to.path, name)
		}
	}
	for _, dir := range []string{segmentDir, houseDir} {
		if err := c.to.Mkdir(dir); err != nil {
			return err
		}
	}
	return c.to.SyncDir(".")
}

// segments copies the messages, and after them come the households: so what was
// deleted in between is deleted in the copy too, when it is opened.
func (c *copier) segments(ctx context.Context) error {
	list, err := listSegments(c.from)
	if err != nil {
		return err
	}
	has := map[string]bool{}
	for _, seg := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := c.segment(ctx, seg)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it went meanwhile
		}
		if err != nil {
			return fmt.Errorf("segment %s: %w", seg.name(), err)
		}
		has[seg.name()] = true
	}
	if list, err = listSegments(c.to); err != nil {
		return err
	}
	for _, seg := range list {
		if !has[seg.name()] {
			if err := c.to.Remove(seg.name()); err != nil {
				return err
			}
			c.did.Removed++
		}
	}
	return c.to.SyncDir(segmentDir)
}

// segment copies the records of a segment to where they were, so that holes
// stay holes. A file of the same time and size is the same.
func (c *copier) segment(ctx context.Context, seg segment) error {
	name := seg.name()
	was, err := c.from.Stat(name)
	if err != nil {
		return err
	}
	if is, err := c.to.Stat(name); err == nil && is.ModTime().Equal(was.ModTime()) && is.Size() == was.Size() {
		c.did.Same++
		return nil
	}
	f, err := c.from.Open(name, false)
	if err != nil {
		return err
	}
	defer f.Close()
	_ = c.to.Remove(name + tempFile)
	out, err := c.to.Create(name + tempFile)
	if err != nil {
		return err
	}
	err = c.records(ctx, f, out, seg, was.Size())
	if err == nil {
		err = out.Truncate(was.Size())
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = c.to.Chtimes(name+tempFile, was.ModTime(), was.ModTime())
	}
	if err == nil {
		err = c.to.Rename(name+tempFile, name)
	}
	c.did.Segments++
	return err
}

// records copies the whole records of a segment's first size bytes.
func (c *copier) records(ctx context.Context, from, to file, seg segment, size int64) error {
	_, err := scan(from, seg, 0, func(m found) error {
		if m.At+int64(m.Head+m.Visible.Size) > size {
			return nil // it came after we began
		}
		if m.Damaged {
			c.did.Damaged++
			return ctx.Err()
		}
		head := make([]byte, m.Head)
		if _, err := from.ReadAt(head, m.At); err != nil {
			return err
		}
		if _, err := to.WriteAt(head, m.At); err != nil {
			return err
		}
		if _, err := to.WriteAt(m.Sealed, m.At+int64(m.Head)); err != nil {
			return err
		}
		c.did.Messages++
		c.did.Bytes += int64(m.Visible.Size)
		return ctx.Err()
	})
	return err
}

// houses copies the files of the households.
func (c *copier) houses(ctx context.Context) error {
	list, err := listHouses(c.from)
	if err != nil {
		return err
	}
	has := map[seal.HouseholdID]bool{}
	for _, id := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := readWhole(c.from, houseName(id), maxHouse)
		if err != nil {
			return fmt.Errorf("household %s: %w", id, err)
		}
		has[id] = true
		if is, err := readWhole(c.to, houseName(id), maxHouse); err == nil && string(is) == string(b) {
			continue
		}
		if err := writeDurably(c.to, houseName(id), b); err != nil {
			return err
		}
	}
	if list, err = listHouses(c.to); err != nil {
		return err
	}
	for _, id := range list {
		if !has[id] {
			if err := c.to.Remove(houseName(id)); err != nil {
				return err
			}
		}
	}
	return c.to.SyncDir(houseDir)
}
