package seal

import (
	"slices"
	"time"
)

// Bounds of what is remembered per stream of a camera.
const (
	// hashes of the newest messages, to tell a second copy from a contradiction: a
	// poor network brings durable ones late
	maxRecent = 128
	maxLately = 32 // of live ones
	maxBoots  = 16 // boot ids before the present one
	maxWills  = 16
)

// position is where a message stands, from its visible claims.
type position struct {
	seq    uint64
	prev   [32]byte
	hash   [32]byte
	boot   [16]byte
	roster uint64
	taken  uint64 // microseconds since 1970, 0 for unknown
}

// A ledger is what a viewer knows of one stream of one camera. check decides,
// record moves; record is called only for a position that check has passed.
type ledger struct {
	head   position // highest sequence accepted; seq 0 for none yet
	floor  uint64   // nothing up to here is accepted any more
	gaps   []gap    // rising, all within floor+1 .. head.seq-1
	recent []mark   // rising by sequence
	boots  [][16]byte
}

// gap is an inclusive range of sequences that have not arrived.
type gap struct {
	first, last uint64
	after       [32]byte // hash of the message before first, or unknown
	before      [32]byte // what the message after last names as its previous one, or unknown
	from, to    uint64   // when those two were taken, 0 for unknown
	history     bool     // from before this viewer's time: not missed, but welcome
	lost        bool     // confessed by the camera: will never come
}

// unknown stands for the hash of a message that is not known, or not there.
var unknown [32]byte

type mark struct {
	seq  uint64
	hash [32]byte
}

// Gap is a hole in the sequence of a camera: messages that it sealed and this
// viewer has not had.
type Gap struct {
	First, Last uint64
	// After and Before are when the neighbours were taken, zero if unknown: by
	// the camera's clock, and as good as that.
	After, Before time.Time
	// Lost says that the camera has confessed that they will never come.
	Lost bool
}

// checkBoot refuses to go back: to an older roster, or to a boot that another
// one has followed. A genuine camera does neither, and draws every boot id anew.
func (l *ledger) checkBoot(p position) *Refusal {
	if p.roster < l.head.roster {
		return alarm("message %d is under roster %d, message %d was under %d", p.seq, p.roster, l.head.seq, l.head.roster)
	}
	if p.boot != l.head.boot && slices.Contains(l.boots, p.boot) {
		return alarm("message %d is from boot %x, which ended before message %d", p.seq, p.boot[:4], l.head.seq)
	}
	return nil
}

// checkRecent tells a second copy from two messages with one number.
func (l *ledger) checkRecent(p position) *Refusal {
	i, ok := slices.BinarySearchFunc(l.recent, p.seq, markSeq)
	if !ok {
		return nil
	}
	if l.recent[i].hash != p.hash {
		return alarm("two different messages have number %d", p.seq)
	}
	r := refuse(Replayed, "message %d again", p.seq)
	r.Duplicate = true
	return r
}

// checkDurable decides whether p may stand in a gapless sequence.
func (l *ledger) checkDurable(p position) *Refusal {
	if l.head.seq == 0 {
		return nil
	}
	if r := l.checkRecent(p); r != nil {
		return r
	}
	if p.seq > l.head.seq {
		if p.seq == l.head.seq+1 && p.prev != l.head.hash {
			return alarm("message %d does not continue message %d", p.seq, l.head.seq)
		}
		return l.checkBoot(p)
	}
	i := l.find(p.seq)
	if i < 0 {
		return refuse(Replayed, "message %d is not after %d, and not missing", p.seq, l.head.seq)
	}
	g := &l.gaps[i]
	if p.seq == g.first && g.after != unknown && p.prev != g.after || p.seq == g.last && g.before != unknown && p.hash != g.before {
		return alarm("message %d does not fit between its neighbours", p.seq)
	}
	return nil
}

// checkLive decides whether p is newer than what was seen. Only the newest is a
// duplicate that may be drawn again: an older one would turn the picture back.
func (l *ledger) checkLive(p position) *Refusal {
	if l.head.seq == 0 {
		return nil
	}
	if r := l.checkRecent(p); r != nil && (r.Alarm || p.seq == l.head.seq) {
		return r
	}
	if p.seq <= l.head.seq {
		return refuse(Replayed, "live message %d, but %d was seen", p.seq, l.head.seq)
	}
	return l.checkBoot(p)
}

// recordDurable puts p into the sequence and returns the gap that it opened,
// or nil.
func (l *ledger) recordDurable(p position) *gap {
	defer l.remember(p, maxRecent)
	switch {
	case l.head.seq == 0: // the first this viewer has of the camera
		if p.seq > 1 {
			l.gaps = append(l.gaps, gap{first: 1, last: p.seq - 1, before: p.prev, to: p.taken, history: true})
		}
		l.head = p
		return nil
	case p.seq < l.head.seq:
		l.fill(p)
		return nil
	}
	old := l.head
	l.moveHead(p)
	// A camera that names our newest as its previous has skipped numbers, and
	// nothing is missing.
	if p.seq == old.seq+1 || p.prev == old.hash {
		return nil
	}
	g := gap{first: old.seq + 1, last: p.seq - 1, after: old.hash, before: p.prev, from: old.taken, to: p.taken}
	l.gaps = append(l.gaps, g)
	l.boundGaps()
	return &g
}

func (l *ledger) recordLive(p position) {
	l.moveHead(p)
	l.remember(p, maxLately)
}

func (l *ledger) moveHead(p position) {
	if l.head.seq != 0 && p.boot != l.head.boot {
		if len(l.boots) == maxBoots {
			l.boots = slices.Delete(l.boots, 0, 1)
		}
		l.boots = append(l.boots, l.head.boot)
	}
	l.head = p
}

// fill takes p out of the gap that it lies in.
func (l *ledger) fill(p position) {
	i := l.find(p.seq)
	g := l.gaps[i]
	below, above := g, g
	below.last, below.before, below.to = p.seq-1, p.prev, p.taken
	above.first, above.after, above.from = p.seq+1, p.hash, p.taken
	var parts []gap
	if below.first <= below.last && (p.prev == unknown || p.prev != g.after) {
		parts = append(parts, below)
	}
	if above.first <= above.last && p.hash != g.before {
		parts = append(parts, above)
	}
	l.gaps = slices.Replace(l.gaps, i, i+1, parts...)
	l.boundGaps()
}

// boundGaps gives up on a gap when there are too many: on one that will never
// be filled if there is one, else on the oldest with all before it.
func (l *ledger) boundGaps() {
	if len(l.gaps) <= MaxGaps {
		return
	}
	if i := slices.IndexFunc(l.gaps, func(g gap) bool { return g.lost }); i >= 0 {
		l.gaps = slices.Delete(l.gaps, i, i+1)
		return
	}
	l.floor = l.gaps[0].last
	l.gaps = slices.Delete(l.gaps, 0, 1)
}

// confess marks what of the gaps lies within lost. Gaps are split at the edges;
// what the camera confesses is not more than it says, and is welcome if it
// comes after all.
func (l *ledger) confess(lost []Range) {
	var out []gap
	for _, g := range l.gaps {
		out = append(out, g.confess(lost)...)
	}
	l.gaps = out
	for len(l.gaps) > MaxGaps {
		l.boundGaps()
	}
}

func (g gap) confess(lost []Range) (parts []gap) {
	for _, r := range lost {
		first, last := max(g.first, r.First), min(g.last, r.Last)
		if g.lost || first > last {
			continue
		}
		if g.first < first {
			open := g
			open.last, open.before, open.to = first-1, unknown, 0
			parts = append(parts, open)
		}
		gone := g
		gone.first, gone.last, gone.lost = first, last, true
		if gone.first != g.first {
			gone.after, gone.from = unknown, 0
		}
		if gone.last != g.last {
			gone.before, gone.to = unknown, 0
		}
		parts = append(parts, gone)
		if last == g.last {
			return parts
		}
		g.first, g.after, g.from = last+1, unknown, 0
	}
	return append(parts, g)
}

func (l *ledger) find(seq uint64) int {
	return slices.IndexFunc(l.gaps, func(g gap) bool { return g.first <= seq && seq <= g.last })
}

func (l *ledger) remember(p position, most int) {
	i, _ := slices.BinarySearchFunc(l.recent, p.seq, markSeq)
	l.recent = slices.Insert(l.recent, i, mark{p.seq, p.hash})
	if len(l.recent) > most {
		l.recent = slices.Delete(l.recent, 0, 1)
	}
}

func markSeq(m mark, seq uint64) int {
	switch {
	case m.seq < seq:
		return -1
	case m.seq > seq:
		return 1
	}
	return 0
}

func (g gap) public() Gap {
	return Gap{First: g.first, Last: g.last, After: fromMicro(g.from), Before: fromMicro(g.to), Lost: g.lost}
}

func fromMicro(us uint64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(us)).UTC()
}
