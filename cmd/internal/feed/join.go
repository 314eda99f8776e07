package feed

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"

	"github.com/sealcam/sealcam/uplink/seal"
)

// maxRecent is how many messages that came already a Joined knows.
const maxRecent = 4096

// Joined is several Feeds side by side, as a broker and a keeper are. What comes from
// more than one of them is handed on once; it is sent on the first that is up, in the
// order in which they were given. It is an Archive if one of them is.
type Joined struct {
	feeds []Feed

	mu     sync.Mutex // held while an Item is handed on
	recent recent
}

// Join returns Feeds as one.
func Join(feeds ...Feed) *Joined { return &Joined{feeds: feeds, recent: newRecent(maxRecent)} }

// Run implements Feed. It ends when ctx does, or when all of the Feeds have ended.
func (j *Joined) Run(ctx context.Context, each func(Item)) error {
	errs := make([]error, len(j.feeds))
	var running sync.WaitGroup
	for i, f := range j.feeds {
		running.Go(func() {
			errs[i] = f.Run(ctx, func(it Item) {
				j.mu.Lock()
				defer j.mu.Unlock()
				if !j.again(it) {
					each(it)
				}
			})
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(errs...)
}

// again reports whether it came before, from whichever Feed. Only of what is stored
// is a second copy of no use to anybody.
func (j *Joined) again(it Item) bool {
	if it.Kind != Media && it.Kind != Status || it.Asked {
		return false
	}
	return j.recent.add(sha256.Sum256(it.Sealed))
}

// Send implements Feed.
func (j *Joined) Send(ctx context.Context, camera seal.CameraID, kind string, payload []byte) error {
	err := ErrOffline
	for _, f := range j.feeds {
		if err = f.Send(ctx, camera, kind, payload); !errors.Is(err, ErrOffline) {
			return err
		}
	}
	return err
}

// Link implements Feed: one that is up is enough.
func (j *Joined) Link() (up bool, why string) {
	var all []string
	for _, f := range j.feeds {
		up, why := f.Link()
		if up {
			return true, ""
		}
		all = append(all, why)
	}
	return false, strings.Join(all, "; ")
}

// Know implements Archive.
func (j *Joined) Know(known func(seal.CameraID) Known) {
	for _, f := range j.feeds {
		if a, ok := f.(Archive); ok {
			a.Know(known)
		}
	}
}

// Fill implements Archive: all that can are asked, for one may have what another has
// not.
func (j *Joined) Fill(camera seal.CameraID, first, last uint64) (asked bool) {
	for _, f := range j.feeds {
		if a, ok := f.(Archive); ok && a.Fill(camera, first, last) {
			asked = true
		}
	}
	return asked
}

// recent is a set of the newest hashes. It is not safe for concurrent use.
type recent struct {
	set  map[[32]byte]struct{}
	ring [][32]byte
	next int
}

func newRecent(most int) recent {
	return recent{set: map[[32]byte]struct{}{}, ring: make([][32]byte, 0, most)}
}

func (r *recent) has(hash [32]byte) bool { _, ok := r.set[hash]; return ok }

// add adds hash, and reports whether it was there.
func (r *recent) add(hash [32]byte) bool {
	if r.has(hash) {
		return true
	}
	r.set[hash] = struct{}{}
	if len(r.ring) < cap(r.ring) {
		r.ring = append(r.ring, hash)
		return false
	}
	delete(r.set, r.ring[r.next])
	r.ring[r.next] = hash
	r.next = (r.next + 1) % len(r.ring)
	return false
}
