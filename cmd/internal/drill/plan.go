package drill

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

// step is one thing that happens to a viewer.
type step struct {
	do  action
	now time.Duration // after dawn

	// Of a delivery:

	attack   int      // index of attacks; honest for none
	screen   *camera  // which the viewer's screen is about
	topic    string   // see package feed; matters to brokers only
	sealed   []byte   // nobody writes to it
	forwards *message // what the relay forwards, if it does what a relay is for

	clip *footage // to look at, or to look at after a delivery; nil for none

	roster *roster // of newRoster
}

type action int

const (
	deliver   action = iota
	newRoster        // reaches the viewer
	reconnect        // the viewer loses its connection, and comes back
	forget           // and has lost its memory
	look             // it is compared what the viewer says of a clip
)

const honest = -1

// Shares of what the relay does with messages that it should forward, in
// hundredths.
const (
	withheldShare  = 6  // never
	delayedShare   = 12 // live: once they have expired; durable: for hours
	reorderedShare = 12 // live: until after the next
	swappedShare   = 10 // first to another camera's screen, while they are new
)

// planner is the hostile relay and the hostile cache before one viewer. It does
// not see what the viewer does.
type planner struct {
	w      *world
	home   *household
	r      *rand.Rand
	forgot bool // the viewer has lost its memory

	now       time.Duration
	screen    *camera
	topic     string
	clip      *footage               // that the attack is about
	sent      int                    // of w.all
	delivered map[*camera][]*message // to this viewer, in the order of delivery
	newest    map[*camera]uint64     // live number that was delivered in time
	clips     map[*footage]handling
	events    []event
}

// event is a step to be, with its time.
type event struct {
	at     time.Duration
	do     action
	m      *message // forwarded
	screen *camera  // to which m is brought instead of its own; nil for its own
	attack int      // honest, the index of an attack, or any
	roster *roster
	clip   *footage // of look
}

const anyAttack = -2

// plan returns what happens to one viewer of home, from join on, in exactly
// deliveries deliveries if the cameras do not send more than that. forgets says
// that it has lost its memory when it comes back in the storm.
func (w *world) plan(home *household, r *rand.Rand, deliveries int, join time.Duration, forgets bool) *planner {
	p := &planner{w: w, home: home, r: r, delivered: map[*camera][]*message{}, newest: map[*camera]uint64{}, clips: map[*footage]handling{}}
	for _, m := range home.days {
		if m.at >= join {
			p.forward(m)
		}
	}
	left := max(deliveries-len(p.events), 0)
	for i := range home.rosters[1:] {
		p.events = append(p.events, event{at: home.rosters[i+1].from, do: newRoster, roster: &home.rosters[i+1]})
	}
	p.looks(join)
	back := reconnect
	if forgets {
		back = forget
	}
	left -= p.reconnects(join, back, left)
	for range left {
		p.events = append(p.events, event{at: p.moment(join), attack: anyAttack})
	}
	// Rosters come first: without it the cameras of a new one are unknown.
	slices.SortStableFunc(p.events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(rank(a.do), rank(b.do)))
	})
	return p
}

func rank(a action) int {
	switch a {
	case deliver:
		return 1
	case look:
		return 2
	}
	return 0
}

// forward decides what becomes of a message that the relay is given.
func (p *planner) forward(m *message) {
	e := event{at: m.at, m: m, attack: honest}
	if p.screen = m.camera; p.r.IntN(100) < swappedShare {
		if c := p.other(p.home.cameras); c != nil && c.from <= m.at && m.at < c.until {
			p.events = append(p.events, event{at: m.at, m: m, screen: c, attack: attackNamed(swapped)})
		}
	}
	if m.clip != nil && p.forwardPart(m) {
		return
	}
	fate := p.r.IntN(100)
	held := min(m.camera.until, night) - 2*time.Minute - m.at // how long it can be held
	switch {
	case m.last || m.stream == seal.Will || p.isFirst(m):
	case fate < withheldShare:
		return
	case fate < withheldShare+delayedShare && m.stream == seal.Live:
		e.at, e.attack = m.expires+time.Second+p.upTo(10*time.Minute), attackNamed(delayed)
	case fate < withheldShare+delayedShare && held > 0:
		e.at, e.attack = m.at+p.upTo(min(held, 5*time.Hour)), attackNamed(delayed)
	case fate < withheldShare+delayedShare+reorderedShare && m.stream == seal.Live:
		e.at, e.attack = m.at+25*time.Second, attackNamed(reordered)
	}
	p.events = append(p.events, e)
}

// isFirst reports whether m is the first durable message of its camera for this
// viewer: nobody misses what was before it.
func (p *planner) isFirst(m *message) bool {
	return m.stream == seal.Durable && !slices.ContainsFunc(p.events, func(e event) bool {
		return e.screen == nil && e.m.camera == m.camera && e.m.stream == seal.Durable
	})
}

// reconnects plans lost connections, and what a broker and a cache then hand
// over, with at most n deliveries. It returns how many these are.
func (p *planner) reconnects(join time.Duration, back action, n int) (used int) {
	add := func(at time.Duration, attack int) {
		if used < n {
			p.events = append(p.events, event{at: at, attack: attack})
			used++
		}
	}
	for range 3 {
		at := join + p.upTo(night-join)
		p.events = append(p.events, event{at: at, do: reconnect})
		for range p.home.cameras {
			add(at+time.Second, attackNamed(retained))
		}
	}
	p.events = append(p.events, event{at: storm, do: back})
	for range p.home.cameras {
		add(storm, attackNamed(retained))
	}
	for range n / 10 {
		add(storm+p.upTo(10*time.Second), attackNamed(mixedUp))
	}
	return used
}

// moment is when something is tried: mostly soon after a camera has sent.
func (p *planner) moment(join time.Duration) time.Duration {
	days := p.home.days
	i := p.r.IntN(len(days) - 1)
	at := max(days[i].at, join)
	switch n := p.r.IntN(10); {
	case n < 4:
		return at + p.upTo(30*time.Second)
	case n < 7:
		return at + p.upTo(5*time.Minute)
	}
	return at + p.upTo(max(days[i+1].at-at, time.Second))
}

func (p *planner) upTo(d time.Duration) time.Duration {
	return time.Duration(p.r.Int64N(int64(d)))
}

// steps hands every step to each, in the order of time, until it fails.
func (p *planner) steps(each func(step) error) error {
	for _, e := range p.events {
		p.now = max(p.now, e.at)
		for p.sent < len(p.w.all) && p.w.all[p.sent].at <= p.now {
			p.sent++
		}
		s := step{do: e.do, now: p.now, attack: e.attack, roster: e.roster}
		switch {
		case e.do == look:
			s.clip = e.clip
		case e.do == forget:
			p.forgot = true
		case e.screen != nil:
			s.screen, s.sealed, s.topic = e.screen, e.m.sealed, topicOf(e.m)
		case e.do == deliver && e.m != nil:
			s.screen, s.sealed, s.forwards, s.topic = e.m.camera, e.m.sealed, e.m, topicOf(e.m)
			p.remember(e.m)
		case e.do == deliver:
			if !p.try(&s) {
				continue // before any camera has sent anything
			}
		}
		if err := each(s); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) remember(m *message) {
	p.delivered[m.camera] = append(p.delivered[m.camera], m)
	if m.stream == seal.Live && p.now < m.expires {
		p.newest[m.camera] = max(p.newest[m.camera], m.seq)
	}
}

// try makes the attack of s, or of any name if it has none, or the next that
// can be made now.
func (p *planner) try(s *step) bool {
	if s.attack == anyAttack {
		s.attack = p.r.IntN(len(table))
		for table[s.attack].planned {
			s.attack = p.r.IntN(len(table))
		}
	}
	first := s.attack
	for i := range table {
		s.attack = (first + i) % len(table)
		a := table[s.attack]
		if a.make == nil || a.planned && i > 0 {
			continue
		}
		p.screen, p.clip = p.anyScreen(), nil
		p.topic = []string{feed.Live, feed.Media, feed.Status}[p.r.IntN(3)]
		if b := a.make(p); b != nil {
			s.screen, s.sealed, s.topic, s.clip = p.screen, b, p.topic, p.clip
			return true
		}
	}
	return false
}

// anyScreen is a camera that somebody looks at; now and then one that is gone.
func (p *planner) anyScreen() *camera {
	for {
		c := p.home.cameras[p.r.IntN(len(p.home.cameras))]
		if p.now >= c.from && (p.now < c.until || p.r.IntN(8) == 0) {
			return c
		}
	}
}

// topicOf is where a camera publishes m.
func topicOf(m *message) string {
	switch {
	case m.stream == seal.Live:
		return feed.Live
	case m.kind == seal.KindSnapshot, m.kind == seal.KindClip:
		return feed.Media
	}
	return feed.Status
}
