package seal

import (
	"fmt"
	"slices"
	"time"
)

const (
	guardVersion = 1
	maxIssuers   = 4 * MaxViewers // issuers whose counters a Guard remembers
	maxGuard     = 64 << 10       // bytes of a Guard's state
)

// Guard is the camera's memory of commands: each is accepted once, and none
// that is older than one accepted from the same issuer. It is not safe for
// concurrent use.
type Guard struct {
	camera  CameraID
	roster  *Roster
	issuers []issuerState // rising by key
	// floor stands for the counters of issuers that were forgotten.
	floor uint64
}

type guardClaims struct {
	Version uint64        `cbor:"1,keyasint"`
	Floor   uint64        `cbor:"2,keyasint"`
	Issuers []issuerState `cbor:"3,keyasint"`
}

type issuerState struct {
	_       struct{} `cbor:",toarray"`
	Key     string
	Counter uint64
}

// NewGuard returns the Guard of a camera, with the state of an earlier one, or
// nil. A damaged state is an error: without it, old commands would be accepted
// again.
func NewGuard(camera CameraID, roster *Roster, state []byte) (*Guard, error) {
	if roster == nil {
		return nil, fmt.Errorf("seal: a guard needs a roster: a camera that nobody has claimed takes no commands")
	}
	if !roster.opened() {
		return nil, errNotOpened
	}
	g := &Guard{camera: camera, roster: roster}
	if len(state) == 0 {
		return g, nil
	}
	var c guardClaims
	if len(state) > maxGuard {
		return nil, fmt.Errorf("%w (%d bytes)", ErrState, len(state))
	}
	if err := decode(state, &c); err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrState, err)
	}
	if c.Version != guardVersion || len(c.Issuers) > maxIssuers {
		return nil, fmt.Errorf("%w (version %d)", ErrState, c.Version)
	}
	for i, s := range c.Issuers {
		if _, err := parseID(s.Key); err != nil || i > 0 && c.Issuers[i-1].Key >= s.Key {
			return nil, fmt.Errorf("%w (issuer %d)", ErrState, i)
		}
	}
	g.floor, g.issuers = c.Floor, c.Issuers
	return g, nil
}

// SetRoster makes r decide who may command from now on.
func (g *Guard) SetRoster(r *Roster) { g.roster = r }

// Accept checks a command and uses it up. retained says that the broker kept
// the message; now is the camera's clock, zero if it has none. A receipt and a
// request to send again do not expire. The error is always a *Refusal. Persist
// State before acting on the command.
func (g *Guard) Accept(b []byte, retained bool, now time.Time) (*Command, error) {
	c, err := g.accept(b, retained, now)
	return c, about(g.camera, err)
}

func (g *Guard) accept(b []byte, retained bool, now time.Time) (*Command, error) {
	c, err := openCommand(g.camera, g.roster, b)
	if err != nil {
		return nil, err
	}
	if retained {
		return nil, refuse(Replayed, "command %d was kept by the broker: commands are not to be retained", c.Counter)
	}
	i, known := slices.BinarySearchFunc(g.issuers, string(c.Issuer), issuerKey)
	last := g.floor
	if known {
		last = g.issuers[i].Counter
	}
	if c.Counter <= last {
		return nil, refuse(Replayed, "command %d of %s, but %d was seen", c.Counter, c.Issuer, last)
	}
	if c.ages() && !now.Before(c.Expires) { // never without a clock: zero is long ago
		return nil, refuse(Stale, "command %d expired at %s, now is %s", c.Counter, stamp(c.Expires), stamp(now))
	}
	if known {
		g.issuers[i].Counter = c.Counter
		return c, nil
	}
	g.issuers = slices.Insert(g.issuers, i, issuerState{Key: string(c.Issuer), Counter: c.Counter})
	g.bound(string(c.Issuer))
	return c, nil
}

// ages reports whether c means something only for a while. What has arrived stays
// arrived, and what is missing is missed until it comes: a camera whose clock is
// ahead, for which every command has expired, must hear of both, or it sends nothing
// again and never knows what it may let go. That old ones do not undo newer ones is
// for the counter.
func (c *Command) ages() bool { return c.Verb != VerbReceipt && c.Verb != VerbResend }

// bound forgets an issuer when there are too many: of those that are not in the
// roster the one that counted least. From then on nothing below its counter is
// accepted from an issuer that the Guard does not know.
func (g *Guard) bound(keep string) {
	if len(g.issuers) <= maxIssuers {
		return
	}
	least := -1
	for i, s := range g.issuers {
		gone := s.Key != keep && g.roster.party(KeyID(s.Key)) == nil
		if gone && (least < 0 || s.Counter < g.issuers[least].Counter) {
			least = i
		}
	}
	if least < 0 {
		return // maxIssuers is more than a roster can name
	}
	g.floor = max(g.floor, g.issuers[least].Counter)
	g.issuers = slices.Delete(g.issuers, least, least+1)
}

// State returns what must be remembered between runs.
func (g *Guard) State() []byte {
	c := guardClaims{Version: guardVersion, Floor: g.floor, Issuers: append([]issuerState{}, g.issuers...)}
	b, err := encode(c)
	if err != nil {
		panic("seal: " + err.Error()) // nothing in it can fail to encode
	}
	return b
}

func issuerKey(s issuerState, key string) int { return compareIDs(CameraID(s.Key), CameraID(key)) }
