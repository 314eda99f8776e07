package drill

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

// lie is one way in which a keeper may fail those who read from it.
type lie struct {
	name string
	tell func(t *teller) // sets what the keeper lies about
}

// lies lists all that are told, in the order of the report.
var lies = [...]lie{
	{"bytes swapped between hashes", func(t *teller) { t.give(func(r *rand.Rand, _ []byte) []byte { return anyOf(r, t.napper.home).sealed }) }},
	{"bytes of another household", func(t *teller) { t.give(func(r *rand.Rand, _ []byte) []byte { return anyOf(r, t.stranger()).sealed }) }},
	{"bytes changed", func(t *teller) {
		t.give(func(r *rand.Rand, b []byte) []byte {
			b = slices.Clone(b)
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			return b
		})
	}},
	{"bytes cut off", func(t *teller) { t.give(func(r *rand.Rand, b []byte) []byte { return b[:r.IntN(len(b))] }) }},
	{"withheld", func(t *teller) { t.give(func(*rand.Rand, []byte) []byte { return nil }) }},
	{"stale list", func(t *teller) {
		t.list(func(l []feed.FakeEntry) []feed.FakeEntry {
			if t.pass > 0 {
				return l // the list of before has grown old
			}
			t.count()
			return l[:len(l)/2]
		})
	}},
	{"left out of lists", func(t *teller) {
		t.list(func(l []feed.FakeEntry) []feed.FakeEntry {
			return slices.DeleteFunc(l, func(e feed.FakeEntry) bool { return t.lies(e.Hash) != nil })
		})
	}},
	{"listed twice", func(t *teller) {
		t.list(func(l []feed.FakeEntry) []feed.FakeEntry { t.count(); return slices.Concat(l[:1], l) })
	}},
	{"listed in another order", func(t *teller) {
		t.list(func(l []feed.FakeEntry) []feed.FakeEntry {
			t.count()
			t.r.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
			return l
		})
	}},
	{"under another number", func(t *teller) {
		t.list(func(l []feed.FakeEntry) []feed.FakeEntry {
			for i := range l {
				if r := t.lies(l[i].Hash); r != nil {
					l[i].Hash = l[r.IntN(len(l))].Hash
				}
			}
			return l
		})
	}},
	{"another camera's in the list", func(t *teller) {
		t.list(func(l []feed.FakeEntry) []feed.FakeEntry { return t.foreign(l, t.napper.home, false) })
	}},
	{"another household's in the list", func(t *teller) {
		t.list(func(l []feed.FakeEntry) []feed.FakeEntry { return t.foreign(l, t.stranger(), false) })
	}},
	{"another household's as ours", func(t *teller) {
		t.list(func(l []feed.FakeEntry) []feed.FakeEntry { return t.foreign(l, t.stranger(), true) })
	}},
	{"lower heads", func(t *teller) {
		t.napper.keeper.Heads = func(_ seal.CameraID, n uint64) uint64 { t.count(); return n - min(n, 5) }
	}},
	{"higher heads", func(t *teller) {
		t.napper.keeper.Heads = func(_ seal.CameraID, n uint64) uint64 { t.count(); return n + 1<<40 }
	}},
	// It has answered a deletion and not done it. Who has not seen the message gets an
	// authentic one; that the keeper still had it, its own signed answer proves.
	{"said to be deleted, and given", func(t *teller) {
		t.give(func(_ *rand.Rand, b []byte) []byte { return b })
	}},
	{"given once more", func(t *teller) {
		t.list(func(l []feed.FakeEntry) []feed.FakeEntry { // whatever was asked for
			t.count()
			return slices.Concat(t.napper.seen(l[0].Camera), l)
		})
	}},
}

// lyingShare is of how many messages a keeper lies, in hundredths.
const lyingShare = 20

// teller is what a lying keeper keeps in mind. All that it chooses follows from the
// seed and from which message it is about, in whatever order it is asked.
type teller struct {
	napper *napper
	pass   int // how often the viewer has read before
	told   atomic.Int64

	mu     sync.Mutex // a viewer asks for several messages at a time
	r      *rand.Rand // of lists, which it asks for one after the other
	chosen map[*message]bool
	extra  map[string][]byte // by hash: what is not this keeper's to give
}

// count counts a lie.
func (t *teller) count() { t.told.Add(1) }

// lies decides whether there is a lie about the message of a hash: once for all, and
// not about the last of a camera. It returns the choices to make for it, or nil.
func (t *teller) lies(hash string) *rand.Rand {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.napper.byHash[hash]
	if m == nil {
		return nil
	}
	r := numbersOf(t.napper.d.config.Seed, fmt.Sprintf("lie %d about %s %d", t.napper.lie, m.camera.name, m.seq))
	if r.IntN(100) >= lyingShare {
		return nil
	}
	t.chosen[m] = true
	t.count()
	return r
}

// lied reports whether there was a lie about m.
func (t *teller) lied(m *message) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.chosen[m]
}

// give lies with the bytes of some messages.
func (t *teller) give(change func(*rand.Rand, []byte) []byte) {
	t.napper.keeper.Give = func(e feed.FakeEntry, b []byte) []byte {
		if r := t.lies(e.Hash); r != nil {
			return change(r, b)
		}
		return b
	}
}

// serve gives also what is not this keeper's to give.
func (t *teller) serve(e feed.FakeEntry, b []byte) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if other := t.extra[e.Hash]; other != nil {
		return other
	}
	return b
}

// list lies with lists that have something in them.
func (t *teller) list(change func([]feed.FakeEntry) []feed.FakeEntry) {
	if t.napper.keeper.Give == nil {
		t.napper.keeper.Give = t.serve
	}
	t.napper.keeper.List = func(l []feed.FakeEntry) []feed.FakeEntry {
		if len(l) == 0 {
			return l
		}
		return change(l)
	}
}

func anyOf(r *rand.Rand, h *household) *message { return h.days[r.IntN(len(h.days))] }

// stranger is another household.
func (t *teller) stranger() *household {
	homes := t.napper.d.world.homes
	return homes[(slices.Index(homes, t.napper.home)+1)%len(homes)]
}

// foreign puts a message of another camera of h into a list: as what it is, or as one
// that the list should have there.
func (t *teller) foreign(l []feed.FakeEntry, h *household, disguised bool) []feed.FakeEntry {
	m := anyOf(t.r, h)
	for m.camera.id == l[0].Camera || m.stream != seal.Durable {
		m = anyOf(t.r, h)
	}
	v, err := seal.Peek(m.sealed)
	if err != nil {
		return l // no camera seals such a thing
	}
	t.count()
	e := feed.FakeEntry{Hash: hex.EncodeToString(v.Hash[:]), Camera: v.Camera, Stream: v.Stream.String(), Seq: v.Seq, Kind: topicOf(m), Size: v.Size}
	t.mu.Lock()
	t.extra[e.Hash] = m.sealed
	t.mu.Unlock()
	i := t.r.IntN(len(l))
	if disguised {
		e.Camera, e.Seq = l[i].Camera, l[i].Seq
		l[i] = e
		return l
	}
	return slices.Insert(l, i, e)
}
