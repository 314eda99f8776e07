package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/page"
	"github.com/sealcam/sealcam/cmd/internal/pairing"
	"github.com/sealcam/sealcam/cmd/internal/qr"
	"github.com/sealcam/sealcam/uplink/identity"
)

// inviter takes cameras in for the page, one at a time. It implements
// page.Pairing.
type inviter struct {
	ctx  context.Context // of the command
	dir  string          // the household's
	log  *slog.Logger
	with pairing.Config // Listen, Addrs: of tests

	starting sync.Mutex // held while one session ends and the next begins

	mu      sync.Mutex
	session *pairing.Session // nil while there is none
	stop    context.CancelFunc
	done    chan struct{} // closed when the session has ended
	state   page.PairState
}

// newInviter returns the inviter of the household in dir, and the token that
// only its owner's page has; nil where the owner key is not here.
func newInviter(ctx context.Context, dir string, log *slog.Logger) (*inviter, string) {
	if _, err := identity.OpenHousehold(dir, time.Now); err != nil {
		return nil, "" // who may look is not always the owner
	}
	return &inviter{ctx: ctx, dir: dir, log: log}, rand.Text()
}

// Start implements page.Pairing.
func (i *inviter) Start(name string) error {
	name = strings.TrimSpace(name)
	if name == "" {
		return errors.New("the camera needs a name, such as Front door")
	}
	i.starting.Lock()
	defer i.starting.Unlock()
	i.Stop()
	h, err := identity.OpenHousehold(i.dir, time.Now)
	if err != nil {
		return err
	}
	c := i.with
	c.Household, c.Name, c.Now, c.Log = h, name, time.Now, i.log
	s, err := pairing.Start(c)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(i.ctx)
	state := page.PairState{Step: page.PairShown, Name: name, Expires: s.Expires().UnixMilli()}
	code, err := qr.Encode(s.Text())
	if err != nil {
		stop() // the session ends as soon as it runs
	} else {
		state.Size, state.Modules = code.Size(), code.Modules()
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.session, i.stop, i.state, i.done = s, stop, state, make(chan struct{})
	go i.follow(ctx, s, i.done)
	return err
}

// follow runs a session, and keeps the state that the page shows of it.
func (i *inviter) follow(ctx context.Context, s *pairing.Session, done chan struct{}) {
	defer close(done)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for e := range s.Progress() {
		i.note(s, e)
	}
	err := <-ended
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.session != s {
		return // another was started
	}
	i.session = nil
	i.state.Size, i.state.Modules, i.state.Words = 0, "", ""
	switch {
	case err == nil:
		i.state.Step = page.PairDone
	case errors.Is(err, context.Canceled):
		i.state = page.PairState{}
	default:
		i.state.Step, i.state.Why = page.PairFailed, err.Error()
		if hint := cli.HintOf(err); hint != "" {
			i.state.Why += ": " + hint
		}
	}
}

func (i *inviter) note(s *pairing.Session, e pairing.Event) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.session != s {
		return
	}
	i.state.Refused = s.Refused()
	switch e.Kind {
	case pairing.Read:
		// The code is used up: nobody else need see it.
		i.state.Step, i.state.Size, i.state.Modules = page.PairRead, 0, ""
		i.state.Camera, i.state.Words, i.state.Firmware = e.Camera, e.Words, e.Firmware
	case pairing.Enrolled:
		i.state.Step = page.PairEnrolled
	}
}

// Confirm implements page.Pairing.
func (i *inviter) Confirm(yes bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.session != nil && i.state.Step == page.PairRead {
		i.session.Confirm(yes)
	}
}

// Stop implements page.Pairing.
func (i *inviter) Stop() {
	i.mu.Lock()
	stop, done := i.stop, i.done
	i.session, i.state = nil, page.PairState{}
	i.mu.Unlock()
	if stop != nil {
		stop()
		<-done
	}
}

// State implements page.Pairing.
func (i *inviter) State() page.PairState {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.state
}
