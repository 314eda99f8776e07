package feed

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
)

func TestRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fake Fake
		r := NewRelay(&fake)
		var got []string
		stop := run(r, func(it Item) { got = append(got, fmt.Sprintf("%.1s %s %s", it.Camera, it.Kind, it.Sealed)) })
		check := func(what string, want ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(got, want) {
				t.Errorf("%s: handed on %q, want %q", what, got, want)
			}
			got = nil
		}
		item := func(c byte, kind, payload string) Item {
			return Item{Camera: camera(c), Kind: kind, Sealed: []byte(payload)}
		}
		fake.Deliver(item('a', Live, "a1"), item('b', Live, "b1"), item('a', Media, "a2"))
		check("honest", "a live a1", "b live b1", "a media a2")

		r.Hostile(true)
		fake.Deliver(item('a', Live, "a3"), item('b', Live, "b3"), item('a', Status, "as"), item('b', Hello, "bh"))
		check("hostile", "a live b1", "b live a3", "a status as", "b hello bh")
		fake.Deliver(item('c', Media, "c1"), item('a', Media, "a4"))
		check("hostile, of one kind only", "c media a2", "a media c1")
		fake.Deliver(item('a', View, "av1"), item('b', View, "bv1"))
		check("hostile, live view", "a view b3", "b view av1")
		if on, n := r.Swapped(); !on || n != 6 {
			t.Errorf("hostile %v, swapped %d, want 6", on, n)
		}

		r.Hostile(false)
		fake.Deliver(item('a', Live, "a5"), item('b', Live, "b5"))
		check("honest again", "a live a5", "b live b5")

		if err := r.Send(t.Context(), camera('a'), Command, []byte("x")); err != nil || len(fake.Sent()) != 1 {
			t.Errorf("sent through the relay: %v, %v", fake.Sent(), err)
		}
		_ = stop()
	})
}

func TestRelayWithOneCameraHasNothingToSwap(t *testing.T) {
	var fake Fake
	r := NewRelay(&fake)
	r.Hostile(true)
	for i := range 3 {
		it := Item{Camera: camera('a'), Kind: Live, Sealed: []byte{byte(i)}}
		if got := r.pass(it); got.Sealed[0] != byte(i) {
			t.Errorf("picture %d became %d", i, got.Sealed[0])
		}
	}
	for i := range 3 * maxSwapped { // and the number of cameras is bounded
		r.pass(Item{Camera: camera(byte('a' + i%26)), Kind: Live})
	}
	if n := len(r.newest[Live]); n > maxSwapped {
		t.Errorf("%d cameras kept", n)
	}
}
