package store

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// change is one change of an index: it reads each line of a household, camera
// and segment once, and writes it once, at the end.
type change struct {
	tx
	state    state
	houses   map[seal.HouseholdID]*houseRow
	cameras  map[camKey]*camRow
	segments map[uint64]int64 // messages more or less
}

type camKey struct {
	household seal.HouseholdID
	camera    seal.CameraID
}

func (t tx) change() (*change, error) {
	st, err := t.state()
	for _, name := range []string{treeArrival, treeCame, treeSeq} {
		t.tree(name).FillPercent = 0.9 // what comes goes to an end; a page half full would stay so
	}
	return &change{
		tx: t, state: st, houses: map[seal.HouseholdID]*houseRow{}, cameras: map[camKey]*camRow{}, segments: map[uint64]int64{},
	}, err
}

// house returns a household's line to be changed; it makes one.
func (c *change) house(id seal.HouseholdID) (*houseRow, error) {
	if h := c.houses[id]; h != nil {
		return h, nil
	}
	h, err := c.tx.house(id)
	if errors.Is(err, ErrNotKept) {
		c.state.Households++
		h, err = houseRow{Num: c.state.Households, Received: time.UnixMicro(0)}, nil
	}
	c.houses[id] = &h
	return &h, err
}

// camera returns a camera's line to be changed; it makes one.
func (c *change) camera(household seal.HouseholdID, id seal.CameraID) (*camRow, error) {
	if m := c.cameras[camKey{household, id}]; m != nil {
		return m, nil
	}
	h, err := c.house(household)
	if err != nil {
		return nil, err
	}
	m, err := c.tx.camera(h.Num, id)
	if errors.Is(err, ErrNotKept) {
		c.state.Cameras++
		m = camRow{Num: c.state.Cameras, track: track{Received: time.UnixMicro(0)}}
		err = c.tree(treeName).Put(key32(m.Num), []byte(id))
	}
	c.cameras[camKey{household, id}] = &m
	return &m, err
}

// add puts a message into the index. deleted is what its camera must not be
// asked for.
func (c *change) add(r *row, deleted Ranges) error {
	v := &r.Visible
	h, err := c.house(v.Household)
	if err != nil {
		return err
	}
	m, err := c.camera(v.Household, v.Camera)
	if err != nil {
		return err
	}
	h.Cursor, h.Count, h.Bytes = max(h.Cursor, r.Cursor), h.Count+1, h.Bytes+int64(v.Size)
	if r.Received.After(h.Received) {
		h.Received = r.Received
	}
	m.add(v.Seq, v.Size, r.Received, deleted)
	c.state.Messages++
	c.state.Bytes += int64(v.Size)
	c.segments[r.Segment]++
	at := place32(h.Num, r.Cursor)
	return errors.Join(
		c.tree(treeArrival).Put(at, encodeRow(m.Num, r)),
		c.tree(treeCame).Put(place32(m.Num, r.Cursor), nil),
		c.tree(treeSeq).Put(place32(m.Num, v.Seq), key64(r.Cursor)),
		c.tree(treeHash).Put(v.Hash[:], at))
}

// drop takes a message out of the index, and notes that its bytes are to be
// erased; thorough as in noteErase.
func (c *change) drop(r *row, thorough bool) error {
	v := &r.Visible
	h, err := c.house(v.Household)
	if err != nil {
		return err
	}
	m, err := c.camera(v.Household, v.Camera)
	if err != nil {
		return err
	}
	err = errors.Join(
		c.tree(treeArrival).Delete(place32(h.Num, r.Cursor)),
		c.tree(treeCame).Delete(place32(m.Num, r.Cursor)),
		c.tree(treeSeq).Delete(place32(m.Num, v.Seq)),
		c.tree(treeHash).Delete(v.Hash[:]),
		c.noteErase(r, thorough))
	first := m.First
	if v.Seq == first {
		first = 0
		walk(c.tree(treeSeq), m.Num, v.Seq, maxSeq, false, func(at uint64, _ []byte) bool { first = at; return false })
	}
	m.drop(v.Size, first)
	h.Count--
	h.Bytes -= int64(v.Size)
	c.state.Messages--
	c.state.Bytes -= int64(v.Size)
	c.segments[r.Segment]--
	return err
}

// write writes the lines that changed.
func (c *change) write() error {
	var errs []error
	for id, h := range c.houses {
		errs = append(errs, c.tree(treeHousehold).Put([]byte(id), h.encode()))
	}
	for k, m := range c.cameras {
		errs = append(errs, c.tree(treeCamera).Put(key32(c.houses[k.household].Num, []byte(k.camera)...), m.encode()))
	}
	for _, id := range slices.Sorted(maps.Keys(c.segments)) {
		n := c.segments[id]
		if b := c.tree(treeSegment).Get(key64(id)); len(b) == 8 {
			n += int64(binary.BigEndian.Uint64(b))
		}
		errs = append(errs, c.tree(treeSegment).Put(key64(id), key64(uint64(n))))
	}
	return errors.Join(append(errs, c.setState(c.state))...)
}
