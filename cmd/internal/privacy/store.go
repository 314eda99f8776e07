package privacy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// maxFile bounds what is read.
const maxFile = 4096

// load reads what was said last, nil for nothing.
func load(file string) (*order, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: %d bytes, at most %d", file, info.Size(), maxFile)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var o *order
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if o == nil || o.By == "" {
		return nil, fmt.Errorf("%s: says nothing", file)
	}
	return o, nil
}

// store keeps the order durably. Without one, or with one that holds only as long
// as nobody knows the time, it removes the file.
func (k *Keeper) store() error {
	if k.file == "" {
		return nil
	}
	err := k.write()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotKept, err)
	}
	return nil
}

func (k *Keeper) write() error {
	if k.order == nil || !k.order.On && k.order.Until.IsZero() {
		if err := os.Remove(k.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return syncDir(filepath.Dir(k.file))
	}
	b, err := json.Marshal(k.order.stored())
	if err != nil {
		return err
	}
	next := k.file + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(next, k.file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return syncDir(filepath.Dir(k.file))
}

// stored is o in whole seconds and UTC, as it is written.
func (o order) stored() order {
	for _, t := range []*time.Time{&o.Since, &o.Until} {
		if !t.IsZero() {
			*t = t.UTC().Truncate(time.Second)
		}
	}
	return o
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
