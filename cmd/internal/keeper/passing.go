package keeper

import (
	"slices"
	"sync"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// passing holds what is not kept for as long as it is the newest, and tells those
// who follow a household's feed. It is safe for concurrent use.
type passing struct {
	mu      sync.Mutex
	newest  map[slot]*passed
	by      map[[32]byte]*passed
	order   []*passed // oldest first; some may be gone
	bytes   int
	follows map[seal.HouseholdID]map[*follower]struct{}
}

// slot is the place of a camera's newest message of a stream on a topic: statuses
// may travel as live pictures do.
type slot struct {
	camera seal.CameraID
	stream seal.Stream
	kind   string
}

func slotOf(e store.Entry) slot { return slot{e.Visible.Camera, e.Visible.Stream, e.Kind} }

type passed struct {
	store.Entry
	sealed []byte
	gone   bool
}

// follower is told of what passes. What it does not read in time it misses: only
// the newest counts.
type follower struct{ entries chan store.Entry }

// What is held at most: of all that is not kept, and what may wait for one follower.
const (
	maxPassing = 128 << 20
	maxFollow  = 64
)

func newPassing() *passing {
	return &passing{newest: map[slot]*passed{}, by: map[[32]byte]*passed{}, follows: map[seal.HouseholdID]map[*follower]struct{}{}}
}

// take holds a message, and reports whether it is news. Of live pictures and wills the
// newest stays; of live view and what was fetched, what there is room for.
func (p *passing) take(e store.Entry, sealed []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := e.Visible
	if p.by[v.Hash] != nil {
		return false
	}
	if v.Stream == seal.Live || v.Stream == seal.Will {
		old := p.newest[slotOf(e)]
		if old != nil && v.Seq < old.Visible.Seq && (v.Stream == seal.Live || v.Boot == old.Visible.Boot) {
			return false
		}
		if old != nil {
			p.drop(old)
		}
	}
	m := &passed{Entry: e, sealed: sealed}
	p.by[v.Hash] = m
	p.order = append(p.order, m)
	p.bytes += len(sealed)
	if v.Stream == seal.Live || v.Stream == seal.Will {
		p.newest[slotOf(e)] = m
	}
	for len(p.order) > 0 && (p.bytes > maxPassing || p.order[0].gone) {
		p.drop(p.order[0])
		p.order[0] = nil
		p.order = p.order[1:]
	}
	if len(p.order) > 2*len(p.by)+maxFollow { // what is gone lies behind what stays
		p.order = slices.DeleteFunc(p.order, func(m *passed) bool { return m.gone })
	}
	for f := range p.follows[v.Household] {
		select {
		case f.entries <- e:
		default:
		}
	}
	return true
}

func (p *passing) drop(m *passed) {
	if m.gone {
		return
	}
	m.gone = true
	p.bytes -= len(m.sealed)
	m.sealed = nil
	delete(p.by, m.Visible.Hash)
	if p.newest[slotOf(m.Entry)] == m {
		delete(p.newest, slotOf(m.Entry))
	}
}

// get returns a message that is held, or nil.
func (p *passing) get(hash [32]byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.by[hash]; m != nil {
		return m.sealed
	}
	return nil
}

// follow tells f of what passes of a household from now on, and returns the newest
// of its cameras.
func (p *passing) follow(h seal.HouseholdID, cameras []seal.RosterCamera) (f *follower, newest []store.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f = &follower{make(chan store.Entry, maxFollow)}
	if p.follows[h] == nil {
		p.follows[h] = map[*follower]struct{}{}
	}
	p.follows[h][f] = struct{}{}
	for _, c := range cameras {
		for _, at := range []slot{{c.ID, seal.Live, feed.Live}, {c.ID, seal.Live, feed.Status}, {c.ID, seal.Will, feed.Status}} {
			if m := p.newest[at]; m != nil && m.Visible.Household == h {
				newest = append(newest, m.Entry)
			}
		}
	}
	return f, newest
}

func (p *passing) unfollow(h seal.HouseholdID, f *follower) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.follows[h], f)
	if len(p.follows[h]) == 0 {
		delete(p.follows, h)
	}
}

// forget lets go of what is held of a camera, or of a household's if c is empty.
func (p *passing) forget(h seal.HouseholdID, c seal.CameraID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.order {
		if m.Visible.Household == h && (c == "" || m.Visible.Camera == c) {
			p.drop(m)
		}
	}
}
