package faults

import (
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

const (
	buffer  = 16 << 10 // bytes of a socket, as good as the kernel takes it
	portion = 4 << 10  // bytes carried at a time
	waiting = 256      // portions on their way
)

// carried is one connection.
type carried struct {
	proxy          *Proxy
	client, broker *net.TCPConn
	once           sync.Once
	ended          chan struct{} // it was reset

	// Of proxy.mu:
	dice   *rand.Rand
	left   int  // bytes towards the broker until Reset or Silent
	struck bool // they have begun
}

// parcel is some bytes on their way.
type parcel struct {
	bytes []byte
	due   time.Time
}

// draw decides after how many bytes the fault begins. proxy.mu is held.
func (c *carried) draw(f Fault) {
	c.left = f.After
	if f.After > 1 {
		c.left = f.After/2 + c.dice.IntN(f.After-f.After/2)
	}
}

// reset ends both ends as a lost router does.
func (c *carried) reset() {
	c.once.Do(func() {
		for _, end := range []*net.TCPConn{c.client, c.broker} {
			_ = end.SetLinger(0)
			_ = end.Close()
		}
		close(c.ended)
	})
}

// way carries what from says to to, until one of them ends.
func (c *carried) way(dir Silent, from, to *net.TCPConn) {
	parcels := make(chan parcel, waiting)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(parcels)
		b := make([]byte, portion)
		for {
			n, err := from.Read(b)
			if n > 0 {
				select {
				case parcels <- parcel{append([]byte(nil), b[:n]...), time.Now().Add(c.delay())}:
				case <-c.ended:
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	failed := false
	var last time.Time
	for p := range parcels {
		if p.due.Before(last) {
			p.due = last
		}
		last = p.due
		if !failed && c.sleep(time.Until(p.due)) && !c.deliver(dir, p.bytes, to) {
			failed = true
			_ = from.Close() // nobody takes it any more
		}
	}
	reading.Wait()
	c.over(dir, to)
}

// deliver writes b, unless the fault keeps it. It reports whether to takes more.
func (c *carried) deliver(dir Silent, b []byte, to *net.TCPConn) bool {
	for len(b) > 0 {
		n, rate, silent, reset := c.allowed(dir, len(b))
		if !silent {
			if _, err := to.Write(b[:n]); err != nil {
				return false
			}
			if rate > 0 && !c.sleep(time.Duration(n)*time.Second/time.Duration(rate)) {
				return false
			}
		}
		b = b[n:]
		if reset {
			c.reset()
			return false
		}
	}
	return true
}

// allowed says how many of n bytes are to be carried at once, and how.
func (c *carried) allowed(dir Silent, n int) (part, rate int, silent, reset bool) {
	p := c.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.fault
	part = n
	if f.Rate > 0 {
		part = min(part, max(f.Rate/20, 64))
	}
	if (f.Reset || f.Silent != 0) && !c.struck && (f.Times == 0 || p.struck < f.Times) {
		if dir == ToBroker {
			part = min(part, max(c.left, 1))
			c.left -= part
		}
		if c.left <= 0 {
			c.struck = true
			p.struck++
			p.stats.Struck++
		}
	}
	silent = c.struck && f.Silent&dir != 0
	if !silent && dir == ToBroker {
		p.stats.Up += int64(part)
	} else if !silent {
		p.stats.Down += int64(part)
	}
	return part, f.Rate, silent, c.struck && f.Reset
}

// delay is how long the next bytes are on their way.
func (c *carried) delay() time.Duration {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	f := c.proxy.fault
	if f.Jitter <= 0 {
		return f.Delay
	}
	return f.Delay + time.Duration(c.dice.Int64N(int64(f.Jitter)))
}

// over tells to that the other end has closed, when the fault lets it know.
func (c *carried) over(dir Silent, to *net.TCPConn) {
	c.proxy.mu.Lock()
	f, struck := c.proxy.fault, c.struck
	c.proxy.mu.Unlock()
	if struck && f.Silent&dir != 0 { // until that end gives up by itself
		return
	}
	if c.sleep(f.SlowClose) {
		_ = to.CloseWrite()
	}
}

// sleep waits, and reports whether the connection was not reset meanwhile.
func (c *carried) sleep(d time.Duration) bool {
	if d <= 0 {
		select {
		case <-c.ended:
			return false
		default:
			return true
		}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ended:
		return false
	}
}
