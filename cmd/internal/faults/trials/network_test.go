package trials

import (
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/faults"
)

// network is one fault between a camera and its broker.
type network struct {
	name  string
	fault faults.Fault
	scene string
	seal  uint64                                     // how many messages to seal under the fault
	then  func(h *house, p *faults.Proxy, c *camera) // before the camera falls silent; may be nil
}

var networks = []network{
	{"latency of 300 to 500 ms", faults.Fault{Delay: 300 * time.Millisecond, Jitter: 200 * time.Millisecond}, busy, 60, nil},
	{"64 kbit/s", faults.Fault{Rate: 8000}, small, 20, nil},
	{"resets in mid-message", faults.Fault{Reset: true, After: 60_000, Times: 5}, busy, 60, nil},
	{"half-open, both ways", faults.Fault{Silent: faults.ToBroker | faults.FromBroker, After: 60_000, Times: 1}, slow, 30, noticed},
	{"half-open, to the broker", faults.Fault{Silent: faults.ToBroker, After: 60_000, Times: 1}, slow, 30, noticed},
	{"half-open, from the broker", faults.Fault{Silent: faults.FromBroker, After: 60_000, Times: 1}, slow, 30, noticed},
	{"slow close", faults.Fault{SlowClose: 5 * time.Second}, busy, 40, cutThrice},
	{"refused connections", faults.Fault{Refuse: true}, busy, 60, healed},
}

// noticed waits until the camera finds out by itself that nobody answers.
func noticed(h *house, p *faults.Proxy, _ *camera) {
	h.until("the camera connects again", func() bool { return p.Stats().Connections > 1 })
}

// cutThrice ends the camera's side of the connection: the broker holds the old
// one while the next comes.
func cutThrice(h *house, p *faults.Proxy, c *camera) {
	for range 3 {
		n := p.Stats().Connections
		c.kill()
		c.start()
		h.until("the camera connects again", func() bool { return p.Stats().Connections > n })
		c.sealed(h.ledger.Head(c.id) + 10)
	}
}

func healed(h *house, p *faults.Proxy, _ *camera) { check(h.t, p.Set(faults.Fault{})) }

// Each fault of the network, before a camera of its own.
func TestNetwork(t *testing.T) {
	t.Parallel()
	for i, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			b := h.mosquitto()
			p := h.proxy(uint64(i+1), b.addr())
			check(t, p.Set(n.fault))
			c := h.camera("door", p.Addr(), "")
			h.watch(b.addr())
			c.run(n.scene, i+1)
			c.sealed(n.seal)
			if n.then != nil {
				n.then(h, p, c)
			}
			c.quiet()
			h.settle("network: "+n.name, "", c)
			if st := p.Stats(); st.Struck != n.fault.Times {
				t.Errorf("the fault happened %d times, want %d: %+v", st.Struck, n.fault.Times, st)
			}
		})
	}
}
