package keeper

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

func laneItem(camera string, n int) Delivery {
	return Delivery{Item: feed.Item{Camera: seal.CameraID(camera), Sealed: make([]byte, n)}}
}

// However much one camera sends, there is room for others, and they are served as
// soon.
func TestFloodLeavesRoom(t *testing.T) {
	q := newLanes(bound{1000, 1 << 20}, bound{100, 1 << 20})
	var now time.Time
	taken := 0
	for range 10000 {
		if ok, _ := q.push(laneItem("flood", 100), now); ok {
			taken++
		}
	}
	if taken != 50 { // as many as there is room left
		t.Errorf("one camera has %d of 100 places", taken)
	}
	for _, c := range []string{"a", "b", "c"} {
		if ok, _ := q.push(laneItem(c, 100), now); !ok {
			t.Errorf("no room for %s", c)
		}
	}
	batch, release := q.batch()
	defer release()
	seen := map[seal.CameraID]int{}
	for _, a := range batch {
		seen[a.Camera]++
	}
	if seen["flood"] != maxTurn || seen["a"] != 1 || seen["b"] != 1 || seen["c"] != 1 {
		t.Errorf("served %v", seen)
	}
}

// By bytes, too: what one camera may hold is never all.
func TestFloodOfBytes(t *testing.T) {
	q := newLanes(bound{1000, 1000}, bound{1000, 1000})
	var now time.Time
	if ok, _ := q.push(laneItem("flood", 1001), now); ok {
		t.Error("more than there is room for")
	}
	for range 100 {
		q.push(laneItem("flood", 10), now)
	}
	if ok, _ := q.push(laneItem("a", 300), now); !ok {
		t.Errorf("no room for another camera's message: %+v are held", q.waiting())
	}
}

// One camera's messages keep their order, whoever serves it; its lane is in one
// worker's hands at a time.
func TestLaneKeepsOrder(t *testing.T) {
	q := newLanes(bound{1000, 1 << 20}, bound{1000, 1 << 20})
	for i := range maxTurn {
		q.push(laneItem("a", i+1), time.Time{})
	}
	first, release := q.batch()
	for i := range 2*maxTurn + 1 { // the lane is empty, and still in the first worker's hands
		q.push(laneItem("a", maxTurn+i+1), time.Time{})
	}
	if again, _ := q.batch(); len(again) != 0 {
		t.Fatal("a second worker has the lane of the first")
	}
	release()
	sizes := sizesOf(first)
	for len(sizes) < 3*maxTurn+1 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		next, release, err := q.take(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, sizesOf(next)...)
		release()
	}
	for i, n := range sizes {
		if n != i+1 {
			t.Fatalf("came in the order %v", sizes)
		}
	}
	if q.waiting() != (bound{}) || len(q.by) != 0 {
		t.Errorf("held %+v of %d cameras, though all is served", q.waiting(), len(q.by))
	}
}

func sizesOf(batch []arrival) (out []int) {
	for _, a := range batch {
		out = append(out, len(a.Sealed))
	}
	return out
}

// Where one place is all there is, the newest has it.
func TestLaneOfOnePlace(t *testing.T) {
	q := newLanes(bound{1, 100}, bound{10, 1000})
	for i := range 5 {
		ok, old := q.push(laneItem("a", i+1), time.Time{})
		if !ok || (old != nil) != (i > 0) || old != nil && len(old.Sealed) != i {
			t.Fatalf("%d: %v %v", i, ok, old)
		}
	}
	batch, release := q.batch()
	release()
	if len(batch) != 1 || len(batch[0].Sealed) != 5 || q.waiting() != (bound{}) {
		t.Errorf("served %v, held %+v", sizesOf(batch), q.waiting())
	}
}

// slowStore takes its time with everything until it is let go.
type slowStore struct {
	*store.Memory
	gate chan struct{}
}

func (s slowStore) Put(ctx context.Context, batch []store.Message) ([]error, error) {
	select {
	case <-s.gate:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.Memory.Put(ctx, batch)
}

// A camera that floods a keeper with a slow disk loses its own messages, which are
// counted, named once, and asked for again; another's come through.
func TestFloodSlowsNobody(t *testing.T) {
	gate := make(chan struct{})
	w := newWorld(t, 2, func(c *Config) { c.Store = slowStore{c.Store.(*store.Memory), gate} })
	flood, other := w.home.cameras[0], w.home.cameras[1]
	w.keeper.queue.one = bound{20, 1 << 20}
	for range 100 {
		w.feed.Deliver(flood.item(flood.seal(seal.Durable, "x")))
	}
	w.counted(dropped, 20)
	w.feed.Deliver(other.item(other.seal(seal.Durable, "x")))
	close(gate)
	w.until("the other camera's message is kept", func() bool {
		cameras, err := w.store.Cameras(t.Context(), w.home.id())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cameras {
			if c.ID == other.id && c.Count == 1 {
				return true
			}
		}
		return false
	})
	w.until("the rest is asked for", func() bool {
		for _, r := range w.commands(flood, seal.VerbResend) {
			if r.From > 1 && r.To == seal.MaxSeq {
				return true
			}
		}
		return false
	})
	if n := w.log.count("a camera sends more"); n != 1 {
		t.Errorf("named %d times", n)
	}
}

// lossyStore does not get the first message of one of its batches stored.
type lossyStore struct {
	*store.Memory
	left *atomic.Int64 // batches that go that way
}

func (s lossyStore) Put(ctx context.Context, batch []store.Message) ([]error, error) {
	if s.left.Add(-1) < 0 {
		return s.Memory.Put(ctx, batch)
	}
	errs, err := s.Memory.Put(ctx, batch[1:])
	return append([]error{errors.New("no node answers")}, errs...), err
}

// Of a batch that a store gets stored in part, the rest is no fault of its cameras':
// its source is told to deliver it again, it is asked for again, and it is kept then.
func TestPartOfABatch(t *testing.T) {
	lossy := lossyStore{left: new(atomic.Int64)}
	w := newWorld(t, 1, func(c *Config) {
		lossy.Memory = c.Store.(*store.Memory)
		c.Store = lossy
	})
	c := w.home.cameras[0]
	sealed := c.seal(seal.Durable, "x")
	answers := make(chan error, 2)
	deliver := func() error {
		w.keeper.arrive(Delivery{Item: c.item(sealed), Done: func(err error) { answers <- err }})
		return <-answers
	}
	lossy.left.Store(1)
	if err := deliver(); err == nil {
		t.Error("the source was told that what is not kept is done with")
	}
	w.counted(failed, 1)
	w.counted(malformed, 0)
	w.until("it is asked for again", func() bool { return len(w.commands(c, seal.VerbResend)) > 0 })
	if err := deliver(); err != nil || w.store.Stats().Messages != 1 {
		t.Errorf("then: %v, %d kept", err, w.store.Stats().Messages)
	}
}
