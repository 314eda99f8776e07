package mqtt

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// writeChunk is how much is written under one deadline: one TLS record.
const writeChunk = 16 << 10

// wire is the network connection as paho sees it. What is read passes a reader,
// which knows better than to trust lengths. What is written goes out in chunks,
// each with a deadline of its own: a large message on a thin link takes as long
// as it takes, and a stuck link is noticed all the same.
type wire struct {
	net.Conn
	timeout time.Duration // per chunk written
	slot    chan struct{} // emptied when a PUBLISH has been written, see Conn.Publish

	write sync.Mutex // pings are written beside messages, and must not land inside one
	read  reader     // used by paho's one reading goroutine
	first atomic.Pointer[error]
}

// Read implements net.Conn. The first error it returns is kept, see firstError.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.read.Read(p)
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
