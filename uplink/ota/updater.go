package ota

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// ErrRestart ends a process so that whoever supervises it starts it again, which
// then runs another version. sealcamd exits with code 75 for it.
var ErrRestart = errors.New("another version is to be started")

// ErrNotNow is what Updater.Healthy wraps when what runs cannot prove anything at
// the moment, and is not to blame: a camera that is closed for privacy.
var ErrNotNow = errors.New("nothing can be proven now")

const (
	// TrialLimit is how long a release may take to prove itself.
	TrialLimit = 10 * time.Minute
	// look is how often it is asked whether it has.
	look = time.Second
	// statusLooks is after how many of these the Installer is asked, for a person may
	// have decided.
	statusLooks = 10
	// leastWait and mostWait bound the waiting after a failure.
	leastWait = time.Minute
	mostWait  = 6 * time.Hour
)

// Updater has a camera updated: it asks the Source now and then, brings what is
// new, has the Installer try it, and judges the trial. All its functions may be
// called for as long as Run runs, one at a time.
type Updater struct {
	Source    Source // nil: nothing is looked for, but a trial is judged
	Installer Installer
	Memory    Memory // what has been tried; nil for none
	// Healthy is asked every second of a trial: nil says that what runs has proven
	// to be a camera, an error says what it has not shown yet.
	Healthy func(ctx context.Context) error
	// Quiet returns when nothing more important is going on; nil is always.
	Quiet func(ctx context.Context) error
	// Window returns how long it is until something may be installed, 0 for now;
	// nil is always now.
	Window func() time.Duration
	// Restart starts what is to be tried, or what is to be gone back to. It returns
	// an error that ends Run; nil is ErrRestart itself.
	Restart func(ctx context.Context) error
	Every   time.Duration  // between two checks, on average
	Limit   time.Duration  // of a trial; 0: TrialLimit
	Rand    func() float64 // 0 to 1; spreads a fleet over time
	Now     func() time.Time
	Log     *slog.Logger

	mu   sync.Mutex
	news News
}

// News is how updating goes.
type News struct {
	Status  Status    // as it was known last
	Checked time.Time // when the Source last answered, zero for never
	Offered string    // version that waits to be installed, "" for none
	Trouble string    // why the last attempt failed, "" when it did not
}

// News returns how updating goes. It is safe for concurrent use.
func (u *Updater) News() News {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.news
}

func (u *Updater) tell(f func(n *News)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f(&u.news)
}

// Run judges the trial, if this is one, and then looks for releases until ctx
// ends. ErrRestart, or what Restart returned, asks its caller to end the process.
func (u *Updater) Run(ctx context.Context) error {
	if err := u.prove(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	if u.Source == nil {
		<-ctx.Done()
		return nil
	}
	// Not all at once when the power comes back to a whole street.
	wait, failures := time.Duration(u.Rand()*float64(min(u.Every/10, 5*time.Minute))), 0
	for sleep(ctx, wait) {
		again, err := u.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failures, wait = 0, again
		case errors.As(err, new(ended)):
			return errors.Unwrap(err)
		default:
			wait = u.spread(min(leastWait<<min(failures, 20), mostWait, max(u.Every, leastWait)))
			failures++
			u.Log.Warn("no update", "err", err, "again_in", wait.Round(time.Second))
		}
		u.tell(func(n *News) {
			n.Trouble = ""
			if err != nil {
				n.Trouble = err.Error()
			}
		})
	}
	return nil
}

// ended wraps what ends Run.
type ended struct{ error }

func (e ended) Unwrap() error { return e.error }

// spread returns d, give or take a quarter.
func (u *Updater) spread(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.75 + u.Rand()/2))
}

// sleep reports whether d has passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (u *Updater) status(ctx context.Context) (Status, error) {
	st, err := u.Installer.Status(ctx)
	if err == nil {
		u.tell(func(n *News) { n.Status = st })
	}
	return st, err
}

// round is one look for a release, and all that follows from it. It returns when
// to look again.
func (u *Updater) round(ctx context.Context) (again time.Duration, err error) {
	r, err := u.Source.Check(ctx)
	if err != nil {
		return 0, fmt.Errorf("looking for a release: %w", err)
	}
	u.tell(func(n *News) { n.Checked, n.Offered = u.Now(), "" })
	again = u.spread(u.Every)
	st, err := u.status(ctx)
	if err != nil {
		return 0, err
	}
	if r == nil || st.Trial || !u.wanted(*r, st) {
		return again, nil
	}
	u.tell(func(n *News) { n.Offered = r.Version })
	if err := u.quiet(ctx); err != nil {
		return 0, err
	}
	u.Log.Info("a release is brought", "version", r.Version, "number", r.Number, "bytes", r.Size)
	path, err := u.Source.Fetch(ctx, *r)
	if err != nil {
		return 0, fmt.Errorf("bringing %s: %w", r.Version, err)
	}
	if err := u.quiet(ctx); err != nil {
		return 0, err
	}
	if u.Window != nil {
		if closed := u.Window(); closed > 0 {
			u.Log.Info("a release waits for the hours in which it may be installed", "version", r.Version, "in", closed)
			return min(again, closed+time.Duration(u.Rand()*float64(leastWait))), nil
		}
	}
	return 0, u.install(ctx, *r, path)
}

func (u *Updater) quiet(ctx context.Context) error {
	if u.Quiet == nil {
		return nil
	}
	return u.Quiet(ctx)
}

// wanted says whether r may be installed, and does not only fall again.
func (u *Updater) wanted(r Release, st Status) bool {
	if r.Number < st.Number || r.Number == st.Number && !st.Mend {
		return false
	}
	m, err := u.recall()
	if err != nil {
		u.Log.Warn("what was tried before is not known", "err", err)
	}
	if m.fell(r) {
		u.Log.Debug("a release that fell is not tried again", "version", r.Version, "number", r.Number)
		return false
	}
	return true
}

// install installs what Fetch brought, and has it tried.
func (u *Updater) install(ctx context.Context, r Release, path string) error {
	if err := u.Installer.Install(ctx, r, path); err != nil {
		return fmt.Errorf("installing %s: %w", r.Version, err)
	}
	if err := os.Remove(path); err != nil {
		u.Log.Warn("what was installed is not removed from where it was brought", "err", err)
	}
	m, _ := u.recall() // wanted has told of it
	m.Tried = &tried{SHA256: r.SHA256, Number: r.Number, Version: clip(r.Version)}
	if err := u.remember(m); err != nil {
		return fmt.Errorf("remembering %s: %w", r.Version, err)
	}
	if err := u.Installer.Try(ctx); err != nil {
		return fmt.Errorf("trying %s: %w", r.Version, err)
	}
	u.Log.Info("a release is installed, and is tried now", "version", r.Version, "number", r.Number)
	return u.restart(ctx)
}

// clip bounds words of a maker.
func clip(s string) string { return s[:min(len(s), 128)] }

func (u *Updater) restart(ctx context.Context) error {
	if u.Restart == nil {
		return ended{ErrRestart}
	}
	if err := u.Restart(ctx); err != nil {
		return ended{err}
	}
	return ended{ErrRestart}
}
