package uplink

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/internal/spool"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

const (
	// maxWatches is how many viewers may watch at a time. They share one stream.
	maxWatches = 16
	// watchStored is how often the use of a watch that renews one is stored: each
	// 5 s would wear the flash.
	watchStored = time.Minute

	viewTopic = "view"
	partMedia = "video/mp4"
	// partTime is how long the link may take for a part of live view: it is made no
	// larger than that. partPatience is when one is given up that takes longer after all.
	partTime     = 2 * time.Second
	partPatience = 5 * time.Second
)

// ErrUnwatched says that nobody watches: nothing was sealed.
var ErrUnwatched = errors.New("nobody watches")

// view is live view: who watches, and the newest frame. It is guarded by
// Uplink.mu, but for what is atomic.
type view struct {
	watches []watch
	lives   lives         // numbers of frames
	next    []byte        // sealed, not yet published
	film    *outgoing     // the same, of a part
	stored  time.Duration // when the use of a watch was last stored
	pacer   pacer

	// For every frame of the camera, which may not wait for a seal:
	until atomic.Int64 // monotonic time up to which somebody watches
	room  atomic.Int32 // 0 when the link has no room for a frame; else pacer.level+1
	bytes atomic.Int64 // that it carries in partTime
}

// watch is a viewer that watches.
type watch struct {
	issuer seal.KeyID
	nonce  []byte        // of its newest command
	until  time.Duration // of the monotonic clock
	echo   uint64        // newest frame that echoed nonce, 0 for none
}

// ViewWanted reports whether a frame made now would go out at once: somebody
// watches, and the link carries it beside what is more important. halvings is how
// many times the picture is to be halved in width and height for that. It never
// waits, and costs next to nothing.
func (u *Uplink) ViewWanted() (halvings int, wanted bool) {
	room := u.view.room.Load()
	if room == 0 || u.config.Mono() >= time.Duration(u.view.until.Load()) {
		return 0, false
	}
	return int(room) - 1, true
}

// ViewBytes returns how large a part of live view may be that is made now. It is
// small on a link of which nothing is known.
func (u *Uplink) ViewBytes() int { return int(u.view.bytes.Load()) }

// View seals p as the newest frame of live view, or part of it (media video/mp4).
// It replaces one that has not been published to its end, and is stored nowhere. It
// is ErrUnwatched when nobody watches any more.
func (u *Uplink) View(p encode.Picture) error {
	m := u.pictureMeta(p)
	m.Stream, m.Kind = seal.View, seal.KindView
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sealer == nil {
		return ErrRevoked
	}
	if u.private {
		return ErrPrivate
	}
	w := u.view.turn(u.config.Mono())
	if w == nil {
		return ErrUnwatched
	}
	var err error
	if m.Seq, err = u.view.lives.next(u.config.Now()); err != nil {
		return err
	}
	m.Nonce = w.nonce
	s, err := u.sealer.Seal(m, p.Data)
	if err != nil {
		return err
	}
	u.view.lives.seq, w.echo = m.Seq, m.Seq
	if m.Media == partMedia {
		u.view.film = &outgoing{view: true, until: u.config.Mono() + partPatience, whole: mqtt.Message{Topic: u.topic(viewTopic), Payload: s.Bytes, QoS: 1}}
	} else {
		u.view.next = s.Bytes
	}
	u.count(s)
	u.counters.Views++
	u.view.room.Store(0)
	u.signal()
	return nil
}

// turn returns the watch that the next frame echoes: that which was not echoed
// for the longest time, a new one first. Those that hold no more are dropped.
func (v *view) turn(now time.Duration) *watch {
	v.watches = slices.DeleteFunc(v.watches, func(w watch) bool { return now >= w.until })
	var next *watch
	for i := range v.watches {
		if w := &v.watches[i]; next == nil || w.echo < next.echo {
			next = w
		}
	}
	return next
}

// hold takes a watch, new or again.
func (v *view) hold(issuer seal.KeyID, nonce []byte, now time.Duration) error {
	v.turn(now)
	if len(v.watches) == 0 {
		v.pacer = newPacer() // the link may be another than it was
	}
	w := watch{issuer: issuer, nonce: bytes.Clone(nonce), until: now + seal.WatchLife}
	i := v.of(issuer)
	switch {
	case i >= 0:
		v.watches[i] = w
	case len(v.watches) == maxWatches:
		return errBusy
	default:
		v.watches = append(v.watches, w)
	}
	v.until.Store(int64(w.until))
	return nil
}

func (v *view) of(issuer seal.KeyID) int {
	return slices.IndexFunc(v.watches, func(w watch) bool { return w.issuer == issuer })
}

// end ends live view at once. Who may still watch says so again within seconds.
func (v *view) end() {
	v.watches, v.next, v.film = nil, nil, nil
	v.until.Store(0)
	v.room.Store(0)
}

// renews reports whether c only renews a watch that holds, and was stored not
// long ago.
func (u *Uplink) renews(c *seal.Command) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	v, now := &u.view, u.config.Mono()
	if c.Verb != seal.VerbWatch {
		return false
	}
	if v.turn(now); v.of(c.Issuer) >= 0 && now-v.stored < watchStored {
		return true
	}
	v.stored = now
	return false
}

// watch lets a viewer watch for seal.WatchLife from now.
func (s *session) watch(c *seal.Command) error {
	if len(c.Nonce) == 0 {
		return &seal.Refusal{Reason: seal.Malformed, Camera: s.id, Detail: "a watch without a nonce"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.private {
		return ErrPrivate
	}
	if s.sealer == nil {
		return ErrRevoked
	}
	return s.view.hold(c.Issuer, c.Nonce, s.config.Mono())
}

// nextView takes the frame that is to be published now, nil if there is none, or
// the link has no room for one.
func (s *session) nextView() []byte {
	now := s.config.Mono()
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &s.view
	if v.next == nil || !s.carries(now) {
		return nil
	}
	b := v.next
	v.next = nil
	if v.turn(now) == nil {
		return nil
	}
	return b
}

// carries reports whether the link carries one more frame: those before it are
// acknowledged so quickly that one more delays nothing. s.mu is held.
func (s *session) carries(now time.Duration) bool {
	views, bytes, oldest := 0, 0, now
	for _, f := range s.flying {
		if f.view {
			views, bytes, oldest = views+1, bytes+f.size, min(oldest, f.stamp.sent)
		}
	}
	return views == 0 || views < s.view.pacer.window() && bytes < s.link.window(now) && now-oldest < s.link.delay+quickAck
}

// nextPart returns the part that is being sent, nil if there is none or it is not
// worth sending any more.
func (s *session) nextPart() *outgoing {
	now := s.config.Mono()
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &s.view
	if v.film != nil && (now >= v.film.until || v.turn(now) == nil) {
		v.film = nil
	}
	return v.film
}

// partOver forgets a part: it is on its way, or the connection is gone that has its
// beginning.
func (s *session) partOver(o *outgoing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view.film == o {
		s.view.film = nil
	}
}

// sendView publishes the newest frame if the link carries it, or the next piece of
// a part, which anything urgent overtakes. It reports whether it did.
func (s *session) sendView(ctx context.Context) bool {
	if o := s.nextPart(); o != nil {
		if s.send(ctx, o); o.sent() {
			s.partOver(o)
		}
		return true
	}
	b := s.nextView()
	if b == nil {
		return false
	}
	s.publish(ctx, mqtt.Message{Topic: s.topic(viewTopic), Payload: b, QoS: 1}, flight{view: true})
	return true
}

// makeRoom tells the camera whether a frame is wanted now.
func (s *session) makeRoom() {
	now := s.config.Mono()
	s.mu.Lock()
	defer s.mu.Unlock()
	room := int32(0)
	if behind := s.durable != nil && s.durable.class != spool.Clip; !behind && s.view.next == nil && s.view.film == nil && s.carries(now) {
		room = int32(s.view.pacer.level) + 1
	}
	s.view.room.Store(room)
	s.view.bytes.Store(int64(s.link.rate * partTime.Seconds()))
}

// viewed takes note of how long a frame took to the broker and back. What any
// message takes does not count: a far broker is no reason for small pictures.
func (s *session) viewed(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.pacer.acked(took - s.link.delay)
}
