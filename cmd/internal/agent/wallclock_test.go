package agent

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/sealcam/sealcam/uplink/seal"
)

func TestWallClock(t *testing.T) {
	battery := fstest.MapFS{rtcClass + "/rtc0": {Mode: fs.ModeSymlink}}
	none := fstest.MapFS{rtcClass: {Mode: fs.ModeDir}}
	for _, c := range []struct {
		name          string
		root          fs.FS
		synced, known bool
		want, after   string // after the clock was set, and the network lost
	}{
		{"kept set", none, true, true, seal.ClockNTP, seal.ClockRTC},
		{"a battery", battery, false, true, seal.ClockRTC, seal.ClockRTC},
		{"no battery, never set", none, false, true, seal.ClockNone, seal.ClockRTC},
		{"nobody says whether there is a battery", fstest.MapFS{}, false, true, seal.ClockRTC, seal.ClockRTC},
		{"the kernel does not say", none, false, false, seal.ClockRTC, seal.ClockRTC},
	} {
		synced := c.synced
		w := newWallClock(c.root, func() (bool, bool) { return synced, c.known })
		if got := w.quality(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if synced = c.known; synced && w.quality() != seal.ClockNTP {
			t.Errorf("%s: not %s once it is set", c.name, seal.ClockNTP)
		}
		if synced = false; w.quality() != c.after {
			t.Errorf("%s: %s after that, want %s", c.name, w.quality(), c.after)
		}
	}
}

// This machine's kernel answers: reading its clock changes nothing.
func TestKernelSays(t *testing.T) {
	synced, known := kernelSynced()
	t.Logf("synced %v, known %v", synced, known)
	if synced && !known {
		t.Error("set, but not known to be")
	}
}
