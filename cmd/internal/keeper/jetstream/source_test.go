package jetstream

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	js "github.com/nats-io/nats.go/jetstream"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/piece"
	"github.com/sealcam/sealcam/uplink/seal"
)

// heard is what a Source has handed on.
type heard struct {
	mu     sync.Mutex
	items  []feed.Item
	shared int // of items, those that are one keeper's to answer for
}

// listen runs the source of e until the end of the test. answer says what becomes of
// a message of the shared work.
func listen(t *testing.T, e *Engine, answer func(feed.Item) error) *heard {
	t.Helper()
	h := new(heard)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- e.Source().Run(ctx, func(it feed.Item, done func(error)) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.items = append(h.items, it)
			if done != nil {
				h.shared++
				done(answer(it))
			}
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the source ended: %v", err)
		}
	})
	return h
}

// times returns how often a message was handed on as one of a kind.
func (h *heard) times(kind string, sealed []byte) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, it := range h.items {
		if it.Kind == kind && bytes.Equal(it.Sealed, sealed) {
			n++
		}
	}
	return n
}

func fine(feed.Item) error { return nil }

// say publishes as a camera does, until all sources listen: what is of the moment is
// lost on those that do not.
func say(t *testing.T, e *Engine, camera seal.CameraID, kind string, payload []byte) {
	t.Helper()
	check(t, e.nc.Publish(rootTopics+string(camera)+"."+kind, payload))
	check(t, e.nc.Flush())
}

// What is of the moment is handed to every keeper, what must not be lost to one of
// them; a status is either, by its seal.
func TestLiveGoesToAll(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "")
	a, _ := open(t, c.config(t, "a"))
	b, _ := open(t, c.config(t, "b"))
	cam := newHouse(t, 1).cameras[0]
	hearA, hearB := listen(t, a, fine), listen(t, b, fine)
	both := func(kind string, sealed []byte) {
		t.Helper()
		until(t, kind+" has come to both", func() bool {
			say(t, a, cam.id, kind, sealed)
			return hearA.times(kind, sealed) > 0 && hearB.times(kind, sealed) > 0
		})
	}
	both(feed.Live, cam.of(seal.Live).Bytes)
	both(feed.Status, cam.of(seal.Will).Bytes)
	one := cam.seal(100).Bytes
	say(t, a, cam.id, feed.Status, one)
	until(t, "a status that must not be lost has come", func() bool { return hearA.times(feed.Status, one)+hearB.times(feed.Status, one) > 0 })
	say(t, b, cam.id, feed.Live, []byte("the last"))
	until(t, "all has come", func() bool {
		return hearA.times(feed.Live, []byte("the last")) > 0 && hearB.times(feed.Live, []byte("the last")) > 0
	})
	if n := hearA.times(feed.Status, one) + hearB.times(feed.Status, one); n != 1 {
		t.Errorf("a status that must not be lost was handed on %d times", n)
	}
}

// of seals a message of a stream that is not kept.
func (c *light) of(s seal.Stream) seal.Sealed {
	c.t.Helper()
	c.seq++
	out, err := c.sealer.Seal(seal.Meta{Stream: s, Seq: c.seq, Kind: seal.KindStatus, Media: "application/json", Clock: seal.ClockNone}, []byte("{}"))
	check(c.t, err)
	return out
}

// A message in pieces is handed on once it is whole, in whatever order they came, also
// when they came before the keeper began; what fits nothing is counted.
func TestPieces(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "")
	a, _ := open(t, c.config(t, "a"))
	cam := newHouse(t, 1).cameras[0]
	early, late := cam.seal(2*piece.Block).Bytes, cam.seal(2*piece.Block).Bytes
	for _, p := range inPieces(early, piece.Block) {
		say(t, a, cam.id, "piece", p)
	}
	hear := listen(t, a, fine)
	until(t, "what came before the keeper is whole", func() bool { return hear.times(feed.Media, early) == 1 })
	parts := inPieces(late, piece.Block)
	for i := range parts {
		say(t, a, cam.id, "piece", parts[len(parts)-1-i])
	}
	until(t, "what came the other way round is whole", func() bool { return hear.times(feed.Media, late) == 1 })
	say(t, a, cam.id, "piece", []byte("no piece of anything"))
	until(t, "what is no piece is counted", func() bool { return a.SourceStats().Ignored == 1 })
	hear.mu.Lock()
	defer hear.mu.Unlock()
	if hear.shared > 0 {
		t.Error("a message in pieces is given to one keeper alone")
	}
}

// inPieces returns a message in pieces of so many bytes.
func inPieces(message []byte, size int) (parts [][]byte) {
	for at := 0; at < len(message); at += size {
		p := piece.Piece{Kind: piece.Media, Size: len(message), At: at, Name: piece.Name(message), Data: message[at:min(at+size, len(message))]}
		parts = append(parts, p.Append(nil))
	}
	return parts
}

// A message that no keeper can store is given up after a number of tries, and does not
// hold up the others; one on a topic that no camera has is given up at once.
func TestPoison(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "")
	a, _ := open(t, c.config(t, "a"))
	a.pause = 1 // between tries: they are counted, and not timed
	cam := newHouse(t, 1).cameras[0]
	bad, good := cam.seal(100).Bytes, cam.seal(100).Bytes
	hear := listen(t, a, func(it feed.Item) error {
		if bytes.Equal(it.Sealed, bad) {
			return store.ErrDamaged
		}
		return nil
	})
	say(t, a, cam.id, feed.Media, bad)
	say(t, a, cam.id, feed.Media, good)
	say(t, a, "nobody", feed.Media, good)
	until(t, "both are given up", func() bool { return a.SourceStats().Poison == 2 })
	if n := hear.times(feed.Media, bad); n != tries {
		t.Errorf("tried %d times, want %d", n, tries)
	}
	if n := hear.times(feed.Media, good); n != 1 {
		t.Errorf("the message behind it was handed on %d times", n)
	}
	if s := a.SourceStats(); s.Again != tries-1 {
		t.Errorf("%+v", s)
	}
	until(t, "nothing of it is left in the cluster", func() bool {
		s, err := a.js.Stream(t.Context(), streamIntake)
		return err == nil && s.CachedInfo().State.Msgs == 0
	})
}

// behind is a stream whose nearest replica has none of its messages yet.
type behind struct {
	js.Stream
	asked int
}

func (b *behind) GetMsg(context.Context, uint64, ...js.GetMsgOpt) (*js.RawStreamMsg, error) {
	b.asked++
	return nil, js.ErrMsgNotFound
}

// What the nearest replica does not have is read from the stream's leader; what the
// leader does not have is not there, and is not asked for again.
func TestReplicaHeldBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "")
	a, _ := open(t, c.config(t, "a"))
	cam := newHouse(t, 1).cameras[0]
	m := message(t, cam.seal(5000))
	good(t, put(t, a, m))
	at, ok := a.where(m.Visible.Hash)
	if !ok {
		t.Fatal("it is not in the index")
	}
	s := &behind{Stream: must(a.shard(t.Context(), at.shard))}
	got, err := a.bytesAt(t.Context(), s, at.seq)
	if err != nil || !bytes.Equal(got, m.Sealed) || s.asked != 1 {
		t.Errorf("%d bytes of %d after %d questions: %v", len(got), len(m.Sealed), s.asked, err)
	}
	s.asked = 0
	if _, err := a.bytesAt(t.Context(), s, at.seq+1); !errors.Is(err, js.ErrMsgNotFound) || s.asked != 1 {
		t.Errorf("what is nowhere: %v after %d questions", err, s.asked)
	}
	// Get goes the same way.
	a.mu.Lock()
	a.shards[at.shard] = s
	a.mu.Unlock()
	if got, err := a.Get(t.Context(), m.Visible.Hash); err != nil || !bytes.Equal(got, m.Sealed) {
		t.Errorf("%d bytes: %v", len(got), err)
	}
}
