package slot

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
)

// errPower is what every call returns once the power is gone.
var errPower = errors.New("power cut")

// powerDisk is a disk in memory that knows what of it would survive a power cut:
// contents up to the last Sync, names up to the last SyncDir of their directory.
type powerDisk struct {
	t       testing.TB
	now     map[string]*inode // what programs see; directories end in "/"
	stable  map[string]*inode // what surely survives
	pending []change          // to names, not yet sure
	// fault is asked before each call that changes something, with the number of
	// those before it. An error means that the call does nothing else.
	fault func(call int, op, name string) error
	calls int
	// unreadable fails each reading, with the number of those before it.
	unreadable func(read int) error
	reads      int
}

type inode struct{ data, synced []byte }

// change is one pending change of names: to becomes node, or goes if nil; from,
// if any, goes at the same time.
type change struct {
	from, to string
	node     *inode
}

func newDisk(t testing.TB) *powerDisk {
	return &powerDisk{t: t, now: map[string]*inode{}, stable: map[string]*inode{}}
}

// expected are all names that the slots may touch.
var expected = []string{"state", "state.new", "a", "b", "a/sealcamd", "a/sealcamd.new", "b/sealcamd", "b/sealcamd.new",
	"a/confirmed", "a/confirmed.new", "b/confirmed", "b/confirmed.new", "."}

func (d *powerDisk) enter(op, name string) error {
	if !slices.Contains(expected, name) {
		d.t.Errorf("%s %q: that is not ours", op, name)
	}
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
	settle(d.now, c)
	d.pending = append(d.pending, c)
}

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

func missing(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

func dirOf(name string) string {
	if dir := path.Dir(strings.TrimSuffix(name, "/")); dir != "." {
		return dir
	}
	return ""
}

func (d *powerDisk) Create(name string) (File, error) {
	if err := d.enter("create", name); err != nil {
		return nil, err
	}
	if dir := dirOf(name); dir != "" && d.now[dir+"/"] == nil {
		return nil, missing("create", name)
	}
	if d.now[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	n := &inode{}
	d.change(change{to: name, node: n})
	return &openFile{d, n, name}, nil
}

func (d *powerDisk) Open(name string) (io.ReadCloser, error) {
	n := d.reads
	d.reads++
	if d.unreadable != nil {
		if err := d.unreadable(n); err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
	if d.now[name] == nil {
		return nil, missing("open", name)
	}
	return io.NopCloser(bytes.NewReader(d.now[name].data)), nil
}

func (d *powerDisk) Rename(from, to string) error {
	if err := d.enter("rename", from); err != nil {
		return err
	}
	n := d.now[from]
	if n == nil {
		return missing("rename", from)
	}
	d.change(change{from: from, to: to, node: n})
	return nil
}

func (d *powerDisk) Remove(name string) error {
	if err := d.enter("remove", name); err != nil {
		return err
	}
	if d.now[name] == nil {
		return missing("remove", name)
	}
	d.change(change{to: name})
	return nil
}

func (d *powerDisk) Mkdir(dir string) error {
	if err := d.enter("mkdir", dir); err != nil {
		return err
	}
	if d.now[dir+"/"] == nil {
		d.change(change{to: dir + "/", node: &inode{}})
	}
	return nil
}

func (d *powerDisk) SyncDir(dir string) error {
	if err := d.enter("syncdir", dir); err != nil {
		return err
	}
	if dir == "." {
		dir = ""
	}
	var rest []change
	for _, c := range d.pending {
		if dirOf(c.to) == dir {
			settle(d.stable, c)
		} else {
			rest = append(rest, c)
		}
	}
	d.pending = rest
	return nil
}

func (d *powerDisk) Lock() (func() error, error) { return func() error { return nil }, nil }

type openFile struct {
	d    *powerDisk
	n    *inode
	name string
}

// Write writes in two halves, so that the power can go between them.
func (f *openFile) Write(p []byte) (n int, err error) {
	for _, half := range [][]byte{p[:len(p)/2], p[len(p)/2:]} {
		if err := f.d.enter("write", f.name); err != nil {
			return n, err
		}
		f.n.data = append(f.n.data, half...)
		n += len(half)
	}
	return n, nil
}

func (f *openFile) Sync() error {
	if err := f.d.enter("sync", f.name); err != nil {
		return err
	}
	f.n.synced = bytes.Clone(f.n.data)
	return nil
}

func (f *openFile) Close() error { return f.d.enter("close", f.name) }

// afterPowerCut returns one of the disks that a power cut now may leave. survive 0
// keeps nothing that is not sure; 1 keeps everything; 2 keeps names and no
// content, 3 the content and no names; with anything else the dice of rng decide,
// change by change, in any order, and file by file, to the byte.
func (d *powerDisk) afterPowerCut(survive int, rng *rand.Rand) *powerDisk {
	names := maps.Clone(d.stable)
	pending := slices.Clone(d.pending)
	if survive > 4 { // renames may reach the disk in another order
		rng.Shuffle(len(pending), func(i, j int) { pending[i], pending[j] = pending[j], pending[i] })
	}
	for _, c := range pending {
		if survive == 1 || survive == 2 || survive > 3 && rng.IntN(2) == 0 {
			settle(names, c)
		}
	}
	next := newDisk(d.t)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n := names[name]
		data := bytes.Clone(n.synced)
		switch {
		case survive == 1, survive == 3:
			data = bytes.Clone(n.data)
		case survive > 3 && len(n.data) > len(n.synced):
			data = bytes.Clone(n.data[:len(n.synced)+rng.IntN(len(n.data)-len(n.synced)+1)])
		}
		kept := &inode{data: data, synced: data}
		next.now[name], next.stable[name] = kept, kept
	}
	return next
}
