package drill

import (
	"slices"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Names of attacks that more than the table speaks of.
const (
	swapped   = "swapped between cameras"
	reordered = "reordered"
	delayed   = "delayed"
	retained  = "stale retained message after a reconnect"
	mixedUp   = "reconnect storm, cache mixed up"
)

// attack is one way of showing somebody what they should not see.
type attack struct {
	name string
	// make returns what is delivered to p.screen, or nil when there is nothing to
	// try it with now. It may choose another screen, or another topic. An attack
	// without make is what the relay does with messages that it forwards.
	make func(p *planner) []byte
	// planned says that it has its own time, and is not tried at any other.
	planned bool
}

// table lists all that is tried, in the order of the report. The index of an
// attack is its place here.
var table = [...]attack{
	{name: swapped, make: (*planner).otherCamera},
	{name: "swapped between households", make: (*planner).otherHousehold},
	{name: "on another topic", make: (*planner).otherTopic},
	{name: "replayed, a minute old", make: func(p *planner) []byte { return p.replay(30*time.Second, 5*time.Minute) }},
	{name: "replayed, a day old", make: func(p *planner) []byte { return p.replay(24*time.Hour, forever) }},
	{name: "replayed, from before a reset", make: (*planner).beforeReset},
	{name: "duplicated", make: (*planner).duplicate},
	{name: reordered},
	{name: delayed},
	{name: "bits flipped", make: (*planner).flip},
	{name: "truncated", make: (*planner).truncate},
	{name: bodySwap, make: forgedAs(bodySwap)},
	{name: rewrapped, make: forgedAs(rewrapped)},
	{name: bySibling, make: forgedAs(bySibling)},
	{name: byStranger, make: forgedAs(byStranger)},
	{name: stripped, make: forgedAs(stripped)},
	{name: algorithm, make: forgedAs(algorithm)},
	{name: keyID, make: forgedAs(keyID)},
	{name: "cloned camera", make: (*planner).clone},
	{name: "cache joined parts of two", make: (*planner).splice},
	{name: "cache gave something else", make: (*planner).somethingElse},
	{name: partOfOther, make: (*planner).otherClip},
	{name: partOfCamera, make: (*planner).otherCamerasClip},
	{name: partOfHome, make: (*planner).otherHomesClip},
	{name: partDropped},
	{name: partDoubled, make: (*planner).doubledPart},
	{name: partReordered},
	{name: partChanged, make: forgedAs(partChanged)},
	{name: clipCut},
	{name: clipOlder, make: (*planner).olderClip},
	{name: bootsMixed, make: (*planner).twoBoots},
	{name: retained, make: (*planner).kept, planned: true},
	{name: mixedUp, make: (*planner).mixUp, planned: true},
}

func attackNamed(name string) int {
	return slices.IndexFunc(table[:], func(a attack) bool { return a.name == name })
}

// anyOf returns one of list, mostly one of the last.
func (p *planner) anyOf(list []*message) *message {
	if len(list) == 0 {
		return nil
	}
	if p.r.IntN(4) > 0 {
		list = list[max(0, len(list)-8):]
	}
	return list[p.r.IntN(len(list))]
}

// sentBy is what c has sent until now.
func (p *planner) sentBy(c *camera) []*message {
	n := slices.IndexFunc(c.days, func(m *message) bool { return m.at > p.now })
	if n < 0 {
		n = len(c.days)
	}
	return c.days[:n]
}

func (m *message) bytesOrNil() []byte {
	if m == nil {
		return nil
	}
	return m.sealed
}

// other returns another of list than its own camera.
func (p *planner) other(list []*camera) *camera {
	for range 8 {
		if c := list[p.r.IntN(len(list))]; c != p.screen {
			return c
		}
	}
	return nil
}

func (p *planner) otherCamera() []byte {
	c := p.other(p.home.cameras)
	if c == nil {
		return nil
	}
	return p.anyOf(p.sentBy(c)).bytesOrNil()
}

func (p *planner) otherHousehold() []byte {
	h := p.w.homes[p.r.IntN(len(p.w.homes))]
	if h == p.home {
		return nil
	}
	return p.anyOf(p.sentBy(p.other(h.cameras))).bytesOrNil()
}

// otherTopic brings what was delivered already to where it does not belong: to
// another kind of topic of its camera, or to another camera's.
func (p *planner) otherTopic() []byte {
	from := p.screen
	if p.r.IntN(2) == 0 {
		if from = p.other(p.home.cameras); from == nil {
			return nil
		}
	}
	m := p.anyOf(p.delivered[from])
	if m == nil {
		return nil
	}
	for p.topic == topicOf(m) {
		p.topic = []string{feed.Live, feed.Media, feed.Status}[p.r.IntN(3)]
	}
	return m.sealed
}

func (p *planner) replay(youngest, oldest time.Duration) []byte {
	var list []*message
	for _, m := range p.delivered[p.screen] {
		if age := p.now - m.at; age >= youngest && age <= oldest {
			list = append(list, m)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[p.r.IntN(len(list))].sealed
}

// beforeReset shows what a camera sealed before its reset, for the camera that
// it has become, or for the one that is gone.
func (p *planner) beforeReset() []byte {
	if p.now < reset {
		return nil
	}
	gone := p.home.cameras[0]
	p.screen = gone
	if p.r.IntN(2) == 0 {
		p.screen = p.home.cameras[len(p.home.cameras)-1]
	}
	return p.anyOf(p.sentBy(gone)).bytesOrNil()
}

func (p *planner) duplicate() []byte {
	list := p.delivered[p.screen]
	return p.anyOf(list[max(0, len(list)-3):]).bytesOrNil()
}

// flip turns one to three bits of a message that may not have arrived yet.
func (p *planner) flip() []byte {
	m := p.anyOf(p.sentBy(p.screen))
	if m == nil {
		return nil
	}
	b := slices.Clone(m.sealed)
	for i := range p.r.IntN(3) + 1 {
		at := p.r.IntN(len(b) - i)
		if p.r.IntN(2) == 0 {
			at %= 600 // the seal
		}
		b[at] ^= 1 << p.r.IntN(8)
	}
	if slices.Equal(b, m.sealed) {
		b[0] ^= 1
	}
	return b
}

func (p *planner) truncate() []byte {
	b := p.anyOf(p.sentBy(p.screen)).bytesOrNil()
	if b == nil {
		return nil
	}
	return b[:p.r.IntN(len(b))]
}

// forgedAs returns an attack with what was forged before.
func forgedAs(name string) func(p *planner) []byte {
	return func(p *planner) []byte {
		all := p.w.forged[name][p.screen]
		n := slices.IndexFunc(all, func(f forgery) bool { return f.of.at > p.now })
		if n < 0 {
			n = len(all)
		}
		if n == 0 {
			return nil
		}
		if p.r.IntN(2) == 0 {
			all, n = all[max(0, n-8):n], min(n, 8) // of what was sent just now
		}
		got := all[p.r.IntN(n)]
		if name == partChanged {
			p.clip = got.of.clip
		}
		return got.bytes
	}
}

// clone brings what a copy of the camera seals beside it, once the viewer has
// had what the camera itself sealed under that number: see the package's doc for
// what nobody can tell apart. So a viewer that has lost its memory is spared.
func (p *planner) clone() []byte {
	if p.forgot {
		return nil
	}
	var head uint64
	had := map[uint64]bool{}
	for _, m := range p.delivered[p.screen] {
		if m.stream == seal.Durable {
			head, had[m.seq] = max(head, m.seq), true
		}
	}
	for _, m := range slices.Backward(p.screen.clones) {
		if m.at > p.now || p.r.IntN(4) == 0 {
			continue
		}
		// The copy's first message follows the last one of before, as the camera's
		// own does: only who has that one knows.
		next := m.stream == seal.Durable && m.seq == head+1 && m != p.screen.clones[0]
		if m.stream == seal.Live && m.seq <= p.newest[p.screen] || m.stream == seal.Durable && had[m.seq] || next {
			return m.sealed
		}
	}
	return nil
}

// splice is a cache that answers ranges of one message from another.
func (p *planner) splice() []byte {
	a, b := p.anyOf(p.sentBy(p.screen)), p.anyOf(p.w.all[:p.sent])
	if a == nil || b == nil || a == b {
		return nil
	}
	cut := p.r.IntN(min(len(a.sealed), len(b.sealed)))
	return slices.Concat(a.sealed[:cut], b.sealed[cut:])
}

// somethingElse is a cache that answers with what it has.
func (p *planner) somethingElse() []byte {
	m := p.anyOf(p.w.all[:p.sent])
	if m == nil {
		return nil
	}
	return [][]byte{
		[]byte("<html><h1>502 Bad Gateway</h1></html>"), {}, make([]byte, 4096), []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"),
		append([]byte("\xff\xd8\xff\xe0"), m.media...), m.sealed[len(m.sealed)/2:], slices.Concat(m.sealed, m.sealed),
		p.home.rosters[0].signed,
	}[p.r.IntN(8)]
}

// kept is the newest live picture that came, or the newest message, as a broker
// has kept it.
func (p *planner) kept() []byte {
	list := p.delivered[p.screen]
	for _, m := range slices.Backward(list) {
		if m.stream == seal.Live {
			p.topic = feed.Live
			return m.sealed
		}
	}
	return p.anyOf(list).bytesOrNil()
}

// mixUp is a cache whose entries come under the wrong names while everybody
// comes back at once: anything of anybody, mostly the newest.
func (p *planner) mixUp() []byte { return p.anyOf(p.w.all[:p.sent]).bytesOrNil() }
