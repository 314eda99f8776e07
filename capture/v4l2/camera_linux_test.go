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

// fake is a node that does what its fields say.
type fake struct {
	Offers   []Offer
	SetErr   map[uint32]error              // by code
	Driver   func(set pixFormat) pixFormat // what it makes of S_FMT; nil: what was asked
	Fps      float64
	RateErr  error
	StartErr error
	Events   []event // what wait and dequeue give, in order; then silence
	WaitErr  error
	FreeErr  error

	set      pixFormat
	asked    float64
	released []uint32
	closed   int
}

// event is one announced frame.
type event struct {
	err error
	buf buffer
}

func (n *fake) offers() []Offer { return n.Offers }

func (n *fake) setFormat(code uint32, w, h int) error {
	if err := n.SetErr[code]; err != nil {
		return err
	}
	n.set = pixFormat{Width: uint32(w), Height: uint32(h), PixelFormat: code, SizeImage: uint32(4 * w * h)}
	if n.Driver != nil {
		n.set = n.Driver(n.set)
	}
	return nil
}

func (n *fake) format() (pixFormat, error) { return n.set, nil }
func (n *fake) setRate(fps float64) error  { n.asked = fps; return n.RateErr }
func (n *fake) rate() float64              { return n.Fps }

func (n *fake) start() ([][]byte, error) {
	mem := make([][]byte, buffers)
	for i := range mem {
		mem[i] = make([]byte, 100)
		mem[i][0] = byte(i)
	}
	return mem, n.StartErr
}

func (n *fake) wait(d time.Duration) (bool, error) {
	if n.WaitErr != nil || len(n.Events) > 0 {
		return true, n.WaitErr
	}
	time.Sleep(d)
	return false, nil
}

func (n *fake) dequeue(b *buffer) error {
	e := n.Events[0]
	if len(n.Events) > 1 || e.err == nil { // an error at the end stays
		n.Events = n.Events[1:]
	}
	*b = e.buf
	return e.err
}

func (n *fake) release(i uint32) error { n.released = append(n.released, i); return n.FreeErr }
func (n *fake) close() error           { n.closed++; return nil }

const (
	codeMJPG = 0x47504a4d
	codeYUYV = 0x56595559
	codeNV12 = 0x3231564e
	codeH264 = 0x34363248
)

func webcamNode() *fake {
	return &fake{Fps: 29.97003, Offers: []Offer{
		offer("MJPG", codeMJPG, one(640, 480), one(1920, 1080)), offer("YUYV", codeYUYV, one(640, 480)),
	}}
}

// noon is the fake's time: an hour after the machine's start.
func noon() time.Duration { return time.Hour }

func frame(index, sequence, used uint32, flags uint32, at time.Duration) event {
	return event{buf: buffer{Index: index, Sequence: sequence, BytesUsed: used, Flags: flags, Timestamp: unix.NsecToTimeval(int64(at))}}
}

func mustBegin(t testing.TB, n *fake, w Want) *camera {
	t.Helper()
	c, err := begin("/dev/video0", n, w, noon)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFormatIsWhatTheDriverSet(t *testing.T) {
	n := webcamNode()
	n.Driver = func(f pixFormat) pixFormat { f.Width, f.Height = 640, 480; return f }
	if got := mustBegin(t, n, Want{Width: 641, Height: 479, Rate: 30}).Format(); got != (capture.Format{Pixel: capture.MJPEG, Width: 640, Height: 480, Rate: 29.97}) {
		t.Errorf("%+v", got)
	}
	if n.asked != 30 {
		t.Errorf("asked for %v frames per second", n.asked)
	}
	n = webcamNode()
	n.Driver = func(f pixFormat) pixFormat { f.BytesPerLine = 1344; return f }
	if got := mustBegin(t, n, Want{Pixel: capture.YUYV}).Format(); got.Stride != 1344 {
		t.Errorf("stride of %+v is not the driver's", got)
	}
	n = webcamNode()
	n.RateErr, n.Fps = unix.ENOTTY, 0
	if got := mustBegin(t, n, Want{Pixel: capture.YUYV, Rate: 15}).Format(); got.Stride != 1280 || got.Rate != 0 {
		t.Errorf("%+v", got)
	}
}

func TestNextBestFormatWhenTheDriverDisagrees(t *testing.T) {
	for name, n := range map[string]*fake{
		"refuses":            {SetErr: map[uint32]error{codeMJPG: unix.EINVAL}},
		"has no frame size":  {Driver: func(f pixFormat) pixFormat { f.SizeImage = sizeIf(f, codeMJPG, 0); return f }},
		"says 0x0":           {Driver: func(f pixFormat) pixFormat { f.Width = widthIf(f, codeMJPG, 0); return f }},
		"says 65535x65535":   {Driver: func(f pixFormat) pixFormat { f.Width = widthIf(f, codeMJPG, 1<<31); return f }},
		"sets what we lack":  {Driver: func(f pixFormat) pixFormat { return codeIf(f, codeMJPG, 0x31384142) }},
		"sets another we do": {Driver: func(f pixFormat) pixFormat { return codeIf(f, codeMJPG, codeYUYV) }},
	} {
		n.Offers = webcamNode().Offers
		c, err := begin("/dev/video0", n, Want{}, noon)
		if err != nil || c.format.Pixel != capture.YUYV {
			t.Errorf("driver %s: %v %v", name, c, err)
		}
	}
}

func TestALayoutThatWasAskedForIsNotReplaced(t *testing.T) {
	n := webcamNode()
	n.Driver = func(f pixFormat) pixFormat { return codeIf(f, codeYUYV, codeMJPG) }
	if c, err := begin("/dev/video0", n, Want{Pixel: capture.YUYV}, noon); !errors.Is(err, capture.ErrNoFormat) {
		t.Errorf("%v %v", c, err)
	}
}

func sizeIf(f pixFormat, code, size uint32) uint32 {
	if f.PixelFormat == code {
		return size
	}
	return f.SizeImage
}

func widthIf(f pixFormat, code, width uint32) uint32 {
	if f.PixelFormat == code {
		return width
	}
	return f.Width
}

func codeIf(f pixFormat, code, other uint32) pixFormat {
	if f.PixelFormat == code {
		f.PixelFormat = other
	}
	return f
}

func TestRawFormatMustFitItsBuffer(t *testing.T) {
	for _, c := range []struct {
		stride, size uint32
		ok           bool
	}{{0, 640 * 480 * 2, true}, {2048, 2048 * 480, true}, {2048, 2048*480 - 1, false}, {1 << 31, 1 << 20, false}} {
		f, ok := readBack(pixFormat{Width: 640, Height: 480, PixelFormat: codeYUYV, BytesPerLine: c.stride, SizeImage: c.size})
		if ok != c.ok {
			t.Errorf("%+v: %+v %v", c, f, ok)
		}
	}
}

func TestOpenErrorsSayWhatToTry(t *testing.T) {
	h264 := []Offer{offer("H264", codeH264, one(1920, 1080))}
	for _, c := range []struct {
		name       string
		n          *fake
		want       Want
		err        error
		text, hint string
	}{
		{"busy", &fake{Offers: webcamNode().Offers, SetErr: map[uint32]error{codeMJPG: unix.EBUSY}}, Want{}, capture.ErrBusy, "/dev/video0: camera is in use", "stop the other program"},
		{"busy at the start", &fake{Offers: webcamNode().Offers, StartErr: withErrno(errors.New("Failed to start streaming: device or resource busy"))}, Want{}, capture.ErrBusy, "in use", "stop"},
		{"no bandwidth", &fake{Offers: webcamNode().Offers, StartErr: unix.ENOSPC}, Want{}, nil, "no bandwidth left", "smaller size"},
		{"unplugged meanwhile", &fake{Offers: webcamNode().Offers, StartErr: unix.ENODEV}, Want{}, capture.ErrNoDevice, "no such camera", "sealcam devices"},
		{"no usable format", &fake{Offers: h264}, Want{}, capture.ErrNoFormat, "/dev/video0: no usable format; it offers H264 up to 1920x1080", "ffmpeg -f v4l2 -i /dev/video0"},
		{"no such format", &fake{Offers: h264}, Want{Pixel: capture.Grey}, capture.ErrNoFormat, "grey is not to be had; it offers H264", "leave the choice"},
		{"no format", &fake{}, Want{}, capture.ErrNoFormat, "no format at all", "use a camera"},
		{"not allowed", &fake{Offers: webcamNode().Offers, StartErr: unix.EACCES}, Want{}, os.ErrPermission, "/dev/video0: starting: permission denied", "usermod -aG video"},
		{"something else", &fake{Offers: webcamNode().Offers, StartErr: unix.EPROTO}, Want{}, unix.EPROTO, "/dev/video0: starting: protocol error", ""},
	} {
		_, err := begin("/dev/video0", c.n, c.want, noon)
		var se *capture.SourceError
		if !errors.As(err, &se) || c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !strings.Contains(err.Error(), c.text) || !strings.Contains(se.Hint(), c.hint) {
			t.Errorf("%s: error %q, hint %q", c.name, err, se.Hint())
		}
	}
}

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
	if c.Close() != nil || c.Close() != nil || n.closed != 1 {
		t.Errorf("closed %d times", n.closed)
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
	events := make([]event, 1, 1)
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
