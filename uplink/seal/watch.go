package seal

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// Times of live view.
const (
	// WatchLife is how long a watch holds: at the camera from its arrival, on the
	// camera's monotonic clock, and at the viewer from its making, as the proof of
	// the frames that come.
	WatchLife = 15 * time.Second
	// WatchEach is how often a viewer that goes on watching says so again.
	WatchEach = 5 * time.Second
)

// proof is the newest watch that a camera is known to have answered: all frames
// that it seals later within that boot were sealed after the watch was made, for
// they are numbered upwards.
type proof struct {
	boot [16]byte
	at   time.Time // the watch was made; zero for none yet
}

// life is how long after it was asked an answer counts.
func (a *ask) life() time.Duration {
	if a.watch {
		return WatchLife
	}
	return NonceLife
}

// Watch makes the command "show me live", which holds for WatchLife: who goes on
// watching says it again each WatchEach. The frames that come, in View messages,
// are Fresh; without a Watch of this Opener they are Stale.
func (o *Opener) Watch(camera CameraID) ([]byte, error) {
	return o.ask(Command{Camera: camera, Verb: VerbWatch})
}

// ask makes a command whose nonce the camera is to echo, and remembers it.
func (o *Opener) ask(c Command) (cmd []byte, err error) {
	c.Nonce = make([]byte, MinNonce)
	if _, err := io.ReadFull(o.config.Rand, c.Nonce); err != nil {
		return nil, fmt.Errorf("seal: no randomness for a nonce: %w", err)
	}
	if cmd, err = o.command(c); err != nil {
		return nil, err
	}
	if len(o.asked) == maxAsked {
		o.asked = slices.Delete(o.asked, 0, 1)
	}
	o.asked = append(o.asked, ask{c.Camera, slices.Clone(c.Nonce), o.config.Now(), c.Verb == VerbWatch})
	return cmd, nil
}

// proven reports whether v follows a frame of the same boot that answered a watch
// made at most WatchLife ago. That v is newer than that one has been checked.
func (o *Opener) proven(v *Verified) bool {
	h := o.cameras[v.camera]
	if v.meta.Stream != View || h == nil || h.proof.at.IsZero() {
		return false
	}
	return h.proof.boot == v.meta.Boot && o.config.Now().Sub(h.proof.at) <= WatchLife
}

// answered uses up the question that v answers, if it answers one. That of a watch
// is echoed by many frames, and each of them proves what the first did.
func (o *Opener) answered(v *Verified, asked int) {
	if asked < 0 {
		return
	}
	a := o.asked[asked]
	if !a.watch {
		o.asked = slices.Delete(o.asked, asked, asked+1)
		return
	}
	h := o.history(v.camera)
	if h.proof.boot != v.meta.Boot || a.at.After(h.proof.at) {
		h.proof = proof{v.meta.Boot, a.at}
	}
}
