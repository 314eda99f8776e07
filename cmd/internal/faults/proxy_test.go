package faults

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// sink is a broker that keeps what it hears, and says it back.
type sink struct {
	net.Listener
	mu    sync.Mutex
	heard [][]byte // by connection
	ends  chan error
}

func newSink(t *testing.T) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{Listener: l, ends: make(chan error, 100)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			n := len(s.heard)
			s.heard = append(s.heard, nil)
			s.mu.Unlock()
			go s.hear(c, n)
		}
	}()
	return s
}

func (s *sink) hear(c net.Conn, n int) {
	defer c.Close()
	b := make([]byte, 4096)
	for {
		k, err := c.Read(b)
		s.mu.Lock()
		s.heard[n] = append(s.heard[n], b[:k]...)
		s.mu.Unlock()
		if err != nil {
			s.ends <- err
			return
		}
		if _, err := c.Write(b[:k]); err != nil {
			s.ends <- err
			return
		}
	}
}

func (s *sink) lengths() (n []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.heard {
		n = append(n, len(b))
	}
	return n
}

func newProxy(t *testing.T, seed uint64, f Fault, target string) *Proxy {
	t.Helper()
	p, err := NewProxy(seed, "127.0.0.1:1", target) // nobody listens on the first
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if err := p.Set(f); err != nil {
		t.Fatal(err)
	}
	return p
}

func dial(t *testing.T, p *Proxy) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c.(*net.TCPConn)
}

// say sends b and reads as much back.
func say(t *testing.T, c net.Conn, b []byte) []byte {
	t.Helper()
	go func() { _, _ = c.Write(b) }()
	back := make([]byte, len(b))
	if _, err := io.ReadFull(c, back); err != nil {
		t.Fatal(err)
	}
	return back
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b
}

// Without a fault, and with delay and little bandwidth, every byte arrives, in
// order, and not before its time.
func TestCarries(t *testing.T) {
	for _, trial := range []struct {
		fault Fault
		size  int
		least time.Duration
	}{
		{Fault{}, 1 << 20, 0},
		{Fault{Delay: 50 * time.Millisecond, Jitter: 20 * time.Millisecond}, 100_000, 100 * time.Millisecond},
		{Fault{Rate: 40_000}, 10_000, 190 * time.Millisecond},
	} {
		c := dial(t, newProxy(t, 1, trial.fault, newSink(t).Addr().String()))
		began, b := time.Now(), noise(trial.size)
		if !bytes.Equal(say(t, c, b), b) {
			t.Errorf("%+v: other bytes arrive", trial.fault)
		}
		if took := time.Since(began); took < trial.least {
			t.Errorf("%+v: after %v, want %v at least", trial.fault, took, trial.least)
		}
	}
}

// The same seed cuts at the same bytes, another seed elsewhere; as many
// connections as were asked for, and no more.
func TestResets(t *testing.T) {
	cuts := func(seed uint64) (at []int64) {
		s := newSink(t)
		p := newProxy(t, seed, Fault{Reset: true, After: 50_000, Times: 3}, s.Addr().String())
		for range 3 {
			c, before := dial(t, p), p.Stats().Up
			go func() { _, _ = c.Write(noise(200_000)) }()
			if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("the client sees %v, want a reset", err)
			}
			<-s.ends
			at = append(at, p.Stats().Up-before)
		}
		say(t, dial(t, p), noise(200_000))
		if st := p.Stats(); st.Struck != 3 || st.Connections != 4 {
			t.Errorf("%+v", st)
		}
		for _, n := range at {
			if n < 25_000 || n > 50_000 {
				t.Errorf("cut after %d bytes, want 25000 to 50000", n)
			}
		}
		return at
	}
	one, again, two := cuts(1), cuts(1), cuts(2)
	if !slices.Equal(one, again) || slices.Equal(one, two) {
		t.Errorf("cut at %v, with the same seed at %v, with another at %v", one, again, two)
	}
}

// Of a half-open connection one way goes on, and nobody hears of a close.
func TestHalfOpen(t *testing.T) {
	s := newSink(t)
	p := newProxy(t, 1, Fault{Silent: FromBroker, After: 1000, Times: 1}, s.Addr().String())
	c := dial(t, p)
	if _, err := c.Write(noise(5000)); err != nil {
		t.Fatal(err)
	}
	wait(t, "the broker hears all", func() bool { return slices.Equal(s.lengths(), []int{5000}) })
	_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if n, err := io.Copy(io.Discard, c); n > 1000 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes came back, then %v", n, err)
	}

	p = newProxy(t, 1, Fault{Silent: ToBroker | FromBroker, After: 1000}, s.Addr().String())
	c = dial(t, p)
	if _, err := c.Write(noise(5000)); err != nil {
		t.Fatal(err)
	}
	wait(t, "it falls silent", func() bool { return p.Stats().Struck == 1 })
	_ = c.Close()
	select {
	case err := <-s.ends:
		t.Errorf("the broker hears of the close: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if n := s.lengths()[1]; n > 1000 {
		t.Errorf("%d bytes arrive", n)
	}
}

// The broker holds a connection that its client has closed.
func TestSlowClose(t *testing.T) {
	s := newSink(t)
	p := newProxy(t, 1, Fault{SlowClose: 300 * time.Millisecond}, s.Addr().String())
	c := dial(t, p)
	say(t, c, noise(10))
	began := time.Now()
	_ = c.Close()
	if err := <-s.ends; err != io.EOF || time.Since(began) < 300*time.Millisecond {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// Nobody listens, then somebody does, at the same address; a cut ends what is open.
func TestRefuse(t *testing.T) {
	p := newProxy(t, 1, Fault{}, newSink(t).Addr().String())
	c := dial(t, p)
	say(t, c, noise(10))
	for range 3 {
		if err := p.Set(Fault{Refuse: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("the open connection goes on")
		}
		if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v, want refused", err)
		}
		if err := p.Set(Fault{}); err != nil {
			t.Fatal(err)
		}
		c = dial(t, p)
		say(t, c, noise(10))
	}
	p.Cut()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want a reset", err)
	}
}

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("waited a minute until %s", what)
		}
	}
}
