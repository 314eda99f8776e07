package keeper

import (
	"net"
	"net/netip"
	"sync"
)

// Bounds of those who read.
const (
	maxConnections     = 4096 // open at a time
	maxFromOne         = 128  // of them from one address, or one IPv6 network
	maxOfHousehold     = 24   // requests of one household at a time
	maxFeedsHousehold  = 64   // feeds of one household
	maxMessagesAtATime = 48   // messages that are on their way out, each with its bytes in memory
)

// gates bound how much is done for one address or household at a time, so that
// nobody's load slows another's.
type gates struct{ requests, posts, feeds, messages *gate }

func newGates() gates {
	return gates{newGate(maxOfHousehold), newGate(maxOfHousehold), newGate(maxFeedsHousehold), newGate(maxMessagesAtATime)}
}

// gate counts who is inside by a key. It is safe for concurrent use.
type gate struct {
	most int

	mu     sync.Mutex
	inside map[string]int
}

func newGate(most int) *gate { return &gate{most: most, inside: map[string]int{}} }

// enter lets in one more of key, who must call leave, unless there are as many as
// may be.
func (g *gate) enter(key string) (leave func(), ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside[key] >= g.most {
		return nil, false
	}
	g.inside[key]++
	var once sync.Once
	return func() {
		once.Do(func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.inside[key]--; g.inside[key] == 0 {
				delete(g.inside, key)
			}
		})
	}, true
}

// limited is a listener that bounds open connections, of all and of one address.
type limited struct {
	net.Listener
	figures *figures
	all     *gate
	one     *gate
}

func newLimited(l net.Listener, f *figures) *limited {
	return &limited{l, f, newGate(maxConnections), newGate(maxFromOne)}
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leaveAll, ok := l.all.enter("")
		if !ok {
			l.figures.refuse("connections")
			c.Close()
			continue
		}
		leaveOne, ok := l.one.enter(neighbourhood(c.RemoteAddr()))
		if !ok {
			leaveAll()
			l.figures.refuse("connections_of_one")
			c.Close()
			continue
		}
		l.figures.connections.Add(1)
		return &guest{Conn: c, leave: func() {
			leaveAll()
			leaveOne()
		}, figures: l.figures}, nil
	}
}

// neighbourhood is what counts as one address: of IPv6 the network, since one
// household has 2^64 addresses in it.
func neighbourhood(a net.Addr) string {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return a.String()
	}
	ip := at.Addr().Unmap()
	if ip.Is4() {
		return ip.String()
	}
	p, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return ip.String()
	}
	return p.String()
}

// guest is a connection that leaves its gates once.
type guest struct {
	net.Conn
	figures *figures
	once    sync.Once
	leave   func()
}

// Close implements net.Conn.
func (g *guest) Close() error {
	g.once.Do(func() {
		g.leave()
		g.figures.connections.Add(-1)
	})
	return g.Conn.Close()
}
