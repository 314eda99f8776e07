package pairing

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// answer speaks with one who connects. An error ends the session; who is
// refused or goes away does not.
func (s *Session) answer(ctx context.Context, raw net.Conn) error {
	conn := tls.Server(raw, s.tls)
	if err := conn.SetDeadline(time.Now().Add(handTime)); err != nil {
		return nil
	}
	_, text, err := readPart(conn, partHello)
	if err != nil {
		s.log.Debug("somebody connected and did not ask", "from", raw.RemoteAddr(), "err", err)
		return nil
	}
	hello, err := s.judge(text)
	var refusal *seal.Refusal
	if errors.As(err, &refusal) {
		s.refuse(conn, refusal)
		return nil
	}
	if err := writePart(conn, partNonce, s.nonce); err != nil {
		return nil
	}
	select {
	case <-s.decided:
	case <-ctx.Done():
		return nil
	}
	pairing, err := s.enroll(hello)
	if err == nil || errors.Is(err, ErrDeclined) {
		err = errors.Join(err, conn.SetDeadline(time.Now().Add(handTime)))
	}
	if errors.Is(err, ErrDeclined) {
		s.refuse(conn, &seal.Refusal{Reason: seal.NotForYou, Camera: hello.Camera, Detail: "the person who showed the code did not confirm this camera"})
		return ErrDeclined
	}
	if err != nil {
		return err
	}
	if writePart(conn, partPairing, pairing) != nil {
		return nil // it may ask again
	}
	switch part, text, err := readPart(conn, partClaimed, partRefusal); {
	case err != nil:
		s.log.Warn("the camera was told and went away; it may ask again", "camera", hello.Camera, "err", err)
		return nil
	case part == partRefusal:
		return fmt.Errorf("camera %s: %w", hello.Camera, parseRefusal(text))
	}
	s.tell(Event{Kind: Paired, Camera: hello.Camera})
	return errPaired
}

// judge checks a hello, and keeps its camera as the session's if it is the
// first. The error is a *seal.Refusal.
func (s *Session) judge(text []byte) (*seal.Hello, error) {
	h, err := seal.OpenHello(text)
	if err != nil {
		return nil, err
	}
	no := func(reason seal.Reason, detail string) (*seal.Hello, error) {
		return nil, &seal.Refusal{Reason: reason, Camera: h.Camera, Detail: detail}
	}
	switch {
	case !h.Bound(s.code.Secret):
		return no(seal.BrokenSeal, "the hello is for a code that was never shown here, or shown before")
	case len(h.CSR) == 0:
		return no(seal.Malformed, "the hello asks for no certificate")
	case h.Household != "" && h.Household != s.config.Household.ID():
		return no(seal.NotForYou, "the camera belongs to another household until it is reset")
	case !s.config.Now().Before(s.code.Expires()):
		return no(seal.Stale, "the code has expired")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.camera {
	case h.Camera:
		return h, nil // it lost the connection and asks again
	case "":
		s.camera = h.Camera
	default:
		return no(seal.Replayed, "another camera has answered this code")
	}
	s.tell(Event{Kind: Read, Camera: h.Camera, Firmware: h.Firmware, Words: Words(s.code.Secret, h.Camera, s.nonce)})
	return h, nil
}

// enroll takes the confirmed camera into the household, once, and returns its
// pairing as it travels.
func (s *Session) enroll(h *seal.Hello) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.confirm {
		return nil, ErrDeclined
	}
	if s.pairing != nil {
		return s.pairing, nil
	}
	// A camera that lost its pairing, and not its key, is in the roster already.
	if err := s.config.Household.AddCamera(h.Camera, s.config.Name); err != nil && !errors.Is(err, identity.ErrKnownCamera) {
		return nil, err
	}
	p, err := s.config.Household.Pair(h.Camera, h.CSR)
	if err != nil {
		return nil, err
	}
	if s.pairing, err = p.MarshalText(); err != nil {
		return nil, err
	}
	s.tell(Event{Kind: Enrolled, Camera: h.Camera})
	return s.pairing, nil
}

// refuse tells the asker and the person why.
func (s *Session) refuse(conn net.Conn, r *seal.Refusal) {
	s.mu.Lock()
	s.refused[r.Reason]++
	s.mu.Unlock()
	s.log.Warn("refused to pair", "from", conn.RemoteAddr(), "camera", r.Camera, "reason", r.Reason, "detail", r.Detail)
	s.tell(Event{Kind: Refused, Camera: r.Camera, Refusal: r})
	if err := writePart(conn, partRefusal, marshalRefusal(r)); err != nil {
		return
	}
	// Closed before it has read all, the other side might lose the refusal.
	_, _, _ = readPart(conn, partClaimed)
}

// tell hands an event to whoever reads, and keeps room for what matters.
func (s *Session) tell(e Event) {
	if e.Kind == Refused && len(s.events) > maxEvents/2 {
		return
	}
	select {
	case s.events <- e:
	default:
	}
}
