package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Many write while others read, follow, delete and trim: each gets what is its
// own, cursors rise, and nobody who follows misses or meets a message twice.
func TestManyAtOnce(t *testing.T) {
	const writers, each = 6, 120
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := open(t, Config{segment: 128 << 10, Now: func() time.Time { return clock }})
	var writing, reading sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for w := range writers {
		writing.Go(func() {
			camera := seal.CameraID(fmt.Sprint("cam", string(rune('a'+w))))
			for seq := uint64(1); seq <= each; seq += 2 {
				batch := []Message{message("h", camera, seq, 2_000, ""), message("h", camera, seq+1, 2_000, "")}
				if errs, err := s.Put(ctx, batch); err != nil || errs[0] != nil || errs[1] != nil {
					t.Error(errs, err)
				}
				if _, err := s.Get(ctx, batch[1].Visible.Hash); err != nil {
					t.Error("right after it was put:", err)
				}
			}
		})
	}
	for range 2 {
		reading.Go(func() {
			seen, after := map[string]bool{}, uint64(0)
			for len(seen) < writers*each && ctx.Err() == nil {
				if err := s.Wait(ctx, "h", after); err != nil {
					t.Error(err)
					return
				}
				p, err := s.List(ctx, Query{Household: "h", After: after, Limit: 50})
				if err != nil {
					t.Error(err)
					return
				}
				for _, e := range p.Entries {
					name := fmt.Sprint(e.Visible.Camera, e.Visible.Seq)
					if seen[name] || e.Cursor <= after {
						t.Errorf("%s comes twice, or out of order", name)
					}
					seen[name], after = true, e.Cursor
				}
			}
		})
	}
	reading.Go(func() { // households that the store has not met are asked for
		for n := range 200 {
			if _, err := s.Cameras(ctx, seal.HouseholdID(fmt.Sprint("h", string(rune('a'+n%26)), string(rune('a'+n/26))))); err != nil {
				t.Error(err)
			}
		}
	})
	reading.Go(func() { // another household comes and goes meanwhile
		for seq := uint64(1); seq < 40; seq++ {
			put(t, s, nil, message("i", "other", seq, 2_000, ""))
			if _, _, err := s.Delete(ctx, "i", "other", seq, seq); err != nil {
				t.Error(err)
			}
			if _, _, err := s.Trim(ctx, func(seal.HouseholdID) Policy { return Policy{Bytes: 100 << 20} }); err != nil {
				t.Error(err)
			}
			if _, err := s.Cameras(ctx, "h"); err != nil {
				t.Error(err)
			}
			_ = s.Stats()
		}
	})
	writing.Wait()
	reading.Wait()
	cameras, err := s.Cameras(ctx, "h")
	if err != nil || len(cameras) != writers {
		t.Fatal(len(cameras), err)
	}
	for _, c := range cameras {
		if c.Count != each || c.Last != each || len(c.Missing) != 0 {
			t.Errorf("%+v", c)
		}
	}
}

// Who waits is woken by a message, and by the end of the store.
func TestWait(t *testing.T) {
	s := open(t, Config{})
	woken := make(chan error, 2)
	wait := func(after uint64) { go func() { woken <- s.Wait(context.Background(), "h", after) }() }
	get := func() error {
		select {
		case err := <-woken:
			return err
		case <-time.After(time.Minute):
			t.Fatal("nobody is woken within a minute")
			return nil
		}
	}
	wait(0)
	put(t, s, nil, message("h", "a", 1, 10, ""))
	if err := get(); err != nil {
		t.Error(err)
	}
	wait(1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := get(); !errors.Is(err, ErrClosed) {
		t.Errorf("woken by the end with %v", err)
	}
	if _, err := s.Put(t.Context(), []Message{message("h", "a", 2, 10, "")}); !errors.Is(err, ErrClosed) {
		t.Errorf("put after the end: %v", err)
	}
	if _, err := s.List(t.Context(), Query{Household: "h", Limit: 1}); err == nil {
		t.Error("lists after the end")
	}
}
