package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/desired"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/ota"
	"github.com/sealcam/sealcam/uplink/seal"
)

// WantedFile, within Settings.State, holds what the household wants of the camera.
const WantedFile = "wanted.json"

// wantedTrial is how long a camera may take to prove itself with other settings.
const wantedTrial = 3 * time.Minute

// errSettings ends a camera's life so that the next one has other settings.
var errSettings = errors.New("other settings are to be applied")

// wishes is the part that goes by what the household wants the camera to be set to.
type wishes struct {
	local  Settings // the camera's own
	book   *desired.Book
	camera atomic.Pointer[identity.Camera] // nil before it is claimed
	log    *slog.Logger
	look   time.Duration // how often it is asked whether the camera has proven itself
	limit  time.Duration
	lost   string // what was wanted before cannot be read, in words; "" for not so

	// Of the present life.
	now    effective
	groups []string
}

// openWishes reads what was wanted before; limit is that of a trial, 0 for the usual. A camera that cannot goes on with its own
// settings.
func openWishes(s Settings, limit time.Duration, log *slog.Logger) *wishes {
	w := &wishes{local: s, log: log, look: time.Second, limit: cmp.Or(limit, wantedTrial)}
	clock := newWallClock(os.DirFS("/"), kernelSynced)
	book, err := desired.Open(desired.Config{
		Memory: desired.File(filepath.Join(s.State, WantedFile)), Usable: s.usable,
		Now: func() time.Time {
			if now := time.Now(); clock.quality() != seal.ClockNone {
				return now
			}
			return time.Time{}
		},
	})
	if err != nil {
		log.Error("settings", "err", err)
		w.lost = err.Error()
	}
	w.book = book
	if c, err := identity.OpenCamera(filepath.Join(s.State, IdentityDir)); err == nil && c.Claimed() {
		w.claimed(c)
	}
	return w
}

// claimed tells whose the camera is: its roster says who may sign settings, and in
// which groups it is.
func (w *wishes) claimed(c *identity.Camera) {
	if w.camera.Swap(c) == nil {
		w.join()
	}
}

// join has what is for the camera's groups hold, and no other.
func (w *wishes) join() {
	member := w.groupsNow()
	w.groups = member
	w.book.Member(func(t desired.Target) bool {
		return slices.ContainsFunc(member, func(g string) bool { return desired.Group(g) == t })
	})
}

// groupsNow returns the groups in which the newest roster has the camera.
func (w *wishes) groupsNow() []string {
	c := w.camera.Load()
	if c == nil || c.Roster() == nil {
		return nil
	}
	entry, _ := c.Roster().Camera(c.ID())
	return entry.Groups
}

// begin returns the settings of the next life.
func (w *wishes) begin() Settings {
	w.join()
	w.now = w.local.merge(w.book.Layers())
	w.book.Unfit(w.now.unfit)
	for target, why := range w.now.unfit {
		w.log.Warn("wanted settings are left out", "for", target, "why", why)
	}
	return w.now.Settings
}

// take judges bytes that came as settings for this camera.
func (w *wishes) take(signed []byte) error {
	c := w.camera.Load()
	s, err := seal.OpenSettings(c.Roster(), c.ID(), signed)
	if err != nil {
		return err
	}
	wanted := desired.Settings{For: desired.All, Version: s.Version, Body: s.Body, By: s.Name, Issued: s.Issued}
	switch {
	case s.Camera != "":
		wanted.For = desired.Camera
	case s.Group != "":
		wanted.For = desired.Group(s.Group)
	}
	if s.Owner {
		wanted.By = "owner"
	}
	return w.book.Take(wanted)
}

// run tries what is wanted and judges the trial, until ctx ends or, with errSettings,
// until other settings are to be applied.
func (w *wishes) run(ctx context.Context, agent *atomic.Pointer[Agent], onTrial func() bool) error {
	tick := time.NewTicker(w.look)
	defer tick.Stop()
	left, busy := w.limit, calmMost
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		a := agent.Load()
		if t := w.book.Trial(); t != nil {
			if err := w.judge(ctx, a, t, &left); err != nil {
				return err
			}
			continue
		}
		if a == nil {
			continue
		}
		if !slices.Equal(w.groups, w.groupsNow()) {
			w.log.Info("the camera's groups have changed", "groups", w.groupsNow())
			return errSettings
		}
		switch {
		case !w.book.Waiting() || !a.mayTry() || onTrial():
		case a.Busy() && busy > 0: // an event goes before, but a busy street does not
			busy -= w.look
		default:
			if err := w.try(); err != nil {
				return err
			}
		}
	}
}

// try puts what waits on trial, and ends this life for that.
func (w *wishes) try() error {
	err := w.book.Begin()
	switch {
	case err == nil:
		t := w.book.Trial()
		w.log.Info("settings are tried", "for", t.For, "version", t.Version, "by", t.By)
		return errSettings
	case errors.Is(err, desired.ErrUnusable):
		w.log.Warn("settings are not tried", "err", err)
	default:
		w.log.Error("settings are not tried, for that could not be recorded", "err", err)
	}
	return nil
}

// judge looks once at a camera on trial; a is nil before it has begun.
func (w *wishes) judge(ctx context.Context, a *Agent, t *desired.Settings, left *time.Duration) error {
	if why := w.now.unfit[t.For]; why != "" {
		return w.giveUp(why)
	}
	lacks := errors.New("the camera has not begun")
	if a != nil {
		lacks = a.Healthy(ctx)
	}
	switch {
	case lacks == nil:
		if err := w.book.Confirm(); err != nil {
			w.log.Error("settings that have proven themselves could not be put in force", "err", err)
			break
		}
		w.log.Info("settings have proven themselves, and hold", "for", t.For, "version", t.Version)
		return nil
	case errors.Is(lacks, ota.ErrNotNow), a != nil && !a.up.Stats().Connected: // they are not to blame
		return nil
	}
	if *left -= w.look; *left > 0 {
		return nil
	}
	if lacks == nil {
		lacks = errors.New("that they had proven themselves could not be recorded")
	}
	return w.giveUp(fmt.Sprintf("within %v %v", w.limit, lacks))
}

// giveUp ends the trial, and this life.
func (w *wishes) giveUp(why string) error {
	t := w.book.Trial()
	w.log.Error("settings are given up: those from before hold again", "for", t.For, "version", t.Version, "why", why)
	if err := w.book.Reject(why); err != nil {
		w.log.Error("the verdict is not on record", "err", err) // the next start finds the same
	}
	return errSettings
}

// ended takes note of the end of a life with err, and returns the error with which
// it goes on: errSettings if it was one on trial, and its settings are to blame.
func (w *wishes) ended(ctx context.Context, err error) error {
	switch {
	case w.book.Trial() == nil, errors.Is(err, errSettings), errors.Is(err, ErrReset):
		return err
	case err == nil, ctx.Err() != nil, errors.Is(err, ota.ErrRestart):
		if bad := w.book.Stop(); bad != nil {
			w.log.Error("that a trial of settings was broken off is not on record", "err", bad)
		}
		return err
	}
	return w.giveUp(err.Error())
}

// status says what is wanted and what holds; nil for nothing.
func (w *wishes) status() *uplink.SettingsStatus {
	s := &uplink.SettingsStatus{Wanted: w.book.Status(), Effective: w.now.lines}
	if len(s.Wanted) == 0 {
		return nil
	}
	return s
}

// care returns what a person should look after, a sentence each.
func (w *wishes) care() (all []string) {
	if w.lost != "" {
		all = append(all, w.lost)
	}
	for _, one := range w.book.Status() {
		if words := desired.Words(one); words != "" {
			all = append(all, words)
		}
	}
	return all
}

// mayTry reports whether settings can be tried now: the camera is open and has a
// connection, without which nothing can be proven.
func (a *Agent) mayTry() bool {
	c := a.closure.Load()
	return (c == nil || !c.said.On) && a.up.Stats().Connected
}
