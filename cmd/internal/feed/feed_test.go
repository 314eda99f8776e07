package feed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/piece"
	"github.com/sealcam/sealcam/uplink/seal"
)

func camera(c byte) seal.CameraID { return seal.CameraID(strings.Repeat(string(c), 51) + "a") }

// fakeConn is a connection that the test feeds and ends.
type fakeConn struct {
	messages chan mqtt.Message
	done     chan struct{}
	end      sync.Once
	err      error

	mu         sync.Mutex
	subscribed []string
	published  []mqtt.Message
	token      fakeToken
	subErr     error
}

type fakeToken struct {
	open bool
	err  error
}

func (t fakeToken) Done() <-chan struct{} {
	done := make(chan struct{})
	if !t.open {
		close(done)
	}
	return done
}
func (t fakeToken) Err() error { return t.err }

func newConn() *fakeConn {
	return &fakeConn{messages: make(chan mqtt.Message, 4), done: make(chan struct{})}
}

func (c *fakeConn) Subscribe(_ context.Context, filters ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subscribed = append(c.subscribed, filters...)
	return c.subErr
}
func (c *fakeConn) Publish(_ context.Context, m mqtt.Message) mqtt.Token {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.published = append(c.published, m)
	return c.token
}
func (c *fakeConn) Messages() <-chan mqtt.Message { return c.messages }
func (c *fakeConn) Dropped() uint64               { return 3 }
func (c *fakeConn) Done() <-chan struct{}         { return c.done }
func (c *fakeConn) Err() error                    { return c.err }
func (c *fakeConn) Close()                        { c.lose(mqtt.ErrClosed) }
func (c *fakeConn) lose(err error) {
	c.end.Do(func() { c.err = err; close(c.done) })
}

// dialler hands out connections and notes when it was asked.
type dialler struct {
	start time.Time
	at    []time.Duration
	dial  func(n int) (Conn, error)
}

func (d *dialler) Dial(_ context.Context, c mqtt.Config) (Conn, error) {
	d.at = append(d.at, time.Since(d.start))
	return d.dial(len(d.at) - 1)
}

func newBroker(t *testing.T, jitter float64, log *bytes.Buffer, dial func(n int) (Conn, error)) (*Broker, *dialler) {
	t.Helper()
	d := &dialler{start: time.Now(), dial: dial}
	logger := slog.New(slog.DiscardHandler)
	if log != nil {
		logger = slog.New(slog.NewTextHandler(log, nil))
	}
	b, err := NewBroker(BrokerConfig{
		MQTT: mqtt.Config{URL: "mqtt://127.0.0.1:1"}, Log: logger,
		Dial: d.Dial, Jitter: func() float64 { return jitter },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, d
}

// run runs f until the test ends it, and returns its error.
func run(f Feed, each func(Item)) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx, each) }()
	return func() error { cancel(); return <-done }
}

// Messages in pieces come out whole, over as many connections as it takes; what is
// no piece is counted and no more.
func TestBrokerJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conns := []*fakeConn{newConn(), newConn()}
		b, _ := newBroker(t, 0, nil, func(n int) (Conn, error) { return conns[n], nil })
		var got []string
		stop := run(b, func(it Item) {
			got = append(got, fmt.Sprintf("%.1s %s %d %v", it.Camera, it.Kind, len(it.Sealed), it.Retained))
		})
		whole := bytes.Repeat([]byte("sealed"), 1000)
		send := func(c *fakeConn, from byte, kind piece.Kind, at, end int) {
			p := piece.Piece{Kind: kind, Size: len(whole), At: at, Name: piece.Name(whole), Data: whole[at:end]}
			c.messages <- mqtt.Message{Topic: Topic(camera(from), "piece"), Payload: p.Append(nil)}
		}
		send(conns[0], 'a', piece.Media, 0, 2048)
		send(conns[0], 'a', piece.Live, 4096, 6000)
		conns[0].messages <- mqtt.Message{Topic: Topic(camera('a'), "piece"), Payload: whole}
		synctest.Wait()
		conns[0].lose(errors.New("cut"))
		time.Sleep(time.Minute)
		send(conns[1], 'b', piece.Media, 2048, 6000)
		send(conns[1], 'a', piece.Media, 2048, 6000)
		send(conns[1], 'a', piece.Live, 0, 4096)
		for _, at := range []int{0, 2048, 4096} { // though they wait for each other
			p := piece.Piece{Kind: piece.View, Size: len(whole), At: at, Name: piece.Name(whole), Data: whole[at:min(at+2048, len(whole))]}
			conns[1].messages <- mqtt.Message{Topic: Topic(camera('a'), "view"), Payload: p.Append(nil)}
		}
		send(conns[1], 'a', piece.View, 0, 2048) // for all, what is for a few
		p := piece.Piece{Kind: piece.Media, Size: len(whole), Name: piece.Name(whole), Data: whole[:2048]}
		conns[1].messages <- mqtt.Message{Topic: Topic(camera('a'), "view"), Payload: p.Append(nil)}
		synctest.Wait()
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if want := []string{"a media 6000 false", "a live 6000 false", "a view 6000 false"}; !slices.Equal(got, want) {
			t.Errorf("handed on %q, want %q", got, want)
		}
		if s := b.Stats(); s.Received != 3 || s.Ignored != 3 {
			t.Errorf("counted %+v", s)
		}
	})
}

func TestBrokerHandsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := newConn()
		b, _ := newBroker(t, 0, nil, func(int) (Conn, error) { return conn, nil })
		var got []string
		stop := run(b, func(it Item) {
			got = append(got, fmt.Sprintf("%.1s %s %s %v", it.Camera, it.Kind, it.Sealed, it.Retained))
		})
		for _, m := range []mqtt.Message{
			{Topic: Topic(camera('a'), "roster"), Payload: []byte("0"), Retained: true},
			{Topic: Topic(camera('a'), "hello"), Payload: []byte("1")},
			{Topic: Topic(camera('b'), "status"), Payload: []byte("2")},
			{Topic: Topic(camera('b'), "live"), Payload: []byte("3"), Retained: true},
			{Topic: Topic(camera('a'), "media"), Payload: []byte("4")},
			{Topic: Topic(camera('a'), "cmd"), Payload: []byte("another viewer's")},
			{Topic: Topic(camera('a'), "media/x")},
			{Topic: Topic(camera('a')[:51], "media")},
			{Topic: "sealcam/v1/" + strings.ToUpper(string(camera('a'))) + "/media"},
			{Topic: "sealcam/v2/" + string(camera('a')) + "/media"},
			{Topic: ""},
		} {
			conn.messages <- m
		}
		synctest.Wait()
		if up, why := b.Link(); !up || why != "" {
			t.Errorf("link %v, %q", up, why)
		}
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		want := []string{"a roster 0 true", "a hello 1 false", "b status 2 false", "b live 3 true", "a media 4 false"}
		if !slices.Equal(got, want) {
			t.Errorf("handed on %q, want %q", got, want)
		}
		if !slices.Equal(conn.subscribed, []string{"sealcam/v1/+/roster", "sealcam/v1/+/hello", "sealcam/v1/+/status", "sealcam/v1/+/live", "sealcam/v1/+/media", "sealcam/v1/+/piece"}) {
			t.Errorf("subscribed to %q", conn.subscribed)
		}
		if s := b.Stats(); s != (Stats{Connected: 1, Received: 5, Ignored: 6, Dropped: 3}) {
			t.Errorf("counted %+v", s)
		}
	})
}

func TestBackOff(t *testing.T) {
	for _, c := range []struct {
		jitter float64
		want   []time.Duration // between attempts
	}{
		{0, []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second, 15 * time.Second}},
		{0.5, []time.Duration{750 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second, 6 * time.Second, 12 * time.Second, 22500 * time.Millisecond, 22500 * time.Millisecond}},
	} {
		synctest.Test(t, func(t *testing.T) {
			b, d := newBroker(t, c.jitter, nil, func(int) (Conn, error) { return nil, errors.New("no") })
			stop := run(b, func(Item) {})
			time.Sleep(70 * time.Second)
			_ = stop()
			var pauses []time.Duration
			for i := 1; i < len(d.at); i++ {
				pauses = append(pauses, d.at[i]-d.at[i-1])
			}
			if len(pauses) < len(c.want)-1 || !slices.Equal(pauses[:min(len(pauses), len(c.want))], c.want[:min(len(pauses), len(c.want))]) {
				t.Errorf("jitter %v: pauses %v, want %v", c.jitter, pauses, c.want)
			}
		})
	}
}

// A connection that lasted starts over with short pauses; one that is lost at
// once, again and again, does not.
func TestBackOffStartsOver(t *testing.T) {
	for _, c := range []struct {
		lasts time.Duration
		want  time.Duration // pause before the sixth attempt
	}{{time.Minute, time.Second}, {time.Second, 16 * time.Second}, {0, 16 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			var lost time.Duration
			b, d := newBroker(t, 0.9999999999, nil, nil)
			d.dial = func(n int) (Conn, error) {
				conn := newConn()
				if n < 5 {
					go func() {
						time.Sleep(c.lasts)
						lost = time.Since(d.start)
						conn.lose(mqtt.ErrLost)
					}()
				}
				return conn, nil
			}
			stop := run(b, func(Item) {})
			time.Sleep(10 * time.Minute)
			_ = stop()
			if len(d.at) != 6 {
				t.Fatalf("%d attempts, want 6", len(d.at))
			}
			if got := (d.at[5] - lost).Round(time.Millisecond); got != c.want {
				t.Errorf("connections of %v: pause %v, want %v", c.lasts, got, c.want)
			}
		})
	}
}

func TestEachTroubleIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		expired := &mqtt.Error{Reason: mqtt.ErrExpired, Broker: "b:1"}
		refused := &mqtt.Error{Reason: mqtt.ErrRefused, Broker: "b:1"}
		b, _ := newBroker(t, 0, &log, func(n int) (Conn, error) {
			switch {
			case n < 3:
				return nil, expired
			case n < 6:
				return nil, refused
			}
			conn := newConn()
			if n == 6 {
				conn.subErr = refused
			}
			return conn, nil
		})
		stop := run(b, func(Item) {})
		time.Sleep(time.Second)
		if up, why := b.Link(); up || why != expired.Error() {
			t.Errorf("link %v, %q", up, why)
		}
		time.Sleep(10 * time.Minute)
		_ = stop()
		for text, want := range map[string]int{
			`msg="no connection to the broker"`:    2,
			`hint="renew the broker's certificate`: 1,
			"refuses this client":                  1,
			`msg="connected to the broker"`:        1,
		} {
			if got := strings.Count(log.String(), text); got != want {
				t.Errorf("%q is told %d times, want %d, in\n%s", text, got, want, log.String())
			}
		}
	})
}

func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := newConn()
		b, _ := newBroker(t, 0, nil, func(int) (Conn, error) { return conn, nil })
		if err := b.Send(t.Context(), camera('a'), Command, []byte("x")); !errors.Is(err, ErrOffline) {
			t.Errorf("before there is a connection: %v", err)
		}
		stop := run(b, func(Item) {})
		synctest.Wait()
		if err := b.Send(t.Context(), camera('a'), Command, []byte("x")); err != nil {
			t.Error(err)
		}
		if err := b.Send(t.Context(), camera('a'), Roster, []byte("y")); err != nil {
			t.Error(err)
		}
		for _, kind := range []string{Media, Settings, "settingsx/all"} {
			if err := b.Send(t.Context(), camera('a'), kind, []byte("z")); err == nil {
				t.Errorf("a viewer sends %s", kind)
			}
		}
		if err := b.Send(t.Context(), camera('a'), Settings+"/all", []byte("s")); err != nil {
			t.Error(err)
		}
		if len(conn.published) != 3 {
			t.Fatalf("published %+v", conn.published)
		}
		if m := conn.published[0]; m.Topic != Topic(camera('a'), "cmd") || m.Retained || m.QoS != 1 {
			t.Errorf("a command was published as %+v", m)
		}
		if m := conn.published[1]; m.Topic != Topic(camera('a'), "roster") || !m.Retained || m.QoS != 1 {
			t.Errorf("a roster was published as %+v", m)
		}
		if m := conn.published[2]; m.Topic != Topic(camera('a'), "settings/all") || !m.Retained || m.QoS != 1 {
			t.Errorf("settings were published as %+v", m)
		}
		conn.token = fakeToken{err: errors.New("denied")}
		if err := b.Send(t.Context(), camera('a'), Command, nil); err == nil || err.Error() != "denied" {
			t.Errorf("the broker said no: %v", err)
		}
		conn.token = fakeToken{open: true} // never acknowledged
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Send(ctx, camera('a'), Command, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without an answer: %v", err)
		}
		go func() { time.Sleep(time.Second); conn.lose(mqtt.ErrLost) }()
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.Send(ctx, camera('a'), Command, nil); !errors.Is(err, ErrOffline) || !errors.Is(err, mqtt.ErrLost) {
			t.Errorf("lost meanwhile: %v", err)
		}
		_ = stop()
	})
}

func TestNewBrokerRefuses(t *testing.T) {
	for _, url := range []string{"", "mqtts://x", "mqtt://example.com", "http://127.0.0.1"} {
		if _, err := NewBroker(BrokerConfig{MQTT: mqtt.Config{URL: url}}); err == nil {
			t.Errorf("%q accepted", url)
		}
	}
}
