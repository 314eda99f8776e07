package v4l2

import (
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealcam/sealcam/capture"
)

func TestNextHoldsTheBufferUntilTheNext(t *testing.T) {
	n := webcamNode()
	n.Events = []event{frame(2, 7, 50, flagMonotonic, time.Hour-time.Second), frame(3, 9, 60, flagMonotonic, time.Hour)}
	c := mustBegin(t, n, Want{})
	var f capture.Frame
	if err := c.Next(t.Context(), &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Data) != 50 || &f.Data[0] != &c.memory[2][0] || f.Seq != 7 || f.Mono != time.Hour-time.Second || f.Format != c.Format() {
		t.Errorf("frame %+v", f)
	}
	if len(n.released) != 0 {
		t.Error("the driver has the buffer back while it is read")
	}
	if err := c.Next(t.Context(), &f); err != nil || f.Seq != 9 || len(f.Data) != 60 || len(n.released) != 1 || n.released[0] != 2 {
		t.Errorf("%v %+v released %v", err, f, n.released)
	}
	for range 2 {
		if err := c.Close(); err != nil || n.closed != 1 {
			t.Errorf("closed %d times (%v)", n.closed, err)
		}
	}
	if err := c.Next(t.Context(), &f); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Next after Close: %v", err)
	}
}

func TestNextReportsBadFrames(t *testing.T) {
	n := webcamNode()
	n.Events = []event{
		frame(0, 0, 50, flagMonotonic|flagError, time.Hour), frame(1, 1, 0, flagMonotonic, time.Hour), frame(2, 2, 101, flagMonotonic, time.Hour),
		{err: unix.EIO}, frame(3, 3, 100, flagMonotonic, time.Hour),
	}
	c := mustBegin(t, n, Want{})
	var f capture.Frame
	for _, want := range []string{"flagged", "empty", "header", "io"} {
		var bad *capture.BadFrame
		if err := c.Next(t.Context(), &f); !errors.As(err, &bad) || bad.Reason != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := c.Next(t.Context(), &f); err != nil || f.Seq != 3 {
		t.Errorf("%v %+v", err, f)
	}
	if len(n.released) != 3 {
		t.Errorf("buffers of bad frames given back: %v", n.released)
	}
}

func TestNextCountsOn(t *testing.T) {
	for name, c := range map[string]struct {
		raw  []uint32
		want []uint64
	}{
		"gaps":         {[]uint32{3, 4, 7}, []uint64{3, 4, 7}},
		"a wrap":       {[]uint32{math.MaxUint32 - 1, math.MaxUint32, 1}, []uint64{math.MaxUint32 - 1, math.MaxUint32, math.MaxUint32 + 2}},
		"not counting": {[]uint32{0, 0, 0}, []uint64{0, 1, 2}},
		"a restart":    {[]uint32{100, 101, 0, 1}, []uint64{100, 101, 102, 103}},
	} {
		n := webcamNode()
		for _, s := range c.raw {
			n.Events = append(n.Events, frame(0, s, 10, 0, 0))
		}
		cam := mustBegin(t, n, Want{})
		for i, want := range c.want {
			var f capture.Frame
			if err := cam.Next(t.Context(), &f); err != nil || f.Seq != want {
				t.Errorf("%s: frame %d has number %d, want %d (%v)", name, i, f.Seq, want, err)
			}
		}
	}
}

func TestNextTakesOnlyPlausibleTimes(t *testing.T) {
	n := webcamNode()
	n.Events = []event{
		frame(0, 0, 10, flagMonotonic, time.Hour-3*time.Second), // the driver's
		frame(0, 1, 10, flagMonotonic, time.Hour-4*time.Second), // never back
		frame(0, 2, 10, flagMonotonic, time.Minute),             // long ago: now
		frame(0, 3, 10, flagMonotonic, 2*time.Hour),             // not yet: now
		frame(0, 4, 10, 0, time.Hour-time.Second),               // of another clock: now
		frame(0, 5, 10, flagMonotonic, 0),                       // none: now
		frame(0, 6, 10, flagMonotonic, time.Hour+time.Second),   // a little ahead: the driver's
	}
	c := mustBegin(t, n, Want{})
	for i, want := range []time.Duration{time.Hour - 3*time.Second, time.Hour - 3*time.Second, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour + time.Second} {
		var f capture.Frame
		if err := c.Next(t.Context(), &f); err != nil || f.Mono != want {
			t.Errorf("frame %d is of %v, want %v (%v)", i, f.Mono, want, err)
		}
	}
}

func TestNextTellsWhenTheDeviceIsGone(t *testing.T) {
	for name, n := range map[string]*fake{
		"fetching": {Events: []event{{err: unix.ENODEV}}},
		"waiting":  {WaitErr: unix.ENODEV},
	} {
		n.Offers = webcamNode().Offers
		var f capture.Frame
		err := mustBegin(t, n, Want{}).Next(t.Context(), &f)
		var se *capture.SourceError
		if !errors.Is(err, capture.ErrGone) || !errors.As(err, &se) || se.Source != "/dev/video0" || se.Try == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	n := webcamNode()
	n.FreeErr = unix.ENODEV
	n.Events = []event{frame(0, 0, 10, 0, 0)}
	c := mustBegin(t, n, Want{})
	var f capture.Frame
	if err := c.Next(t.Context(), &f); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := c.Next(ctx, &f); !errors.Is(err, capture.ErrGone) {
		t.Errorf("giving back: %v", err)
	}
}

// A driver that announces frames and has none must not keep the processor busy,
// and is given up in the end.
func TestNextIsNoBusyLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := webcamNode()
		n.Events = []event{{err: unix.EAGAIN}}
		c := mustBegin(t, n, Want{})
		began := time.Now()
		var f capture.Frame
		err := c.Next(t.Context(), &f)
		if err == nil || !strings.Contains(err.Error(), "/dev/video0: fetching a frame: the driver announces frames and has none") {
			t.Error(err)
		}
		if took := time.Since(began); took < time.Second || took > 10*time.Second {
			t.Errorf("given up after %v", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		n := webcamNode()
		n.Events = []event{{err: unix.EIO}}
		c := mustBegin(t, n, Want{})
		var f capture.Frame
		for i := 0; ; i++ {
			err := c.Next(t.Context(), &f)
			var bad *capture.BadFrame
			if !errors.As(err, &bad) {
				if !errors.Is(err, unix.EIO) || i != maxFaults {
					t.Errorf("after %d bad frames: %v", i, err)
				}
				return
			}
		}
	})
}

// Now and then a driver has nothing after all: that is no reason to give it up.
func TestNextForgivesFaultsBetweenFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := webcamNode()
		for i := range uint32(2 * maxFaults) {
			n.Events = append(n.Events, event{err: unix.EAGAIN}, frame(0, i, 10, 0, 0))
		}
		c := mustBegin(t, n, Want{})
		for range 2 * maxFaults {
			var f capture.Frame
			if err := c.Next(t.Context(), &f); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestNextRefusesABufferThatIsNone(t *testing.T) {
	n := webcamNode()
	n.Events = []event{frame(buffers, 0, 10, 0, 0)}
	var f capture.Frame
	if err := mustBegin(t, n, Want{}).Next(t.Context(), &f); err == nil || !strings.Contains(err.Error(), "buffer 4 of 4") {
		t.Error(err)
	}
}

func TestNextCanBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustBegin(t, webcamNode(), Want{})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		var f capture.Frame
		if err := c.Next(ctx, &f); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("went on for %v", took-10*time.Second)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	n := webcamNode()
	n.Events = []event{{}}
	c := mustBegin(b, n, Want{})
	events := make([]event, 1)
	var f capture.Frame
	b.ReportAllocs()
	for i := uint32(0); b.Loop(); i++ {
		events[0] = frame(i%buffers, i, 10, flagMonotonic, time.Hour)
		n.Events, n.released = events, n.released[:0]
		if err := c.Next(b.Context(), &f); err != nil {
			b.Fatal(err)
		}
	}
}
