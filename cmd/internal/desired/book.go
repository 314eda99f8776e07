// Package desired keeps what a household wants a camera to be set to: for all of
// its cameras, for a group, for this one. What is new is tried before it holds, and
// that it is being tried is on record before it is, so that whatever ends the trial
// (a verdict, a crash, a hang, a power cut) the settings from before run again, and
// what has failed is not tried a second time.
//
// What this package does not do: it checks no signature, reads no TOML and applies
// nothing; the agent does. It starts nothing and has no clock.
package desired

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Target is for whom settings are: All, Camera, or a group of that name.
type Target string

// The targets that are no group. What a group is called comes after "group ".
const (
	All    Target = "all"
	Camera Target = "camera"
)

const groupPrefix = "group "

// Group returns the target that is the group of that name.
func Group(name string) Target { return Target(groupPrefix + name) }

// Topic returns the last level of the topic on which settings for t are retained. It
// lets a broker keep one message for each target, and is no proof of anything.
func (t Target) Topic() string { return strings.ReplaceAll(string(t), " ", "-") }

// rank orders targets as they are applied: what is for more cameras first.
func (t Target) rank() string {
	switch t {
	case All:
		return "0"
	case Camera:
		return "2"
	}
	return "1" + string(t)
}

// Settings are what somebody who may has signed for a target.
type Settings struct {
	For     Target    `json:"for"`
	Version uint64    `json:"version"` // only rises for one target
	Body    []byte    `json:"body"`    // TOML
	By      string    `json:"by"`      // who signed, for people
	Issued  time.Time `json:"issued,omitzero"`
	Since   time.Time `json:"since,omitzero"` // when they came into force; zero without a clock
}

// digest tells settings of one version from others of it.
func (s *Settings) digest() [32]byte { return sha256.Sum256(s.Body) }

// Fall is why settings are not in force, and will not be.
type Fall struct {
	Version uint64    `json:"version"`
	Digest  []byte    `json:"digest"` // of the body
	By      string    `json:"by"`
	State   string    `json:"state"` // uplink.Refused or uplink.RolledBack
	Why     string    `json:"why"`   // a sentence without a stop
	At      time.Time `json:"at,omitzero"`
}

// entry is what is known of one target.
type entry struct {
	For   Target    `json:"for"`
	Holds *Settings `json:"holds,omitempty"` // in force
	Trial *Settings `json:"trial,omitempty"` // being tried
	Next  *Settings `json:"next,omitempty"`  // to be tried
	Fell  *Fall     `json:"fell,omitempty"`  // the last that failed
	// Stops is how often the trial of Next was broken off in good order.
	Stops int `json:"stops,omitempty"`
}

// newest returns the highest version that was ever taken, with its digest.
func (e *entry) newest() (version uint64, digest [32]byte) {
	for _, s := range []*Settings{e.Holds, e.Trial, e.Next} {
		if s != nil && s.Version > version {
			version, digest = s.Version, s.digest()
		}
	}
	if f := e.Fell; f != nil && f.Version > version {
		version, digest = f.Version, [32]byte{}
		copy(digest[:], f.Digest)
	}
	return version, digest
}

const (
	// maxTargets is for how many targets settings are kept: a camera that changes
	// its groups has had more than it has.
	maxTargets = 32
	// maxBodies bounds what the bodies of all targets take, in bytes.
	maxBodies = 1 << 20
	// maxStops is how often a trial may be broken off in good order before that
	// is a failure, too.
	maxStops = 3
	// maxWhy bounds a reason, in bytes.
	maxWhy = 240
)

// Memory keeps bytes over restarts, as ota.Memory does.
type Memory interface {
	Load() ([]byte, error)        // what Store stored last, nil if nothing was
	Store(b []byte) (error error) // durable, and whole or without effect
}

// Config is what a Book is made of.
type Config struct {
	Memory Memory
	// Usable says why settings cannot be used on this camera, layers in the order in
	// which they are applied; nil if they can.
	Usable func(layers []Settings) error
	Now    func() time.Time // zero while the clock is not known
}

// Book is safe for concurrent use.
type Book struct {
	config Config

	mu     sync.Mutex
	record record
	unfit  map[Target]string // what holds and cannot be applied now, and why
	groups func(Target) bool
}

// ErrUnusable says that settings were signed by somebody who may, and cannot be
// used on this camera.
var ErrUnusable = uplink.ErrUnusable

// Open reads what is known. The Book is usable with an error too: what could not be
// read is then not known any more. A trial that had no verdict has failed.
func Open(c Config) (*Book, error) {
	b := &Book{config: c, groups: func(Target) bool { return true }}
	var err error
	if b.record, err = load(c.Memory); err != nil {
		return b, fmt.Errorf("what the household wanted of this camera is not known any more, until it is said again: %w", err)
	}
	if b.trial() == nil {
		return b, nil
	}
	next := b.record.clone()
	for _, e := range next.Targets {
		if e.Trial != nil {
			e.fail(uplink.RolledBack, "the camera stopped before they had proven themselves: a crash, a hang or a power cut", c.Now())
		}
	}
	b.record = next // what cannot be stored now will be found so again
	return b, b.store(next)
}

// fail ends the trial of e.
func (e *entry) fail(state, why string, now time.Time) {
	d := e.Trial.digest()
	e.Fell = &Fall{Version: e.Trial.Version, Digest: d[:], By: e.Trial.By, State: state, Why: short(why), At: now}
	e.Trial, e.Stops = nil, 0
}

// Take takes settings that OpenSettings has verified, durably. Those that are known
// change nothing; older ones are a *seal.Refusal, and so are others of a known
// version. ErrUnusable says that they cannot be used here, and then they are not
// looked at again.
func (b *Book) Take(s Settings) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.record.clone()
	e := next.entry(s.For)
	if e == nil { // a group that the camera has left makes room
		if i := slices.IndexFunc(next.Targets, func(e *entry) bool { return e.Trial == nil && !b.groups(e.For) }); i >= 0 {
			next.Targets = slices.Delete(next.Targets, i, i+1)
			e = next.entry(s.For)
		}
	}
	if e == nil {
		return fmt.Errorf("%w: this camera keeps settings for %d targets, and has as many", ErrUnusable, maxTargets)
	}
	switch version, digest := e.newest(); {
	case s.Version < version:
		return &seal.Refusal{Reason: seal.Replayed, Detail: fmt.Sprintf("settings %d for %s, but %d were seen", s.Version, s.For, version)}
	case s.Version == version && digest == s.digest():
		return nil
	case s.Version == version:
		return &seal.Refusal{Reason: seal.Replayed, Detail: fmt.Sprintf("two different settings %d for %s", s.Version, s.For), Alarm: true}
	}
	unusable := b.usable(next, s)
	if unusable != nil {
		e.Next, e.Stops = nil, 0
		d := s.digest()
		e.Fell = &Fall{Version: s.Version, Digest: d[:], By: s.By, State: uplink.Refused, Why: short(unusable.Error()), At: b.config.Now()}
	} else {
		e.Next, e.Stops = &s, 0
	}
	if err := b.set(next); err != nil {
		return err
	}
	if unusable != nil {
		return fmt.Errorf("%w: settings %d for %s: %w", ErrUnusable, s.Version, s.For, unusable)
	}
	return nil
}

// usable looks at s on top of, and below, what holds for other targets.
func (b *Book) usable(r record, s Settings) error {
	size := len(s.Body)
	for _, e := range r.Targets {
		for _, one := range []*Settings{e.Holds, e.Trial, e.Next} {
			if one != nil && (e.For != s.For || one != e.Next) {
				size += len(one.Body)
			}
		}
	}
	if size > maxBodies {
		return fmt.Errorf("this camera keeps %d bytes of settings at most, and these would be %d", maxBodies, size)
	}
	return b.config.Usable(b.layers(r, &s))
}

// layers returns what holds, with s in the place of what holds for its target.
func (b *Book) layers(r record, s *Settings) (all []Settings) {
	for _, e := range r.Targets {
		switch {
		case s != nil && e.For == s.For:
			all = append(all, *s)
		case e.Holds != nil && b.groups(e.For):
			all = append(all, *e.Holds)
		}
	}
	return all
}

// Member says for which groups this camera's settings are, by a function that tells
// of a Target: what was said for a group that the camera has left does not hold.
func (b *Book) Member(of func(Target) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.groups = func(t Target) bool { return t == All || t == Camera || of(t) }
}

// Layers returns what is to be applied over the camera's own settings, in order.
// What is on trial is among it.
func (b *Book) Layers() []Settings {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.layers(b.record, b.trial())
}

func (b *Book) trial() *Settings {
	for _, e := range b.record.Targets {
		if e.Trial != nil {
			return e.Trial
		}
	}
	return nil
}

// Trial returns what is being tried, nil for nothing.
func (b *Book) Trial() *Settings {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.trial()
}

// Waiting reports whether something is to be tried. There is one trial at a time, so
// that it is known what has failed.
func (b *Book) Waiting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.trial() == nil && slices.ContainsFunc(b.record.Targets, func(e *entry) bool { return e.Next != nil && b.groups(e.For) })
}

// Begin puts the first that waits on trial, durably: what is not on record is not
// tried. ErrUnusable says that it does not go together any more with what holds;
// then it is not tried either.
func (b *Book) Begin() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trial() != nil {
		return errors.New("settings are on trial already")
	}
	next := b.record.clone()
	for _, e := range next.Targets {
		if e.Next == nil || !b.groups(e.For) {
			continue
		}
		e.Trial, e.Next = e.Next, nil
		unusable := b.config.Usable(b.layers(next, e.Trial))
		if unusable != nil {
			e.fail(uplink.Refused, unusable.Error(), b.config.Now())
		}
		if err := b.set(next); err != nil || unusable == nil {
			return err
		}
		return fmt.Errorf("%w: %w", ErrUnusable, unusable)
	}
	return errors.New("no settings wait to be tried")
}

// Confirm puts in force what was tried, durably.
func (b *Book) Confirm() error {
	return b.end(false, func(e *entry) {
		held := *e.Trial
		held.Since = b.config.Now()
		e.Holds, e.Trial, e.Stops = &held, nil, 0
		if e.Fell != nil && e.Fell.Version < e.Holds.Version {
			e.Fell = nil
		}
	})
}

// Reject gives up what was tried: what held before holds again, even if that cannot
// be stored, for the next start would find the same.
func (b *Book) Reject(why string) error {
	return b.end(true, func(e *entry) { e.fail(uplink.RolledBack, why, b.config.Now()) })
}

// Stop breaks a trial off in good order: it is begun again after the next start,
// some times.
func (b *Book) Stop() error {
	if b.Trial() == nil {
		return nil
	}
	return b.end(true, func(e *entry) {
		if e.Stops++; e.Stops >= maxStops {
			e.fail(uplink.RolledBack, fmt.Sprintf("the camera was stopped %d times before they had proven themselves", maxStops), b.config.Now())
			return
		}
		if e.Next == nil { // else there are newer ones
			e.Next = e.Trial
		}
		e.Trial = nil
	})
}

// end changes the entry on trial. With always that is so from now on even if it
// cannot be stored.
func (b *Book) end(always bool, change func(*entry)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.record.clone()
	for _, e := range next.Targets {
		if e.Trial != nil {
			change(e)
			err := b.set(next)
			if always {
				b.record = next
			}
			return err
		}
	}
	return errors.New("no settings are on trial")
}

// short bounds a reason, and keeps it to one line.
func short(why string) string {
	why = strings.Join(strings.Fields(why), " ")
	if len(why) > maxWhy {
		why = strings.ToValidUTF8(why[:maxWhy], "") + "..."
	}
	return why
}
