package viewer

import (
	"context"
	"errors"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Watch asks a camera for live view, again and again until ctx ends, and returns
// ctx's error. What comes are Outcomes of kind feed.View, for which the Feed must
// read that topic: frames that are Fresh, or refusals. The camera ends by itself
// soon after. One camera is watched once at a time.
func (v *Viewer) Watch(ctx context.Context, camera seal.CameraID) error {
	v.mu.Lock()
	v.watched[camera] = false
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		delete(v.watched, camera)
		v.mu.Unlock()
	}()
	for {
		pause := seal.WatchEach
		if err := v.watchOnce(ctx, camera); err != nil {
			if !errors.Is(err, feed.ErrOffline) {
				v.log.Debug("not sent", "camera", camera, "kind", "watch", "err", err)
			}
			pause = time.Second
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (v *Viewer) watchOnce(ctx context.Context, camera seal.CameraID) error {
	v.mu.Lock()
	cmd, err := v.opener.Watch(camera)
	round := v.round()
	v.mu.Unlock()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, seal.WatchEach)
	defer cancel()
	return v.send(ctx, camera, cmd, round)
}

// openView opens a frame of live view, if this viewer watches: others' are none of
// its business. Until the first of its own frames has come, others' may come that
// prove nothing to it yet. v.mu is held.
func (v *Viewer) openView(it feed.Item, o Outcome) []Outcome {
	proven, watching := v.watched[it.Camera]
	if !watching {
		return nil
	}
	m, err := v.opener.Open(it.Camera, it.Sealed)
	var refusal *seal.Refusal
	switch {
	case err == nil && m.Meta().Stream != seal.View:
		return v.seen(m, o) // on the wrong topic, and good
	case err == nil:
		v.watched[it.Camera] = true
		v.stats.Frames++
		o.What, o.Verified = Verified, m
		return []Outcome{o}
	case !errors.As(err, &refusal):
		refusal = &seal.Refusal{Reason: seal.Malformed, Camera: it.Camera, Err: err}
	case refusal.Duplicate:
		v.stats.Duplicates++
		return nil
	case refusal.Reason == seal.Stale && !proven:
		return nil
	}
	v.stats.Refused[refusal.Reason]++
	o.What, o.Refusal = Refused, refusal
	return []Outcome{o}
}
