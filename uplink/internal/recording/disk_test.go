package recording

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"syscall"
	"testing"
)

var errPower = errors.New("the power is gone")

// powerDisk is a disk in memory that loses its power, or begins to refuse, at a
// given call.
type powerDisk struct {
	files   map[string]*powerFile
	durable map[string]bool // names that survive
	calls   int
	cut     int   // the call at which the power goes; 0 for never
	refuse  error // of every write from now on
	room    int   // bytes that may be written; 0 for any number
	used    int
	syncs   int
}

type powerFile struct {
	disk   *powerDisk
	data   []byte
	synced int // bytes that survive
	closed bool
}

func newDisk() *powerDisk {
	return &powerDisk{files: map[string]*powerFile{}, durable: map[string]bool{}}
}

// call counts a call that changes the disk.
func (d *powerDisk) call() error {
	if d.calls++; d.cut > 0 && d.calls >= d.cut {
		return errPower
	}
	return d.refuse
}

// after returns what is left when the power comes back: of what was not synced
// nothing, half, or all, and some of it may be garbage.
func (d *powerDisk) after(left string) *powerDisk {
	next := newDisk()
	for name, f := range d.files {
		if left == "nothing" && !d.durable[name] {
			continue
		}
		keep := f.data
		switch unsynced := len(f.data) - f.synced; left {
		case "nothing":
			keep = f.data[:f.synced]
		case "half":
			keep = f.data[:f.synced+unsynced/2]
		case "garbage": // the size was stored, and not the bytes
			keep = append(slices.Clone(f.data[:f.synced]), make([]byte, unsynced)...)
		}
		next.files[name] = &powerFile{disk: next, data: slices.Clone(keep), synced: len(keep)}
		next.durable[name] = true
	}
	return next
}

func (d *powerDisk) Create(name string) (File, error) {
	if err := d.call(); err != nil {
		return nil, err
	}
	if d.files[name] != nil {
		return nil, fs.ErrExist
	}
	d.files[name] = &powerFile{disk: d}
	return d.files[name], nil
}

func (f *powerFile) Write(b []byte) (int, error) {
	if f.closed {
		return 0, fs.ErrClosed
	}
	err := f.disk.call()
	n := len(b)
	if err != nil && !errors.Is(err, errPower) {
		return 0, err
	}
	if d := f.disk; d.room > 0 && d.used+n > d.room {
		n, err = max(0, d.room-d.used), syscall.ENOSPC
	}
	if errors.Is(err, errPower) {
		n /= 3 // torn in the middle
	}
	f.data = append(f.data, b[:n]...)
	f.disk.used += n
	return n, err
}

func (f *powerFile) Sync() error {
	f.disk.syncs++
	if err := f.disk.call(); err != nil {
		return err
	}
	f.synced = len(f.data)
	return nil
}

func (f *powerFile) Close() error {
	f.closed = true
	return nil
}

type powerReader struct {
	*bytes.Reader
	size int64
}

func (powerReader) Close() error           { return nil }
func (r powerReader) Size() (int64, error) { return r.size, nil }

func (d *powerDisk) Open(name string) (Reader, error) {
	f := d.files[name]
	if f == nil {
		return nil, fs.ErrNotExist
	}
	return powerReader{bytes.NewReader(f.data), int64(len(f.data))}, nil
}

func (d *powerDisk) Truncate(name string, size int64) error {
	if err := d.call(); err != nil {
		return err
	}
	f := d.files[name]
	d.used -= len(f.data) - int(size)
	f.data = f.data[:size]
	f.synced = min(f.synced, len(f.data))
	return nil
}

func (d *powerDisk) Remove(name string) error {
	if err := d.call(); err != nil {
		return err
	}
	if d.files[name] == nil {
		return fs.ErrNotExist
	}
	d.used -= len(d.files[name].data)
	delete(d.files, name)
	return nil
}

func (d *powerDisk) List(max int) (names []string, err error) {
	for name := range d.files {
		if len(names) < max {
			names = append(names, name)
		}
	}
	return names, nil
}

func (d *powerDisk) Sync() error {
	d.syncs++
	if err := d.call(); err != nil {
		return err
	}
	for name := range d.files {
		d.durable[name] = true
	}
	return nil
}

func (d *powerDisk) Close() error { return nil }

func (d *powerDisk) bytes() (n int64) {
	for _, f := range d.files {
		n += int64(len(f.data))
	}
	return n
}

// The real disk does what the one in memory does, and no more: a card that is not
// there is not made, and what is no file is not read.
func TestDisk(t *testing.T) {
	dir := t.TempDir()
	if _, err := Disk(dir+"/card", "a"); !errors.Is(err, ErrDisk) || (&Error{Reason: ErrDisk}).Hint() == "" {
		t.Errorf("a card that is not in its slot: %v", err)
	}
	d, err := Disk(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	f, err := d.Create("x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close(), d.Sync(), d.Truncate("x", 4)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create("x"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made twice: %v", err)
	}
	if _, err := d.Open("../a/x"); err == nil {
		t.Error("reads outside of itself")
	}
	r, err := d.Open("x")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := make([]byte, 4)
	if n, err := r.Size(); err != nil || n != 4 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := r.ReadAt(b, 0); err != nil && err != io.EOF || string(b) != "hell" {
		t.Errorf("%q, %v", b, err)
	}
	if names, err := d.List(10); err != nil || !slices.Equal(names, []string{"x"}) {
		t.Errorf("%q, %v", names, err)
	}
	if err := syscall.Mkfifo(dir+"/a/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open("pipe"); err == nil {
		t.Error("reads a pipe")
	}
	if err := d.Remove("x"); err != nil {
		t.Error(err)
	}
	for err, want := range map[error]error{syscall.ENOSPC: ErrFull, syscall.EDQUOT: ErrFull, syscall.EROFS: ErrReadOnly, syscall.EIO: ErrDisk} {
		if got := failure("write", err); !errors.Is(got, want) || !errors.Is(got, err) {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}
