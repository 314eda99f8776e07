package local

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Bounds of what somebody on the machine may take of the camera.
const (
	atOnce      = 8               // connections
	patience    = 5 * time.Second // a connection's whole life
	requestSize = 8 << 10         // bytes
)

// Serve answers on l with what report returns, one request a connection, until
// ctx ends; it closes l. With figuresOnly there are no words, and a browser cannot be
// tricked into asking: the request has to name a loopback address. report is called on
// goroutines of Serve.
func Serve(ctx context.Context, l net.Listener, figuresOnly bool, report func() Report) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	var serving sync.WaitGroup
	defer serving.Wait()
	room := make(chan struct{}, atOnce)
	for {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		conn, err := l.Accept()
		if err != nil {
			<-room
			if ctx.Err() != nil {
				return nil
			}
			select { // no descriptors left, or a client that was gone at once
			case <-time.After(time.Second):
				continue
			case <-ctx.Done():
				return nil
			}
		}
		serving.Go(func() {
			defer func() { <-room }()
			ended := context.AfterFunc(ctx, func() { conn.Close() })
			defer ended()
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, _ = conn.Write(answer(conn, figuresOnly, report)) // who went away misses it
		})
	}
}

// answer reads a request and returns the whole answer. net/http's server is not
// used: it would make the agent half a megabyte larger.
func answer(r io.Reader, figuresOnly bool, report func() Report) []byte {
	q, err := http.ReadRequest(bufio.NewReader(io.LimitReader(r, requestSize)))
	switch {
	case err != nil:
		return page(http.StatusBadRequest, "text/plain", []byte("expected a GET request\n"))
	case q.Method != http.MethodGet:
		return page(http.StatusMethodNotAllowed, "text/plain", []byte("expected GET\n"))
	case figuresOnly && !loopbackHost(q.Host):
		return page(http.StatusForbidden, "text/plain", []byte("expected a loopback address as host\n"))
	}
	switch q.URL.Path {
	case "/metrics":
		return page(http.StatusOK, "text/plain; version=0.0.4; charset=utf-8", Metrics(report()))
	case "/status":
		if figuresOnly {
			break
		}
		text, err := json.Marshal(report())
		if err != nil {
			return page(http.StatusInternalServerError, "text/plain", []byte("the report cannot be written\n"))
		}
		return page(http.StatusOK, "application/json", append(text, '\n'))
	}
	return page(http.StatusNotFound, "text/plain", []byte("there are /status, on the Unix socket, and /metrics\n"))
}

// page returns an answer after which the connection ends.
func page(code int, media string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
		code, http.StatusText(code), media, len(body))
	b.Write(body)
	return b.Bytes()
}

// loopbackHost says whether a request was meant for this machine by its address: a
// name that somebody else points here is not.
func loopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}
