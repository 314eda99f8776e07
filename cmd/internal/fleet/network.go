package fleet

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

// network is what all cameras of one group share: it counts bytes, and can be cut.
type network struct {
	in, out *atomic.Uint64

	mu    sync.Mutex
	down  bool
	lines map[*line]struct{}
}

var (
	errDown = errors.New("the network is cut")
	// errReset is what a program sees when it is: not that it closed the connection itself.
	errReset = errors.New("connection reset by peer")
)

func newNetwork(in, out *atomic.Uint64) *network {
	return &network{in: in, out: out, lines: map[*line]struct{}{}}
}

// dial is uplink.Config.Dial, over this network.
func (n *network) dial(ctx context.Context, c mqtt.Config) (uplink.Conn, error) {
	c.Net = n.connect
	return mqtt.Dial(ctx, c)
}

func (n *network) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	n.mu.Lock()
	down := n.down
	n.mu.Unlock()
	if down {
		return nil, errDown
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	l := &line{Conn: conn, network: n}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		_ = conn.Close()
		return nil, errDown
	}
	n.lines[l] = struct{}{}
	return l, nil
}

// set cuts the network or heals it.
func (n *network) set(down bool) {
	n.mu.Lock()
	n.down = down
	n.mu.Unlock()
	if down {
		n.flap()
	}
}

// flap ends every connection, without a goodbye.
func (n *network) flap() {
	n.mu.Lock()
	var all []*line
	for l := range n.lines {
		all = append(all, l)
	}
	n.mu.Unlock()
	for _, l := range all {
		if tcp, ok := l.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		l.cut.Store(true)
		_ = l.Close()
	}
}

// line is a connection that counts.
type line struct {
	net.Conn
	network *network
	cut     atomic.Bool
}

func (l *line) why(err error) error {
	if err != nil && l.cut.Load() {
		return errReset
	}
	return err
}

func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	l.network.in.Add(uint64(max(n, 0)))
	return n, l.why(err)
}

func (l *line) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p)
	l.network.out.Add(uint64(max(n, 0)))
	return n, l.why(err)
}

func (l *line) Close() error {
	l.network.mu.Lock()
	delete(l.network.lines, l)
	l.network.mu.Unlock()
	return l.Conn.Close()
}
