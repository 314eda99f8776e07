package feed

import (
	"context"
	"sync"

	"github.com/sealcam/sealcam/uplink/seal"
)

// maxSwapped bounds how many cameras' newest pictures a hostile Relay keeps.
const maxSwapped = 16

// Relay stands between a Feed and a viewer and passes everything on. Made
// hostile, it hands each camera's viewer the newest picture of another camera:
// the mistake that caches have made with real cameras. Its methods are safe for
// concurrent use.
type Relay struct {
	Feed

	mu      sync.Mutex
	hostile bool
	swapped uint64
	newest  map[string][]Item // by kind; one per camera, the newest last
}

// NewRelay returns a Relay in front of f that is not hostile.
func NewRelay(f Feed) *Relay { return &Relay{Feed: f, newest: map[string][]Item{}} }

// Hostile makes the relay hostile, or honest again.
func (r *Relay) Hostile(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hostile = on
}

// Swapped returns whether the relay is hostile, and how many pictures it has
// handed on under the wrong name.
func (r *Relay) Swapped() (hostile bool, pictures uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hostile, r.swapped
}

// Run implements Feed.
func (r *Relay) Run(ctx context.Context, each func(Item)) error {
	return r.Feed.Run(ctx, func(it Item) { each(r.pass(it)) })
}

// pass returns what the viewer gets for it.
func (r *Relay) pass(it Item) Item {
	if it.Kind != Live && it.Kind != Media && it.Kind != View {
		return it
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	other, found := r.newestOf(it.Kind, it.Camera)
	if !found && it.Kind == View { // nobody watches another camera
		other, found = r.newestOf(Live, it.Camera)
	}
	r.keep(it)
	if !r.hostile || !found {
		return it
	}
	r.swapped++
	return Item{Camera: it.Camera, Kind: it.Kind, Sealed: other.Sealed, Retained: it.Retained}
}

// newestOf returns the newest Item of a camera other than the one given.
func (r *Relay) newestOf(kind string, not seal.CameraID) (Item, bool) {
	for i := len(r.newest[kind]) - 1; i >= 0; i-- {
		if it := r.newest[kind][i]; it.Camera != not {
			return it, true
		}
	}
	return Item{}, false
}

func (r *Relay) keep(it Item) {
	list := r.newest[it.Kind]
	for i := range list {
		if list[i].Camera == it.Camera {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if len(list) == maxSwapped {
		list = append(list[:0], list[1:]...)
	}
	r.newest[it.Kind] = append(list, it)
}
