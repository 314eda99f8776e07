package mqtt

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// writeChunk is how much is written under one deadline: one TLS record.
const writeChunk = 16 << 10

// The packet types that a broker may send to a client that publishes and
// subscribes with QoS 0 and 1 (MQTT 3.1.1, table 2.1).
const (
	connackType  = 2
	publishType  = 3
	pubackType   = 4
	subackType   = 9
	unsubackType = 11
	pingrespType = 13
)

// wire is the network connection as paho sees it. What is read is parsed
// alongside, and an error is returned before paho can act on a length or a
// packet that it trusts too much. What is written goes out in chunks, each
// with a deadline of its own: a large message on a thin link takes as long as
// it takes, and a stuck link is noticed all the same.
type wire struct {
	net.Conn
	max     int           // largest remaining length of a PUBLISH
	timeout time.Duration // per chunk written
	slot    chan struct{} // emptied when a PUBLISH has been written, see Conn.Publish

	write sync.Mutex // pings are written beside messages, and must not land inside one
	read  parser     // used by paho's one reading goroutine
	first atomic.Pointer[error]
}

// Read implements net.Conn. The first error it returns is kept, see firstError.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if bad := w.read.feed(p[:n], w.max); bad != nil {
		n, err = 0, bad
	}
	if err != nil {
		w.keep(err)
	}
	return n, err
}

// Write implements net.Conn. paho writes each packet with one call.
func (w *wire) Write(p []byte) (int, error) {
	w.write.Lock()
	defer w.write.Unlock()
	if len(p) > 0 && p[0]>>4 == publishType {
		defer w.free()
	}
	done := 0
	for done < len(p) {
		chunk := p[done:min(done+writeChunk, len(p))]
		if err := w.Conn.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
			return done, err
		}
		n, err := w.Conn.Write(chunk)
		done += n
		if err != nil {
			w.keep(err)
			return done, err
		}
	}
	return done, nil
}

// SetWriteDeadline does nothing: paho sets one for a whole message, however
// large, and Write knows better.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline sets the read deadline only, for the same reason.
func (w *wire) SetDeadline(t time.Time) error { return w.Conn.SetReadDeadline(t) }

func (w *wire) free() {
	select {
	case <-w.slot:
	default:
	}
}

func (w *wire) keep(err error) { w.first.CompareAndSwap(nil, &err) }

// firstError returns the first error of Read or Write, or nil.
func (w *wire) firstError() error {
	if p := w.first.Load(); p != nil {
		return *p
	}
	return nil
}

// parser follows the packets in a stream of bytes, as far as is needed to
// judge type and length of each.
type parser struct {
	state  uint8 // what the next byte is
	kind   byte  // first byte of the current packet
	shift  uint  // position of the next length byte, in bits
	length int   // remaining length as far as read
	left   int   // bytes of the body still to come
}

const (
	atHeader = iota
	atLength
	atBody
)

// feed takes the next bytes of the stream, and returns a *violation when they
// are not what a broker may send. max bounds the length of a PUBLISH.
func (r *parser) feed(p []byte, max int) error {
	for len(p) > 0 {
		switch r.state {
		case atHeader:
			r.kind, r.shift, r.length, r.state = p[0], 0, 0, atLength
			p = p[1:]
		case atLength:
			r.length |= int(p[0]&0x7f) << r.shift
			r.shift += 7
			more := p[0]&0x80 != 0
			p = p[1:]
			if more && r.shift == 28 {
				return &violation{"a packet's length field does not end"}
			}
			if more {
				continue
			}
			if err := judge(r.kind, r.length, max); err != nil {
				return err
			}
			if r.state, r.left = atBody, r.length; r.left == 0 {
				r.state = atHeader
			}
		case atBody:
			// A return code past 5 has no meaning, and paho takes it for success.
			if r.kind>>4 == connackType && r.left <= len(p) && p[r.left-1] > 5 {
				return &violation{fmt.Sprintf("unknown answer %d to the greeting", p[r.left-1])}
			}
			n := min(r.left, len(p))
			p = p[n:]
			if r.left -= n; r.left == 0 {
				r.state = atHeader
			}
		}
	}
	return nil
}

// judge checks the first byte and the remaining length of a packet.
func judge(kind byte, length, max int) error {
	want := 2
	switch kind >> 4 {
	case publishType:
		if kind>>1&3 > 1 {
			return &violation{"a message with a quality of service that was not asked for"}
		}
		if length > max {
			return &violation{fmt.Sprintf("a message of %d bytes; at most %d are taken", length, max)}
		}
		if length < 3 {
			return &violation{fmt.Sprintf("a message of %d bytes, which has no room for a topic", length)}
		}
		return nil
	case connackType, pubackType, unsubackType:
	case subackType:
		want = 3 // Subscribe asks for one filter at a time
	case pingrespType:
		want = 0
	default:
		return &violation{fmt.Sprintf("a packet of type %d, which a broker does not send", kind>>4)}
	}
	if length != want {
		return &violation{fmt.Sprintf("a packet of type %d with %d bytes instead of %d", kind>>4, length, want)}
	}
	return nil
}
