package keeper

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Reasons not to be a household's keeper.
var (
	errNotNamed   = errors.New("its roster does not name this keeper")
	errNotServed  = errors.New("this keeper is not told to serve it")
	errTooMany    = errors.New("this keeper serves as many households as it can")
	errNoRosterOf = errors.New("no roster of this household is known that names this keeper")
)

// rosters knows whose keeper this is. It is safe for concurrent use.
type rosters struct {
	self   seal.KeyID
	served []seal.HouseholdID // empty: anybody who names self

	mu    sync.RWMutex
	by    map[seal.HouseholdID]*member
	known map[seal.CameraID]int // how many rosters list a camera
}

// member is a household that this keeper serves.
type member struct {
	roster *seal.Roster
	signed []byte
	hash   [32]byte
	named  bool          // false: it did once, and an older roster must not bring it back
	change chan struct{} // closed when there is a newer one
}

func newRosters(self seal.KeyID, served []seal.HouseholdID) *rosters {
	return &rosters{self: self, served: served, by: map[seal.HouseholdID]*member{}, known: map[seal.CameraID]int{}}
}

// lists reports whether any household's roster lists a camera.
func (r *rosters) lists(c seal.CameraID) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.known[c] > 0
}

// has reports whether signed is in force, so that most copies cost a hash.
func (r *rosters) has(signed []byte) bool {
	h, _, err := seal.PeekRoster(signed)
	if err != nil {
		return false
	}
	m := r.member(h)
	return m != nil && m.hash == sha256.Sum256(signed)
}

func (r *rosters) member(h seal.HouseholdID) *member {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.by[h]
}

// of returns the roster of a household whose keeper this is.
func (r *rosters) of(h seal.HouseholdID) (*seal.Roster, error) {
	m := r.member(h)
	switch {
	case m == nil:
		return nil, errNoRosterOf
	case !m.named:
		return nil, errNotNamed
	}
	return m.roster, nil
}

// current returns the roster in force of the household that signed is of.
func (r *rosters) current(signed []byte) (*seal.Roster, error) {
	h, _, err := seal.PeekRoster(signed)
	if err != nil {
		return nil, err
	}
	return r.of(h)
}

// all returns the households, sorted.
func (r *rosters) all() []seal.HouseholdID {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]seal.HouseholdID, 0, len(r.by))
	for h, m := range r.by {
		if m.named {
			out = append(out, h)
		}
	}
	slices.Sort(out)
	return out
}

// take puts a roster in force. The error says why not; the one that is in force
// already is a *seal.Refusal with Duplicate. A roster that does not name this keeper
// any more ends its service for that household. kept says that it was in force before
// a restart.
func (r *rosters) take(signed []byte, kept bool) (*seal.Roster, error) {
	h, _, err := seal.PeekRoster(signed)
	if err != nil {
		return nil, err
	}
	roster, err := seal.OpenRoster(h, signed)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.by[h]
	if old != nil {
		if roster, err = roster.Over(old.roster); err != nil {
			return nil, err
		}
	}
	_, named := roster.Keeper(r.self)
	switch {
	case !named && old == nil && !kept:
		return nil, errNotNamed
	case len(r.served) > 0 && !slices.Contains(r.served, h):
		return nil, errNotServed
	case old == nil && len(r.by) >= MaxHouseholds:
		return nil, errTooMany
	}
	r.set(h, &member{roster: roster, signed: roster.Signed(), hash: sha256.Sum256(roster.Signed()), named: named, change: make(chan struct{})})
	return roster, nil
}

// set replaces what is known of h; the caller holds mu.
func (r *rosters) set(h seal.HouseholdID, m *member) {
	if old := r.by[h]; old != nil {
		r.count(old, -1)
		close(old.change)
	}
	r.by[h] = m
	r.count(m, 1)
}

func (r *rosters) count(m *member, by int) {
	if !m.named {
		return
	}
	for _, c := range m.roster.Cameras {
		if r.known[c.ID] += by; r.known[c.ID] == 0 {
			delete(r.known, c.ID)
		}
	}
}

// counts returns how many households and cameras there are.
func (r *rosters) counts() (households, cameras int) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, m := range r.by {
		if m.named {
			households++
		}
	}
	return households, len(r.known)
}

// readRosters takes in the rosters that came, until ctx ends.
func (k *Keeper) readRosters(ctx context.Context) error {
	for {
		batch, release, err := k.news.take(ctx)
		if err != nil {
			return err
		}
		for _, a := range batch {
			_, err := k.takeRoster(ctx, a.Sealed)
			a.done(nil)
			if err != nil {
				k.log.Debug("a roster was not taken", "camera", a.Camera, "err", err)
			}
		}
		release()
	}
}

// takeRoster puts a roster in force and keeps it over restarts. The one in force
// already is fine.
func (k *Keeper) takeRoster(ctx context.Context, signed []byte) (*seal.Roster, error) {
	roster, err := k.rosters.take(signed, false)
	var refusal *seal.Refusal
	switch {
	case err == nil:
	case errors.As(err, &refusal) && refusal.Duplicate:
		k.figures.roster("again")
		return k.rosters.current(signed)
	case errors.Is(err, errNotNamed):
		k.figures.roster("not_named")
		return nil, err
	default:
		k.figures.roster("refused")
		return nil, err
	}
	k.figures.roster("new")
	_, named := roster.Keeper(k.id)
	k.tending.dismiss(roster)
	if named {
		k.tending.missed(roster) // what came before it was refused
	}
	if named {
		k.log.Info("keeps for a household", "household", roster.Household, "roster", roster.Version, "cameras", len(roster.Cameras))
	} else {
		k.log.Warn("a household has dismissed this keeper: what is kept of it stays until it is too old", "household", roster.Household, "roster", roster.Version)
	}
	if err := k.config.Store.SetRoster(ctx, roster.Household, roster.Signed()); err != nil {
		return roster, fmt.Errorf("the roster is in force, but would not outlive a restart: %w", err)
	}
	return roster, nil
}
