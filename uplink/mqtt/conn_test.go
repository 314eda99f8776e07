package mqtt

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
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
		if p, err := readPacket(r); err == nil {
			_, _ = c.Write([]byte{subackType << 4, 3, p.body[0], p.body[1], 0x80})
		}
		_, _ = readPacket(r)
	})
	err := dialled(t, plain(addr)).Subscribe(t.Context(), "other/cmd")
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "other/cmd") {
		t.Errorf("got %v", err)
	}
}

// A broker that says what it must not ends the connection, and nothing else.
func TestHostileBroker(t *testing.T) {
	for name, bytes := range map[string][]byte{
		"255 MiB":              {publishType << 4, 0xff, 0xff, 0xff, 0x7f},
		"endless length":       {publishType << 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"crowded SUBACK":       {subackType << 4, 5, 0, 1, 1, 1, 1},
		"QoS 2":                {publishType<<4 | 2<<1, 5, 0, 1, 'a', 0, 1},
		"CONNECT":              {1 << 4, 2, 0, 0},
		"huge PUBACK":          {pubackType << 4, 0xff, 0xff, 0x7f},
		"PUBLISH without body": {publishType << 4, 0},
	} {
		t.Run(name, func(t *testing.T) {
			addr := fakeBroker(t, nil, func(c net.Conn) {
				r := greet(c, 0)
				_, _ = readPacket(r) // SUBSCRIBE, so that the id in SUBACK is known
				_, _ = c.Write(bytes)
				_, _ = readPacket(r)
			})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			conn := dialled(t, plain(addr))
			if err := conn.Subscribe(t.Context(), "a"); err == nil {
				t.Error("subscribed without consent")
			}
			wait(t, conn.Done(), "the end of the connection")
			runtime.ReadMemStats(&after)
			if !errors.Is(conn.Err(), ErrProtocol) {
				t.Errorf("got %v, want %v", conn.Err(), ErrProtocol)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
				t.Errorf("allocated %d bytes for it", grown)
			}
		})
	}
}

func TestHostileGreeting(t *testing.T) {
	for name, tc := range map[string]struct {
		answer []byte
		want   error
	}{
		"255 MiB":         {[]byte{connackType << 4, 0xff, 0xff, 0xff, 0x7f}, ErrProtocol},
		"unknown code":    {[]byte{connackType << 4, 2, 0, 77}, ErrProtocol},
		"web server":      {[]byte("HTTP/1.1 400 Bad Request\r\n"), ErrProtocol},
		"not authorised":  {[]byte{connackType << 4, 2, 0, 5}, ErrRefused},
		"bad password":    {[]byte{connackType << 4, 2, 0, 4}, ErrRefused},
		"id rejected":     {[]byte{connackType << 4, 2, 0, 2}, ErrRefused},
		"not available":   {[]byte{connackType << 4, 2, 0, 3}, ErrUnavailable},
		"other version":   {[]byte{connackType << 4, 2, 0, 1}, ErrProtocol},
		"closed at once":  {nil, ErrRefused},
		"published early": {[]byte{publishType << 4, 5, 0, 1, 'a', 'h', 'i'}, ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			addr := fakeBroker(t, nil, func(c net.Conn) {
				if _, err := c.Read(make([]byte, 1024)); err == nil {
					_, _ = c.Write(tc.answer)
				}
			})
			conn, err := Dial(t.Context(), plain(addr))
			if err == nil {
				conn.Close()
			}
			checkReason(t, err, tc.want)
		})
	}
}

func checkReason(t *testing.T, err, want error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	if e.Hint() == "" || e.Broker == "" {
		t.Errorf("no hint or no broker in %+v", e)
	}
	t.Logf("error: %v\nhint: %s", e, e.Hint())
}

func TestCertificates(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	ok := ours.now("127.0.0.1")
	past := ours.leaf("127.0.0.1", time.Now().Add(-50*time.Minute), time.Now().Add(-time.Minute))
	atBoot := func() time.Time { return time.Unix(0, 0) }
	for name, tc := range map[string]struct {
		server tls.Certificate
		client tls.Certificate
		clock  func() time.Time
		max    uint16
		want   error
	}{
		"all well":       {server: ok, client: ours.now("cam")},
		"clock at 1970":  {server: ok, client: ours.now("cam"), clock: atBoot},
		"wrong name":     {server: ours.now("elsewhere.example"), client: ours.now("cam"), want: ErrWrongName},
		"expired":        {server: past, client: ours.now("cam"), want: ErrExpired},
		"unknown CA":     {server: theirs.now("127.0.0.1"), client: ours.now("cam"), want: ErrUnknownCA},
		"1970, other CA": {server: theirs.now("127.0.0.1"), client: ours.now("cam"), clock: atBoot, want: ErrUnknownCA},
		"client unknown": {server: ok, client: theirs.now("cam"), want: ErrRefused},
		"no client cert": {server: ok, want: ErrRefused},
		"old client":     {server: ok, client: ours.leaf("cam", past.Leaf.NotBefore, past.Leaf.NotAfter), want: ErrRefused},
		"TLS 1.2 only":   {server: ok, client: ours.now("cam"), max: tls.VersionTLS12, want: ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			conf := &tls.Config{Certificates: []tls.Certificate{tc.server}, ClientCAs: ours.pool(),
				ClientAuth: tls.RequireAndVerifyClientCert, MaxVersion: tc.max}
			addr := fakeBroker(t, conf, func(c net.Conn) {
				if r := greet(c, 0); r != nil {
					_, _ = readPacket(r)
				}
			})
			c := plain(addr)
			c.URL = "mqtts://" + addr
			c.TLS = &tls.Config{RootCAs: ours.pool(), Time: tc.clock, MinVersion: tls.VersionTLS12}
			if tc.client.Certificate != nil {
				c.TLS.Certificates = []tls.Certificate{tc.client}
			}
			conn, err := Dial(t.Context(), c)
			if tc.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				conn.Close()
				return
			}
			checkReason(t, err, tc.want)
		})
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	_, err = Dial(t.Context(), plain(l.Addr().String()))
	checkReason(t, err, ErrUnreachable)

	silent := fakeBroker(t, nil, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1))
		_, _ = c.Read(make([]byte, 1<<16))
		<-t.Context().Done()
	})
	c := plain(silent)
	c.ConnectTimeout = 50 * time.Millisecond
	_, err = Dial(t.Context(), c)
	checkReason(t, err, ErrUnreachable)
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

// A broker that stops reading must hold neither Publish nor a stop for long.
func TestStuckNetwork(t *testing.T) {
	addr := fakeBroker(t, nil, func(c net.Conn) {
		greet(c, 0)
		<-t.Context().Done()
	})
	big := Message{Topic: "a", Payload: make([]byte, 32<<20), QoS: 1}

	c := plain(addr)
	c.WriteTimeout = 100 * time.Millisecond
	conn := dialled(t, c)
	conn.Publish(t.Context(), big)
	wait(t, conn.Done(), "the end of a stuck connection")

	conn = dialled(t, plain(addr))
	ctx, cancel := context.WithCancel(t.Context())
	first := conn.Publish(ctx, big)
	go cancel()
	if tok := conn.Publish(ctx, big); tok.Err() == nil { // waits for the first
		t.Error("published behind a message that never left")
	}
	conn.Close()
	wait(t, first.Done(), "the first token")
	wait(t, conn.Done(), "the end of the connection")
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

func FuzzParser(f *testing.F) {
	f.Add([]byte{connackType << 4, 2, 0, 0, pingrespType << 4, 0, publishType << 4, 5, 0, 1, 'a', 'h', 'i'}, 3)
	f.Add([]byte{publishType << 4, 0xff, 0xff, 0xff, 0x7f}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		// However the stream is cut into reads, the verdict is the same.
		var whole, parts parser
		want := whole.feed(stream, 1<<10)
		var got error
		cut = min(max(cut, 1), max(len(stream), 1))
		for rest := stream; len(rest) > 0 && got == nil; rest = rest[min(cut, len(rest)):] {
			got = parts.feed(rest[:min(cut, len(rest))], 1<<10)
		}
		if (want == nil) != (got == nil) {
			t.Fatalf("whole: %v, in parts: %v", want, got)
		}
		if got == nil && parts.left > 1<<10 {
			t.Fatalf("%d bytes announced and accepted", parts.left)
		}
	})
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
