package ota

import (
	"context"
	"errors"
)

// prove judges the trial, if what runs is on one.
func (u *Updater) prove(ctx context.Context) error {
	st, err := u.status(ctx)
	if err != nil {
		u.Log.Error("the slots cannot be read", "err", err)
		return nil // a camera with damaged slots is a camera all the same
	}
	if !st.Trial {
		u.settle(st)
		return nil
	}
	u.Log.Info("this version is on trial", "version", st.Version, "slot", st.Slot)
	limit := u.Limit
	if limit == 0 {
		limit = TrialLimit
	}
	var lacks error
	for n := 1; limit > 0; n++ {
		if lacks = u.Healthy(ctx); lacks == nil {
			if lacks = u.Installer.Confirm(ctx); lacks == nil {
				return u.confirmed(ctx)
			}
			u.Log.Error("what has proven itself could not be confirmed", "err", lacks)
		}
		if n%statusLooks == 0 {
			if st, err := u.status(ctx); err == nil && !st.Trial {
				return u.decided(ctx, st)
			}
		}
		if !sleep(ctx, look) {
			return nil // stopped without a verdict: the next start goes back
		}
		if !errors.Is(lacks, ErrNotNow) {
			limit -= look
		}
	}
	u.Log.Error("this version is given up: the one before runs again", "version", st.Version, "why", lacks)
	if err := u.Installer.Reject(ctx, lacks.Error()); err != nil {
		u.Log.Error("the verdict is not on record", "err", err) // the next start goes back without one
	}
	return errors.Unwrap(u.restart(ctx))
}

func (u *Updater) confirmed(ctx context.Context) error {
	st, err := u.status(ctx)
	if err != nil {
		return nil
	}
	u.Log.Info("this version has proven itself, and is confirmed", "version", st.Version, "slot", st.Slot, "number", st.Number)
	u.settle(st)
	return nil
}

// decided is a trial of which a person has decided.
func (u *Updater) decided(ctx context.Context, st Status) error {
	if st.Fell == "" {
		return u.confirmed(ctx)
	}
	u.Log.Warn("this version was given up by hand: the one before runs again", "why", st.Fell)
	return errors.Unwrap(u.restart(ctx))
}

// settle learns how what was tried last has ended.
func (u *Updater) settle(st Status) {
	m, err := u.recall()
	if err != nil {
		u.Log.Warn("what was tried before is not known", "err", err)
		return
	}
	t := m.Tried
	if t == nil {
		return
	}
	m.Tried = nil // confirmed, or the power went before its trial began
	if st.Number < t.Number && st.Fell != "" {
		u.Log.Warn("a release fell, and is not tried again", "version", t.Version, "number", t.Number, "why", st.Fell)
		m.Fell = append(m.Fell, *t)
		m.Fell = m.Fell[max(0, len(m.Fell)-maxFell):]
	}
	err = u.remember(m)
	if err != nil {
		u.Log.Warn("it is not remembered how the last update ended", "err", err)
	}
}
