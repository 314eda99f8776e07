package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"testing"
	"time"
)

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
	future := ours.leaf("127.0.0.1", time.Now().Add(10*time.Minute), time.Now().Add(50*time.Minute))
	atBoot := func() time.Time { return time.Unix(0, 0) }
	for name, tc := range map[string]struct {
		server tls.Certificate
		client tls.Certificate
		clock  func() time.Time
		max    uint16
		want   error
	}{
		"all well":       {server: ok, client: ours.now("cam")},
		"clock at 1970":  {server: ok, client: ours.now("cam"), clock: atBoot, want: ErrNotYetValid},
		"of the future":  {server: future, client: ours.now("cam"), want: ErrNotYetValid},
		"wrong name":     {server: ours.now("elsewhere.example"), client: ours.now("cam"), want: ErrWrongName},
		"expired":        {server: past, client: ours.now("cam"), want: ErrExpired},
		"unknown CA":     {server: theirs.now("127.0.0.1"), client: ours.now("cam"), want: ErrUnknownCA},
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
