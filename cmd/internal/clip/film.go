package clip

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Store is where a Film keeps its media: what was written can be read again. An
// *os.File is one, and Memory is another.
type Store interface {
	io.ReaderAt
	io.WriterAt
}

// Film is a clip of which parts have come, in any order. Their media goes to its
// Store in the order in which they come, so that the Store holds the film itself
// as long as that is the order of their numbers. In memory it keeps only what is
// said about each, and its proof.
type Film struct {
	key   Key
	store Store
	head  []byte // of the first part that came; all have the same
	end   int64  // of what is in store
	parts map[uint32]part
	order []uint32 // in which they stand in store
	last  int64    // number of the last part, -1 while it has not come
	marks seal.ClipMarks
	first seal.Meta // of the part with the lowest number
}

type part struct {
	hash     [32]byte // of the message
	at, size int64    // of moof and mdat in store
	span     span
	proof    []byte
}

// New returns the film of a clip, without a part, that keeps its media in memory.
func New(k Key) *Film { return NewOn(k, new(Memory)) }

// NewOn returns the film of a clip, without a part. A nil store keeps no media:
// the Film says what has come, and cannot be written.
func NewOn(k Key, store Store) *Film {
	return &Film{key: k, store: store, parts: map[uint32]part{}, last: -1}
}

// Key returns which clip it is.
func (f *Film) Key() Key { return f.key }

// Add adds a part. One that is there already changes nothing. The error wraps
// ErrPart for a part of another clip, of no MP4, with another head than the parts
// before, with a number that cannot be, or with the number of another part; other
// errors are the store's. Nothing has changed then.
func (f *Film) Add(v *seal.Verified) error {
	k, ok := KeyOf(v)
	if !ok {
		return fmt.Errorf("%w: it is of no clip", ErrPart)
	}
	if err := k.differs(f.key); err != nil {
		return err
	}
	_, data := v.Media()
	return f.add(v.Meta(), data, v.Hash(), v.Proof)
}

func (f *Film) add(m seal.Meta, data []byte, hash [32]byte, proof func() []byte) error {
	head, body, err := Split(data)
	if err != nil {
		return err
	}
	if there, err := f.check(m, head, hash); there || err != nil {
		return err
	}
	p := part{hash: hash, at: f.end, size: int64(len(body)), span: spanOf(head, body)}
	if f.head == nil {
		p.at = int64(len(head))
	}
	if f.store != nil {
		p.proof = proof()
		if err := f.write(head, body, p.at); err != nil {
			return err
		}
	}
	f.note(m, bytes.Clone(head), p)
	return nil
}

func (f *Film) write(head, body []byte, at int64) error {
	if f.head == nil {
		if _, err := f.store.WriteAt(head, 0); err != nil {
			return err
		}
	}
	_, err := f.store.WriteAt(body, at)
	return err
}

// check says whether a part may be added, or is there already.
func (f *Film) check(m seal.Meta, head []byte, hash [32]byte) (there bool, err error) {
	switch p, ok := f.parts[m.Part]; {
	case ok && p.hash == hash:
		return true, nil
	case ok:
		return false, fmt.Errorf("%w: part %d came twice, and not as the same", ErrPart, m.Part+1)
	case m.Part >= MaxParts || f.last >= 0 && int64(m.Part) > f.last:
		return false, fmt.Errorf("%w: part %d is behind the clip's end", ErrPart, m.Part+1)
	case f.head != nil && !bytes.Equal(head, f.head):
		return false, fmt.Errorf("%w: part %d is of another format", ErrPart, m.Part+1)
	}
	if m.Last {
		for n := range f.parts {
			if n > m.Part {
				return false, fmt.Errorf("%w: part %d says it is the last, and there is part %d", ErrPart, m.Part+1, n+1)
			}
		}
	}
	return false, nil
}

// note takes note of a part that is in the store.
func (f *Film) note(m seal.Meta, head []byte, p part) {
	if len(f.parts) == 0 || m.Part < f.first.Part {
		f.first = m
	}
	if f.head == nil {
		f.head = head
	}
	f.parts[m.Part], f.end = p, p.at+p.size
	f.order = append(f.order, m.Part)
	marks, _ := m.Clip()
	f.marks.PreRoll = marks.PreRoll
	if len(marks.Also) > len(f.marks.Also) {
		f.marks.Also = marks.Also
	}
	if m.Last {
		f.last, f.marks.Ended = int64(m.Part), marks.Ended
	}
}

// Has reports whether the part with a number has come.
func (f *Film) Has(number uint32) bool { _, ok := f.parts[number]; return ok }

// Whole reports whether all parts have come, the last one included.
func (f *Film) Whole() bool { return f.last >= 0 && int64(len(f.parts)) == f.last+1 }

// Ordered reports whether the Store holds the film as WriteTo writes it.
func (f *Film) Ordered() bool { return slices.IsSorted(f.order) }

// Size returns how many bytes of the Store are the film's.
func (f *Film) Size() int64 { return f.end }

// Parts returns the numbers of the parts that have come, rising.
func (f *Film) Parts() []uint32 { return slices.Sorted(slices.Values(f.order)) }

// Missing returns the numbers of the parts that have not come, rising, up to the
// highest that has; ended says whether that is the clip's last.
func (f *Film) Missing() (numbers []uint32, ended bool) {
	next := uint32(0)
	for _, n := range f.Parts() {
		for ; next < n; next++ {
			numbers = append(numbers, next)
		}
		next = n + 1
	}
	return numbers, f.last >= 0
}

// Marks returns what the parts that have come say of the clip.
func (f *Film) Marks() seal.ClipMarks { return f.marks }

// First returns what is said about the first part that has come; false when none has.
func (f *Film) First() (seal.Meta, bool) { return f.first, len(f.parts) > 0 }

// WriteTo writes the film of the parts that have come.
func (f *Film) WriteTo(w io.Writer) (written int64, err error) {
	n, err := w.Write(f.head)
	written = int64(n)
	for _, number := range f.Parts() {
		if err != nil {
			break
		}
		p := f.parts[number]
		var copied int64
		copied, err = io.Copy(w, io.NewSectionReader(f.store, p.at, p.size))
		if written += copied; err == nil && copied != p.size {
			err = io.ErrUnexpectedEOF
		}
	}
	return written, err
}

// Memory is a Store in memory. It is not safe for concurrent use.
type Memory struct{ b []byte }

// ReadAt implements io.ReaderAt.
func (m *Memory) ReadAt(p []byte, at int64) (int, error) { return bytes.NewReader(m.b).ReadAt(p, at) }

// WriteAt implements io.WriterAt.
func (m *Memory) WriteAt(p []byte, at int64) (int, error) {
	if grow := at + int64(len(p)) - int64(len(m.b)); grow > 0 {
		m.b = append(m.b, make([]byte, grow)...)
	}
	return copy(m.b[at:], p), nil
}
