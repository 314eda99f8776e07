package trials

import (
	"testing"
)

// The broker is killed and started again while cameras seal and it delivers; what
// it held is gone each time.
func TestBrokerKilled(t *testing.T) {
	t.Parallel()
	rounds := 4
	if *long {
		rounds = 20
	}
	h := newHouse(t)
	b := h.mosquitto()
	door, garden := h.camera("door", b.addr(), ""), h.camera("garden", b.addr(), "")
	h.watch(b.addr())
	door.run(busy, 11)
	garden.run(busy, 12)
	for i := range rounds {
		before := h.ledger.Total().Verified
		h.until("it flows", func() bool { return h.ledger.Total().Verified >= before+20 })
		b.kill()
		if i%2 == 1 { // for a while nobody listens
			door.sealed(h.ledger.Head(door.id) + 20)
		}
		b.start()

	}
	door.quiet()
	garden.quiet()
	h.settle("broker killed under load", "", door, garden)
}
