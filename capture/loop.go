package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Loop keeps one camera running: it opens it, hands its good frames on, counts
// the bad ones and the lost ones, and opens it again when it is unplugged, stuck
// or in error, in whatever format it then offers. A camera may stay away for
// days: that is reported once, not each time it is tried.
//
// Set the fields before Run and leave them alone then.
type Loop struct {
	// Open opens the camera. It is called again after every loss and may choose
	// another format or device each time.
	Open func(ctx context.Context) (Camera, error)

	Log     *slog.Logger     // nil is silence
	Now     func() time.Time // nil is time.Now
	Stuck   time.Duration    // without a good frame for this long, open again; 0 is 10 s
	Backoff Backoff

	// Lost is called on Run's goroutine whenever frames had come and none come
	// any more, so that what depends on them (a lamp) can be put to rest. May be
	// nil.
	Lost func()

	// Once ends Run when the camera ends: with nil after io.EOF, else with what
	// went wrong. It is for files.
	Once bool

	tally tally
}

// Backoff is how long a Loop waits before it opens a camera again: Min, then
// twice as long each time up to Max, of which the latter half is random.
type Backoff struct {
	Min  time.Duration  // 0 is half a second
	Max  time.Duration  // 0 is 30 s
	Rand func() float64 // in [0,1); nil is math/rand/v2
}

// delay returns how long to wait before attempt n, counted from 0.
func (b Backoff) delay(n int) time.Duration {
	d := b.Min << min(n, 20)
	if d > b.Max || d < b.Min {
		d = b.Max
	}
	return d/2 + time.Duration(b.Rand()*float64(d/2))
}

// Stats returns what was counted so far. It is safe to call from any goroutine.
func (l *Loop) Stats() Stats { return l.tally.snapshot() }

// Run runs the camera until ctx ends, each fails or, with Once, the camera
// ends. each gets every good frame on Run's own goroutine; the frame is valid
// until it returns. JPEGs reach it trimmed to their markers, structurally whole
// and within MaxPixels, tables possibly missing. The error is ctx's, that of
// each, or the camera's with Once.
func (l *Loop) Run(ctx context.Context, each func(*Frame) error) error {
	r := run{Loop: l, each: each, log: l.Log, now: l.Now, stuck: l.Stuck, backoff: l.Backoff}
	r.defaults()
	for {
		began := r.now()
		frames, err := r.connection(ctx)
		if frames > 0 && l.Lost != nil {
			l.Lost()
		}
		var own *eachError
		switch {
		case errors.As(err, &own):
			return own.error
		case ctx.Err() != nil:
			return ctx.Err()
		case l.Once && errors.Is(err, io.EOF):
			return nil
		case l.Once:
			return err
		}
		if frames > 0 && r.now().Sub(began) > r.backoff.Max {
			r.attempt = 0
		}
		if err := r.wait(ctx, err); err != nil {
			return err
		}
	}
}

// run is one Run of a Loop.
type run struct {
	*Loop
	each    func(*Frame) error
	log     *slog.Logger
	now     func() time.Time
	stuck   time.Duration
	backoff Backoff

	bad      uint64 // bad frames of this connection since the last good one
	badWhy   string // the last one's reason
	attempt  int    // failures in a row
	reported string // the trouble that has been told and is not over yet
}

func (r *run) defaults() {
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.stuck <= 0 {
		r.stuck = 10 * time.Second
	}
	if r.backoff.Min <= 0 {
		r.backoff.Min = 500 * time.Millisecond
	}
	if r.backoff.Max <= 0 {
		r.backoff.Max = 30 * time.Second
	}
	if r.backoff.Rand == nil {
		r.backoff.Rand = rand.Float64
	}
}

// eachError carries an error of each past those of the camera.
type eachError struct{ error }

// connection opens the camera and hands its frames on until it is lost. It
// returns how many there were, and why there are no more.
func (r *run) connection(parent context.Context) (frames uint64, err error) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	// The watchdog runs while the camera is waited for, not while each works.
	watchdog := time.AfterFunc(r.stuck, func() { cancel(ErrStuck) })
	defer watchdog.Stop()
	defer func() {
		if err != nil && parent.Err() == nil && errors.Is(context.Cause(ctx), ErrStuck) {
			err = r.stuckError(err)
		}
	}()

	r.bad = 0
	cam, err := r.Open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err := cam.Close(); err != nil {
			r.log.Debug("closing the camera", "error", err)
		}
	}()
	c := checker{format: cam.Format()}
	var f Frame
	for last := uint64(0); ; {
		f = Frame{}
		err := cam.Next(ctx, &f)
		if err == nil {
			err = r.check(&c, &f)
		}
		if err != nil {
			if !r.stepOver(err) {
				return frames, err
			}
			if ctx.Err() != nil {
				return frames, ctx.Err()
			}
			continue
		}
		watchdog.Stop()
		lost := uint64(0)
		if frames > 0 && f.Seq > last {
			lost = f.Seq - last - 1
			lost -= min(lost, r.bad) // those are counted as bad
		}
		last = f.Seq
		frames, r.bad = frames+1, 0
		if r.tally.good(&f, lost, r.now()) {
			r.running(&f)
		}
		if err := r.each(&f); err != nil {
			return frames, &eachError{err}
		}
		watchdog.Reset(r.stuck)
	}
}

func (r *run) check(c *checker, f *Frame) error {
	doubled, err := c.check(f)
	if doubled {
		r.countBad("doubled", nil)
	}
	return err
}

// stepOver counts a bad frame. It reports false for any other error.
func (r *run) stepOver(err error) bool {
	var bad *BadFrame
	if !errors.As(err, &bad) {
		return false
	}
	r.countBad(bad.Reason, bad.Err)
	r.bad, r.badWhy = r.bad+1, bad.Reason
	return true
}

func (r *run) countBad(reason string, detail error) {
	if r.tally.bad(reason) {
		r.log.Warn("bad frame, counted from now on", "reason", reason, "detail", detail)
	}
}

// running tells that good frames have begun to arrive.
func (r *run) running(f *Frame) {
	r.reported = ""
	r.log.Info("camera runs", "format", f.Format.String())
}

// wait reports why the camera was lost, unless that is known, and waits.
func (r *run) wait(ctx context.Context, why error) error {
	r.tally.lost(why)
	d := r.backoff.delay(r.attempt)
	r.attempt++
	if kind := kindOf(why); kind != r.reported {
		r.reported = kind
		r.log.Warn("no camera, trying again until there is", "reason", why.Error(), "hint", hintOf(why))
	} else {
		r.log.Debug("no camera yet", "reason", why.Error(), "again_in", d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// kindOf returns what two reports of one trouble have in common.
func kindOf(err error) string {
	for _, known := range []error{ErrNoDevice, ErrBusy, ErrNotCamera, ErrNoFormat, ErrGone, ErrStuck, io.EOF} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

// stuckError is the error of a camera that was given up by the watchdog, which
// the camera itself only knows as the end of its context.
func (r *run) stuckError(err error) error {
	if errors.Is(err, ErrStuck) || !errors.Is(err, context.Canceled) {
		return err
	}
	if r.bad > 0 {
		return &stuckError{fmt.Errorf("%w: for %v only bad ones, %d of them (%s)", ErrStuck, r.stuck, r.bad, r.badWhy)}
	}
	return &stuckError{fmt.Errorf("%w: none for %v", ErrStuck, r.stuck)}
}

type stuckError struct{ error }

func (e *stuckError) Unwrap() error { return e.error }

// Hint says what helps most often.
func (e *stuckError) Hint() string {
	return "check the cable and power of the camera, or the program that feeds it; a smaller size or a lower rate may help"
}
