package keeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Verdicts on messages, as they are counted.
const (
	kept        = "kept"         // durable now
	again       = "again"        // was kept already
	handedOn    = "live"         // not to be kept: handed on, and held while it is the newest
	outdated    = "outdated"     // as handedOn, but there was a newer one
	conflict    = "conflict"     // another message of this camera has its number
	deletedOnce = "deleted"      // its household has deleted it, or it was too old
	malformed   = "malformed"    // no message, or on a topic where it has no place
	newer       = "version"      // of a newer format
	brokenSeal  = "broken_seal"  // signature or hash does not fit
	wrongCamera = "wrong_camera" // on another camera's topic
	notOurs     = "not_ours"     // of no household that names this keeper
	dropped     = "dropped"      // there was no room for it
	failed      = "failed"       // could not be stored now
)

// verdicts are all of them.
func verdicts() []string {
	return []string{kept, again, handedOn, outdated, conflict, deletedOnce, malformed, newer, brokenSeal, wrongCamera, notOurs, dropped, failed}
}

// arrive sorts what the source hands on. It waits for nobody.
func (k *Keeper) arrive(d Delivery) {
	switch {
	case d.Kind == feed.Hello:
		d.done(nil)
	case d.Kind == feed.Roster:
		k.arriveRoster(d)
	case !k.rosters.lists(d.Camera):
		k.refuse(d, notOurs, errNoRosterOf)
	default:
		if ok, _ := k.queue.push(d, k.config.Now()); !ok {
			k.figures.verdict(dropped, len(d.Sealed))
			k.tending.lost(d.Camera)
			k.once("a camera sends more than can be taken in now: it is asked for the rest later", d.Camera, dropped, nil)
			d.done(ErrBusy)
		}
	}
}

func (k *Keeper) arriveRoster(d Delivery) {
	if len(d.Sealed) == 0 || len(d.Sealed) > seal.MaxRoster || k.rosters.has(d.Sealed) {
		d.done(nil)
		return
	}
	ok, old := k.news.push(d, k.config.Now())
	if old != nil {
		old.done(nil)
	}
	if !ok {
		k.figures.roster("dropped")
		d.done(ErrBusy)
	}
}

// refuse counts and names a message that is refused.
func (k *Keeper) refuse(d Delivery, verdict string, err error) {
	k.figures.verdict(verdict, len(d.Sealed))
	k.once("a message was refused", d.Camera, verdict, err)
	if verdict == newer {
		d.done(ErrNewer)
		return
	}
	d.done(nil)
}

// once logs each trouble of a camera once an hour: what repeats is counted.
func (k *Keeper) once(msg string, c seal.CameraID, verdict string, err error) {
	if k.figures.toTell(string(c)+verdict, k.config.Now()) {
		k.log.Warn(msg, "camera", c, "reason", verdict, "err", err)
	}
}

// intake checks and stores batches until ctx ends.
func (k *Keeper) intake(ctx context.Context) error {
	for {
		batch, release, err := k.queue.take(ctx)
		if err != nil {
			return err
		}
		err = k.takeIn(ctx, batch)
		release()
		if err == nil || ctx.Err() != nil {
			continue
		}
		k.once("nothing can be stored", "", failed, err)
		select { // a disk that fails is not asked as fast as it can say no
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// takeIn checks a batch, stores what is good and is to be kept, and hands on the
// rest. The error is of the store as a whole.
func (k *Keeper) takeIn(ctx context.Context, batch []arrival) error {
	var good []arrival
	var messages []store.Message
	for i, v := range peekAll(batch) {
		a := batch[i]
		if verdict, err := k.check(a.Item, v.visible, v.err); verdict != "" {
			k.refuse(a.Delivery, verdict, err)
			continue
		}
		if v.visible.Stream != seal.Durable {
			k.handOn(a, v.visible)
			continue
		}
		good = append(good, a)
		messages = append(messages, store.Message{Entry: store.Entry{Visible: v.visible, Kind: a.Kind}, Sealed: a.Sealed})
	}
	if len(messages) == 0 {
		return nil
	}
	began := k.config.Now().Truncate(time.Microsecond)
	each, err := k.config.Store.Put(ctx, messages)
	if err != nil {
		for _, a := range good {
			k.figures.verdict(failed, len(a.Sealed))
			k.tending.lost(a.Camera)
			a.done(err)
		}
		return err
	}
	seen := map[[32]byte]bool{} // twice in one batch
	for i, a := range good {
		e := messages[i].Entry
		k.stored(a, e, each[i], seen[e.Visible.Hash] || e.Received.Before(began))
		seen[e.Visible.Hash] = true
	}
	return nil
}

type peeked struct {
	visible seal.Visible
	err     error
}

// peekAll checks the signatures and hashes of a batch.
func peekAll(batch []arrival) []peeked {
	out := make([]peeked, len(batch))
	for i, a := range batch {
		out[i].visible, out[i].err = seal.Peek(a.Sealed)
	}
	return out
}

// check decides about a message from its visible claims; "" is good.
func (k *Keeper) check(it feed.Item, v seal.Visible, err error) (verdict string, why error) {
	if err != nil {
		switch {
		case errors.Is(err, seal.ErrNewer):
			return newer, err
		case seal.ReasonOf(err) == seal.BrokenSeal:
			return brokenSeal, err
		}
		return malformed, err
	}
	if v.Camera != it.Camera {
		return wrongCamera, fmt.Errorf("it is camera %s's", v.Camera)
	}
	r, err := k.rosters.of(v.Household)
	if err != nil {
		return notOurs, fmt.Errorf("household %s: %w", v.Household, err)
	}
	if _, ok := r.Camera(v.Camera); !ok {
		return notOurs, fmt.Errorf("household %s: not in its roster %d", v.Household, r.Version)
	}
	if !places(it.Kind, v.Stream) {
		return malformed, fmt.Errorf("stream %s on topic %s", v.Stream, it.Kind)
	}
	return "", nil
}

// places reports whether messages of a stream come on a topic of that kind.
func places(kind string, s seal.Stream) bool {
	switch s {
	case seal.Durable:
		return kind == feed.Status || kind == feed.Media
	case seal.Live:
		return kind == feed.Live || kind == feed.Status
	case seal.Will:
		return kind == feed.Status
	case seal.Recording:
		return kind == feed.Recording
	case seal.View:
		return kind == feed.View
	}
	return false
}

// stored counts what became of a message that was handed to the store. known says
// that it was there already.
func (k *Keeper) stored(a arrival, e store.Entry, err error, known bool) {
	v := e.Visible
	switch {
	case err == nil && known:
		k.figures.verdict(again, len(a.Sealed))
	case err == nil:
		k.figures.verdict(kept, len(a.Sealed))
		k.figures.ingest.Observe(k.config.Now().Sub(a.at).Seconds())
		if k.heads.follow(v) {
			k.figures.alarm("fork")
			k.once("two messages of a camera do not follow each other: was it copied, or set back?", v.Camera, "fork", nil)
		}
	case errors.Is(err, store.ErrDeleted):
		k.figures.verdict(deletedOnce, len(a.Sealed))
		k.tending.gone(v)
		a.done(nil)
		return
	case errors.Is(err, store.ErrConflict):
		k.figures.alarm(conflict)
		k.refuse(a.Delivery, conflict, fmt.Errorf("message %d: %w", v.Seq, err))
		return
	case errors.Is(err, store.ErrMessage):
		k.refuse(a.Delivery, malformed, err)
		return
	default: // a node that was lost over a part of a batch, what is known of a household that cannot be read: later perhaps
		k.figures.verdict(failed, len(a.Sealed))
		k.tending.lost(a.Camera)
		k.once("a message cannot be stored", v.Camera, failed, err)
		a.done(err)
		return
	}
	k.tending.arrived(v)
	a.done(nil)
}

// handOn takes in what is not kept.
func (k *Keeper) handOn(a arrival, v seal.Visible) {
	e := store.Entry{Visible: v, Kind: a.Kind, Received: k.config.Now().UTC().Truncate(time.Microsecond)}
	if k.passing.take(e, a.Sealed) {
		k.figures.verdict(handedOn, len(a.Sealed))
	} else {
		k.figures.verdict(outdated, len(a.Sealed))
	}
	a.done(nil)
}
