package uplink

import (
	"math/rand/v2"
	"testing"
	"time"
)

// carry sends without end over a link that is told of it: what goes in comes out at
// rate bytes a second, and is acknowledged after a delay of its own. It returns how
// many bytes were acknowledged in each of n stretches of time.
func carry(l *link, rate float64, stretch time.Duration, n int, delay func(at time.Duration) time.Duration) (bytes []int) {
	type message struct {
		stamp stamp
		size  int
		at    time.Duration // acknowledged
	}
	var flying []message
	held, now, free := 0, time.Duration(0), time.Duration(0)
	l.connected(0)
	bytes = make([]int, n)
	for now < time.Duration(n)*stretch {
		for held < l.window(now) && len(flying) < window {
			m := message{stamp: l.send(now, held), size: l.piece()}
			free = max(free, now) + time.Duration(float64(m.size)/rate*1e9)
			m.at = free + delay(now)
			if k := len(flying); k > 0 { // in order
				m.at = max(m.at, flying[k-1].at)
			}
			flying, held = append(flying, m), held+m.size
		}
		m := flying[0]
		flying, held, now = flying[1:], held-m.size, m.at
		l.acknowledged(now, m.stamp, m.size)
		if i := int(now / stretch); i < n {
			bytes[i] += m.size
		}
	}
	return bytes
}

// A processor that is busy answers late however little is on its way. That is no
// reason to send less and less.
func TestLinkOfABusyMachine(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		got := carry(new(link), 1e6, 20*time.Second, 6, func(at time.Duration) time.Duration {
			if at < 5*time.Second {
				return 10 * time.Millisecond
			}
			return time.Second + time.Duration(r.Int64N(int64(2*time.Second)))
		})
		for i, n := range got[2:] {
			if n < 1_000_000 { // a twentieth of what it carries
				t.Errorf("seed %d: %d bytes from second %d to %d", seed, n, 40+20*i, 60+20*i)
			}
		}
	}
}

// The delay of a link that has become longer is found out, and so is that more on
// its way would only wait in it.
func TestLinkIsKeptShort(t *testing.T) {
	for _, rate := range []float64{8e3, 32e3, 1e6} {
		l, longest := new(link), time.Duration(0)
		got := carry(l, rate, 10*time.Second, 12, func(at time.Duration) time.Duration {
			if at < 20*time.Second {
				return 20 * time.Millisecond
			}
			return 200 * time.Millisecond
		})
		for i, n := range got[3:] {
			if share := float64(n) / (10 * rate); share < 0.75 || share > 1.05 {
				t.Errorf("%.0f bytes a second: %.2f of them from second %d to %d", rate, share, 30+10*i, 40+10*i)
			}
		}
		longest = time.Duration(float64(l.window(l.measured)) / rate * 1e9)
		if longest > 2*time.Second {
			t.Errorf("%.0f bytes a second: what is on its way takes %v", rate, longest)
		}
	}
}
