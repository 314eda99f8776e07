package uplink

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/internal/spool"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// take handles one message of the broker. What is not obeyed is counted by
// reason.
func (s *session) take(m mqtt.Message) {
	var err error
	kind := "command"
	switch {
	case strings.HasSuffix(m.Topic, "/roster"):
		kind, err = "roster", s.takeRoster(m.Payload)
	case strings.HasSuffix(m.Topic, "/cmd"):
		err = s.takeCommand(m)
	case strings.HasPrefix(m.Topic, s.topic(settingsTopic)):
		kind, err = "settings", s.config.Settings(m.Payload)
	}
	if err == nil {
		return
	}
	kind += " " + why(err, m.Retained && kind == "command")
	s.mu.Lock()
	s.counters.Refused++
	if s.counters.Refusals == nil {
		s.counters.Refusals = map[string]uint64{}
	}
	s.counters.Refusals[kind]++
	count := s.counters.Refusals[kind]
	s.mu.Unlock()
	if count&(count-1) == 0 { // a flood is told at 1, 2, 4, 8 ...
		s.log.Warn("not obeyed", "topic", m.Topic, "reason", kind, "err", err, "count", count)
	}
}

// why names the reason of an error in a word or two, out of a small set: the
// seal's reasons, and those of this package.
func why(err error, retained bool) string {
	reason := seal.ReasonOf(err)
	switch {
	case reason == seal.Replayed && retained:
		return "retained"
	case reason != "":
		return string(reason)
	case errors.Is(err, errBusy):
		return "too many"
	case errors.Is(err, errVerb):
		return "unknown"
	case errors.Is(err, ErrPrivate):
		return "while closed"
	case errors.Is(err, ErrRevoked):
		return "without this camera"
	case errors.Is(err, ErrUnusable):
		return "unusable"
	}
	return "not stored"
}

// settingsTopic is above the topics on which a broker keeps settings for this camera,
// one for each target.
const settingsTopic = "settings/"

// settings subscribes to what the household wants the camera to be set to. It is done
// after the roster has come, and again after each new one: the roster says who may
// sign and in which groups the camera is, and the broker then repeats what it keeps.
func (s *session) settings(ctx context.Context) error {
	if s.config.Settings == nil {
		return nil
	}
	err := s.conn.Subscribe(ctx, s.topic(settingsTopic+"+"))
	select {
	case <-s.conn.Done():
		return s.conn.Err()
	default:
	}
	if err != nil && ctx.Err() == nil { // a camera that sends pictures is worth more
		s.log.Warn("the broker gives no settings to this camera", "err", err, "hint", "its access rules let a camera read all below sealcam/v1/CAMERA/")
	}
	return ctx.Err()
}

var (
	errBusy = errors.New("too many requests wait already")
	errVerb = errors.New("unknown verb")
)

// takeRoster accepts a newer roster of the household: from the next message on,
// its viewers can open what is sealed, and nobody else can.
func (s *session) takeRoster(b []byte) error {
	s.mu.Lock() // nothing is sealed between the two
	defer s.mu.Unlock()
	before := s.config.Camera.Roster()
	if err := s.config.Camera.SetRoster(b); err != nil {
		return err
	}
	roster := s.config.Camera.Roster()
	s.guard.SetRoster(roster)
	s.newRoster = s.newRoster || roster != before
	s.view.end() // who still may says again that they watch
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
// obeyed, but for a watch that goes on.
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
	if !s.renews(c) {
		if err := s.config.Camera.SetGuardState(state); err != nil {
			return err
		}
	}
	switch c.Verb {
	case seal.VerbSnapshot:
		if s.closed() {
			return ErrPrivate
		}
		select {
		case s.requests <- Request{Nonce: c.Nonce}:
			return nil
		default:
			return errBusy
		}
	case seal.VerbWatch:
		return s.watch(c)
	case seal.VerbReceipt:
		s.receipt(c)
		return nil
	case seal.VerbResend:
		return s.confess(s.spool.Resend(spool.Range{First: c.From, Last: c.To}))
	case seal.VerbFetch:
		s.wish(c)
		return nil
	case seal.VerbReset:
		if !c.Owner {
			return s.notOwner(c)
		}
		s.log.Warn("reset by an owner", "issuer", c.Issuer)
		s.leaving = true
		return nil
	case seal.VerbPrivacyOn, seal.VerbPrivacyOff:
		return s.order(c)
	}
	return fmt.Errorf("%w %s", errVerb, c.Verb)
}

// order hands on what an owner commands about privacy.
func (s *session) order(c *seal.Command) error {
	if !c.Owner {
		return s.notOwner(c)
	}
	o := Order{Close: c.Verb == seal.VerbPrivacyOn, Nonce: c.Nonce}
	if o.Close && c.To != 0 {
		o.Until = time.Unix(int64(min(c.To, 1<<40)), 0)
	}
	select {
	case s.orders <- o:
		return nil
	default:
		return errBusy
	}
}

// notOwner refuses what only an owner may say.
func (s *session) notOwner(c *seal.Command) error {
	return &seal.Refusal{Reason: seal.Revoked, Camera: s.id, Detail: c.Verb + " by viewer " + c.Name + ", who is no owner"}
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
	s.counters.DeliveredTo, s.counters.Receipted = max(s.counters.DeliveredTo, c.To), max(s.config.Mono(), 1)
}
