package faults

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Fault is how a Proxy treats connections. The zero value carries everything at
// once.
type Fault struct {
	Delay  time.Duration // each way
	Jitter time.Duration // more of it, at most; the order stays
	Rate   int           // bytes a second, each way; 0 for no bound

	// After is after how many bytes towards the broker Reset or Silent begins: from
	// a half of it to all, another number for each connection. 0 is at once.
	After int
	// Times is how many connections Reset or Silent happens to; 0 for all.
	Times  int
	Reset  bool   // both ends are reset
	Silent Silent // bytes are taken and go nowhere, and neither does a close

	SlowClose time.Duration // how long after one end has closed the other one hears of it
	Refuse    bool          // nobody listens, and connections there are end with a reset
}

// Silent says which way a half-open connection carries nothing.
type Silent uint8

// The ways. They can be joined.
const (
	ToBroker Silent = 1 << iota
	FromBroker
)

// Proxy carries TCP connections to a broker, as a Fault says. What a connection
// suffers follows from the seed and from how many there were before it.
type Proxy struct {
	addr    string
	seed    uint64
	targets []string
	running sync.WaitGroup

	mu     sync.Mutex
	fault  Fault
	struck int          // connections that Reset or Silent has happened to since Set
	listen net.Listener // nil while refusing
	open   map[*carried]struct{}
	stats  Stats
	closed bool
}

// Stats is what a Proxy has done.
type Stats struct {
	Connections int
	Struck      int   // connections that were reset, or fell silent
	Up, Down    int64 // bytes carried towards the broker, and from it
}

// NewProxy listens on loopback until Close and carries connections to the first
// of targets (host:port) that takes them.
func NewProxy(seed uint64, targets ...string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{addr: l.Addr().String(), seed: seed, targets: targets, open: map[*carried]struct{}{}}
	p.serve(l)
	return p, nil
}

// Addr returns where to connect.
func (p *Proxy) Addr() string { return p.addr }

// Stats returns the counts so far.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// Set makes f the fault from now on, also of connections that are open.
func (p *Proxy) Set(f Fault) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.struck = f, 0
	for c := range p.open {
		c.struck = false
		c.draw(f)
	}
	switch {
	case f.Refuse && p.listen != nil:
		_ = p.listen.Close()
		p.listen = nil
		for c := range p.open {
			c.reset()
		}
	case !f.Refuse && p.listen == nil && !p.closed:
		l, err := net.Listen("tcp", p.addr)
		if err != nil {
			return fmt.Errorf("proxy: listen again: %w", err)
		}
		p.serve(l)
	}
	return nil
}

// Cut ends every connection with a reset.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.reset()
	}
}

// Close ends everything and returns when it has ended.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	if p.listen != nil {
		_ = p.listen.Close()
		p.listen = nil
	}
	for c := range p.open {
		c.reset()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// serve accepts until l is closed.
func (p *Proxy) serve(l net.Listener) {
	p.listen = l
	p.running.Add(1)
	go func() {
		defer p.running.Done()
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Add(1)
			go func() {
				defer p.running.Done()
				p.carry(client.(*net.TCPConn))
			}()
		}
	}()
}

// dial connects to the first target that answers.
func (p *Proxy) dial() (*net.TCPConn, error) {
	var err error
	for _, target := range p.targets {
		var c net.Conn
		if c, err = net.DialTimeout("tcp", target, 5*time.Second); err == nil {
			return c.(*net.TCPConn), nil
		}
	}
	return nil, err
}

// carry joins a client with the broker until both ways have ended.
func (p *Proxy) carry(client *net.TCPConn) {
	broker, err := p.dial()
	if err != nil {
		_ = client.SetLinger(0)
		_ = client.Close()
		return
	}
	c := &carried{proxy: p, client: client, broker: broker, ended: make(chan struct{})}
	p.mu.Lock()
	if p.fault.Rate > 0 { // what waits in the kernel would be carried already
		for _, end := range []*net.TCPConn{client, broker} {
			_ = end.SetReadBuffer(buffer)
			_ = end.SetWriteBuffer(buffer)
		}
	}
	if p.closed || p.listen == nil {
		p.mu.Unlock()
		c.reset()
		return
	}
	p.stats.Connections++
	c.dice = rand.New(rand.NewPCG(p.seed, uint64(p.stats.Connections)))
	c.draw(p.fault)
	p.open[c] = struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { c.way(ToBroker, client, broker) })
	both.Go(func() { c.way(FromBroker, broker, client) })
	both.Wait()
	_, _ = client.Close(), broker.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}
