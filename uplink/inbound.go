package uplink

import (
	"errors"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/internal/spool"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

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
	first := s.counters.Refused&(s.counters.Refused-1) == 0 // a flood is told at 1, 2, 4, 8 ...
	count := s.counters.Refused
	s.mu.Unlock()
	if first {
		s.log.Warn("not obeyed", "topic", m.Topic, "err", err, "count", count)
	}
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

// receipt marks as delivered what a viewer has: From..To without Gaps. The gaps
// themselves bring nothing back: some are from before that viewer's time, and
// what it misses it asks for.
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
