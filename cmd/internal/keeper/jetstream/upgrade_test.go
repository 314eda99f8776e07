package jetstream

import (
	"errors"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
)

// Of two keepers one is replaced by a newer version: what the older one cannot
// read it leaves, unacknowledged, to the newer one, and it stops by itself once
// the log is more than it can read. Nothing is lost on the way.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "")
	tr := newTrial(t, 1)
	tr.config = func(name string, _ int) Config { return c.config(t, name) }
	cam := tr.house.cameras[0]
	tr.sealed[cam.id] = map[uint64][32]byte{}
	sent := uint64(0)
	older := tr.keeper("older", 0, format)
	publish := func(n int) {
		for range n {
			s := cam.seal(500)
			tr.sealed[cam.id][s.Seq] = s.Hash
			_, err := older.e.js.Publish(t.Context(), rootTopics+string(cam.id)+"."+feed.Media, s.Bytes)
			check(t, err)
			sent++
		}
	}
	kept := func(k *keeper) func() bool {
		return func() bool { return k.e.Stats().Messages == sent }
	}
	publish(20)
	until(t, "the older keeper has all", kept(older))

	// What comes in a newer form waits.
	_, err := older.e.js.Publish(t.Context(), rootTopics+string(cam.id)+"."+feed.Media, []byte("a seal of the next form"))
	check(t, err)
	until(t, "the older one has given it back, twice", func() bool { return older.e.SourceStats().Newer >= 2 })

	newer := tr.keeper("newer", 0, format+1)
	until(t, "the newer one has all that the older one kept", kept(newer))
	until(t, "it has what waited, too", func() bool {
		newer.mu.Lock()
		defer newer.mu.Unlock()
		return newer.later == 1
	})
	// It writes its form from the first line on, and so the older one is at its end.
	select {
	case <-older.ended:
	case <-time.After(patience):
		t.Fatal("the older keeper goes on")
	}
	if _, err := older.e.Put(t.Context(), nil); !errors.Is(err, store.ErrNewer) {
		t.Errorf("the older keeper takes something still: %v", err)
	}
	if up, why := older.e.Source().Link(); up || why == "" {
		t.Error("the older keeper does not say that it is at its end")
	}
	older = newer // whose connection publishes
	publish(20)
	until(t, "the newer one has all", kept(newer))
	tr.open = nil
	tr.settle(newer)
}
