package pairing

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// How a session ends without a camera.
var (
	ErrExpired  = errors.New("no camera was paired while the code was valid")
	ErrDeclined = errors.New("the camera was not confirmed, and is not taken in")
	ErrSilent   = errors.New("the camera is in the household, but has not said that it knows")
)

// Bounds of a session.
const (
	defaultValid = 10 * time.Minute
	handTime     = 15 * time.Second // for a handshake and a hello, and for an answer after a pairing
	maxAsking    = 8                // connections at a time
	maxEvents    = 64               // of progress that nobody has read yet
)

// Config is what a Session is made of.
type Config struct {
	Household *identity.Household // the session uses it alone until Run has returned
	Name      string              // what the household will call the camera
	WiFi      *identity.WiFi      // the network that the camera is to join, or nil
	Listen    string              // address to listen at; "" is any address and port
	Addrs     []netip.Addr        // what the code says to connect to; nil is this machine's own
	Valid     time.Duration       // of the code, whole seconds; 0 is ten minutes
	Now       func() time.Time
	Log       *slog.Logger
}

// Kind says what happened in a session.
type Kind int

// The kinds of Event, in the order of a good session.
const (
	Read     Kind = iota + 1 // a camera has read the code: compare the words, and call Confirm
	Enrolled                 // confirmed, and in the roster; the camera is being told
	Paired                   // the camera has said that it is the household's
	Refused                  // somebody asked and was refused; the session goes on
)

// Event is one step of a session.
type Event struct {
	Kind     Kind
	Camera   seal.CameraID // "" with Refused if it did not say
	Words    string        // two words, with Read
	Firmware string        // the camera's own word, with Read
	Refusal  *seal.Refusal // with Refused
}

// Session answers for a household to the one camera that has read its code.
type Session struct {
	config   Config
	code     *identity.Code
	text     string
	listener net.Listener
	tls      *tls.Config
	log      *slog.Logger

	events  chan Event
	decided chan struct{} // closed by Confirm

	mu      sync.Mutex
	confirm bool
	asked   bool          // decided is closed
	camera  seal.CameraID // the one that asked first
	nonce   []byte
	pairing []byte // as it travels, once confirmed
	refused map[seal.Reason]uint64
}

// Start makes a code and listens for the camera that reads it. Nothing is
// answered before Run, which must be called, and ends the listening.
func Start(c Config) (*Session, error) {
	if c.Valid == 0 {
		c.Valid = defaultValid
	}
	if c.Listen == "" {
		c.Listen = ":0"
	}
	if err := checkName(c.Household, c.Name); err != nil {
		return nil, err
	}
	conf, err := c.Household.PairingTLS()
	if err != nil {
		return nil, err
	}
	if c.Addrs == nil {
		if c.Addrs, err = localAddrs(); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, err
	}
	s := &Session{
		config: c, listener: l, tls: conf, log: c.Log,
		events: make(chan Event, maxEvents), decided: make(chan struct{}),
		nonce: make([]byte, nonceSize), refused: map[seal.Reason]uint64{},
	}
	port := l.Addr().(*net.TCPAddr).Port
	if s.code, s.text, err = c.Household.Invite(c.Addrs, uint16(port), c.WiFi, c.Valid); err == nil {
		_, err = rand.Read(s.nonce)
	}
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return s, nil
}

// checkName finds out early what the roster would refuse late.
func checkName(h *identity.Household, name string) error {
	r, _, err := h.Roster()
	if err != nil {
		return err
	}
	for _, c := range r.Cameras {
		if c.Name == name {
			return fmt.Errorf("camera %q: %w, by camera %s", name, identity.ErrKnownName, c.ID)
		}
	}
	return nil
}

// Text returns the code, to be shown as a QR code or handed over in a file.
// It is a secret until the camera is paired.
func (s *Session) Text() string { return s.text }

// Expires returns when the code stops being valid.
func (s *Session) Expires() time.Time { return s.code.Expires() }

// Progress returns what happens. It is closed when Run returns. Nothing waits
// for a reader: more than 64 unread events are dropped, refusals first to last.
func (s *Session) Progress() <-chan Event { return s.events }

// Refused returns how many askers were refused, by reason.
func (s *Session) Refused() map[seal.Reason]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[seal.Reason]uint64, len(s.refused))
	for r, n := range s.refused {
		out[r] = n
	}
	return out
}

// Confirm says whether the camera of the Read event is the one that was meant.
// Only the first call counts.
func (s *Session) Confirm(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked {
		s.asked, s.confirm = true, yes
		close(s.decided)
	}
}

// Run answers until a camera is paired, and returns nil then. Else it returns
// ErrDeclined, ErrExpired or ErrSilent, ctx's error, or what went wrong with the
// household's files.
func (s *Session) Run(ctx context.Context) error {
	defer close(s.events)
	ctx, cancel := context.WithTimeoutCause(ctx, s.code.Expires().Sub(s.config.Now()), ErrExpired)
	defer cancel()
	ctx, finish := context.WithCancelCause(ctx)
	defer finish(nil)
	var work sync.WaitGroup
	work.Go(func() { finish(s.accept(ctx, &work, finish)) })
	<-ctx.Done()
	err := s.listener.Close()
	work.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errPaired):
		return err
	case s.pairing != nil:
		return ErrSilent
	default:
		return cause
	}
}

// errPaired is how a good session ends.
var errPaired = errors.New("paired")

// accept answers each who connects, a few at a time.
func (s *Session) accept(ctx context.Context, work *sync.WaitGroup, finish func(error)) error {
	room := make(chan struct{}, maxAsking)
	for {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		conn, err := s.listener.Accept()
		if err != nil {
			return fmt.Errorf("listening for the camera: %w", err)
		}
		work.Go(func() {
			defer func() { <-room }()
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer stop()
			defer conn.Close()
			if err := s.answer(ctx, conn); err != nil {
				finish(err)
			}
		})
	}
}
