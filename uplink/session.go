package uplink

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/internal/spool"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// window is how many messages may be on their way to the broker without an
// acknowledgement.
const window = 8

// flight is a message that the broker has not acknowledged yet.
type flight struct {
	token mqtt.Token
	seq   uint64 // of a durable message; 0 for live
}

// session is one connection.
type session struct {
	*Uplink
	conn   Conn
	flying []flight // in the order in which they were published
	liveUp bool     // a live picture is among them
}

// session connects and works until the connection or ctx ends. Its error says
// why, and is never nil unless ctx has ended.
func (u *Uplink) session(ctx context.Context) error {
	conn, err := u.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Subscribe(ctx, u.topic("roster"), u.topic("cmd")); err != nil {
		return err
	}
	hello, err := u.hello()
	if err != nil {
		return err
	}
	u.connected(true, "")
	u.log.Info("connected", "broker", u.config.Broker)
	s := &session{Uplink: u, conn: conn}
	s.flying = append(s.flying, flight{token: conn.Publish(ctx, hello)})
	if err := u.confess(nil); err != nil {
		u.log.Warn("not stored", "err", err)
	}
	return s.loop(ctx)
}

// loop publishes what waits and takes what comes.
func (s *session) loop(ctx context.Context) error {
	for {
		if err := s.pump(ctx); err != nil {
			return err
		}
		var first <-chan struct{} // the oldest is acknowledged
		if len(s.flying) > 0 {
			first = s.flying[0].token.Done()
		}
		wake := s.wake
		if len(s.flying) >= window {
			wake = nil // nothing more can be published now
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.conn.Done():
			return s.conn.Err()
		case m := <-s.conn.Messages():
			s.take(m)
		case <-first:
			if err := s.acknowledged(); err != nil {
				return err
			}
		case <-wake:
		}
	}
}

// acknowledged takes note of what the broker has, oldest first.
func (s *session) acknowledged() error {
	f := s.flying[0]
	s.flying = s.flying[1:]
	if err := f.token.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	s.counters.Published++
	s.mu.Unlock()
	if f.seq == 0 {
		s.liveUp = false
		return nil
	}
	s.spool.Ack(f.seq)
	return nil
}

// pump publishes until the window is full or nothing waits. Answers come first,
// because somebody waits for them; at most one live picture is on its way at a
// time, so that a slow link carries events beside it.
func (s *session) pump(ctx context.Context) error {
	for len(s.flying) < window {
		if m, ok := s.nextLive(); ok {
			s.flying = append(s.flying, flight{token: s.conn.Publish(ctx, m)})
			continue
		}
		o, ok, err := s.spool.Offer()
		if err != nil {
			s.log.Warn("a stored message cannot be read now", "err", err)
			continue
		}
		if !ok {
			return nil
		}
		m := mqtt.Message{Topic: s.topic("media"), Payload: o.Bytes, QoS: 1}
		if o.Class == spool.Status {
			m.Topic = s.topic("status")
			m.Retained = s.newestStatus(o.Seq)
		}
		s.flying = append(s.flying, flight{s.conn.Publish(ctx, m), o.Seq})
	}
	return nil
}

// newestStatus reports whether seq is not older than any status before, so that
// a resent one does not replace the newest that the broker keeps.
func (s *session) newestStatus(seq uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq < s.statusHead {
		return false
	}
	s.statusHead = seq
	return true
}

func (s *session) nextLive() (mqtt.Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b []byte
	switch {
	case len(s.answers) > 0:
		b, s.answers = s.answers[0], s.answers[1:]
	case s.live != nil && !s.liveUp:
		b, s.live = s.live, nil
	default:
		return mqtt.Message{}, false
	}
	s.liveUp = true
	return mqtt.Message{Topic: s.topic("live"), Payload: b, QoS: 1, Retained: true}, true
}

// take handles one message of the broker. What is not obeyed is counted.
func (s *session) take(m mqtt.Message) {
	var err error
	switch {
	case strings.HasSuffix(m.Topic, "/roster"):
		err = s.takeRoster(m.Payload)
	case strings.HasSuffix(m.Topic, "/cmd"):
		err = s.takeCommand(m)
	}
	if err == nil {
		return
	}
	s.mu.Lock()
	s.counters.Refused++
	s.mu.Unlock()
	s.log.Warn("not obeyed", "topic", m.Topic, "err", err)
}

// takeRoster accepts a newer roster of the household: from the next message on,
// its viewers can open what is sealed, and nobody else can.
func (s *session) takeRoster(b []byte) error {
	if err := s.config.Camera.SetRoster(b); err != nil {
		return err
	}
	roster := s.config.Camera.Roster()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guard.SetRoster(roster)
	if s.sealer == nil {
		return s.newSealer(roster) // named again
	}
	err := s.sealer.SetRoster(roster)
	if err != nil { // fail closed: nothing more is sealed to those of the old one
		s.sealer, s.live, s.answers = nil, nil, nil
	}
	if seal.ReasonOf(err) == seal.Revoked {
		return ErrRevoked
	}
	return err
}

// takeCommand obeys a command once. That it was used is stored before it is
// obeyed.
func (s *session) takeCommand(m mqtt.Message) error {
	now := time.Time{}
	if s.clock() != seal.ClockNone {
		now = s.config.Now()
	}
	s.mu.Lock()
	c, err := s.guard.Accept(m.Payload, m.Retained, now)
	var state []byte
	if err == nil {
		state = s.guard.State()
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if err := s.config.Camera.SetGuardState(state); err != nil {
		return err
	}
	switch c.Verb {
	case seal.VerbSnapshot:
		select {
		case s.requests <- Request{Nonce: c.Nonce}:
			return nil
		default:
			return errors.New("too many requests wait already")
		}
	case seal.VerbReceipt:
		s.receipt(c)
		return nil
	case seal.VerbResend:
		return s.confess(s.spool.Resend(spool.Range{First: c.From, Last: c.To}))
	}
	return errors.New("unknown verb " + c.Verb)
}

// receipt marks as delivered what a viewer has: From..To without Gaps.
func (s *session) receipt(c *seal.Command) {
	got := spool.Ranges{{First: max(c.From, 1), Last: c.To}}
	for _, g := range c.Gaps {
		got.Remove(spool.Range{First: g.First, Last: g.Last})
	}
	s.spool.Delivered(got...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counters.DeliveredTo = max(s.counters.DeliveredTo, c.To)
}
