package uplink

import (
	"context"
	"errors"
	"time"

	"github.com/sealcam/sealcam/uplink/internal/spool"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

const (
	// window is how many messages may be on their way to the broker without an
	// acknowledgement; how many bytes may be, the link says.
	window = 32
	// ackTime is how long a broker that answers pings may leave the oldest
	// message unacknowledged.
	ackTime = 5 * time.Minute
	// tidyPause is between two rounds of bringing names in the spool up to date.
	tidyPause = 20 * time.Millisecond
	// farewellTime is how long a camera that is reset waits for its last word to
	// arrive.
	farewellTime = 5 * time.Second
	// confessPause is between two confessions of one connection.
	confessPause = time.Minute
)

var errNoAck = errors.New("the broker answers and acknowledges nothing")

// flight is a message that the broker has not acknowledged yet.
type flight struct {
	token mqtt.Token
	stamp stamp
	size  int       // bytes
	seq   uint64    // of a durable message; 0 for others
	end   int       // bytes of that message that have arrived with this
	last  bool      // which are all
	live  bool      // the end of a live picture
	parts *outgoing // which went in pieces; nil for others
	hello bool
	view  bool

	recalled *recalled // the part of the recording that this is of; nil for others
}

// session is one connection.
type session struct {
	*Uplink
	conn      Conn
	flying    []flight  // in the order in which they were published
	bytes     int       // of flying
	lives     int       // live pictures on their way
	durable   *outgoing // the stored message that is being sent; nil for none
	picture   *outgoing // the live picture that is
	recording *outgoing // the part of the recording that is, when there is nothing else
	turn      int       // pieces of other things since one of a live picture
	handed    progress  // of stored messages that were begun, and put off for others
	proven    int       // bytes of the largest message that was acknowledged
	unread    bool      // a stored message could not be read, and it was said
	leaving   bool      // an owner has reset this camera
	newRoster bool      // one was taken, and settings are to be asked for again
	bulk      bool      // a piece of a clip went since a frame of live view
	confessed time.Duration
}

// session connects and works until the connection or ctx ends. Its error says
// why, and is never nil.
func (u *Uplink) session(ctx context.Context) error {
	conn, err := u.dial(ctx)
	if err != nil {
		u.tried(ctx, err)
		return err
	}
	defer conn.Close()
	// First what viewers have to say: a roster decides to whom is sealed.
	if err := conn.Subscribe(ctx, u.topic("roster"), u.topic("cmd")); err != nil {
		u.tried(ctx, err)
		return err
	}
	u.tried(ctx, nil)
	s := &session{Uplink: u, conn: conn, confessed: u.config.Mono(), handed: progress{}}
	if err := s.settings(ctx); err != nil {
		return err
	}
	hello, err := u.hello()
	if err != nil {
		return err
	}
	u.greet()
	s.link.connected(u.config.Mono())
	s.publish(ctx, hello, flight{hello: true})
	err = s.loop(ctx)
	s.view.room.Store(0)
	s.partOver(s.nextPart())
	s.sweep()
	s.grounded()
	if ctx.Err() == nil {
		s.blame()
	}
	return err
}

// sweep takes note of the acknowledgements that came with the end.
func (s *session) sweep() {
	for len(s.flying) > 0 {
		select {
		case <-s.flying[0].token.Done():
			if s.acknowledged() != nil {
				return
			}
		default:
			return
		}
	}
}

// greet notes that there is a connection, and says again what was said last:
// the broker may have published the will meanwhile, and viewers may have missed
// what is lost.
func (u *Uplink) greet() {
	u.connected()
	u.mu.Lock()
	status, again := u.status, u.counters.Connects > 1
	u.mu.Unlock()
	if status != nil && again {
		if err := u.sendStatus(*status); err != nil {
			u.log.Warn("status not stored", "err", err)
		}
	}
	if err := u.confess(nil); err != nil {
		u.log.Warn("not stored", "err", err)
	}
}

// loop publishes what waits and takes what comes.
func (s *session) loop(ctx context.Context) error {
	patience := time.NewTimer(ackTime)
	defer patience.Stop()
	for {
		s.pump(ctx)
		s.makeRoom()
		var first <-chan struct{} // the oldest is acknowledged
		if len(s.flying) > 0 {
			first = s.flying[0].token.Done()
		}
		var more <-chan time.Time
		if s.spool.Tidy() {
			more = time.After(tidyPause)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.conn.Done():
			return s.conn.Err()
		case m := <-s.conn.Messages():
			if s.take(m); s.leaving {
				return s.farewell(ctx)
			}
			if s.newRoster {
				s.newRoster = false
				if err := s.settings(ctx); err != nil {
					return err
				}
			}
		case <-first:
			if err := s.acknowledged(); err != nil {
				return s.ending(ctx, err)
			}
			patience.Reset(ackTime)
		case <-patience.C:
			if len(s.flying) > 0 {
				return errNoAck
			}
			patience.Reset(ackTime)
		case <-s.config.Credentials.Changed():
			return errCredentials
		case <-s.wake:
		case <-more:
		}
	}
}

// farewell says that this camera is reset, in a message that stands where its
// status stood, and waits a little for the broker to have it. It returns
// ErrReset, whatever became of that.
func (s *session) farewell(ctx context.Context) error {
	m, err := s.lastWord("reset")
	if err != nil || m == nil {
		return ErrReset
	}
	token := s.conn.Publish(ctx, *m)
	select {
	case <-token.Done():
	case <-s.conn.Done():
	case <-ctx.Done():
	case <-time.After(farewellTime):
	}
	return ErrReset
}

// ending returns why the connection ends on which a message failed with err. The
// connection knows better than the message, a moment later.
func (s *session) ending(ctx context.Context, err error) error {
	select {
	case <-s.conn.Done():
		return s.conn.Err()
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Second):
		return err
	}
}

// acknowledged takes note that the broker has the oldest message.
func (s *session) acknowledged() error {
	f := s.flying[0]
	if err := f.token.Err(); err != nil {
		return err
	}
	s.flying = s.flying[1:]
	s.bytes -= f.size
	if f.live {
		s.lives--
	}
	if f.view {
		s.viewed(s.config.Mono() - f.stamp.sent)
	}
	s.mu.Lock()
	if f.last || f.hello {
		s.counters.Published++
	}
	s.mu.Unlock()
	s.link.acknowledged(s.config.Mono(), f.stamp, f.size)
	s.proven = max(s.proven, f.size)
	s.raise()
	if f.parts != nil {
		s.again(f.parts)
	}
	if f.seq != 0 {
		s.arrived(f)
	}
	if f.recalled != nil {
		s.landed(f)
	}
	return nil
}

func (s *session) publish(ctx context.Context, m mqtt.Message, f flight) {
	f.stamp, f.size = s.link.send(s.config.Mono(), s.bytes), len(m.Payload)
	f.token = s.conn.Publish(ctx, m)
	s.flying = append(s.flying, f)
	s.bytes += f.size
}

// pump publishes until the window is full or nothing waits. Frames of live view
// come last, but for one between two pieces of clips, which may go on for long.
func (s *session) pump(ctx context.Context) {
	for len(s.flying) < window && s.bytes < s.link.window(s.config.Mono()) && ctx.Err() == nil {
		s.nextPicture()
		if !s.nextDurable() {
			continue
		}
		switch live := s.picture != nil && (s.durable == nil || s.turn >= share(s.durable.class)); {
		case live:
			s.turn = 0
			if s.send(ctx, s.picture); s.picture.sent() {
				s.picture = nil
			}
		case s.durable != nil && s.bulk && s.durable.class == spool.Clip && s.sendView(ctx):
			s.bulk = false
		case s.durable != nil:
			s.bulk = s.durable.class == spool.Clip
			s.turn++
			if s.send(ctx, s.durable); s.durable.sent() {
				s.durable = nil
			}
		case s.sendView(ctx):
		default:
			s.confessAgain()
			if s.nextRecalled(); s.recording == nil {
				s.link.starved(s.bytes)
				return
			}
			if s.send(ctx, s.recording); s.recording.sent() {
				s.recording = nil
			}
		}
	}
}

// share is how many pieces of a stored message go for each of a live picture, so
// that somebody who looks sees something, and an event hardly waits for it.
func share(c spool.Class) int {
	if c == spool.Clip {
		return 1
	}
	return 4
}

// nextDurable makes sure that s.durable is the most important of what is stored.
// It is false when a message could not be read.
func (s *session) nextDurable() bool {
	var o spool.Offer
	var ok bool
	var err error
	if s.durable == nil {
		o, ok, err = s.spool.Offer()
	} else {
		var keep bool
		if o, ok, keep, err = s.spool.Instead(s.durable.seq); keep {
			return true
		}
		s.durable = nil
		if !ok && err == nil {
			o, ok, err = s.spool.Offer()
		}
	}
	if err != nil {
		if !s.unread {
			s.log.Warn("a stored message cannot be read now", "err", err)
		}
		s.unread = true
		return false
	}
	if ok {
		s.start(o)
	}
	return true
}

// address says where a stored message goes. Only the newest status is retained:
// one that is resent must not replace it.
func (s *session) address(o spool.Offer) mqtt.Message {
	m := mqtt.Message{Topic: s.topic("media"), Payload: o.Bytes, QoS: 1}
	if o.Class == spool.Status && o.Group == groupStatus {
		m.Topic = s.topic("status")
		s.mu.Lock()
		defer s.mu.Unlock()
		if o.Seq >= s.statusHead {
			m.Retained, s.statusHead = true, o.Seq
		}
	}
	return m
}

// confessAgain confesses what was lost since the connection was made.
func (s *session) confessAgain() {
	now := s.config.Mono()
	if now-s.confessed < confessPause {
		return
	}
	s.confessed = now
	if err := s.confess(nil); err != nil {
		s.log.Warn("not stored", "err", err)
	}
}

// nextPicture makes sure that s.picture is a live picture that is worth sending.
// Answers come first, because somebody waits for them; of others one is on its way
// at a time.
func (s *session) nextPicture() {
	now := s.config.Mono()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.picture != nil && (s.private && !s.picture.status || now >= s.picture.until) {
		s.picture = nil
		s.lives--
	}
	if s.picture != nil && (s.picture.at > 0 || s.picture.asked || s.live == nil && len(s.answers) == 0) {
		return
	}
	for len(s.answers) > 0 {
		a := s.answers[0]
		s.answers = s.answers[1:]
		if now < a.until {
			s.show(a, true)
			return
		}
	}
	if s.live == nil || s.lives > 0 && s.picture == nil {
		return
	}
	l := *s.live
	s.live = nil
	if now < l.until {
		s.show(l, false)
	}
}

// show makes ready to send a live picture, in place of one of which nothing has
// been sent. s.mu is held.
func (s *session) show(l fleeting, asked bool) {
	if s.picture == nil {
		s.lives++
	}
	m := mqtt.Message{Topic: s.topic("live"), Payload: l.sealed, QoS: 1, Retained: true}
	if l.status { // the one that the broker keeps may be stored, and is worth more
		m.Topic, m.Retained = s.topic("status"), false
	}
	s.picture = &outgoing{until: l.until, asked: asked, status: l.status, whole: m}
}
