package agent

import (
	"io/fs"
	"sync/atomic"

	"github.com/sealcam/sealcam/uplink/seal"
)

// rtcClass is where Linux lists the clocks that run on while a board is off.
const rtcClass = "sys/class/rtc"

// wallClock says how good this machine's wall clock is.
type wallClock struct {
	battery bool                        // a clock runs on while the board is off, or nothing says that none does
	synced  func() (synced, known bool) // now
	was     atomic.Bool                 // synced once since the start
}

// newWallClock looks in root, the root of the file system, for a clock that
// runs on.
func newWallClock(root fs.FS, synced func() (synced, known bool)) *wallClock {
	clocks, err := fs.ReadDir(root, rtcClass)
	return &wallClock{battery: err != nil || len(clocks) > 0, synced: synced}
}

// quality returns seal.ClockNTP while the clock is kept set; seal.ClockRTC when
// it runs by itself, from a battery or from the last time it was set;
// seal.ClockNone on a board without a battery whose clock was never set since
// the start. Uplink judges besides whether the time itself can be right.
func (w *wallClock) quality() string {
	synced, known := w.synced()
	switch {
	case synced:
		w.was.Store(true)
		return seal.ClockNTP
	case !known, w.battery, w.was.Load():
		return seal.ClockRTC
	}
	return seal.ClockNone
}
