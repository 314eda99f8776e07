package mqtt

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func plain(addr string) Config {
	return Config{URL: "mqtt://" + addr, ClientID: "cam", ConnectTimeout: 10 * time.Second}
}

func dialled(t *testing.T, c Config) *Conn {
	t.Helper()
	conn, err := Dial(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// wait fails the test when ch is not closed, or sent to, in time.
func wait[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("waited 20 s for %s", what)
		panic("unreachable")
	}
}

func TestPublishIsDoneWhenAcknowledged(t *testing.T) {
	got, ack := make(chan packet, 1), make(chan struct{})
	addr := fakeBroker(t, nil, func(c net.Conn) {
		r := greet(c, 0)
		p, err := readPacket(r)
		if err != nil {
			return
		}
		got <- p
		<-ack
		_, _ = c.Write(append([]byte{pubackType << 4, 2}, publishID(p)...))
		_, _ = readPacket(r)
	})
	conn := dialled(t, plain(addr))
	payload := bytes.Repeat([]byte("sealed"), 100_000) // several chunks
	tok := conn.Publish(t.Context(), Message{Topic: "a/b", Payload: payload, QoS: 1, Retained: true})
	p := wait(t, got, "the message")
	if p.kind != publishType<<4|1<<1|1 || !bytes.HasSuffix(p.body, payload) {
		t.Errorf("broker got kind %#x and %d bytes", p.kind, len(p.body))
	}
	select {
	case <-tok.Done():
		t.Error("token is done before the acknowledgement")
	default:
	}
	close(ack)
	wait(t, tok.Done(), "the token")
	if err := tok.Err(); err != nil {
		t.Error(err)
	}
}

func TestTokenFailsWithItsConnection(t *testing.T) {
	addr := fakeBroker(t, nil, func(c net.Conn) {
		_, _ = readPacket(greet(c, 0))
	})
	conn := dialled(t, plain(addr))
	tok := conn.Publish(t.Context(), Message{Topic: "a", Payload: []byte("x"), QoS: 1})
	wait(t, conn.Done(), "the end of the connection")
	wait(t, tok.Done(), "the token")
	if tok.Err() == nil {
		t.Error("a message that was never acknowledged counts as sent")
	}
	if !errors.Is(conn.Err(), ErrLost) {
		t.Errorf("got %v, want %v", conn.Err(), ErrLost)
	}
	late := conn.Publish(t.Context(), Message{Topic: "a", QoS: 1})
	wait(t, late.Done(), "the late token")
	if late.Err() == nil {
		t.Error("published on a connection that has ended")
	}
}

func TestSubscribeAndReceive(t *testing.T) {
	addr := fakeBroker(t, nil, func(c net.Conn) {
		r := greet(c, 0)
		for range 2 {
			p, err := readPacket(r)
			if err != nil {
				return
			}
			_, _ = c.Write([]byte{subackType << 4, 3, p.body[0], p.body[1], 1})
		}
		for range 3 { // one more than the queue holds
			_, _ = c.Write([]byte{publishType<<4 | 1, 5, 0, 1, 't', 'h', 'i'})
		}
		_, _ = readPacket(r)
	})
	c := plain(addr)
	c.Queue = 2
	conn := dialled(t, c)
	if err := conn.Subscribe(t.Context(), "a/cmd", "a/roster"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); conn.Dropped() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was dropped")
		}
	}
	for range 2 {
		m := wait(t, conn.Messages(), "a message")
		if m.Topic != "t" || string(m.Payload) != "hi" || !m.Retained {
			t.Errorf("got %+v", m)
		}
	}
	if n := conn.Dropped(); n != 1 {
		t.Errorf("dropped %d, want 1", n)
	}
}

func TestSubscriptionDenied(t *testing.T) {
	addr := fakeBroker(t, nil, func(c net.Conn) {
		r := greet(c, 0)
		for p, err := readPacket(r); err == nil && len(p.body) > 1; p, err = readPacket(r) {
			_, _ = c.Write([]byte{subackType << 4, 3, p.body[0], p.body[1], 0x80})
		}
	})
	err := dialled(t, plain(addr)).Subscribe(t.Context(), "other/cmd")
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "other/cmd") {
		t.Errorf("got %v", err)
	}
}

// As a NATS cluster does while it counts on a node that is gone.
func TestSubscriptionDeniedForATime(t *testing.T) {
	asked := map[string]int{}
	over := make(chan map[string]int, 1)
	addr := fakeBroker(t, nil, func(c net.Conn) {
		r := greet(c, 0)
		for {
			p, err := readPacket(r)
			if err != nil || len(p.body) < 5 {
				over <- asked
				return
			}
			filter := string(p.body[4 : len(p.body)-1])
			granted := byte(1)
			if asked[filter]++; filter == "b" && asked[filter] < 4 {
				granted = 0x80
			}
			_, _ = c.Write([]byte{subackType << 4, 3, p.body[0], p.body[1], granted})
			if filter == "c" {
				over <- asked
				return
			}
		}
	})
	c := dialled(t, plain(addr))
	if err := c.Subscribe(t.Context(), "a", "b", "c"); err != nil {
		t.Error(err)
	}
	if got := wait(t, over, "the end"); got["a"] != 1 || got["b"] != 4 || got["c"] != 1 {
		t.Errorf("asked for %v", got)
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	asked := make(chan struct{})
	addr := fakeBroker(t, nil, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1<<10))
		close(asked)
		_, _ = c.Read(make([]byte, 1<<10))
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := Dial(ctx, plain(addr)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	ok := Config{URL: "mqtts://broker.example", ClientID: "cam", TLS: &tls.Config{MinVersion: tls.VersionTLS13}}
	if err := ok.Validate(); err != nil {
		t.Error(err)
	}
	for _, url := range []string{"", "broker.example", "http://a", "mqtt://broker.example:1883", "mqtts://", "mqtts://u:p@a",
		"mqtts://a/path", "mqtts://a?x=1", "mqtts://a:b", "ws://127.0.0.1"} {
		c := ok
		c.URL = url
		if err := c.Validate(); err == nil {
			t.Errorf("%q is accepted", url)
		} else if strings.Contains(err.Error(), "u:p") {
			t.Errorf("password in %v", err)
		}
	}
	noCA := ok
	noCA.TLS = nil
	anonymous := ok
	anonymous.ClientID = ""
	for _, c := range []Config{noCA, anonymous} {
		if err := c.Validate(); err == nil {
			t.Errorf("accepted %+v", c)
		}
	}
}

// pieces hands out a stream in reads of at most n bytes.
type pieces struct {
	rest []byte
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(p.n, len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}

// FuzzReader: what paho is given does not depend on how the stream is cut, and
// is a row of packets, none larger than was allowed.
func FuzzReader(f *testing.F) {
	f.Add([]byte{connackType << 4, 2, 0, 0, pingrespType << 4, 0, publishType << 4, 5, 0, 1, 'a', 'h', 'i'}, 3)
	f.Add([]byte{publishType << 4, 0xff, 0xff, 0xff, 0x7f}, 1)
	f.Add(append([]byte{publishType<<4 | 3, 0x80, 2, 0, 1, 't', 0, 7}, make([]byte, 251)...), 100)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		const most = 100
		read := func(n int) ([]byte, error) { return io.ReadAll(&reader{src: &pieces{stream, n}, max: most}) }
		whole, want := read(max(len(stream), 1))
		parts, got := read(min(max(cut, 1), max(len(stream), 1)))
		if !bytes.Equal(whole, parts) || (want == nil) != (got == nil) {
			t.Fatalf("whole: %x, %v; in parts: %x, %v", whole, want, parts, got)
		}
		for rest := whole; len(rest) > 0; {
			n, size := binary.Uvarint(rest[1:min(5, len(rest))])
			if size <= 0 || n > most {
				t.Fatalf("paho is given a packet of %d bytes: %x", n, rest)
			}
			rest = rest[min(len(rest), 1+size+int(n)):]
		}
	})
}

// A message that is too large loses its payload, and nothing else is lost: the
// connection stays, the broker has its acknowledgement, what follows arrives.
func TestTooLargeAMessage(t *testing.T) {
	acked := make(chan struct{})
	addr := fakeBroker(t, nil, func(c net.Conn) {
		r := greet(c, 0)
		big := appendLength([]byte{publishType<<4 | 3}, 2+5+2+20_000_000) // QoS 1, retained
		big = append(big, 0, 5, 'a', '/', 'b', 'i', 'g', 0, 9)
		_, _ = c.Write(append(big, make([]byte, 20_000_000)...))
		_, _ = c.Write([]byte{publishType << 4, 5, 0, 1, 't', 'h', 'i'})
		for {
			p, err := readPacket(r)
			if err != nil {
				return
			}
			if p.kind>>4 == pubackType && p.body[1] == 9 {
				close(acked)
			}
		}
	})
	c := plain(addr)
	c.MaxIncoming = 1 << 10
	conn := dialled(t, c)
	if m := wait(t, conn.Messages(), "the large one"); m.Topic != "a/big" || len(m.Payload) != 0 || !m.Retained {
		t.Errorf("%s with %d bytes", m.Topic, len(m.Payload))
	}
	if m := wait(t, conn.Messages(), "the small one"); m.Topic != "t" || string(m.Payload) != "hi" {
		t.Errorf("%+v", m)
	}
	wait(t, acked, "the acknowledgement")
}

// However a connection ends, nothing of it stays behind.
func TestNothingStaysBehind(t *testing.T) {
	var served atomic.Int64
	addr := fakeBroker(t, nil, func(c net.Conn) {
		switch n := served.Add(1); {
		case n%4 == 0: // refused
			greet(c, 5)
		case n%4 == 1: // lost in the middle of messages
			r := greet(c, 0)
			for range 3 {
				_, _ = readPacket(r)
			}
		default: // closed by the client
			r := greet(c, 0)
			for r != nil {
				if _, err := readPacket(r); err != nil {
					return
				}
			}
		}
	})
	before := runtime.NumGoroutine()
	for range 40 {
		conn, err := Dial(t.Context(), plain(addr))
		if err != nil {
			continue
		}
		for range 5 {
			conn.Publish(t.Context(), Message{Topic: "a", Payload: make([]byte, 1000), QoS: 1})
		}
		conn.Close()
		wait(t, conn.Done(), "the end of the connection")
	}
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			b := make([]byte, 1<<16)
			t.Fatalf("%d goroutines more than before:\n%s", runtime.NumGoroutine()-before, b[:runtime.Stack(b, true)])
		}
	}
}
