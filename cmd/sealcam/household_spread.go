package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

const (
	// spreadTime is how long a command that has changed the household tries to
	// bring the change to the broker.
	spreadTime = 10 * time.Second
	// quietTime is how long a broker that was subscribed to may say nothing before
	// that is taken for all that it keeps.
	quietTime = 500 * time.Millisecond
	// echoTime is how long a broker may take to pass on what it acknowledged.
	echoTime = 5 * time.Second
)

// visit is a connection to the household's broker while a command needs it.
type visit struct {
	up    feed.Feed
	items chan feed.Item // hellos, rosters and statuses
}

// errNotReached says that there was no connection.
var errNotReached = errors.New("the broker was not reached")

// visiting connects and calls do. With patience false it gives up at the first
// failure to connect.
func visiting(ctx context.Context, up feed.Feed, patience bool, do func(ctx context.Context, v *visit) error) error {
	ctx, stop := context.WithCancel(ctx)
	v := &visit{up: up, items: make(chan feed.Item, 4*seal.MaxCameras)}
	done := make(chan struct{})
	_, first := up.Link()
	go func() {
		defer close(done)
		_ = up.Run(ctx, v.keep)
	}()
	defer func() { stop(); <-done }()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		connected, why := up.Link()
		if connected {
			return do(ctx, v)
		}
		if !patience && why != first {
			return fmt.Errorf("%w: %s", errNotReached, why)
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", errNotReached, why)
		}
	}
}

// keep holds what may matter; who does not read it loses the rest.
func (v *visit) keep(it feed.Item) {
	switch it.Kind {
	case feed.Hello, feed.Roster, feed.Status:
		select {
		case v.items <- it:
		default:
		}
	}
}

// heard is what a broker keeps about the cameras of a roster. Nothing in it was
// checked.
type heard struct {
	rosters []feed.Item
	hellos  []feed.Item
}

// listen collects until every camera was heard of, or the broker is quiet.
func (v *visit) listen(ctx context.Context, cameras []seal.RosterCamera) (h heard) {
	open := map[string]bool{}
	for _, c := range cameras {
		open[feed.Topic(c.ID, feed.Roster)], open[feed.Topic(c.ID, feed.Hello)] = true, true
	}
	for len(open) > 0 {
		select {
		case it := <-v.items:
			topic := feed.Topic(it.Camera, it.Kind)
			switch {
			case !open[topic]:
				continue
			case it.Kind == feed.Roster:
				h.rosters = append(h.rosters, it)
			default:
				h.hellos = append(h.hellos, it)
			}
			delete(open, topic)
		case <-time.After(quietTime):
			return h
		case <-ctx.Done():
			return h
		}
	}
	return h
}

// newest returns the highest version of a roster of the household that one of
// its cameras says to have.
func (h heard) newest(r *seal.Roster) (camera seal.RosterCamera, version uint64) {
	for _, it := range h.hellos {
		hello, err := seal.OpenHello(it.Sealed)
		if err != nil || hello.Household != r.Household || hello.Roster <= version {
			continue
		}
		if c, ours := r.Camera(hello.Camera); ours {
			camera, version = c, hello.Roster
		}
	}
	return camera, version
}

// compare takes over what the broker keeps that is newer than what take has, and
// tells of what is none of it.
func (h heard) compare(out io.Writer, r *seal.Roster, take func(signed []byte) (news bool, err error)) error {
	var seen [][]byte
	for _, it := range h.rosters {
		again := false
		for _, b := range seen {
			again = again || bytes.Equal(b, it.Sealed)
		}
		if seen = append(seen, it.Sealed); again {
			continue
		}
		news, err := take(it.Sealed)
		var refusal *seal.Refusal
		switch c, _ := r.Camera(it.Camera); {
		case errors.As(err, &refusal) && refusal.Alarm:
			fmt.Fprintf(out, "Two copies of this household were changed, each in its own way: both have made roster %d. Repeat here what was\ndone there, and use one copy from now on: the next change made here counts.\n", r.Version)
		case errors.As(err, &refusal) && wasBefore(r, it.Sealed): // what this one replaces
		case errors.As(err, &refusal):
			fmt.Fprintf(out, "refused  %s  %s  a roster that the broker keeps\n", column(c.Name, 16), refusal.Reason)
		case err != nil:
			return err
		case news:
			fmt.Fprintf(out, "The broker keeps a newer roster than the %d of this copy: it is taken over. Changes made here since then are\nundone: repeat them.\n", r.Version)
		}
	}
	return nil
}

// wasBefore tells whether a roster was the household's before r.
func wasBefore(r *seal.Roster, signed []byte) bool {
	old, err := seal.OpenRoster(r.Household, signed)
	return err == nil && old.Version < r.Version
}

// publish compares the household in dir with what the broker keeps, and brings
// the newest roster to every camera.
func publish(ctx context.Context, out io.Writer, dir string, who *identity.Viewer, v *visit) error {
	take := who.SetRoster
	owner, err := identity.OpenHousehold(dir, time.Now)
	switch {
	case errors.Is(err, identity.ErrNotOwner):
		unlock, err := who.Lock() // what is taken is written
		if err != nil {
			return err
		}
		defer unlock()
	case err != nil:
		return err
	default:
		take = func(signed []byte) (bool, error) {
			news, err := owner.TakeRoster(signed)
			if news {
				_, err = who.Refresh()
			}
			return news, err
		}
	}
	before := who.Roster()
	h := v.listen(ctx, before.Cameras)
	if err := h.compare(out, before, take); err != nil {
		return hintWithdrawn(err)
	}
	if err := h.takeAdditions(out, owner, who, before); err != nil {
		return err
	}
	r := who.Roster()
	if c, version := h.newest(r); version > r.Version {
		return cli.Hint(fmt.Errorf("camera %s has roster %d, and the newest here is %d: this is an older copy, and cameras never go back", c.Name, version, r.Version),
			"use the newer copy, or an export of it; if there is none left, reset the camera and take it in again")
	}
	for _, c := range r.Cameras {
		if err := v.up.Send(ctx, c.ID, feed.Roster, who.SignedRoster()); err != nil {
			return fmt.Errorf("%w: %w", errNotReached, err)
		}
	}
	return v.echoed(ctx, out, who)
}

// errDropped says that a broker has acknowledged rosters and not passed them on.
var errDropped = errors.New("the broker has dropped the roster, though it acknowledged it")

// echoed waits until the broker has passed the roster of who on, to this program
// too: an acknowledgement alone is no proof of that.
func (v *visit) echoed(ctx context.Context, out io.Writer, who *identity.Viewer) error {
	r := who.Roster()
	waiting := map[seal.CameraID]bool{}
	for _, c := range r.Cameras {
		waiting[c.ID] = true
	}
	limit := time.After(echoTime)
	for len(waiting) > 0 {
		select {
		case it := <-v.items:
			if it.Kind == feed.Roster && waiting[it.Camera] && bytes.Equal(it.Sealed, who.SignedRoster()) {
				delete(waiting, it.Camera)
				c, _ := r.Camera(it.Camera)
				fmt.Fprintf(out, "roster %d  %s  %s\n", r.Version, c.ID, c.Name)
			}
			continue
		case <-limit:
		case <-ctx.Done():
		}
		return cli.Hint(fmt.Errorf("%w: roster %d, for %d of %d cameras", errDropped, r.Version, len(waiting), len(r.Cameras)),
			"its access rules may not know viewer %s: give it the household's, sealcam household acl", who.Name())
	}
	return nil
}

// hintWithdrawn says what is left to who holds a copy that was replaced.
func hintWithdrawn(err error) error {
	if errors.Is(err, identity.ErrWithdrawn) {
		return cli.Hint(err, "use the copy in which the owner key was changed; this one can still look (sealcam watch), and change nothing")
	}
	return err
}

// spread brings a change of the household in dir to the broker now, or says how
// it gets there later. What is changed is changed: only a household that must not
// be changed from here is an error.
func spread(ctx context.Context, out io.Writer, dir string) error {
	name, err := localViewer(dir)
	if err != nil {
		return err
	}
	about, err := identity.ReadHousehold(dir)
	switch {
	case err != nil:
		return err
	case about.Broker == "" || name == "":
		later(out, dir)
		return nil
	}
	who, up, err := connect(dir, name, "", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return bring(ctx, out, dir, who, up)
}

// bring publishes once, and says how the roster gets there later if it does not
// now.
func bring(ctx context.Context, out io.Writer, dir string, who *identity.Viewer, up feed.Feed) error {
	ctx, cancel := context.WithTimeout(ctx, spreadTime)
	defer cancel()
	err := visiting(ctx, up, false, func(ctx context.Context, v *visit) error { return publish(ctx, out, dir, who, v) })
	if errors.Is(err, errNotReached) || errors.Is(err, errDropped) {
		fmt.Fprintf(out, "%s.\n", printable(err.Error(), 200))
		if hint := cli.HintOf(err); errors.Is(err, errDropped) {
			fmt.Fprintf(out, "%s\n", hint)
		}
		later(out, dir)
		return nil
	}
	return err
}

// later says how a change gets to cameras that were not reached.
func later(out io.Writer, dir string) {
	fmt.Fprintf(out, "Cameras and viewers learn of it from the next sealcam watch or view, or with: sealcam household publish %s\n", dir)
}

// localViewer returns the first viewer of the roster whose keys are in dir, "" if
// there is none: as whom to connect when nobody says.
func localViewer(dir string) (string, error) {
	about, err := identity.ReadHousehold(dir)
	if err != nil {
		return "", err
	}
	for _, v := range about.Roster.Viewers {
		if identity.CheckViewerName(v.Name) != nil {
			continue
		}
		if _, err := identity.OpenViewer(dir, v.Name); !errors.Is(err, identity.ErrNoSuchViewer) {
			return v.Name, err
		}
	}
	return "", nil
}
