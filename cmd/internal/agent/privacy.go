package agent

import (
	"context"
	"errors"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/cmd/internal/pins"
	"github.com/sealcam/sealcam/cmd/internal/privacy"
	"github.com/sealcam/sealcam/uplink"
)

// PrivacyFile, within Settings.State, holds what a person said last about
// privacy.
const PrivacyFile = "privacy.json"

const (
	privacyLook = time.Second      // how often the schedule is looked at
	closeTime   = 10 * time.Second // how long closing the camera may take until status says that it does not
)

// closure is what is known of privacy, for status.
type closure struct {
	said  uplink.Privacy
	stuck bool // the camera should be closed, and is not yet
}

// privacy carries out what the button, an owner or the schedule says, until ctx
// ends.
func (a *Agent) privacy(ctx context.Context) error {
	tick := time.NewTicker(privacyLook)
	defer tick.Stop()
	for {
		var answer []byte
		answered := false
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case p := <-a.presses:
			if p == pins.ShortPress {
				a.noted(a.keeper.Toggle(privacy.ByButton, a.wall()))
			}
		case o := <-a.up.Orders():
			if o.Close {
				a.noted(a.keeper.Close(privacy.ByOwner, a.wall(), o.Until))
			} else {
				a.noted(a.keeper.Open(privacy.ByOwner, a.wall()))
			}
			answer, answered = o.Nonce, true
		}
		if a.applyPrivacy(ctx) || answered {
			select {
			case a.answers <- answer:
			case <-ctx.Done():
			}
		}
	}
}

// wall returns the wall clock, in local time, zero when it is not known.
func (a *Agent) wall() time.Time {
	if !a.up.HasClock() {
		return time.Time{}
	}
	return a.now()
}

// noted logs that an order was not kept, and says so in status from then on.
func (a *Agent) noted(err error) {
	a.unkept.Store(errors.Is(err, privacy.ErrNotKept))
	if err != nil {
		a.log.Error("what was said about privacy does not last", "err", err)
	}
}

// applyPrivacy shuts or opens the gate, and reports whether anything changed.
func (a *Agent) applyPrivacy(ctx context.Context) bool {
	now := a.wall()
	st := a.keeper.At(now)
	before := a.closure.Load()
	a.gate.set(st.On)
	next := &closure{said: said(st)}
	switch {
	case st.On:
		waiting, done := context.WithTimeout(ctx, closeTime)
		next.stuck = !a.gate.idle(waiting)
		done()
	case before != nil && before.said.On: // from when to when it was closed
		next.said = before.said
		next.said.On, next.said.Until = false, now
	default:
		return false
	}
	if before != nil && before.stuck == next.stuck && samePrivacy(&before.said, &next.said) {
		return false
	}
	a.closure.Store(next)
	a.log.Info("privacy", "on", st.On, "by", next.said.By, "until", st.Until)
	return true
}

func said(st privacy.State) uplink.Privacy {
	return uplink.Privacy{On: st.On, Since: st.Since, Until: st.Until, By: string(st.By)}
}

func samePrivacy(a, b *uplink.Privacy) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.On == b.On && a.By == b.By && a.Since.Equal(b.Since) && a.Until.Equal(b.Until)
}

// forget drops everything that frames have left behind, and returns when nothing
// of it is being sealed any more: the kept frames, the best one of an open event,
// what was asked, live view, the ring and the clips that are not whole yet. The picture of an
// event that was not sealed yet is never taken, and its clip stays without its end.
func (a *Agent) forget() {
	for dropped := true; dropped; {
		select {
		case j := <-a.jobs:
			a.skipped.Add(1)
			a.free <- j.held
		default:
			dropped = false
		}
	}
	all := make([]*held, 0, circulating)
	for range circulating {
		all = append(all, <-a.free)
	}
	a.sealing.Lock() // the last picture that was made of one is sealed, or refused
	for _, h := range all {
		h.wipe()
		a.free <- h
	}
	a.sealing.Unlock()
	a.eye.best.wipe()
	a.tape.drop(a.clips.drop)
	a.up.PauseRecording()
	a.view.drop()
	if _, open := a.eye.chooser.flush(); open {
		a.skipped.Add(1)
	}
	a.eye.requests(a.up.Requests())
	a.eye.luma = capture.LumaReader{}
	a.eye.blink = true
}

// wipe leaves nothing of a frame in memory.
func (h *held) wipe() {
	clear(h.buf[:cap(h.buf)])
	*h = held{buf: h.buf[:0]}
}
