package broker

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
)

// door is a listener whose visitors can be thrown out and kept out by name.
type door struct {
	net.Listener
	mu     sync.Mutex
	inside map[*visitor]struct{}
	barred func(name string) bool // nil: nobody is
}

func newDoor(l net.Listener) *door { return &door{Listener: l, inside: map[*visitor]struct{}{}} }

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	v := &visitor{Conn: c.(*tls.Conn), door: d}
	d.mu.Lock()
	d.inside[v] = struct{}{}
	d.mu.Unlock()
	return v, nil
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
	door *door
	cn   atomic.Pointer[string] // set by the first Read, which does the handshake
}

// name returns the verified CN; it is empty until the handshake is done.
func (v *visitor) name() string {
	if cn := v.cn.Load(); cn != nil {
		return *cn
	}
	return ""
}

// Read implements net.Conn. A barred visitor is found out as soon as the
// handshake has told its name, before any byte of it reaches the broker.
func (v *visitor) Read(p []byte) (int, error) {
	n, err := v.Conn.Read(p)
	if v.cn.Load() == nil && err == nil {
		cn := commonName(v.Conn)
		v.cn.Store(&cn)
	}
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
