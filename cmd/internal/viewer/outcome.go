package viewer

import (
	"errors"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

// What says what an Outcome is about.
type What string

// What can come of a message.
const (
	Verified  What = "verified"   // Outcome.Verified may be shown
	Again     What = "again"      // Outcome.Verified was seen before: the broker had kept it
	Refused   What = "refused"    // Outcome.Refusal says why nothing may be shown
	Hello     What = "hello"      // a camera that is nobody's introduces itself, in Outcome.Hello
	GapOpened What = "gap"        // Outcome.Gap is missing, and is being asked for
	GapClosed What = "gap closed" // all of Outcome.Gap has come after all
	GapLost   What = "gap lost"   // what is left of Outcome.Gap will never come: the camera says so
	// Outcome.Refusal says why a roster on the camera's topic is not the
	// household's newest. It is not about a picture.
	RosterRefused What = "roster refused"
)

// Outcome is what came of one message. It is about the camera whose topic the
// message came on; a message of another camera is a refusal about this one.
type Outcome struct {
	What     What
	Camera   seal.CameraID
	Name     string    // the household's label of the camera
	Kind     string    // of the topic, see package feed
	Retained bool      // the broker had kept the message
	At       time.Time // when it was opened

	// Sealed is the message as it came, for those who keep it; nobody writes to it.
	Sealed []byte

	// Which of these is set, What says.

	Verified *seal.Verified
	Refusal  *seal.Refusal
	Hello    *seal.Hello
	Gap      seal.Gap
	Lost     uint64 // messages of Gap that will never come
}

// open is what happens with an Item. v.mu is held.
func (v *Viewer) open(it feed.Item) []Outcome {
	o := Outcome{Camera: it.Camera, Kind: it.Kind, Retained: it.Retained, At: v.now(), Sealed: it.Sealed}
	if it.Kind == feed.Hello {
		return v.openHello(it, o)
	}
	entry, ours := v.opener.Roster().Camera(it.Camera)
	o.Name = entry.Name
	if it.Kind == feed.Roster {
		return v.openRoster(it, o, ours)
	}
	if !ours {
		v.stats.Strangers++
		return nil
	}
	if it.Kind == feed.View {
		return v.openView(it, o)
	}
	verified, err := v.opener.Open(it.Camera, it.Sealed)
	if err == nil {
		return v.seen(verified, o)
	}
	var refusal *seal.Refusal
	if !errors.As(err, &refusal) {
		refusal = &seal.Refusal{Reason: seal.Malformed, Camera: it.Camera, Err: err}
	}
	if refusal.Duplicate {
		return v.again(it, o)
	}
	if refusal.Reason == seal.NotForYou && it.Stored && v.opener.Head(it.Camera) == 0 {
		// An archive goes further back than this viewer: nothing is kept from it.
		v.stats.Before++
		return nil
	}
	v.stats.Refused[refusal.Reason]++
	o.What, o.Refusal = Refused, refusal
	return []Outcome{o}
}

// seen takes note of a message that was verified.
func (v *Viewer) seen(m *seal.Verified, o Outcome) []Outcome {
	meta, c := m.Meta(), v.care(o.Camera)
	if meta.Kind == seal.KindSnapshot || meta.Kind == seal.KindClip {
		v.stats.Pictures++
	} else {
		v.stats.Others++
	}
	if c.behind = m.RosterBehind(); !c.behind {
		c.push.reset()
	}
	if meta.Stream != seal.Durable {
		v.news.live = true
		o.What, o.Verified = Verified, m
		return []Outcome{o}
	}
	v.news.durable = true
	c.unreceipted++
	opened, closed := c.follow(meta.Seq, m.Gap(), v.opener.Gaps(o.Camera))
	if m.Late() || len(opened) > 0 {
		c.chase.restart(o.At) // what is missing may be on its way
		c.filled = false
	}
	var all []Outcome
	gap := o
	for _, g := range opened {
		gap.What, gap.Gap = GapOpened, g
		all = append(all, gap)
	}
	o.What, o.Verified = Verified, m
	all = append(all, o)
	for _, g := range closed {
		gap.What, gap.Gap, gap.Lost = GapClosed, g.Gap, g.lost
		if g.lost > 0 {
			gap.What = GapLost
		}
		all = append(all, gap)
	}
	return all
}

// again draws once more what a broker had kept and the viewer has seen: after
// a restart the newest picture is wanted, though it is no news.
func (v *Viewer) again(it feed.Item, o Outcome) []Outcome {
	v.stats.Duplicates++
	if !it.Retained {
		return nil
	}
	m, err := v.opener.Check(it.Camera, it.Sealed)
	if err != nil {
		return nil // it has grown stale, and that it existed is known
	}
	o.What, o.Verified = Again, m
	return []Outcome{o}
}

// openHello tells of a camera that nobody has claimed yet, and takes note of the
// roster that one of ours has when it connects.
func (v *Viewer) openHello(it feed.Item, o Outcome) []Outcome {
	h, err := seal.OpenHello(it.Sealed)
	if err != nil || h.Camera != it.Camera {
		return nil // a stranger's, on a topic that proves nothing
	}
	r := v.opener.Roster()
	if _, ours := r.Camera(h.Camera); ours && h.Household == r.Household && h.Roster < r.Version {
		v.care(h.Camera).behind = true
	}
	if h.Household != "" {
		return nil // hellos of claimed cameras are for brokers' logs
	}
	o.What, o.Hello = Hello, h
	return []Outcome{o}
}

// openRoster takes a newer roster, and notes who needs a newer one.
func (v *Viewer) openRoster(it feed.Item, o Outcome, ours bool) []Outcome {
	news, err := v.identity.SetRoster(it.Sealed)
	if news {
		v.adoptRoster()
	}
	if err == nil || !ours {
		return nil // what stands where strangers' cameras read is not for us to judge
	}
	// An old roster, or none at all, stands where this camera would read it.
	v.care(it.Camera).behind = true
	var refusal *seal.Refusal
	if !errors.As(err, &refusal) {
		v.tell("a newer roster could not be stored", err)
		return nil
	}
	v.stats.Rosters[refusal.Reason]++
	if it.Retained && v.before(it.Sealed) {
		return nil // what the broker keeps while a change is on its way
	}
	o.What, o.Refusal = RosterRefused, refusal
	return []Outcome{o}
}

// before tells whether a roster was the household's before the present one.
func (v *Viewer) before(signed []byte) bool {
	now := v.opener.Roster()
	r, err := seal.OpenRoster(now.Household, signed)
	return err == nil && r.Version < now.Version
}

// adoptRoster makes the identity's roster the one in force.
func (v *Viewer) adoptRoster() {
	r := v.identity.Roster()
	if err := v.opener.SetRoster(r); err != nil {
		v.tell("roster not adopted", err)
		return
	}
	v.news.durable = true
	v.log.Info("new roster", "version", r.Version, "cameras", len(r.Cameras), "viewers", len(r.Viewers))
	if _, ok := r.Viewer(v.identity.Key().ID()); !ok {
		v.log.Warn("this viewer is no longer in the household: new pictures are not for it", "viewer", v.identity.Name())
	}
}

// tell logs a trouble once.
func (v *Viewer) tell(what string, err error) {
	if key := what + err.Error(); !v.told[key] && len(v.told) < 100 {
		v.told[key] = true
		v.log.Error(what, "err", err)
	}
}
