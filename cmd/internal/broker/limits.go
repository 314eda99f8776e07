package broker

import (
	"net"
	"slices"
	"time"
)

// Limits are what a broker does not exceed, whatever its clients do. Zero fields
// mean the defaults.
type Limits struct {
	Clients    int // connected at a time
	Handshakes int // TLS handshakes begun in a second
	Waiting    int // visitors that wait for their handshake; who comes beyond them is sent away at once
	Writes     int // messages that wait for one slow client; more are dropped. Each takes 8 bytes of every client, used or not
}

// Defaults of Limits: for a home, and a street of them.
const (
	DefaultClients    = 10_000
	DefaultHandshakes = 200
	DefaultWrites     = 2048
	// patience is how many seconds a visitor may wait for a handshake: shorter than
	// its own patience, so that no handshake is made with somebody who has gone.
	patience = 10
)

func (l Limits) withDefaults() Limits {
	set := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	set(&l.Clients, DefaultClients)
	set(&l.Handshakes, DefaultHandshakes)
	set(&l.Waiting, patience*l.Handshakes)
	set(&l.Writes, DefaultWrites)
	return l
}

// pace says when the next handshake may begin: no more than rate within any second,
// wherever it begins, and evenly spaced but for a tenth of them, which may come at
// once, so that what timers are late by is made up for. It is a pure function of what
// it is told (virtual scheduling, ITU-T I.371, annex A).
type pace struct {
	rate    int
	due     time.Time   // of the next handshake, were they evenly spaced
	recent  []time.Time // when those of the last second began, rising
	busiest int         // the most there were in recent
}

// next returns how long a handshake has to wait that is asked for at now.
func (p *pace) next(now time.Time) time.Duration {
	if earliest := now.Add(-time.Second / 10); p.due.Before(earliest) {
		p.due = earliest
	}
	wait := max(0, p.due.Sub(now))
	p.due = p.due.Add(time.Second / time.Duration(p.rate))
	if n := len(p.recent); n >= p.rate {
		wait = max(wait, p.recent[n-p.rate].Add(time.Second).Sub(now))
	}
	return wait
}

// began takes note that a handshake begins at now, which is later than was allowed if
// the machine is busy.
func (p *pace) began(now time.Time) {
	old := 0
	for old < len(p.recent) && now.Sub(p.recent[old]) >= time.Second {
		old++
	}
	p.recent = append(slices.Delete(p.recent, 0, old), now)
	p.busiest = max(p.busiest, len(p.recent))
}

// sendAway ends a connection for the least that it can cost: no handshake, no
// goodbye, and no state that the kernel keeps of it.
func sendAway(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// Counts are what the door has seen since New.
type Counts struct {
	Admitted uint64 // visitors who were let in to make their handshake
	Refused  uint64 // visitors who were sent away before it
	Shaken   uint64 // handshakes that were made
	Resumed  uint64 // of these, how many took up an earlier session
	Busiest  int    // the most visitors who were let in within one second, wherever it began
	Inside   int    // connections now
	Waiting  int    // visitors who wait for their handshake now
}

// Counts returns counts as of now.
func (b *Broker) Counts() Counts {
	b.door.mu.Lock()
	defer b.door.mu.Unlock()
	c := b.door.counts
	c.Busiest = b.door.pace.busiest
	c.Inside, c.Waiting = len(b.door.inside), len(b.door.queue)
	return c
}
