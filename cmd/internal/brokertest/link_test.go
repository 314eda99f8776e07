package brokertest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// link is the network between a client and a broker. It can be cut.
type link struct {
	net.Listener
	to string

	mu   sync.Mutex
	up   bool
	open map[net.Conn]struct{}
}

// newLink returns a link to port, in service until the end of the test.
func newLink(t *testing.T, port int) *link {
	t.Helper()
	return newLinkAt(t, at(0), port)
}

// newLinkAt returns one from an address on which nothing has listened so far.
func newLinkAt(t *testing.T, from string, port int) *link {
	t.Helper()
	l, err := net.Listen("tcp", from)
	check(t, err)
	k := &link{Listener: l, to: at(port), up: true, open: map[net.Conn]struct{}{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go k.carry(c)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); k.cut(); <-done })
	return k
}

func (k *link) url() string { return "mqtts://" + k.Addr().String() }

// carry joins a client with the broker until either leaves or the link is cut.
func (k *link) carry(c net.Conn) {
	defer c.Close()
	b, err := net.Dial("tcp", k.to)
	if err != nil {
		return
	}
	defer b.Close()
	k.mu.Lock()
	if !k.up {
		k.mu.Unlock()
		return
	}
	k.open[c], k.open[b] = struct{}{}, struct{}{}
	k.mu.Unlock()
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(c, b)
		_ = c.Close()
	}()
	_, _ = io.Copy(b, c)
	_ = b.Close()
	<-back
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.open, c)
	delete(k.open, b)
}

// cut ends every connection with a reset, and lets no new one through.
func (k *link) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.up = false
	for c := range k.open {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
}

func (k *link) heal() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.up = true
}
