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

	// stale is when a delay is measured again: a link may have become longer, and a
	// processor that answers late is a delay, too, which sending less does not mend.
	stale = 10 * time.Second
	// lately is half of the time for which the highest rate is remembered.
	lately = 2 * time.Second

	rateFirst = 16 << 10 // bytes a second: of a link that nothing is known of
	rateAgain = 64 << 10 // the most that a new connection is trusted with
)

// link is what is known of the way to the broker: how much it carries, and how
// long an answer takes. It learns from acknowledgements, as BBR does from those of
// TCP (draft-ietf-ccwg-bbr, 4.1): the rate of delivery over the time that a message
// took, but where there was not enough to send, and the shortest delay of late, for
// which the link is emptied now and then. It is a pure function of what it is told.
type link struct {
	rate      float64       // bytes a second
	delay     time.Duration // the shortest of late from a message to its acknowledgement; 0 for none yet
	measured  time.Duration // when it was
	best      float64       // the highest rate that was seen since, in bytes a second
	before    float64       // and in the stretch before
	since     time.Duration
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
	alone     bool // nothing else was on its way
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
	return stamp{now, l.delivered, l.at, l.delivered < l.idle, flying == 0}
}

// starved is told that nothing is left to send while so many bytes are on their
// way: how fast they go says little about the link.
func (l *link) starved(flying int) { l.idle = max(l.idle, l.delivered+int64(flying)+1) }

// acknowledged is told that size bytes have arrived.
func (l *link) acknowledged(now time.Duration, s stamp, size int) {
	l.delivered += int64(size)
	l.at = now
	d := max(now-s.sent, time.Millisecond)
	if s.alone && l.old(now) { // but for the time that its bytes take
		l.delay = 0
		d = max(d-time.Duration(float64(size)/l.rate*float64(time.Second)), time.Millisecond)
	}
	if l.delay == 0 || d <= l.delay {
		l.delay, l.measured = d, now
	}
	rate := float64(l.delivered-s.delivered) / max(now-s.at, time.Millisecond).Seconds()
	l.best = max(l.best, rate)
	switch {
	case rate > l.rate:
		l.rate += (rate - l.rate) / 2
	case !s.idle:
		// No faster than the fastest of late: what is slow may be so by chance.
		if top := max(l.best, l.before); top < l.rate {
			l.rate += (top - l.rate) / 8
		}
	}
	if now-l.since >= lately {
		l.best, l.before, l.since = 0, l.best, now
	}
}

// old says that the delay is to be measured again.
func (l *link) old(now time.Duration) bool { return l.delay > 0 && now-l.measured >= stale }

// window is how many bytes may be on their way.
func (l *link) window(now time.Duration) int {
	if l.old(now) {
		return 1 // the next message goes alone
	}
	return int(max(windowLeast, min(l.rate*(l.delay+lag).Seconds(), windowMost)))
}

// piece is how many bytes of a message may go at once.
func (l *link) piece() int {
	return int(max(pieceLeast, min(l.rate*pieceTime.Seconds(), pieceMost)))
}

// soon is how many bytes the link carries at once without making others wait for long.
func (l *link) soon() int { return int(min(l.rate*lag.Seconds(), windowMost)) }
