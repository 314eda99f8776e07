package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// errPower is what every call returns once the power is gone.
var errPower = errors.New("power cut")

// powerDisk is a disk in memory that knows what of it would survive a power
// cut: file contents up to the last Sync, names up to the last SyncDir of
// their directory.
type powerDisk struct {
	t  testing.TB
	mu sync.Mutex

	now     map[string]*inode // what programs see; directories end in "/"
	stable  map[string]*inode // what surely survives
	pending []change          // to names, not yet sure

	*wall
	used   int64
	budget int64 // bytes that fit; 0 for no limit
}

// wall is where disks are plugged in: they share its troubles.
type wall struct {
	// fault is asked before each call, with the number of calls before it. An
	// error means that the call does nothing else.
	fault func(call int, op, name string) error
	calls int
}

// disks are the two that a spool needs.
type disks struct{ state, messages *powerDisk }

func newDisks(t testing.TB) disks {
	state, messages := newDisk(t), newDisk(t)
	messages.wall = state.wall
	return disks{state, messages}
}

func (d disks) afterPowerCut(survive int, rng *rand.Rand) disks {
	next := disks{d.state.afterPowerCut(survive, rng), d.messages.afterPowerCut(survive, rng)}
	next.messages.wall = next.state.wall
	return next
}

type inode struct {
	data   []byte
	synced []byte
}

// change is one pending change of names: to becomes node, or goes if nil;
// from, if any, goes at the same time.
type change struct {
	from, to string
	node     *inode
}

func newDisk(t testing.TB) *powerDisk {
	return &powerDisk{t: t, now: map[string]*inode{}, stable: map[string]*inode{}, wall: &wall{}}
}

func (d *powerDisk) enter(op, name string) error {
	d.mu.Lock()
	call := d.calls
	d.calls++
	if d.fault != nil {
		if err := d.fault(call, op, name); err != nil {
			return &fs.PathError{Op: op, Path: name, Err: err}
		}
	}
	return nil
}

func (d *powerDisk) change(c change) {
	if c.from != "" {
		delete(d.now, c.from)
	}
	if c.node != nil {
		d.now[c.to] = c.node
	} else {
		delete(d.now, c.to)
	}
	d.pending = append(d.pending, c)
}

func missing(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

func dirOf(name string) string {
	if dir := path.Dir(strings.TrimSuffix(name, "/")); dir != "." {
		return dir
	}
	return ""
}

func (d *powerDisk) checkDir(op, name string) error {
	if dir := dirOf(name); dir != "" && d.now[dir+"/"] == nil {
		return missing(op, name)
	}
	return nil
}

func (d *powerDisk) Create(name string) (File, error) {
	defer d.mu.Unlock()
	if err := d.enter("create", name); err != nil {
		return nil, err
	}
	if err := d.checkDir("create", name); err != nil {
		return nil, err
	}
	if d.now[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	n := &inode{}
	d.change(change{to: name, node: n})
	return &openFile{d, n, name}, nil
}

func (d *powerDisk) Read(name string, max int64) ([]byte, error) {
	defer d.mu.Unlock()
	if err := d.enter("read", name); err != nil {
		return nil, err
	}
	n := d.now[name]
	if n == nil {
		return nil, missing("read", name)
	}
	if int64(len(n.data)) > max {
		return nil, fmt.Errorf("%s is too large", name)
	}
	return bytes.Clone(n.data), nil
}

func (d *powerDisk) Rename(from, to string) error {
	defer d.mu.Unlock()
	if err := d.enter("rename", from); err != nil {
		return err
	}
	if err := d.checkDir("rename", to); err != nil {
		return err
	}
	n := d.now[from]
	if n == nil {
		return missing("rename", from)
	}
	if old := d.now[to]; old != nil {
		d.used -= int64(len(old.data))
	}
	d.change(change{from: from, to: to, node: n})
	return nil
}

func (d *powerDisk) Remove(name string) error {
	defer d.mu.Unlock()
	if err := d.enter("remove", name); err != nil {
		return err
	}
	n := d.now[name]
	if n == nil {
		return missing("remove", name)
	}
	d.used -= int64(len(n.data))
	d.change(change{to: name})
	return nil
}

func (d *powerDisk) List(dir string) ([]string, error) {
	defer d.mu.Unlock()
	if err := d.enter("list", dir); err != nil {
		return nil, err
	}
	if d.now[dir+"/"] == nil {
		return nil, missing("list", dir)
	}
	var names []string
	for name := range d.now {
		if dirOf(name) == dir {
			names = append(names, path.Base(name))
		}
	}
	return names, nil
}

func (d *powerDisk) Mkdir(dir string) error {
	defer d.mu.Unlock()
	if err := d.enter("mkdir", dir); err != nil {
		return err
	}
	if d.now[dir+"/"] == nil {
		d.change(change{to: dir + "/", node: &inode{}})
	}
	return nil
}

func (d *powerDisk) SyncDir(dir string) error {
	defer d.mu.Unlock()
	if err := d.enter("syncdir", dir); err != nil {
		return err
	}
	if dir == "." {
		dir = ""
	}
	var rest []change
	for _, c := range d.pending {
		if dirOf(c.to) == dir || c.from != "" && dirOf(c.from) == dir {
			settle(d.stable, c)
		} else {
			rest = append(rest, c)
		}
	}
	d.pending = rest
	return nil
}

func (d *powerDisk) Close() error { return nil }

func settle(names map[string]*inode, c change) {
	if c.from != "" {
		delete(names, c.from)
	}
	if c.node != nil {
		names[c.to] = c.node
	} else {
		delete(names, c.to)
	}
}

type openFile struct {
	d    *powerDisk
	n    *inode
	name string
}

func (f *openFile) Write(p []byte) (int, error) {
	defer f.d.mu.Unlock()
	if err := f.d.enter("write", f.name); err != nil {
		return 0, err
	}
	fits := len(p)
	if f.d.budget > 0 {
		fits = max(0, min(fits, int(f.d.budget-f.d.used)))
	}
	f.n.data = append(f.n.data, p[:fits]...)
	f.d.used += int64(fits)
	if fits < len(p) {
		return fits, &fs.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
	}
	return fits, nil
}

func (f *openFile) Sync() error {
	defer f.d.mu.Unlock()
	if err := f.d.enter("sync", f.name); err != nil {
		return err
	}
	f.n.synced = bytes.Clone(f.n.data)
	return nil
}

func (f *openFile) Close() error {
	defer f.d.mu.Unlock()
	return f.d.enter("close", f.name)
}

// afterPowerCut returns one of the disks that a power cut now may leave.
// survive 0 keeps nothing that is not sure, 1 keeps everything, and with
// anything else the dice of rng decide, change by change and file by file.
func (d *powerDisk) afterPowerCut(survive int, rng *rand.Rand) *powerDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := maps.Clone(d.stable)
	for _, c := range d.pending {
		if survive == 1 || survive > 1 && rng.IntN(2) == 0 {
			settle(names, c)
		}
	}
	next := newDisk(d.t)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n := names[name]
		data := bytes.Clone(n.synced)
		if survive == 1 {
			data = bytes.Clone(n.data)
		} else if survive > 1 && len(n.data) > len(n.synced) {
			data = bytes.Clone(n.data[:len(n.synced)+rng.IntN(len(n.data)-len(n.synced)+1)])
		}
		kept := &inode{data: data, synced: data}
		next.now[name], next.stable[name] = kept, kept
		next.used += int64(len(data))
	}
	return next
}

// damage changes the first file whose name fits, and returns its name.
func (d *powerDisk) damage(fits func(name string) bool, how func([]byte) []byte) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(d.now)) {
		if fits(name) {
			n := d.now[name]
			n.data = how(bytes.Clone(n.data))
			n.synced = n.data
			return name
		}
	}
	d.t.Fatal("no file to damage")
	return ""
}
