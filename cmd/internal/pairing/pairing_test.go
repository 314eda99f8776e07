package pairing_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/pairing"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

const patience = 60 * time.Second

func newHousehold(t *testing.T) *identity.Household {
	t.Helper()
	h, err := identity.CreateHousehold(filepath.Join(t.TempDir(), "home"), "mqtts://broker.lan:8883", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func newCamera(t *testing.T) *identity.Camera {
	t.Helper()
	c, err := identity.OpenCamera(filepath.Join(t.TempDir(), "camera"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// log is what a camera or a session has logged.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.b.Bytes(), []byte(s))
}

func (l *log) slog() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// running is a session that runs, and its code as a camera has read it.
type running struct {
	*pairing.Session
	code *identity.Code
	log  *log
	done chan error
}

func start(t *testing.T, h *identity.Household, change func(*pairing.Config)) *running {
	t.Helper()
	r := &running{log: &log{}, done: make(chan error, 1)}
	c := pairing.Config{
		Household: h, Name: "Front door", Listen: "127.0.0.1:0", Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Now: time.Now, Log: r.log.slog(),
	}
	if change != nil {
		change(&c)
	}
	s, err := pairing.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	if r.code, err = identity.ParseCode(s.Text()); err != nil {
		t.Fatal(err)
	}
	r.Session = s
	ctx, stop := context.WithCancel(t.Context())
	go func() { r.done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		for range s.Progress() { // closed when Run has returned
		}
	})
	return r
}

// next returns the session's next event, which must be of kind k.
func (r *running) next(t *testing.T, k pairing.Kind) pairing.Event {
	t.Helper()
	select {
	case e := <-r.Progress():
		if e.Kind != k {
			t.Fatalf("event %+v, want kind %d", e, k)
		}
		return e
	case <-time.After(patience):
		t.Fatalf("no event of kind %d; the session logged %s", k, r.log.b.String())
	}
	return pairing.Event{}
}

func (r *running) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(patience):
		t.Fatal("the session does not end")
	}
	return nil
}

// ask has a camera follow the code.
func ask(t *testing.T, c *identity.Camera, code *identity.Code) (*log, <-chan error) {
	l, done := &log{}, make(chan error, 1)
	asker := pairing.Asker{Camera: c, Firmware: "1.2.3", Log: l.slog()}
	go func() { done <- asker.Ask(t.Context(), code) }()
	return l, done
}

func wait(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("the camera does not end")
	}
	return nil
}

func TestPairing(t *testing.T) {
	h, c := newHousehold(t), newCamera(t)
	s := start(t, h, nil)
	l, done := ask(t, c, s.code)
	e := s.next(t, pairing.Read)
	if e.Camera != c.ID() || e.Firmware != "1.2.3" || len(e.Words) < 5 {
		t.Errorf("read by %+v", e)
	}
	if r, _, err := h.Roster(); err != nil || len(r.Cameras) != 0 {
		t.Fatalf("in the roster before anybody confirmed: %v, %v", r.Cameras, err)
	}
	s.Confirm(true)
	s.next(t, pairing.Enrolled)
	s.next(t, pairing.Paired)
	if err := errors.Join(wait(t, done), s.end(t)); err != nil {
		t.Fatal(err)
	}
	if !l.has(e.Words) {
		t.Errorf("the camera logged %s, not the words %q", l.b.String(), e.Words)
	}
	if c.Household() != h.ID() || c.Broker() != h.Broker() {
		t.Errorf("the camera belongs to %q at %q", c.Household(), c.Broker())
	}
	if got, ok := c.Roster().Camera(c.ID()); !ok || got.Name != "Front door" {
		t.Errorf("its roster has %+v, %v", got, ok)
	}
	if conf, err := c.TLS(); err != nil || conf.Certificates[0].Leaf.Subject.CommonName != string(c.ID()) {
		t.Errorf("its certificate: %v", err)
	}
	if err := c.CheckCode(s.code, time.Now()); seal.ReasonOf(err) != seal.Replayed {
		t.Errorf("the code can be followed again: %v", err)
	}
}

func TestDeclined(t *testing.T) {
	h, c := newHousehold(t), newCamera(t)
	s := start(t, h, nil)
	_, done := ask(t, c, s.code)
	s.next(t, pairing.Read)
	s.Confirm(false)
	s.Confirm(true) // too late
	if err := wait(t, done); seal.ReasonOf(err) != seal.NotForYou || c.Claimed() {
		t.Errorf("the camera was told %v", err)
	}
	if err := s.end(t); !errors.Is(err, pairing.ErrDeclined) {
		t.Errorf("the session ended with %v", err)
	}
	if r, _, err := h.Roster(); err != nil || len(r.Cameras) != 0 {
		t.Errorf("in the roster: %v, %v", r.Cameras, err)
	}
}

// TestSecondCamera: a code is for one camera, whoever else has seen it.
func TestSecondCamera(t *testing.T) {
	h, c, other := newHousehold(t), newCamera(t), newCamera(t)
	s := start(t, h, nil)
	_, done := ask(t, c, s.code)
	s.next(t, pairing.Read)
	_, late := ask(t, other, s.code)
	if err := wait(t, late); seal.ReasonOf(err) != seal.Replayed || other.Claimed() {
		t.Errorf("the second camera was told %v", err)
	}
	if e := s.next(t, pairing.Refused); e.Camera != other.ID() || e.Refusal.Reason != seal.Replayed {
		t.Errorf("the person was told %+v", e)
	}
	s.Confirm(true)
	if err := errors.Join(wait(t, done), s.end(t)); err != nil {
		t.Fatal(err)
	}
	if n := s.Refused(); n[seal.Replayed] != 1 || !s.log.has(string(other.ID())) {
		t.Errorf("counted %v", n)
	}
}

// TestAsksAgain: a camera that loses the connection while a person decides asks
// again, and is the same camera with the same words.
func TestAsksAgain(t *testing.T) {
	h, c := newHousehold(t), newCamera(t)
	s := start(t, h, nil)
	ctx, cut := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	first := &log{}
	go func() { gone <- (&pairing.Asker{Camera: c, Log: first.slog()}).Ask(ctx, s.code) }()
	words := s.next(t, pairing.Read).Words
	cut()
	if err := wait(t, gone); !errors.Is(err, context.Canceled) {
		t.Errorf("cut off: %v", err)
	}
	l, done := ask(t, c, s.code)
	s.Confirm(true)
	if err := errors.Join(wait(t, done), s.end(t)); err != nil {
		t.Fatal(err)
	}
	if !l.has(words) || c.Household() != h.ID() {
		t.Errorf("the camera logged %s, the household %q", l.b.String(), words)
	}
}

// TestCameraThatLostItsPairing is in the roster, and can be told again.
func TestCameraThatLostItsPairing(t *testing.T) {
	h, c := newHousehold(t), newCamera(t)
	if err := h.AddCamera(c.ID(), "Garden"); err != nil {
		t.Fatal(err)
	}
	s := start(t, h, nil)
	_, done := ask(t, c, s.code)
	s.next(t, pairing.Read)
	s.Confirm(true)
	if err := errors.Join(wait(t, done), s.end(t)); err != nil {
		t.Fatal(err)
	}
	if got, _ := c.Roster().Camera(c.ID()); got.Name != "Garden" {
		t.Errorf("called %q", got.Name)
	}
}

func TestExpiry(t *testing.T) {
	s := start(t, newHousehold(t), func(c *pairing.Config) { c.Valid = time.Second })
	if err := s.end(t); !errors.Is(err, pairing.ErrExpired) {
		t.Errorf("ended with %v", err)
	}
	asker := pairing.Asker{Camera: newCamera(t), Log: (&log{}).slog()}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := asker.Ask(ctx, s.code); !errors.Is(err, pairing.ErrNobody) {
		t.Errorf("after the end the camera is told %v", err)
	}
}

// say connects as a stranger who has seen the address, and the code where it
// says so, and sends one part.
func (r *running) say(t *testing.T, part byte, data []byte) (byte, []byte) {
	t.Helper()
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(r.code.Port)))
	conn, err := tls.Dial("tcp", at, r.code.TLS())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(append(binary.BigEndian.AppendUint32([]byte{part}, uint32(len(data))), data...)); err != nil {
		t.Fatal(err)
	}
	var head [5]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return 0, nil
	}
	text := make([]byte, binary.BigEndian.Uint32(head[1:]))
	n, _ := io.ReadFull(conn, text)
	return head[0], text[:n]
}

func TestStrangers(t *testing.T) {
	h, c := newHousehold(t), newCamera(t)
	s := start(t, h, nil)
	never := *s.code
	never.Secret = bytes.Repeat([]byte{9}, identity.SecretSize)
	elsewhere := newCamera(t)
	pairElsewhere(t, elsewhere)
	bare := func() []byte {
		var hello seal.Hello
		if err := hello.Bind(c.Signer().Public(), s.code.Secret); err != nil {
			t.Fatal(err)
		}
		b, err := seal.SignHello(c.Signer(), hello)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	answer := func(c *identity.Camera, code *identity.Code) []byte {
		b, err := c.Answer(code, "", [16]byte{})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	broken := answer(c, s.code)
	broken[len(broken)-1] ^= 1
	for _, tc := range []struct {
		name  string
		hello []byte
		want  seal.Reason
	}{
		{"noise", []byte("GET / HTTP/1.1\r\n\r\n"), seal.Malformed},
		{"nothing", nil, seal.Malformed},
		{"broken signature", broken, seal.BrokenSeal},
		{"a code that was never shown", answer(c, &never), seal.BrokenSeal},
		{"no certificate asked for", bare(), seal.Malformed},
		{"another household's camera", answer(elsewhere, s.code), seal.NotForYou},
	} {
		part, text := s.say(t, 'H', tc.hello)
		if part != 'R' || !bytes.Contains(text, []byte(`"`+string(tc.want)+`"`)) {
			t.Errorf("%s: told %q %s, want %s", tc.name, part, text, tc.want)
		}
		if e := s.next(t, pairing.Refused); e.Refusal.Reason != tc.want {
			t.Errorf("%s: the person was told %+v", tc.name, e.Refusal)
		}
	}
	if part, _ := s.say(t, 'P', []byte("x")); part != 0 {
		t.Errorf("a part out of place is answered with %q", part)
	}
	// None of them ended it, or took the camera's place.
	_, done := ask(t, c, s.code)
	s.next(t, pairing.Read)
	s.Confirm(true)
	if err := errors.Join(wait(t, done), s.end(t)); err != nil {
		t.Fatal(err)
	}
	if n := s.Refused(); n[seal.Malformed] != 3 || n[seal.BrokenSeal] != 2 || n[seal.NotForYou] != 1 {
		t.Errorf("counted %v", n)
	}
}

func pairElsewhere(t *testing.T, c *identity.Camera) {
	t.Helper()
	h := newHousehold(t)
	if err := h.AddCamera(c.ID(), "Theirs"); err != nil {
		t.Fatal(err)
	}
	if err := h.Adopt(c); err != nil {
		t.Fatal(err)
	}
}

// TestImpostors answer where the code says, and are not the household.
func TestImpostors(t *testing.T) {
	h, stranger := newHousehold(t), newHousehold(t)
	member := newCamera(t)
	if err := h.AddCamera(member.ID(), "Garden"); err != nil {
		t.Fatal(err)
	}
	if err := h.Adopt(member); err != nil {
		t.Fatal(err)
	}
	asCamera, err := member.TLS()
	if err != nil {
		t.Fatal(err)
	}
	asBroker, err := h.ServerTLS("127.0.0.1", "broker.lan")
	if err != nil {
		t.Fatal(err)
	}
	asBroker.ClientAuth = tls.NoClientCert
	theirs, err := stranger.PairingTLS()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := h.PairingTLS()
	if err != nil {
		t.Fatal(err)
	}
	ca := ours.Certificates[0].Certificate[1]
	asCamera.Certificates[0].Certificate = append(asCamera.Certificates[0].Certificate, ca)
	asBroker.Certificates[0].Certificate = append(asBroker.Certificates[0].Certificate, ca)
	mixed := theirs.Clone()
	mixed.Certificates = []tls.Certificate{{
		Certificate: [][]byte{theirs.Certificates[0].Certificate[0], ca}, PrivateKey: theirs.Certificates[0].PrivateKey,
	}}
	for name, conf := range map[string]*tls.Config{
		"a camera of the household": asCamera, "the household's broker": asBroker,
		"another household": theirs, "another household under our authority": mixed,
	} {
		t.Run(name, func(t *testing.T) {
			l, err := tls.Listen("tcp", "127.0.0.1:0", conf)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			heard := make(chan int, 64)
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					n, _ := conn.Read(make([]byte, 1))
					heard <- n
					conn.Close()
				}
			}()
			code, _, err := h.Invite([]netip.Addr{netip.MustParseAddr("127.0.0.1")}, uint16(l.Addr().(*net.TCPAddr).Port), nil, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- (&pairing.Asker{Camera: newCamera(t), Log: (&log{}).slog()}).Ask(ctx, code) }()
			select {
			case n := <-heard:
				if n != 0 {
					t.Error("the camera told it something")
				}
			case <-time.After(patience):
				t.Fatal("the camera does not connect")
			}
			cancel()
			if err := wait(t, done); !errors.Is(err, pairing.ErrNobody) {
				t.Errorf("the camera ended with %v", err)
			}
		})
	}
}

func TestStartRefuses(t *testing.T) {
	h, c := newHousehold(t), newCamera(t)
	if err := h.AddCamera(c.ID(), "Front door"); err != nil {
		t.Fatal(err)
	}
	config := pairing.Config{Household: h, Name: "Front door", Now: time.Now, Log: (&log{}).slog()}
	if _, err := pairing.Start(config); !errors.Is(err, identity.ErrKnownName) {
		t.Errorf("a name that is taken: %v", err)
	}
	config.Name = "Back door"
	config.WiFi = &identity.WiFi{SSID: make([]byte, 33)}
	if _, err := pairing.Start(config); err == nil {
		t.Error("a Wi-Fi name of 33 bytes")
	}
}
