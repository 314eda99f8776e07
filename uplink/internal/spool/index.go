package spool

import "slices"

// entry is one stored message. It is linked into one list of victims, and into
// one lane while it waits to be sent.
type entry struct {
	label
	onDisk   state // state that the file's name says; behind label.state for a while
	inFlight bool  // handed out by Offer, and neither acknowledged nor returned
	parked   bool  // could not be read; tried again on the next connection
	dirty    bool  // in Spool.dirty
	gone     bool  // its file has been given up

	links [2]struct {
		in         *list
		prev, next *entry
	}
}

// The two links of an entry.
const (
	byVictim = iota
	byLane
)

// list is a doubly linked list of entries. An entry is in at most one list of
// each side.
type list struct {
	side        int
	first, last *entry
	n           int
}

func (l *list) pushBack(e *entry)  { l.insert(e, nil) }
func (l *list) pushFront(e *entry) { l.insert(e, l.first) }

// pushByAge puts e where the newest is first. It looks from both ends: what is put
// there is nearly always among the newest or the oldest.
func (l *list) pushByAge(e *entry) {
	front, back := l.first, l.last
	for front != nil && front.seq > e.seq && back.seq < e.seq {
		front, back = front.links[l.side].next, back.links[l.side].prev
	}
	if front != nil && front.seq > e.seq {
		front = back.links[l.side].next
	}
	l.insert(e, front)
}

// insert puts e in front of next, at the end if that is nil.
func (l *list) insert(e, next *entry) {
	k := &e.links[l.side]
	k.in, k.prev, k.next = l, l.last, next
	if next != nil {
		k.prev = next.links[l.side].prev
		next.links[l.side].prev = e
	} else {
		l.last = e
	}
	if k.prev != nil {
		k.prev.links[l.side].next = e
	} else {
		l.first = e
	}
	l.n++
}

// unlink takes e out of the list of that side, if it is in one.
func (e *entry) unlink(side int) {
	k := &e.links[side]
	l := k.in
	if l == nil {
		return
	}
	if k.prev != nil {
		k.prev.links[side].next = k.next
	} else {
		l.first = k.next
	}
	if k.next != nil {
		k.next.links[side].prev = k.prev
	} else {
		l.last = k.prev
	}
	l.n--
	k.in, k.prev, k.next = nil, nil, nil
}

// index finds, orders and counts the stored messages. Every operation takes
// the same time whatever is stored.
type index struct {
	entries map[uint64]*entry
	have    Ranges // numbers of entries
	unsent  Ranges // numbers in lanes that were never acknowledged
	sent    Ranges // numbers that were sent, but for those below the lowest unsent
	holes   int    // see Config.Holes
	open    Ranges // numbers stored or lost, and not delivered
	bytes   int64  // taken on disk, as cost counts

	victims [states][classes]list
	lanes   [2]list // status, first in first out, and snapshots, the newest first
	clips   clipLane
	again   list // asked for once more by a viewer
}

// clipLane gives the newest clip first, and each clip from its start. Clips
// with nothing waiting are dropped when they come up.
type clipLane struct {
	order []*clip          // newest last
	of    map[uint64]*clip // by group
}

type clip struct {
	list
	group uint64
	since uint64 // number by which it is ordered
}

func newIndex(holes int) *index {
	x := &index{holes: holes, entries: map[uint64]*entry{}, clips: clipLane{of: map[uint64]*clip{}}}
	x.again.side = byLane
	for i := range x.lanes {
		x.lanes[i].side = byLane
	}
	return x
}

// cost is what a message takes on disk: whole blocks, of the usual size.
func (l label) cost() int64 { return (int64(l.size) + 4095) &^ 4095 }

// top returns the highest number stored, or 0.
func (x *index) top() uint64 {
	if len(x.have) == 0 {
		return 0
	}
	return x.have[len(x.have)-1].Last
}

// insert adds e, not yet in a lane.
func (x *index) insert(e *entry) {
	x.entries[e.seq] = e
	x.have.Add(Range{e.seq, e.seq})
	if e.state != delivered {
		x.open.Add(Range{e.seq, e.seq})
	}
	if e.state != waiting {
		x.sent.Add(Range{e.seq, e.seq})
	}
	x.bytes += e.cost()
	x.victims[e.state][e.class].pushBack(e)
}

// drop takes e out of everything but open, which is about delivery.
func (x *index) drop(e *entry) {
	e.unlink(byVictim)
	x.dequeue(e)
	e.gone = true
	delete(x.entries, e.seq)
	x.have.Remove(Range{e.seq, e.seq})
	x.bytes -= e.cost()
}

// enqueue puts e at the end of its lane, or at the front of it; a snapshot always
// where its age says.
func (x *index) enqueue(e *entry, front bool) {
	if e.links[byLane].in != nil {
		return
	}
	l := &x.again
	switch {
	case e.state != waiting:
	case e.class == Clip:
		l = x.clips.lane(e)
	default:
		l = &x.lanes[e.class-Status]
	}
	switch {
	case l == &x.lanes[Snapshot-Status]:
		l.pushByAge(e)
	case front:
		l.pushFront(e)
	default:
		l.pushBack(e)
	}
	if l != &x.again {
		x.unsent.Add(Range{e.seq, e.seq})
		x.sent.Remove(Range{e.seq, e.seq})
	}
}

// dequeue takes e out of its lane, if it is in one.
func (x *index) dequeue(e *entry) {
	if l := e.links[byLane].in; l != nil && l != &x.again {
		x.unsent.Remove(Range{e.seq, e.seq})
	}
	e.unlink(byLane)
}

func (c *clipLane) lane(e *entry) *list {
	l := c.of[e.group]
	if l == nil {
		l = &clip{list: list{side: byLane}, group: e.group, since: e.seq}
		c.of[e.group] = l
		i := len(c.order) // nearly always the newest
		for i > 0 && c.order[i-1].since > e.seq {
			i--
		}
		c.order = slices.Insert(c.order, i, l)
	}
	return &l.list
}

// next takes the entry that is to be sent next out of its lane; nil if none.
// That is the most important one, unless it would leave too many holes: then it
// is the lowest.
//
// A viewer that has more gaps than it can remember gives up on the lowest. So
// there may always be some below the lowest that is still to be sent, such as of
// what is lost: nothing is waited for there. Only the holes above it count. Half of
// those are for what is newer than all that was sent, so that no backlog, in
// whatever order it goes, holds up the picture of now.
func (x *index) next() *entry {
	e := x.important()
	if e == nil || len(x.unsent) == 0 {
		x.dequeueSent(e)
		return e
	}
	lowest := x.unsent[0].First
	x.sent = x.sent[x.sent.find(lowest):]
	most := x.holes / 2
	if n := len(x.sent); n > 0 && e.seq > x.sent[n-1].Last {
		most = x.holes
	}
	if len(x.sent) >= most && e.links[byLane].in != &x.again && !x.sent.touches(e.seq) {
		e = x.entries[lowest]
	}
	x.dequeueSent(e)
	return e
}

// dequeueSent takes e out of its lane, because it is being sent.
func (x *index) dequeueSent(e *entry) {
	if e == nil {
		return
	}
	x.dequeue(e)
	x.sent.Add(Range{e.seq, e.seq})
}

func (x *index) important() *entry {
	for i := range x.lanes {
		if e := x.lanes[i].first; e != nil {
			return e
		}
	}
	if e := x.clips.first(); e != nil {
		return e
	}
	return x.again.first
}

func (c *clipLane) first() *entry {
	for n := len(c.order); n > 0; n = len(c.order) {
		newest := c.order[n-1]
		if newest.first != nil {
			return newest.first
		}
		delete(c.of, newest.group)
		c.order = c.order[:n-1]
	}
	return nil
}
