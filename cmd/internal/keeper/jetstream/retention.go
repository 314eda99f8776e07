package jetstream

import (
	"slices"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// surplus is what retention takes of one camera.
type surplus struct{ event *event }

func (x *index) households() []seal.HouseholdID {
	x.mu.RLock()
	defer x.mu.RUnlock()
	ids := make([]seal.HouseholdID, 0, len(x.homes))
	for id := range x.homes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// excess returns what of a household is too old or too much, per camera.
func (x *index) excess(id seal.HouseholdID, p store.Policy, now time.Time) (all []surplus) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	h := x.homes[id]
	if h == nil {
		return nil
	}
	young, old := now.Add(-settled).UnixMicro(), int64(0)
	if p.Age > 0 {
		old = min(now.Add(-p.Age).UnixMicro(), young)
	}
	left := h.bytes
	of := map[*camera]*event{}
	for _, k := range h.arrival {
		if k.out {
			continue
		}
		tooOld, tooMuch := k.received < old, p.Bytes > 0 && left > p.Bytes && k.received < young
		if !tooOld && !tooMuch {
			break
		}
		left -= int64(k.size)
		ev := of[k.camera]
		if ev == nil {
			ev = &event{what: gone, household: id, camera: k.camera.id, last: k.camera.last, span: seal.Range{First: 1}}
			of[k.camera] = ev
			all = append(all, surplus{ev})
		}
		// Nothing as old as what went is missed any more.
		ev.upto, ev.span.Last = k.cursor, max(ev.span.Last, k.seq)
	}
	return all
}

// least returns the lowest sequence in a stream of bytes that the index names of
// a camera; 0 for none.
func (x *index) least(h seal.HouseholdID, id seal.CameraID, shard uint16) (least uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	c := x.find(h, id)
	if c == nil {
		return 0
	}
	for _, k := range c.arrival {
		if k.at.shard == shard && (least == 0 || k.at.seq < least) {
			least = k.at.seq
		}
	}
	return least
}
