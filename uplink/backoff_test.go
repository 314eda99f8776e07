package uplink

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/mqtt"
)

// A fleet that lost its broker in one moment comes back spread evenly, and who
// finds it closed tries again within the same spread: in no second of the whole
// return are there many more than the spread promises.
func TestFleetComesBackSpread(t *testing.T) {
	const cameras, spread, down = 10_000, 90 * time.Second, 20 * time.Second
	seconds := make([]int, 400)
	rng := rand.New(rand.NewPCG(8, 8))
	for range cameras {
		b, at := newBackoff(spread), time.Duration(0)
		for {
			if at += b.next(rng.Float64()); at >= down {
				break
			}
		}
		seconds[int(at.Seconds())]++
	}
	back := slices.IndexFunc(seconds, func(n int) bool { return n > 0 })
	if worst := slices.Max(seconds); back != int(down.Seconds()) || worst > 3*int(cameras/spread.Seconds()) {
		t.Errorf("first in second %d; %d attempts in the worst second, an even spread has %.0f", back, worst, cameras/spread.Seconds())
	}
	for s, n := range seconds {
		if n > 0 && time.Duration(s)*time.Second > down+spread {
			t.Errorf("%d come back in second %d, after the spread", n, s)
		}
	}
}

// A home's camera tries at once and soon again, and then ever more rarely.
func TestHomeComesBackSoon(t *testing.T) {
	b := newBackoff(0)
	if d := b.start(0.99); d != 0 {
		t.Errorf("the first attempt waits %v", d)
	}
	want := firstPause
	for range 12 {
		if got := b.next(0.5); got != want/2 {
			t.Errorf("half a pause is %v, want %v", got, want/2)
		}
		want = min(2*want, longestPause)
	}
	b.reset()
	if got := b.next(0.5); got != firstPause/2 {
		t.Errorf("after a good connection %v", got)
	}
}

// A spread holds for the start, too, and is no shorter after a reset.
func TestSpreadHoldsFromTheStart(t *testing.T) {
	b := newBackoff(time.Minute)
	if got := b.start(0.5); got != 30*time.Second {
		t.Errorf("start %v", got)
	}
	if got := b.next(0.5); got != 30*time.Second {
		t.Errorf("first pause %v", got)
	}
	b.reset()
	if got := b.next(0.5); got != 30*time.Second {
		t.Errorf("after a good connection %v", got)
	}
	inHome(t, func(t *testing.T, h *home) {
		for _, spread := range []time.Duration{-1, MaxSpread + 1} {
			if _, err := Open(Config{Dir: h.dir, Camera: h.camera, Now: time.Now, Mono: func() time.Duration { return 0 }, Spread: spread}); err == nil {
				t.Errorf("a spread of %v is taken", spread)
			}
		}
	})
}

// Of a cluster's nodes, each is tried in turn until one answers.
func TestNodesInTurn(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		var urls []string // under air's lock
		h.air.down, h.air.check = errDown, func(c mqtt.Config) { urls = append(urls, c.URL) }
		h.open()
		h.up.brokers = newBrokers("mqtts://a, mqtts://b,mqtts://c")
		first := h.up.brokers.at
		h.run()
		h.pass(time.Minute)
		h.air.mu.Lock()
		h.air.down = nil
		tried := slices.Clone(urls)
		h.air.mu.Unlock()
		all := []string{"mqtts://a", "mqtts://b", "mqtts://c"}
		for i, url := range tried {
			if want := all[(first+i)%3]; url != want {
				t.Fatalf("attempt %d at %s, want %s", i, url, want)
			}
		}
		if len(tried) < 4 {
			t.Errorf("%d attempts in a minute", len(tried))
		}
		h.pass(longestPause)
		if !h.up.Stats().Connected {
			t.Error("not connected")
		}
	})
}
