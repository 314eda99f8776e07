package seal

import (
	"bytes"
	"slices"
	"time"
)

// Verified is a message that was opened and found good. It is made by an
// Opener only, and its media comes with the camera it belongs to.
type Verified struct {
	camera CameraID
	meta   Meta
	media  []byte
	hash   [32]byte
	seal   []byte
	hidden []byte
	fresh  bool
	late   bool
	lag    int64 // version of the Opener's roster less that of the seal's
	gap    *Gap
}

// Camera returns the id of the camera that sealed the message, which is the one
// that Open was asked about.
func (v *Verified) Camera() CameraID { return v.camera }

// Media returns the media together with the camera that it belongs to. The
// bytes are v's own: do not change them.
func (v *Verified) Media() (CameraID, []byte) { return v.camera, v.media }

// Meta returns what the camera said about the media. The slices are copies.
func (v *Verified) Meta() Meta {
	m := v.meta
	m.Labels, m.Lost = slices.Clone(m.Labels), slices.Clone(m.Lost)
	m.Nonce, m.Masks, m.FirmwareHash = bytes.Clone(m.Nonce), bytes.Clone(m.Masks), bytes.Clone(m.FirmwareHash)
	return m
}

// Hash names the message, as Sealed.Hash did.
func (v *Verified) Hash() [32]byte { return v.hash }

// Fresh reports whether the message answers a nonce of this Opener's own Ask or
// Watch, or follows one that did in the View stream: proof, without any clock of
// the camera's, that it was sealed after that.
func (v *Verified) Fresh() bool { return v.fresh }

// Late reports whether the message is older than one that was opened before, and
// closed a gap or part of one.
func (v *Verified) Late() bool { return v.late }

// RosterBehind reports whether the camera sealed under an older roster than the
// Opener has. Just after a change that is normal; if it lasts, somebody keeps
// the camera from the new roster, and whoever was removed can still open.
func (v *Verified) RosterBehind() bool { return v.lag > 0 }

// RosterAhead reports whether the camera sealed under a newer roster than the
// Opener has: ask for it, somebody may be keeping it from you.
func (v *Verified) RosterAhead() bool { return v.lag < 0 }

// Gap returns the gap that this message made known, or nil.
func (v *Verified) Gap() *Gap { return v.gap }

// Age returns how long ago the message was taken, and false if the camera's
// clock cannot say.
func (v *Verified) Age(now time.Time) (time.Duration, bool) {
	if v.meta.Clock == ClockNone || v.meta.Taken.IsZero() {
		return 0, false
	}
	return now.Sub(v.meta.Taken), true
}
