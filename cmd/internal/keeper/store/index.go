package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/sealcam/sealcam/uplink/seal"
)

// index finds messages. It says nothing that the segments do not say, so that
// it can be made again from them; State says how far of them it knows.
//
// Households and cameras have small numbers in it. All numbers in keys are big
// endian, so that a page is one walk along a B+-tree.
type index struct {
	db *bbolt.DB
	// commit is asked before each change is written, for tests.
	commit func() error
}

// The trees of an index.
const (
	treeState     = "state"     // "state" > state, JSON
	treeHousehold = "household" // id > houseRow
	treeCamera    = "camera"    // household number, id > camera number, track
	treeName      = "name"      // camera number > id
	treeArrival   = "arrival"   // household number, cursor > row
	treeCame      = "came"      // camera number, cursor > nothing
	treeSeq       = "seq"       // camera number, sequence > cursor
	treeHash      = "hash"      // hash > household number, cursor
	treeSegment   = "segment"   // segment > messages in it
	treeErase     = "erase"     // segment, offset > bytes that are still to be erased
	treeDeleting  = "deleting"  // household id > nothing: a deletion has begun there
)

func trees() []string {
	return []string{treeState, treeHousehold, treeCamera, treeName, treeArrival, treeCame, treeSeq, treeHash, treeSegment, treeErase, treeDeleting}
}

// state is how far an index is, and the sums of what it holds.
type state struct {
	Store      string `json:"store"`      // whose index it is
	Segment    uint64 `json:"segment"`    // everything before At of it is in the index
	At         int64  `json:"at"`         //
	Households uint32 `json:"households"` // numbers given out
	Cameras    uint32 `json:"cameras"`
	Messages   uint64 `json:"messages"`
	Bytes      int64  `json:"bytes"`
}

// openIndex opens the index at path, or makes an empty one for the store of
// that name. ErrDamaged says that it cannot be used.
func openIndex(path, store string, sync bool) (x *index, err error) {
	defer damaged(&err)()
	if info, err := os.Stat(path); err == nil && info.Size() == 0 {
		return nil, fmt.Errorf("%w: the index is empty", ErrDamaged)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: time.Second, FreelistType: bbolt.FreelistMapType, NoFreelistSync: false, NoSync: !sync, NoStatistics: true,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: index: %w", ErrDamaged, err)
	}
	x = &index{db: db}
	err = db.Update(func(b *bbolt.Tx) error {
		for _, name := range trees() {
			if _, err := b.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		if info, err := os.Stat(path); err != nil || info.Size() < b.Size() {
			return fmt.Errorf("%w: the index is cut: %v", ErrDamaged, err)
		}
		t := tx{b}
		st, err := t.state()
		if err != nil {
			return err
		}
		if st.Store == "" {
			return t.setState(state{Store: store})
		}
		if st.Store != store {
			return fmt.Errorf("%w: the index is that of another store", ErrDamaged)
		}
		return nil
	})
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return x, nil
}

// damaged turns a panic or a page fault of whoever calls it into ErrDamaged:
// bbolt trusts its file, which is mapped into memory. Use: defer damaged(&err)().
func damaged(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		switch r := recover().(type) {
		case nil:
		case runtime.Error:
			*err = fmt.Errorf("%w: index: %w", ErrDamaged, r)
		default:
			*err = fmt.Errorf("%w: index: %v", ErrDamaged, r)
		}
	}
}

// view reads; f sees one state of the index.
func (x *index) view(f func(tx) error) (err error) {
	defer damaged(&err)()
	return x.db.View(func(b *bbolt.Tx) error { return f(tx{b}) })
}

// update changes the index, durably, or not at all.
func (x *index) update(f func(tx) error) (err error) {
	defer damaged(&err)()
	return x.db.Update(func(b *bbolt.Tx) error {
		if err := f(tx{b}); err != nil {
			return err
		}
		if x.commit != nil {
			return x.commit()
		}
		return nil
	})
}

func (x *index) close() error { return x.db.Close() }

// tx is one reading or change of an index.
type tx struct{ *bbolt.Tx }

func (t tx) tree(name string) *bbolt.Bucket { return t.Bucket([]byte(name)) }

func (t tx) state() (st state, err error) {
	if b := t.tree(treeState).Get([]byte(treeState)); b != nil {
		if err = json.Unmarshal(b, &st); err != nil {
			err = fmt.Errorf("%w: index: %w", ErrDamaged, err)
		}
	}
	return st, err
}

func (t tx) setState(st state) error {
	b, err := json.Marshal(st)
	if err != nil {
		return err
	}
	return t.tree(treeState).Put([]byte(treeState), b)
}

// key32 is a number and what follows it.
func key32(n uint32, rest ...byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(rest)), n), rest...)
}

// place32 is a number, and a place in its order.
func place32(n uint32, at uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(make([]byte, 0, 12), n), at)
}

func key64(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 0, 8), n) }

// houseRow is a household's line in the index.
type houseRow struct {
	Num      uint32
	Cursor   uint64 // the last one given out
	Received time.Time
	Count    uint64
	Bytes    int64
}

func (h *houseRow) encode() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 36), h.Num)
	for _, n := range []uint64{h.Cursor, uint64(h.Received.UnixMicro()), h.Count, uint64(h.Bytes)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

var errShort = fmt.Errorf("%w: index: a row is cut", ErrDamaged)

// house returns a household's line; ErrNotKept if there is none.
func (t tx) house(id seal.HouseholdID) (h houseRow, err error) {
	b := t.tree(treeHousehold).Get([]byte(id))
	if b == nil {
		return h, ErrNotKept
	}
	if len(b) != 36 {
		return h, errShort
	}
	u := func(i int) uint64 { return binary.BigEndian.Uint64(b[4+8*i:]) }
	return houseRow{
		Num: binary.BigEndian.Uint32(b), Cursor: u(0), Received: time.UnixMicro(int64(u(1))).UTC(), Count: u(2), Bytes: int64(u(3)),
	}, nil
}

// camRow is a camera's line in the index.
type camRow struct {
	Num uint32
	track
}

func (c *camRow) encode() []byte {
	b := binary.BigEndian.AppendUint32(nil, c.Num)
	for _, n := range []uint64{c.First, c.Last, c.Floor, c.Count, uint64(c.Bytes), uint64(c.Received.UnixMicro())} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	for _, r := range c.Missing {
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, r.First), r.Last)
	}
	return b
}

func decodeCamera(b []byte) (c camRow, err error) {
	const head = 4 + 6*8
	if len(b) < head || (len(b)-head)%16 != 0 || len(b) > head+16*MaxMissing {
		return c, errShort
	}
	u := func(i int) uint64 { return binary.BigEndian.Uint64(b[4+8*i:]) }
	c = camRow{Num: binary.BigEndian.Uint32(b), track: track{
		First: u(0), Last: u(1), Floor: u(2), Count: u(3), Bytes: int64(u(4)), Received: time.UnixMicro(int64(u(5))).UTC(),
	}}
	for i := 6; 4+8*i < len(b); i += 2 {
		c.Missing = append(c.Missing, seal.Range{First: u(i), Last: u(i + 1)})
	}
	return c, nil
}

// camera returns a camera's line; ErrNotKept if there is none.
func (t tx) camera(household uint32, id seal.CameraID) (camRow, error) {
	b := t.tree(treeCamera).Get(key32(household, []byte(id)...))
	if b == nil {
		return camRow{}, ErrNotKept
	}
	return decodeCamera(b)
}

const rowFixed = 4 + 4 + 8 + 8 + 8 + 32 + 16 + 32 + 8 + 8 + 2

// encodeRow is a message's line in the index.
func encodeRow(camera uint32, r *row) []byte {
	v := &r.Visible
	b := binary.BigEndian.AppendUint32(make([]byte, 0, rowFixed+len(r.Kind)), camera)
	b = binary.BigEndian.AppendUint32(b, uint32(v.Size))
	for _, n := range []uint64{uint64(r.Received.UnixMicro()), v.Seq, v.Roster} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = append(append(append(b, v.Prev[:]...), v.Boot[:]...), v.Hash[:]...)
	b = binary.BigEndian.AppendUint64(b, r.Segment)
	b = binary.BigEndian.AppendUint64(b, uint64(r.At))
	b = binary.BigEndian.AppendUint16(b, uint16(r.Head))
	return append(b, r.Kind...)
}

// rowReceived reads only when a row's message came.
func rowReceived(b []byte) time.Time {
	if len(b) < rowFixed {
		return time.Time{}
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(b[8:]))).UTC()
}

// decodeRow fills a row but for its household.
func (t tx) decodeRow(b []byte, cursor uint64) (r row, err error) {
	if len(b) < rowFixed {
		return r, errShort
	}
	u := binary.BigEndian.Uint64
	v := &r.Visible
	v.Stream, v.Size = seal.Durable, int(binary.BigEndian.Uint32(b[4:]))
	r.Cursor, r.Received = cursor, rowReceived(b)
	v.Seq, v.Roster = u(b[16:]), u(b[24:])
	v.Prev, v.Boot, v.Hash = [32]byte(b[32:]), [16]byte(b[64:]), [32]byte(b[80:])
	r.place = place{Segment: u(b[112:]), At: int64(u(b[120:])), Head: int(binary.BigEndian.Uint16(b[128:]))}
	r.Kind = string(b[rowFixed:])
	name := t.tree(treeName).Get(b[:4])
	if v.Camera = seal.CameraID(name); name == nil || v.Size > seal.MaxSealed || r.Head > maxHeader || r.At < 0 {
		return r, errShort
	}
	return r, nil
}

// row returns the message at a place in a household's order of arrival.
func (t tx) row(household seal.HouseholdID, num uint32, cursor uint64) (row, error) {
	b := t.tree(treeArrival).Get(place32(num, cursor))
	if b == nil {
		return row{}, ErrNotKept
	}
	r, err := t.decodeRow(b, cursor)
	r.Visible.Household = household
	return r, err
}

// find returns the message of a hash, but for its household.
func (t tx) find(hash [32]byte) (row, error) {
	at := t.tree(treeHash).Get(hash[:])
	if at == nil {
		return row{}, ErrNotKept
	}
	if len(at) != 12 {
		return row{}, errShort
	}
	r, err := t.row("", binary.BigEndian.Uint32(at), binary.BigEndian.Uint64(at[4:]))
	if errors.Is(err, ErrNotKept) || err == nil && r.Visible.Hash != hash {
		err = errShort
	}
	return r, err
}

// walk calls each with the places from low to high of a number in a tree, in
// rising order or falling, until it returns false.
func walk(b *bbolt.Bucket, num uint32, low, high uint64, falling bool, each func(at uint64, v []byte) bool) {
	c := b.Cursor()
	seek, step := place32(num, low), c.Next
	k, v := c.Seek(seek)
	if falling {
		step = c.Prev
		k, v = c.Seek(place32(num, high))
		if k == nil {
			k, v = c.Last()
		} else if !slices.Equal(k, place32(num, high)) {
			k, v = c.Prev()
		}
	}
	for ; len(k) == 12 && binary.BigEndian.Uint32(k) == num; k, v = step() {
		at := binary.BigEndian.Uint64(k[4:])
		if at < low || at > high || !each(at, v) {
			return
		}
	}
}
