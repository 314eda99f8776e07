package broker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// door is a listener whose visitors come in at a bounded pace, and can be thrown
// out and kept out by name. A visitor who waits costs a file descriptor and
// nothing else; one for whom there is no room to wait is sent away at once, so that
// it tries again at a time of its own, and no handshake is made with somebody who
// has given up meanwhile.
type door struct {
	net.Listener
	tls    *tls.Config
	limits Limits
	open   sync.Once
	queue  chan net.Conn
	closed chan struct{} // the listener is

	list register // of revoked certificates

	mu     sync.Mutex
	pace   pace
	inside map[*visitor]struct{}
	barred func(name string) bool // nil: nobody is
	counts Counts
}

func newDoor(l net.Listener, conf *tls.Config, limits Limits) *door {
	return &door{
		Listener: l, tls: conf, limits: limits, queue: make(chan net.Conn, limits.Waiting), closed: make(chan struct{}),
		pace: pace{rate: limits.Handshakes}, inside: map[*visitor]struct{}{},
	}
}

// gather lets visitors wait, or sends them away, until the listener is closed.
func (d *door) gather() {
	defer close(d.closed)
	for {
		c, err := d.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no file descriptors are left, or the like: that passes
			time.Sleep(time.Second / 10)
			continue
		}
		select {
		case d.queue <- c:
		default:
			sendAway(c)
			d.mu.Lock()
			d.counts.Refused++
			d.mu.Unlock()
		}
	}
}

// Accept implements net.Listener. It returns a visitor when its turn has come.
func (d *door) Accept() (net.Conn, error) {
	d.open.Do(func() { go d.gather() })
	for {
		select {
		case c := <-d.queue:
			turn := time.NewTimer(d.turn())
			select {
			case <-turn.C:
				if v := d.admit(c); v != nil {
					return v, nil
				}
			case <-d.closed:
				turn.Stop()
				sendAway(c)
			}
		case <-d.closed:
			d.empty()
			return nil, net.ErrClosed
		}
	}
}

// turn returns how long the next visitor has to wait. It is for Accept alone.
func (d *door) turn() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pace.next(time.Now())
}

// empty sends away who still waits.
func (d *door) empty() {
	for {
		select {
		case c := <-d.queue:
			sendAway(c)
		default:
			return
		}
	}
}

// admit lets a visitor in, or returns nil when the house is full.
func (d *door) admit(c net.Conn) *visitor {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.inside) >= d.limits.Clients {
		d.counts.Refused++
		sendAway(c)
		return nil
	}
	d.counts.Admitted++
	d.pace.began(time.Now())
	v := &visitor{Conn: tls.Server(c, d.tls), door: d}
	d.inside[v] = struct{}{}
	return v
}

// Cut throws everybody out and lets nobody in.
func (d *door) Cut() { d.cut(func(string) bool { return true }) }

// cut throws out whom match names, and keeps them out until the next cut.
func (d *door) cut(match func(string) bool) {
	d.mu.Lock()
	d.barred = match
	var out []*visitor
	for v := range d.inside {
		if match != nil && match(v.name()) {
			out = append(out, v)
		}
	}
	d.mu.Unlock()
	for _, v := range out {
		v.NetConn().Close() // beneath TLS: a cut network sends no close notification
	}
}

// visitor is a connection that the door knows.
type visitor struct {
	*tls.Conn
	door  *door
	first sync.Once // makes the handshake
	cn    atomic.Pointer[string]
	leaf  atomic.Pointer[x509.Certificate]
}

// name returns the verified CN; it is empty until the handshake is done.
func (v *visitor) name() string {
	if cn := v.cn.Load(); cn != nil {
		return *cn
	}
	return ""
}

// shake makes the handshake, and counts it. It has to be done in time whatever the
// other side does, and so has its first packet: the broker sets deadlines after that.
func (v *visitor) shake() {
	_ = v.SetDeadline(time.Now().Add(shakeTime))
	if v.Handshake() != nil {
		return // the next Read says the same
	}
	cn := commonName(v.Conn)
	v.cn.Store(&cn)
	if s := v.ConnectionState(); len(s.PeerCertificates) > 0 {
		v.leaf.Store(s.PeerCertificates[0])
		if v.door.list.verify(s) != nil { // listed in this moment
			v.NetConn().Close()
		}
	}
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	v.door.counts.Shaken++
	if v.ConnectionState().DidResume {
		v.door.counts.Resumed++
	}
}

// shakeTime is how long a handshake may take, and the packet after it.
const shakeTime = 20 * time.Second

// Read implements net.Conn. A barred visitor is found out as soon as the
// handshake has told its name, before any byte of it reaches the broker.
func (v *visitor) Read(p []byte) (int, error) {
	v.first.Do(v.shake)
	n, err := v.Conn.Read(p)
	v.door.mu.Lock()
	barred := v.door.barred
	v.door.mu.Unlock()
	if barred != nil && barred(v.name()) {
		v.NetConn().Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// Close implements net.Conn.
func (v *visitor) Close() error {
	v.door.mu.Lock()
	delete(v.door.inside, v)
	v.door.mu.Unlock()
	return v.Conn.Close()
}
