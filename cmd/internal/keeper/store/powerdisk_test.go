package store

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
)

// errPower is what every call returns once the power is gone.
var errPower = errors.New("power cut")

// powerDisk is a disk in memory that knows what of it would survive a power
// cut: contents up to the last Sync, names up to the last SyncDir.
type powerDisk struct {
	mu      sync.Mutex
	now     map[string]*inode // what programs see; directories end in "/"
	stable  map[string]*inode // names that surely survive
	pending []rename          // names that may
	calls   int
	fault   func(call int, op, name string) error // an error means that the call does nothing else
	space   func() (free, size int64)             // nil: does not say
}

type inode struct{ data, synced []byte }

// rename is one change of names: to is node, or goes if that is nil; from goes.
type rename struct {
	from, to string
	node     *inode
}

func newPowerDisk() *powerDisk {
	return &powerDisk{now: map[string]*inode{}, stable: map[string]*inode{}}
}

func (d *powerDisk) enter(op, name string) error {
	call := d.calls
	d.calls++
	if d.fault != nil {
		if err := d.fault(call, op, name); err != nil {
			return &fs.PathError{Op: op, Path: name, Err: err}
		}
	}
	return nil
}

func (r rename) apply(to map[string]*inode) {
	delete(to, r.from)
	if delete(to, r.to); r.node != nil {
		to[r.to] = r.node
	}
}

func (d *powerDisk) change(r rename) {
	r.apply(d.now)
	d.pending = append(d.pending, r)
}

func (d *powerDisk) lock(op, name string) (unlock func(), err error) {
	d.mu.Lock()
	return d.mu.Unlock, d.enter(op, name)
}

func missing(name string) error { return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist} }

func (d *powerDisk) Create(name string) (file, error) {
	unlock, err := d.lock("create", name)
	defer unlock()
	if err == nil && d.now[name] != nil {
		err = &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	if err != nil {
		return nil, err
	}
	n := &inode{}
	d.change(rename{to: name, node: n})
	return &powerFile{d, n, name}, nil
}

func (d *powerDisk) Open(name string, write bool) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.now[name]
	if n == nil {
		return nil, missing(name)
	}
	return &powerFile{d, n, name}, nil
}

func (d *powerDisk) Rename(from, to string) error {
	unlock, err := d.lock("rename", to)
	defer unlock()
	n := d.now[from]
	if err == nil && n == nil {
		err = missing(from)
	}
	if err == nil {
		d.change(rename{from: from, to: to, node: n})
	}
	return err
}

func (d *powerDisk) Remove(name string) error {
	d.mu.Lock()
	if d.now[name] == nil {
		d.mu.Unlock()
		return missing(name)
	}
	d.mu.Unlock()
	unlock, err := d.lock("remove", name)
	defer unlock()
	if err == nil {
		d.change(rename{from: name})
	}
	return err
}

func (d *powerDisk) List(dir string) (out []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.now {
		if name = strings.TrimSuffix(name, "/"); path.Dir(name) == dir {
			out = append(out, path.Base(name))
		}
	}
	return out, nil
}

func (d *powerDisk) Mkdir(dir string) error {
	unlock, err := d.lock("mkdir", dir)
	defer unlock()
	if err == nil && d.now[dir+"/"] == nil {
		d.change(rename{to: dir + "/", node: &inode{}})
	}
	return err
}

func (d *powerDisk) SyncDir(dir string) error {
	unlock, err := d.lock("syncdir", dir)
	defer unlock()
	if err != nil {
		return err
	}
	var rest []rename
	for _, r := range d.pending {
		if path.Dir(strings.TrimSuffix(r.to+r.from, "/")) == dir || path.Dir(strings.TrimSuffix(r.to, "/")) == dir {
			r.apply(d.stable)
		} else {
			rest = append(rest, r)
		}
	}
	d.pending = rest
	return nil
}

func (d *powerDisk) Space() (free, size int64) {
	if d.space == nil {
		return 0, 0
	}
	return d.space()
}

func (d *powerDisk) Close() error { return nil }

// afterCut returns the disk as it is found after a power cut. What was not
// synced is gone (survive 0), there (1), or partly there, block by block.
func (d *powerDisk) afterCut(survive int, rng *rand.Rand) *powerDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := newPowerDisk()
	names := maps.Clone(d.stable)
	for _, r := range d.pending {
		if survive == 1 || survive > 1 && rng.IntN(2) == 0 {
			r.apply(names)
		}
	}
	for name, n := range names {
		b := n.synced
		switch {
		case survive == 1:
			b = n.data
		case survive > 1:
			b = mixed(n, rng)
		}
		c := &inode{append([]byte(nil), b...), append([]byte(nil), b...)}
		next.now[name], next.stable[name] = c, c
	}
	return next
}

func mixed(n *inode, rng *rand.Rand) []byte {
	size := min(len(n.data), len(n.synced))
	if more := max(len(n.data), len(n.synced)) - size; more > 0 {
		size += rng.IntN(more + 1)
	}
	out := make([]byte, size)
	for at := 0; at < size; at += 512 {
		from := n.synced
		if rng.IntN(2) == 0 {
			from = n.data
		}
		if at < len(from) {
			copy(out[at:min(at+512, size)], from[at:])
		}
	}
	return out
}

type powerFile struct {
	d    *powerDisk
	n    *inode
	name string
}

func (f *powerFile) ReadAt(b []byte, at int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if at >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.n.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *powerFile) WriteAt(b []byte, at int64) (int, error) {
	unlock, err := f.d.lock("write", f.name)
	defer unlock()
	if err != nil {
		b = b[:len(b)/2] // a write that fails may have written something
	}
	if errors.Is(err, errPower) {
		return 0, err
	}
	if end := int(at) + len(b); end > len(f.n.data) {
		f.n.data = append(f.n.data, make([]byte, end-len(f.n.data))...)
	}
	return copy(f.n.data[at:], b), err
}

func (f *powerFile) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return int64(len(f.n.data)), nil
}

func (f *powerFile) Truncate(size int64) error {
	unlock, err := f.d.lock("truncate", f.name)
	defer unlock()
	if err == nil {
		f.n.data = append(f.n.data[:min(int(size), len(f.n.data))], make([]byte, max(0, int(size)-len(f.n.data)))...)
	}
	return err
}

func (f *powerFile) Erase(at, n int64) error {
	unlock, err := f.d.lock("erase", f.name)
	defer unlock()
	if err == nil && at < int64(len(f.n.data)) {
		clear(f.n.data[at:min(at+n, int64(len(f.n.data)))])
	}
	return err
}

func (f *powerFile) Sync() error {
	unlock, err := f.d.lock("sync", f.name)
	defer unlock()
	if err == nil {
		f.n.synced = append([]byte(nil), f.n.data...)
	}
	return err
}

func (f *powerFile) Close() error { return nil }
