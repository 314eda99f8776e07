package uplink

import (
	"context"
	"time"

	"github.com/sealcam/sealcam/uplink/internal/spool"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/piece"
)

// outgoing is a message that is being sent: whole, where it is small or the link
// carries it at once, else in pieces.
type outgoing struct {
	seq    uint64 // of a stored message; 0 for a live picture
	class  spool.Class
	whole  mqtt.Message
	at     int           // bytes handed to the network
	name   [16]byte      // of the message, once it is in pieces
	until  time.Duration // a live picture is worth sending up to then
	asked  bool          // it answers somebody, or must be told
	status bool          // a live one that is no picture

	recalled *recalled // the part of the recording that this is; nil for others
	view     bool      // a part of live view
}

func (o *outgoing) sent() bool { return o.at == len(o.whole.Payload) }

// maxProgress is how many messages are remembered of which the broker has the
// beginning. Others are sent from their start.
const maxProgress = 64

// progress says how far messages have come. It outlives connections: a message
// that takes longer than the network stays goes on where it was.
type progress map[uint64]int // bytes by number

func (p progress) set(seq uint64, at int) {
	if len(p) >= maxProgress && p[seq] == 0 {
		for oldest := range p { // any will do: there are hardly ever two
			delete(p, oldest)
			break
		}
	}
	p[seq] = at
}

// start makes ready to send a stored message, from where it had come to.
func (s *session) start(o spool.Offer) {
	s.durable = &outgoing{seq: o.Seq, class: o.Class, whole: s.address(o)}
	if at := max(s.handed[o.Seq], s.progress[o.Seq]); at < len(o.Bytes) {
		s.durable.at = at
	}
}

// send hands the next piece of o to the network, or all of it.
func (s *session) send(ctx context.Context, o *outgoing) {
	size, left := min(s.link.piece(), s.ceiling), len(o.whole.Payload)-o.at
	m := o.whole
	if o.at > 0 || left > size && !s.keepWhole(o, left) {
		if o.name == [16]byte{} {
			o.name = piece.Name(m.Payload)
		}
		left = min(left, size/piece.Block*piece.Block)
		p := piece.Piece{Kind: piece.Media, Size: len(m.Payload), At: o.at, Name: o.name, Data: m.Payload[o.at : o.at+left]}
		topic := piece.Topic
		switch {
		case o.recalled != nil:
			p.Kind, topic = piece.Recording, recordingTopic
		case o.view:
			p.Kind, topic = piece.View, viewTopic
		case o.seq == 0:
			p.Kind = piece.Live
		}
		m = mqtt.Message{Topic: s.topic(topic), Payload: p.Append(make([]byte, 0, piece.Head+left)), QoS: 1}
	}
	o.at += left
	if o.seq != 0 && !o.sent() {
		s.handed.set(o.seq, o.at)
	}
	f := flight{seq: o.seq, end: o.at, last: o.sent(), live: o.seq == 0 && o.recalled == nil && !o.view && o.sent(), recalled: o.recalled}
	if f.live && o.name != [16]byte{} {
		f.parts = o
	}
	s.publish(ctx, m, f)
}

// keepWhole says that a message larger than a piece goes at once, because the broker
// is to keep it for who comes later: a status, which is small, and a live picture
// where the link carries it soon.
func (s *session) keepWhole(o *outgoing, size int) bool {
	return o.class == spool.Status || o.whole.Retained && size <= min(s.link.soon(), s.ceiling)
}

// again makes ready to send a live picture once more, whole, where nothing newer
// waits: it went in pieces, which brokers do not keep, and they have shown that the
// link carries it soon. So the first picture of a connection gets to those who come
// after it.
func (s *session) again(o *outgoing) {
	if size := len(o.whole.Payload); s.picture != nil || size > s.link.piece() && !s.keepWhole(o, size) {
		return
	}
	o.at, o.name = 0, [16]byte{}
	s.picture = o
	s.lives++
}

// arrived takes note that the broker has a stored message up to an end.
func (s *session) arrived(f flight) {
	s.carried++
	if !f.last {
		s.progress.set(f.seq, f.end)
		return
	}
	delete(s.progress, f.seq)
	delete(s.handed, f.seq)
	s.spool.Ack(f.seq)
}

// maxStrikes is how many connections in a row may end before the broker has
// acknowledged the same piece, once pieces are as small as they get.
const maxStrikes = 5

// suspect is what the last connections ended on.
type suspect struct {
	seq     uint64
	at      int // bytes of it that the broker has
	strikes int
}

// blame is told what the broker should have acknowledged next when a connection
// was lost. Brokers end connections on messages that are too large for them, and
// every later message would wait behind that one for ever. So pieces get smaller;
// and what does not even pass in the smallest is passed over: a viewer that misses
// it can ask for it.
func (s *session) blame() {
	if len(s.flying) == 0 || s.flying[0].hello || s.flying[0].size <= s.proven {
		return
	}
	f := s.flying[0]
	if s.ceiling > pieceLeast {
		s.ceiling = max(min(s.ceiling, f.size)/4, pieceLeast)
		s.passed = 0
		return
	}
	if at := s.progress[f.seq]; s.suspect.seq != f.seq || s.suspect.at != at {
		s.suspect = suspect{seq: f.seq, at: at}
	}
	if s.suspect.strikes++; s.suspect.strikes < maxStrikes || f.seq == 0 {
		return
	}
	s.spool.Ack(f.seq)
	s.log.Error("message passed over: the connection ends each time before the broker acknowledges it",
		"seq", f.seq, "bytes", f.size, "hint", "raise the broker's limit for the size of a message")
}

// manyPassed is after how many acknowledgements larger pieces are tried again.
const manyPassed = 512

// raise lets pieces grow again, after they had to be small for long enough.
func (s *session) raise() {
	if s.ceiling >= windowMost {
		return
	}
	if s.passed++; s.passed >= manyPassed {
		s.ceiling, s.passed = 2*s.ceiling, 0
	}
}
