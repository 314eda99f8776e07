package seal

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// chain is what a camera sealed durably: positions in rising order, with
// numbers that it skipped, memory that it lost, reboots and new rosters.
type chain struct {
	all    []position
	linked []bool // whether all[i] names all[i-1] as its previous one
}

func drawChain(t *rapid.T, n int, salt byte) *chain {
	c := &chain{}
	boot, roster, seq := byte(1), uint64(1), uint64(0)
	for i := range n {
		p := position{taken: uint64(1e6 * (i + 1))}
		linked := true
		seq++
		switch rapid.IntRange(0, 19).Draw(t, "step") {
		case 0:
			boot++
		case 1:
			roster++
		case 2:
			seq += uint64(rapid.IntRange(1, 5).Draw(t, "skip"))
		case 3:
			linked = false
			seq += uint64(rapid.IntRange(1, 5).Draw(t, "forgot"))
		}
		p.seq, p.boot, p.roster = seq, [16]byte{boot, salt}, roster
		if linked && i > 0 {
			p.prev = c.all[i-1].hash
		}
		p.hash = hashOf(seq, salt)
		c.all, c.linked = append(c.all, p), append(c.linked, linked && i > 0)
	}
	return c
}

func hashOf(seq uint64, salt byte) [32]byte {
	return sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, seq), salt))
}

// missing says which numbers a viewer that accepted what is in have knows to be
// missing, and which of them are older than its first message.
func (c *chain) missing(have map[uint64]bool, first uint64) (missed, history []uint64) {
	head := uint64(0)
	for seq := range have {
		head = max(head, seq)
	}
	skipped := map[uint64]bool{}
	for i := 1; i < len(c.all); i++ {
		a, b := c.all[i-1], c.all[i]
		if c.linked[i] && have[a.seq] && have[b.seq] {
			for n := a.seq + 1; n < b.seq; n++ {
				skipped[n] = true
			}
		}
	}
	for n := uint64(1); n < head; n++ {
		switch {
		case have[n] || skipped[n]:
		case n < first:
			history = append(history, n)
		default:
			missed = append(missed, n)
		}
	}
	return missed, history
}

func numbers(gaps []gap, history bool) (all []uint64) {
	for _, g := range gaps {
		for n := g.first; n <= g.last && g.history == history; n++ {
			all = append(all, n)
		}
	}
	return all
}

// persisted is l after it was written and read.
func persisted(t *rapid.T, l *ledger) *ledger {
	s := l.state()
	b, err := encode(s)
	if err != nil {
		t.Fatal(err)
	}
	var again ledgerState
	if err := decode(b, &again); err != nil {
		t.Fatal(err)
	}
	n := again.ledger()
	if !n.valid() {
		t.Fatalf("%+v is not valid", n)
	}
	return &n
}

// TestLedgerOrder: whatever the order, loss and repetition, a genuine message is
// accepted exactly once, and what is missing is known exactly.
func TestLedgerOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawChain(t, rapid.IntRange(1, 40).Draw(t, "messages"), 0)
		l, have, first := &ledger{}, map[uint64]bool{}, uint64(0)
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(c.all)-1), 1, 120).Draw(t, "deliveries") {
			p := c.all[i]
			r := l.checkDurable(p)
			switch {
			case have[p.seq]:
				if r == nil || r.Reason != Replayed || r.Alarm {
					t.Fatalf("message %d a second time: %v", p.seq, r)
				}
				continue
			case r != nil:
				t.Fatalf("message %d: %v", p.seq, r)
			}
			if first == 0 {
				first = p.seq
			}
			old, oldMissed := l.head.seq, len(numbers(l.gaps, false))
			g := l.recordDurable(p)
			have[p.seq] = true
			missed, history := c.missing(have, first)
			if got := numbers(l.gaps, false); !slices.Equal(got, missed) {
				t.Fatalf("after %d: missing %v, want %v", p.seq, got, missed)
			}
			if got := numbers(l.gaps, true); !slices.Equal(got, history) {
				t.Fatalf("after %d: history %v, want %v", p.seq, got, history)
			}
			if opened := p.seq > old && old != 0 && len(missed) > oldMissed; opened != (g != nil) {
				t.Fatalf("after %d: gap %v, but %v are missing", p.seq, g, missed)
			}
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				l = persisted(t, l)
			}
		}
	})
}

// TestLedgerClone: of two cameras with one key, no number is ever accepted
// twice; and neither is a number of the second once the first had it.
func TestLedgerClone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 60).Draw(t, "messages")
		a := drawChain(t, n, 0)
		b := drawChain(t, n, 1)
		l, have := &ledger{}, map[uint64][32]byte{}
		for range rapid.IntRange(1, 150).Draw(t, "deliveries") {
			c := a
			if rapid.Bool().Draw(t, "clone") {
				c = b
			}
			p := c.all[rapid.IntRange(0, n-1).Draw(t, "message")]
			r := l.checkDurable(p)
			if r != nil {
				continue
			}
			if was, ok := have[p.seq]; ok {
				t.Fatalf("two messages %d: %x and %x", p.seq, was[:4], p.hash[:4])
			}
			have[p.seq] = p.hash
			l.recordDurable(p)
		}
	})
}

// TestLedgerFork: a copy of the camera that goes on by itself is noticed with
// its first message that meets the other's, in either order.
func TestLedgerFork(t *testing.T) {
	honest := func(n int) (all []position) {
		for i := range n {
			p := position{seq: uint64(i + 1), roster: 1, boot: [16]byte{1}, hash: hashOf(uint64(i+1), 0)}
			if i > 0 {
				p.prev = all[i-1].hash
			}
			all = append(all, p)
		}
		return all
	}
	for forked := 1; forked < 10; forked++ {
		all := honest(10)
		copied := slices.Clone(all)
		for i := forked; i < 10; i++ {
			copied[i].hash = hashOf(uint64(i+1), 1)
			copied[i].prev = copied[i-1].hash
		}
		l := &ledger{}
		for _, p := range all[:forked+1] {
			if r := l.checkDurable(p); r != nil {
				t.Fatal(r)
			}
			l.recordDurable(p)
		}
		if r := l.checkDurable(copied[forked]); r == nil || !r.Alarm {
			t.Errorf("forked at %d: same number: %v", forked, r)
		}
		if forked+1 < 10 {
			if r := l.checkDurable(copied[forked+1]); r == nil || !r.Alarm {
				t.Errorf("forked at %d: next number: %v", forked, r)
			}
		}
	}
}

// TestLedgerBounds: with more gaps than are remembered, no number is accepted
// twice, and a receipt never claims what has not arrived.
func TestLedgerBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawChain(t, rapid.IntRange(150, 400).Draw(t, "messages"), 0)
		sealed := map[uint64]bool{}
		for _, p := range c.all {
			sealed[p.seq] = true
		}
		l, have, confessed := &ledger{}, map[uint64]bool{}, map[uint64]bool{}
		order := rapid.SliceOfN(rapid.IntRange(0, len(c.all)-1), 100, 500).Draw(t, "deliveries")
		if rapid.Bool().Draw(t, "rising") {
			slices.Sort(order)
		}
		for _, i := range order {
			p := c.all[i]
			if r := l.checkDurable(p); r != nil {
				if r.Alarm || p.seq > l.head.seq {
					t.Fatalf("message %d: %v", p.seq, r)
				}
				continue
			}
			if have[p.seq] {
				t.Fatalf("message %d twice", p.seq)
			}
			have[p.seq] = true
			l.recordDurable(p)
			if first := uint64(rapid.IntRange(1, 800).Draw(t, "confess")); first < p.seq && first%4 == 0 {
				last := min(first+2, p.seq-1)
				l.confess([]Range{{First: first, Last: last}})
				for n := first; n <= last; n++ {
					confessed[n] = true
				}
			}
			if len(l.gaps) > MaxGaps || !l.valid() {
				t.Fatalf("%d gaps, valid %v", len(l.gaps), l.valid())
			}
			missing := map[uint64]bool{}
			for _, n := range append(numbers(l.gaps, false), numbers(l.gaps, true)...) {
				missing[n] = true
			}
			for n := l.floor + 1; n <= l.head.seq; n++ {
				if !missing[n] && !have[n] && sealed[n] && !confessed[n] {
					t.Fatalf("message %d never arrived, and a receipt would claim it", n)
				}
			}
		}
		if l = persisted(t, l); len(l.recent) > maxRecent || len(l.boots) > maxBoots {
			t.Fatalf("%d recent, %d boots", len(l.recent), len(l.boots))
		}
	})
}

// TestLedgerConfess: what is confessed is marked, what is not is not, and it is
// welcome when it comes after all.
func TestLedgerConfess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawChain(t, 30, 0)
		l := &ledger{}
		have := map[uint64]bool{}
		for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, 29), 2, 15, rapid.ID).Draw(t, "deliveries") {
			if r := l.checkDurable(c.all[i]); r != nil {
				t.Fatal(r)
			}
			l.recordDurable(c.all[i])
			have[c.all[i].seq] = true
		}
		before := append(numbers(l.gaps, true), numbers(l.gaps, false)...)
		slices.Sort(before)
		first := uint64(rapid.IntRange(1, 40).Draw(t, "first"))
		lost := Range{First: first, Last: first + uint64(rapid.IntRange(0, 10).Draw(t, "more"))}
		l.confess([]Range{lost})
		after := append(numbers(l.gaps, true), numbers(l.gaps, false)...)
		slices.Sort(after)
		if !slices.Equal(before, after) {
			t.Fatalf("missing %v, then %v", before, after)
		}
		for _, g := range l.gaps {
			if inside := g.first >= lost.First && g.last <= lost.Last; inside != g.lost {
				t.Fatalf("gap %d-%d lost %v, confessed %v", g.first, g.last, g.lost, lost)
			}
		}
		for _, p := range c.all {
			if !have[p.seq] && p.seq < l.head.seq {
				if r := l.checkDurable(p); r != nil {
					t.Fatalf("message %d after the confession of %v: %v", p.seq, lost, r)
				}
				l.recordDurable(p)
			}
		}
	})
}

// A second copy that a poor network brings a hundred messages late is harmless,
// and known as such.
func TestLateCopy(t *testing.T) {
	l := &ledger{}
	for seq := uint64(1); seq <= 100; seq++ {
		p := position{seq: seq, prev: hashOf(seq-1, 0), hash: hashOf(seq, 0)}
		if r := l.checkDurable(p); r != nil {
			t.Fatal(r)
		}
		l.recordDurable(p)
	}
	if r := l.checkDurable(position{seq: 3, prev: hashOf(2, 0), hash: hashOf(3, 0)}); r == nil || !r.Duplicate || r.Alarm {
		t.Errorf("a copy: %+v", r)
	}
	if r := l.checkDurable(position{seq: 3, prev: hashOf(2, 0), hash: hashOf(3, 1)}); r == nil || !r.Alarm {
		t.Errorf("another message of that number: %+v", r)
	}
}
