package uplink

import "time"

// What goes into the network before the broker has answered for it cannot be
// overtaken any more. So no more of it is on its way than the link carries in its
// own delay and lag besides; what is urgent waits no longer than that.
const (
	lag         = 500 * time.Millisecond
	pieceTime   = lag / 2  // that a piece takes
	pieceLeast  = 4 << 10  // bytes; below, heads and acknowledgements cost more than they win
	pieceMost   = 64 << 10 // bytes; a viewer's link may be thinner than the camera's
	windowLeast = 2 * pieceLeast
	windowMost  = 4 << 20

	rateFirst = 16 << 10 // bytes a second: of a link that nothing is known of
	rateAgain = 64 << 10 // the most that a new connection is trusted with
)

// link is what is known of the way to the broker: how much it carries, and how
// long an answer takes. It learns from acknowledgements, as BBR does from those of
// TCP (draft-ietf-ccwg-bbr, 4.1): the rate of delivery over the time that a message
// took, but where there was not enough to send, and the shortest delay. It is a
// pure function of what it is told.
type link struct {
	rate      float64       // bytes a second
	delay     time.Duration // the shortest from a message to its acknowledgement; 0 for none yet
	delivered int64         // bytes acknowledged on this connection
	at        time.Duration // when the last were
	idle      int64         // up to so many delivered bytes, there was not enough to send
}

// stamp is what a link has to remember of a message.
type stamp struct {
	sent      time.Duration
	delivered int64
	at        time.Duration
	idle      bool
}

// connected begins a connection.
func (l *link) connected(now time.Duration) {
	rate := min(l.rate, rateAgain)
	if l.rate == 0 {
		rate = rateFirst
	}
	*l = link{rate: rate, at: now}
}

// send is told of a message before it is handed to the network, when so many
// bytes were on their way.
func (l *link) send(now time.Duration, flying int) stamp {
	if flying == 0 {
		l.at = now
	}
	return stamp{now, l.delivered, l.at, l.delivered < l.idle}
}

// starved is told that nothing is left to send while so many bytes are on their
// way: how fast they go says little about the link.
func (l *link) starved(flying int) { l.idle = max(l.idle, l.delivered+int64(flying)+1) }

// acknowledged is told that size bytes have arrived.
func (l *link) acknowledged(now time.Duration, s stamp, size int) {
	l.delivered += int64(size)
	l.at = now
	if d := max(now-s.sent, time.Millisecond); l.delay == 0 || d < l.delay {
		l.delay = d
	}
	rate := float64(l.delivered-s.delivered) / max(now-s.at, time.Millisecond).Seconds()
	switch {
	case rate > l.rate:
		l.rate += (rate - l.rate) / 2
	case !s.idle:
		l.rate += (rate - l.rate) / 8
	}
}

// window is how many bytes may be on their way.
func (l *link) window() int {
	return int(max(windowLeast, min(l.rate*(l.delay+lag).Seconds(), windowMost)))
}

// piece is how many bytes of a message may go at once.
func (l *link) piece() int {
	return int(max(pieceLeast, min(l.rate*pieceTime.Seconds(), pieceMost)))
}

// soon is how many bytes the link carries at once without making others wait for long.
func (l *link) soon() int { return int(min(l.rate*lag.Seconds(), windowMost)) }
