package agent

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
)

// seal turns kept frames into Pictures and Sealed until jobs is closed. It runs
// beside the frame goroutine because encoding a raw frame or waiting for flash
// takes longer than the camera waits.
func (a *Agent) seal(ctx context.Context) error {
	runtime.LockOSThread() // the meter reads this thread's CPU clock
	defer runtime.UnlockOSThread()
	m := newMeter(&a.cpu)
	defer a.namer.Close()
	for j := range a.jobs {
		if j.want.exam {
			if err := a.sit(j); err != nil {
				a.log.Warn("exam not passed", "err", err)
			}
			a.free <- j.held
			continue
		}
		a.sealing.Lock()
		p, err := a.picture(j)
		at := j.held.boxes
		a.free <- j.held
		m.mark(StageEncode)
		wanted := err != nil || !j.want.best || a.name(ctx, &p, at.list())
		m.mark(StageName)
		if err == nil && wanted {
			err = a.send(j.want, p)
		}
		a.sealing.Unlock()
		a.clips.ready(j.want.event)
		m.mark(StageSeal)
		if errors.Is(err, uplink.ErrPrivate) || errors.Is(err, uplink.ErrUncounted) {
			a.skipped.Add(1)
			continue
		}
		if err != nil {
			a.failed.Add(1)
			if errors.Is(err, encode.ErrUnmasked) {
				a.unmasked.Add(1)
			}
			a.log.Warn("a picture was not sealed", "cause", j.want.cause, "event", j.want.event, "err", err)
			continue
		}
		if wanted {
			a.sealed.Add(1)
		}
	}
	if !a.ended {
		return nil
	}
	if a.clips != nil {
		<-a.clips.done
	}
	if a.tape != nil {
		<-a.tape.done
	}
	a.linger(ctx)
	return errEnded
}

// errEnded ends a run whose source has ended.
var errEnded = errors.New("the source has ended")

// lingering is how long a run whose source has ended waits for the network.
const lingering = 5 * time.Second

// linger waits until the broker has everything that was sealed, for a while:
// what it has not by then is in the spool.
func (a *Agent) linger(ctx context.Context) {
	ctx, done := context.WithTimeout(ctx, a.patience)
	defer done()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for a.up.Stats().Waiting > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// picture encodes the kept frame. The Picture owns its bytes.
func (a *Agent) picture(j job) (encode.Picture, error) {
	f := &j.held.frame
	data, w, h, err := a.jpeg.Snapshot(f)
	if err != nil {
		return encode.Picture{}, err
	}
	return encode.Picture{
		Kind: encode.Snapshot, Media: "image/jpeg", Data: data, Width: w, Height: h,
		Taken: j.held.taken, Mono: j.held.mono,
		Cause: j.want.cause, Light: f.Light, Event: j.want.event, Masks: a.masks, Nonce: j.want.nonce,
	}, nil
}

func (a *Agent) send(w want, p encode.Picture) error {
	if w.live {
		return a.up.Live(p)
	}
	return a.up.Send(p)
}
