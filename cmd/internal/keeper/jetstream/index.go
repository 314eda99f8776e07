package jetstream

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// record is what the index holds of a message: some 180 bytes, with what points
// to it.
type record struct {
	camera     *camera
	hash, prev [32]byte
	boot       [16]byte
	seq        uint64
	roster     uint64
	cursor     uint64 // of its event in the log
	received   int64  // microseconds
	at         place
	size       uint32
	kind       uint8 // of kinds
	out        bool  // not kept any more, and not swept out of the household's list yet
}

// camera is what the index holds of one camera.
type camera struct {
	id       seal.CameraID
	home     *home
	arrival  []*record // by cursor
	bySeq    []*record // by sequence
	bytes    int64
	last     uint64 // highest sequence ever kept
	received int64
	had      store.Ranges // kept, or gone since
	deleted  store.Ranges // what the owner took: it never comes again
	goneAt   uint64       // cursor of the latest event gone
}

// home is what the index holds of one household.
type home struct {
	id       seal.HouseholdID
	cameras  map[seal.CameraID]*camera
	arrival  []*record // of all cameras, by cursor
	out      int       // of them, how many are out
	bytes    int64
	received int64         // of the latest; never falls
	latest   uint64        // highest cursor of an entry
	news     chan struct{} // closed when something arrives; nil while nobody waits
}

// index is the state that follows from the log. Every keeper that has read the
// log up to the same place has the same.
type index struct {
	mu       sync.RWMutex
	homes    map[seal.HouseholdID]*home
	byHash   map[[32]byte]*record
	position uint64 // of the log, up to which it is in here
	bytes    int64
	moved    chan struct{} // closed when position moves; nil while nobody waits
	refused  uint64        // events that said a second time what was said
}

func newIndex() *index {
	return &index{homes: map[seal.HouseholdID]*home{}, byHash: map[[32]byte]*record{}}
}

// result is what an event did.
type result struct {
	messages uint64
	bytes    int64
	out      []*record // what it took out
	before   uint64    // gone: the event before, which says nothing more; 0 for none
}

// apply takes one event in, which stands at cursor and came when the cluster's
// clock said at. Events come in order.
func (x *index) apply(e *event, cursor uint64, at time.Time) (r result) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if cursor <= x.position {
		return r
	}
	switch e.what {
	case kept:
		x.keep(e, cursor, at)
	case gone:
		c := x.camera(e.household, e.camera)
		r = x.take(c, func(k *record) bool { return k.cursor <= e.upto })
		c.last = max(c.last, e.last)
		c.had.Add(e.span.First, e.span.Last)
		r.before, c.goneAt = c.goneAt, cursor
	case deleted:
		c := x.camera(e.household, e.camera)
		c.last = max(c.last, e.last)
		c.had.Add(e.span.First, e.span.Last)
		c.deleted.Add(e.span.First, e.span.Last)
		r = x.take(c, func(k *record) bool { return c.deleted.Has(k.seq) })
	}
	x.reach(cursor)
	return r
}

// pass says that the log was read up to cursor.
func (x *index) pass(cursor uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if cursor > x.position {
		x.reach(cursor)
	}
}

func (x *index) reach(cursor uint64) {
	x.position = cursor
	if x.moved != nil {
		close(x.moved)
		x.moved = nil
	}
}

// at returns up to where the log is in x.
func (x *index) at() uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.position
}

func (x *index) count() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.byHash)
}

// wait returns when the log is in x up to cursor.
func (x *index) wait(ctx context.Context, cursor uint64) error {
	for {
		x.mu.Lock()
		if x.position >= cursor {
			x.mu.Unlock()
			return nil
		}
		if x.moved == nil {
			x.moved = make(chan struct{})
		}
		moved := x.moved
		x.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", ErrBehind, ctx.Err())
		}
	}
}

// find returns the camera, nil if nothing is known of it.
func (x *index) find(h seal.HouseholdID, id seal.CameraID) *camera {
	if house := x.homes[h]; house != nil {
		return house.cameras[id]
	}
	return nil
}

func (x *index) home(id seal.HouseholdID) *home {
	h := x.homes[id]
	if h == nil {
		h = &home{id: id, cameras: map[seal.CameraID]*camera{}}
		x.homes[id] = h
	}
	return h
}

func (x *index) camera(h seal.HouseholdID, id seal.CameraID) *camera {
	house := x.home(h)
	c := house.cameras[id]
	if c == nil {
		c = &camera{id: id, home: house}
		house.cameras[id] = c
	}
	return c
}

// keep takes a message in, unless it is there, or its place is taken, or it was
// deleted. What the log says twice is true once.
func (x *index) keep(e *event, cursor uint64, at time.Time) {
	v := &e.entry.Visible
	c := x.camera(e.household, e.camera)
	if x.verdict(c, v) != nil || x.byHash[v.Hash] != nil {
		x.refused++
		return
	}
	h := c.home
	h.received, h.latest = max(h.received, at.UnixMicro()), cursor
	k := &record{
		camera: c, hash: v.Hash, prev: v.Prev, boot: v.Boot, seq: v.Seq, roster: v.Roster, cursor: cursor,
		received: h.received, at: e.at, size: uint32(v.Size), kind: uint8(slices.Index(kinds[:], e.entry.Kind)),
	}
	x.byHash[k.hash] = k
	h.arrival, c.arrival = append(h.arrival, k), append(c.arrival, k)
	c.bySeq = slices.Insert(c.bySeq, c.after(k.seq), k)
	c.last, c.received = max(c.last, k.seq), k.received
	c.had.Add(k.seq, k.seq)
	c.bytes, h.bytes, x.bytes = c.bytes+int64(k.size), h.bytes+int64(k.size), x.bytes+int64(k.size)
	if h.news != nil {
		close(h.news)
		h.news = nil
	}
}

// verdict says why a message may not be kept; nil if it may, or is.
func (x *index) verdict(c *camera, v *seal.Visible) error {
	if c == nil {
		return nil
	}
	if c.deleted.Has(v.Seq) {
		return store.ErrDeleted
	}
	if i := c.after(v.Seq); i > 0 && c.bySeq[i-1].seq == v.Seq && c.bySeq[i-1].hash != v.Hash {
		return store.ErrConflict
	}
	return nil
}

// after returns the place in c.bySeq behind seq.
func (c *camera) after(seq uint64) int {
	if n := len(c.bySeq); n == 0 || c.bySeq[n-1].seq <= seq { // nearly always
		return n
	}
	return sort.Search(len(c.bySeq), func(i int) bool { return c.bySeq[i].seq > seq })
}

// take takes out of c what which says.
func (x *index) take(c *camera, which func(*record) bool) (r result) {
	h := c.home
	out := func(k *record) bool { return k.out }
	for _, k := range c.arrival {
		if !which(k) {
			continue
		}
		k.out = true
		delete(x.byHash, k.hash)
		r.messages, r.bytes, r.out = r.messages+1, r.bytes+int64(k.size), append(r.out, k)
	}
	if r.messages == 0 {
		return r
	}
	c.arrival, c.bySeq = slices.DeleteFunc(c.arrival, out), slices.DeleteFunc(c.bySeq, out)
	c.bytes, h.bytes, x.bytes = c.bytes-r.bytes, h.bytes-r.bytes, x.bytes-r.bytes
	if h.out += int(r.messages); h.out*2 > len(h.arrival) {
		h.arrival, h.out = slices.DeleteFunc(h.arrival, out), 0
	}
	return r
}

func (k *record) entry() store.Entry {
	return store.Entry{
		Visible: seal.Visible{
			Camera: k.camera.id, Household: k.camera.home.id, Roster: k.roster, Stream: seal.Durable,
			Seq: k.seq, Prev: k.prev, Boot: k.boot, Hash: k.hash, Size: int(k.size),
		},
		Kind: kinds[k.kind], Received: time.UnixMicro(k.received).UTC(), Cursor: k.cursor,
	}
}

// list answers q.
func (x *index) list(q store.Query) (store.Page, error) {
	if q.Household == "" || q.Limit < 1 || q.Limit > store.MaxLimit || q.BySeq && (q.Camera == "" || !q.Since.IsZero() || !q.Until.IsZero()) {
		return store.Page{}, store.ErrQuery
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	h := x.homes[q.Household]
	if h == nil {
		return store.Page{}, nil
	}
	all := h.arrival
	if q.Camera != "" {
		c := h.cameras[q.Camera]
		if c == nil {
			return store.Page{}, nil
		}
		if all = c.arrival; q.BySeq {
			all = c.bySeq
		}
	}
	place := func(k *record) uint64 { return k.cursor }
	if q.BySeq {
		place = func(k *record) uint64 { return k.seq }
	}
	return cut(all, q, place), nil
}

// cut returns the page of all, which is rising by place, and by Received unless
// that is the sequence.
func cut(all []*record, q store.Query, place func(*record) uint64) (p store.Page) {
	find := func(f func(*record) bool) int { return sort.Search(len(all), func(i int) bool { return f(all[i]) }) }
	low := find(func(k *record) bool { return place(k) > q.After && place(k) >= q.From })
	high := find(func(k *record) bool {
		return q.To != 0 && place(k) > q.To || q.Before != 0 && place(k) >= q.Before
	})
	if !q.Since.IsZero() {
		low = max(low, find(func(k *record) bool { return k.received >= ceilMicro(q.Since) }))
	}
	if !q.Until.IsZero() {
		high = min(high, find(func(k *record) bool { return k.received >= ceilMicro(q.Until) }))
	}
	for i := range high - low {
		k := all[low+i]
		if q.Newest {
			k = all[high-1-i]
		}
		if k.out {
			continue
		}
		if len(p.Entries) == q.Limit {
			p.More = true
			break
		}
		p.Entries = append(p.Entries, k.entry())
	}
	return p
}

// ceilMicro returns t in microseconds, rounded up.
func ceilMicro(t time.Time) int64 {
	us := t.UnixMicro()
	if t.After(time.UnixMicro(us)) {
		us++
	}
	return us
}

// cameras returns what is known of the cameras of a household, by id.
func (x *index) cameras(id seal.HouseholdID) []store.Camera {
	x.mu.RLock()
	defer x.mu.RUnlock()
	h := x.homes[id]
	if h == nil {
		return nil
	}
	var all []store.Camera
	for _, c := range h.cameras {
		s := store.Camera{ID: c.id, Last: c.last, Count: uint64(len(c.bySeq)), Bytes: c.bytes}
		if len(c.bySeq) > 0 {
			s.First = c.bySeq[0].seq
			s.Missing = c.had.Holes(s.First, s.Last, store.MaxMissing)
		}
		if c.received != 0 {
			s.Received = time.UnixMicro(c.received).UTC()
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b store.Camera) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
