package viewer

import (
	"context"
	"errors"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

// maxChased bounds how many gaps of one camera are asked for at a time.
const maxChased = 4

// errand is one message that tending sends to a camera.
type errand struct {
	camera  seal.CameraID
	kind    string
	payload []byte
	round   uint64 // of signing
	sent    func() // called with v.mu held
}

// tendLoop looks after the cameras until ctx ends.
func (v *Viewer) tendLoop(ctx context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			v.tend(ctx, false)
		case <-ctx.Done():
			return
		}
	}
}

// tend stores what has been seen, and then tells the cameras: what has arrived,
// what is missing, and which roster is in force. last says that it is not
// called again.
func (v *Viewer) tend(ctx context.Context, last bool) {
	v.refreshRoster()
	state, errands := v.plan(last)
	if state != nil {
		if err := v.identity.SetState(state); err != nil {
			// Receipts are promises to remember: none are sent now.
			v.mu.Lock()
			v.news.durable = true
			v.tell("what was seen could not be remembered", err)
			v.mu.Unlock()
			return
		}
	}
	for _, e := range errands {
		if err := v.run(ctx, e); err != nil {
			if !errors.Is(err, feed.ErrOffline) {
				v.log.Debug("not sent", "camera", e.camera, "kind", e.kind, "err", err)
			}
			return // the connection is gone or slow: next time
		}
	}
}

func (v *Viewer) run(ctx context.Context, e errand) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	var err error
	if e.kind == feed.Command {
		err = v.send(ctx, e.camera, e.payload, e.round)
	} else {
		err = v.feed.Send(ctx, e.camera, e.kind, e.payload)
	}
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	e.sent()
	return nil
}

// refreshRoster takes over what the owner has changed in the household's own
// directory.
func (v *Viewer) refreshRoster() {
	news, err := v.identity.Refresh()
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		v.tell("the household's roster could not be read", err)
	}
	if !news {
		return
	}
	v.adoptRoster()
	for _, c := range v.identity.Roster().Cameras {
		v.care(c.ID).behind = true // until the next message says otherwise
	}
}

// plan returns the state to be stored first, nil if it is stored already, and
// what to send then.
func (v *Viewer) plan(last bool) (state []byte, errands []errand) {
	v.turn.Lock()
	defer v.turn.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.failed {
		return nil, nil
	}
	now := v.now()
	up, _ := v.feed.Link()
	for _, entry := range v.opener.Roster().Cameras {
		c := v.cameras[entry.ID]
		if c == nil || !up {
			continue
		}
		errands = v.planRoster(errands, entry.ID, c, now)
		errands = v.planReceipt(errands, entry.ID, c)
		errands = v.planResends(errands, entry.ID, c, now)
	}
	round := v.round()
	for i := range errands {
		errands[i].round = round
	}
	// Commands count up, and that is state too.
	if v.news.durable || len(errands) > 0 || v.news.live && (last || now.Sub(v.news.since) >= liveEvery) {
		state, v.news = v.opener.State(), news{since: now}
	}
	return state, errands
}

func (v *Viewer) planRoster(errands []errand, id seal.CameraID, c *care, now time.Time) []errand {
	if !c.behind || !c.push.over(now) {
		return errands
	}
	return append(errands, errand{camera: id, kind: feed.Roster, payload: v.identity.SignedRoster(), sent: func() {
		c.behind = false // unless it shows again
		c.push.lengthen(now)
	}})
}

func (v *Viewer) planReceipt(errands []errand, id seal.CameraID, c *care) []errand {
	n := c.unreceipted
	if n == 0 {
		return errands
	}
	cmd, err := v.opener.Receipt(id)
	if err != nil {
		v.tell("no receipt", err)
		return errands
	}
	return append(errands, errand{camera: id, kind: feed.Command, payload: cmd, sent: func() { c.unreceipted -= n; v.stats.Receipts++ }})
}

func (v *Viewer) planResends(errands []errand, id seal.CameraID, c *care, now time.Time) []errand {
	gaps := openGaps(v.opener.Gaps(id))
	if len(gaps) == 0 {
		c.chase.reset()
		c.filled = false
		return errands
	}
	if !c.chase.over(now) {
		return errands
	}
	if !c.filled && v.fill(id, gaps) {
		c.filled = true
		c.chase.lengthen(now)
		return errands
	}
	// The newest first: what somebody waits for.
	for i := len(gaps) - 1; i >= max(0, len(gaps)-maxChased); i-- {
		cmd, err := v.opener.Resend(id, gaps[i].First, gaps[i].Last)
		if err != nil {
			v.tell("no request for what is missing", err)
			return errands
		}
		newest := i == len(gaps)-1
		errands = append(errands, errand{camera: id, kind: feed.Command, payload: cmd, sent: func() {
			v.stats.Resends++
			if newest {
				c.chase.lengthen(now)
			}
		}})
	}
	return errands
}

// fill asks the archive, if there is one, for what is missing of a camera, before the
// camera is asked: that is behind a poor network, and may not have it any more.
func (v *Viewer) fill(id seal.CameraID, gaps []seal.Gap) (asked bool) {
	if v.archive == nil {
		return false
	}
	for i := len(gaps) - 1; i >= max(0, len(gaps)-maxChased); i-- {
		if v.archive.Fill(id, gaps[i].First, gaps[i].Last) {
			v.stats.Fills++
			asked = true
		}
	}
	return asked
}
