// Package viewer is what every viewer needs on top of seal.Opener and a feed:
// it opens what comes, remembers it over restarts, tells cameras what has
// arrived, asks for what is missing (an archive first, then the camera itself), and
// passes rosters on. Who uses it gets a stream of Outcomes.
//
// What this package does not do: it draws, stores and forwards no picture, and
// gives out no bytes that were not verified. It decides nothing about seals;
// seal does.
package viewer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Times between this viewer and its cameras.
const (
	tendEvery   = 2 * time.Second  // state is stored and receipts are sent, if there is news
	liveEvery   = 30 * time.Second // state is stored if the news is live pictures only, which expire by themselves
	sendTimeout = 10 * time.Second // of one command
	goodbyeTime = time.Second      // for storing and sending at the end
)

// Config is what a Viewer is made of.
type Config struct {
	Identity *identity.Viewer
	Feed     feed.Feed
	Now      func() time.Time
	Log      *slog.Logger
}

// Viewer opens what its household's cameras send.
type Viewer struct {
	identity *identity.Viewer
	feed     feed.Feed
	archive  feed.Archive // the feed, if it is one; else nil
	now      func() time.Time
	log      *slog.Logger
	unlock   func() // the identity's memory

	// turn is held from the opening of a message until its Outcomes have been
	// handled, and while the state to be stored is read: what is stored as seen,
	// and receipted, has been handled.
	turn   sync.Mutex
	failed bool // an Outcome was not handled: nothing is stored any more

	mu      sync.Mutex // guards what follows, for short times
	opener  *seal.Opener
	cameras map[seal.CameraID]*care
	news    news                     // since the state was stored
	signed  uint64                   // rounds of signing commands
	latest  map[seal.CameraID]uint64 // the newest round of which a command was sent
	told    map[string]bool
	watched map[seal.CameraID]bool // true once its live view was proven
	stats   Stats
}

// news says what the stored state does not have.
type news struct {
	durable, live bool
	since         time.Time // the state was stored
}

// care is what a Viewer does for one camera.
type care struct {
	unreceipted uint64 // durable messages since the last receipt that was sent
	gaps        []seal.Gap
	chase       pause // before asking for what is missing
	filled      bool  // the archive was asked since something came
	behind      bool  // the camera seals under an old roster, or was sent one
	push        pause // before sending it the new one
}

// Stats counts what a Viewer has seen since it was made.
type Stats struct {
	Pictures   uint64                 `json:"pictures"`   // verified snapshots and parts of clips
	Others     uint64                 `json:"others"`     // verified status and other messages
	Frames     uint64                 `json:"frames"`     // verified, of live view
	Refused    map[seal.Reason]uint64 `json:"refused"`    // by reason; duplicates are not among them
	Rosters    map[seal.Reason]uint64 `json:"rosters"`    // refused, by reason, on the topics of the household's cameras
	Duplicates uint64                 `json:"duplicates"` // messages delivered again, which is no fault
	Strangers  uint64                 `json:"strangers"`  // messages of cameras that are not the household's
	Missing    uint64                 `json:"missing"`    // messages missing now
	Receipts   uint64                 `json:"receipts"`   // sent
	Resends    uint64                 `json:"resends"`    // requests for missing messages sent to cameras
	Fills      uint64                 `json:"fills"`      // requests for missing messages made to an archive
	Before     uint64                 `json:"before"`     // messages that an archive has from before this viewer was one of the household's
}

// StateError says that a viewer's memory of its cameras cannot be used.
type StateError struct {
	Path string
	Err  error
}

func (e *StateError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }

func (e *StateError) Unwrap() error { return e.Err }

// Hint says how to go on.
func (e *StateError) Hint() string {
	return "delete " + e.Path + " to go on without this memory"
}

// New returns a Viewer that goes on where the identity's state left off. It
// holds the identity's lock until Run has ended; that another program holds it is
// an *identity.LockedError.
func New(c Config) (*Viewer, error) {
	if c.Identity == nil || c.Feed == nil || c.Now == nil {
		return nil, errors.New("viewer: needs an identity, a feed and a clock")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	unlock, err := c.Identity.Lock()
	if err != nil {
		return nil, err
	}
	opener, err := seal.NewOpener(seal.OpenerConfig{
		Household: c.Identity.Household(), Roster: c.Identity.Roster(), Key: c.Identity.Key(),
		Now: c.Now, State: c.Identity.State(),
	})
	if err != nil {
		unlock()
		return nil, &StateError{c.Identity.StatePath(), err}
	}
	v := &Viewer{
		identity: c.Identity, feed: c.Feed, now: c.Now, log: c.Log.With("part", "viewer"), unlock: unlock,
		opener: opener, cameras: map[seal.CameraID]*care{}, told: map[string]bool{}, watched: map[seal.CameraID]bool{}, latest: map[seal.CameraID]uint64{},
	}
	if v.archive, _ = c.Feed.(feed.Archive); v.archive != nil {
		v.archive.Know(v.known)
	}
	v.stats.Refused, v.stats.Rosters = map[seal.Reason]uint64{}, map[seal.Reason]uint64{}
	for _, camera := range c.Identity.Roster().Cameras {
		v.care(camera.ID).gaps = openGaps(opener.Gaps(camera.ID))
	}
	return v, nil
}

// ErrStop is returned by the function that Run was given, to say that the Outcome
// was handled and was the last one wanted.
var ErrStop = errors.New("no more outcomes wanted")

// Run hands every Outcome to each, one at a time, until ctx ends (its error is
// ctx's) or each returns an error (which is returned, but nil for ErrStop). What
// each has returned nil for is remembered and receipted; what it has not is
// shown again after a restart, if it comes again. each may call the Viewer's
// methods. A Viewer runs once.
func (v *Viewer) Run(ctx context.Context, each func(Outcome) error) error {
	defer v.unlock()
	// The feed outlives ctx for a moment, so that the last receipts can be sent.
	feeding, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	items := make(chan feed.Item)
	fed := make(chan error, 1)
	go func() {
		fed <- v.feed.Run(feeding, func(it feed.Item) {
			select {
			case items <- it:
			case <-feeding.Done():
			}
		})
	}()
	tended := make(chan struct{})
	tending, stopTending := context.WithCancel(ctx)
	defer stopTending()
	go func() {
		defer close(tended)
		v.tendLoop(tending)
	}()
	err := v.take(ctx, items, fed, each)
	stopTending()
	<-tended
	goodbye, cancel := context.WithTimeout(feeding, goodbyeTime)
	defer cancel()
	v.tend(goodbye, true)
	stop()
	feedErr := <-fed
	switch {
	case errors.Is(err, ErrStop):
		return nil
	case err == nil:
		return feedErr
	}
	return err
}

// take opens Items until something ends. It returns nil when the feed has.
func (v *Viewer) take(ctx context.Context, items <-chan feed.Item, fed chan error, each func(Outcome) error) error {
	for {
		select {
		case it := <-items:
			if err := v.one(it, each); err != nil {
				return err
			}
		case err := <-fed:
			fed <- err
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// one opens an Item and has its Outcomes handled.
func (v *Viewer) one(it feed.Item, each func(Outcome) error) error {
	v.turn.Lock()
	defer v.turn.Unlock()
	v.mu.Lock()
	outcomes := v.open(it)
	v.mu.Unlock()
	for _, o := range outcomes {
		if err := each(o); err != nil {
			v.failed = !errors.Is(err, ErrStop)
			return err
		}
	}
	return nil
}

// Ask asks a camera to show what it sees now. The answer is an Outcome whose
// message is Fresh. It is safe for concurrent use, as are the other methods.
func (v *Viewer) Ask(ctx context.Context, camera seal.CameraID) error {
	v.mu.Lock()
	cmd, _, err := v.opener.Ask(camera)
	round := v.round()
	v.mu.Unlock()
	if err != nil {
		return err
	}
	return v.send(ctx, camera, cmd, round)
}

// errOvertaken says that a command was not sent, because one that was signed after
// it was: the camera would refuse it.
var errOvertaken = errors.New("a command that was signed later was sent before")

// round begins a round of signing. v.mu is held.
func (v *Viewer) round() uint64 {
	v.signed++
	return v.signed
}

// send sends a command that was signed in a round.
func (v *Viewer) send(ctx context.Context, camera seal.CameraID, cmd []byte, round uint64) error {
	v.mu.Lock()
	overtaken := round < v.latest[camera]
	v.latest[camera] = max(round, v.latest[camera])
	v.mu.Unlock()
	if overtaken {
		return errOvertaken
	}
	return v.feed.Send(ctx, camera, feed.Command, cmd)
}

// Roster returns the roster in force, which nobody may write to.
func (v *Viewer) Roster() *seal.Roster {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.opener.Roster()
}

// Gaps returns what is missing of a camera now, and what will never come (Lost).
func (v *Viewer) Gaps(camera seal.CameraID) []seal.Gap {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.opener.Gaps(camera)
}

// Missing returns how many messages of a camera are missing now and may still
// come.
func (v *Viewer) Missing(camera seal.CameraID) uint64 { return count(openGaps(v.Gaps(camera))) }

// Stats returns the counts so far.
func (v *Viewer) Stats() Stats {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.stats
	s.Refused, s.Rosters = maps.Clone(v.stats.Refused), maps.Clone(v.stats.Rosters)
	for id := range v.cameras {
		s.Missing += count(openGaps(v.opener.Gaps(id)))
	}
	return s
}

// known tells the archive what this viewer has of a camera.
func (v *Viewer) known(camera seal.CameraID) feed.Known {
	v.mu.Lock()
	defer v.mu.Unlock()
	return feed.Known{Head: v.opener.Head(camera), Gaps: openGaps(v.opener.Gaps(camera))}
}

// care returns what is kept for a camera of the roster.
func (v *Viewer) care(id seal.CameraID) *care {
	c := v.cameras[id]
	if c == nil {
		c = &care{chase: pause{first: firstPause}, push: pause{first: firstPause}}
		v.cameras[id] = c
	}
	return c
}
