package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// still is a camera before which nothing ever moves.
type still struct {
	frame capture.Frame
	every time.Duration
	mono  time.Duration
	seq   uint64
}

func newStill(tb testing.TB, spec string, every time.Duration) *still {
	tb.Helper()
	cam, err := scene.Open(spec, scene.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	s := &still{every: every}
	if err := cam.Next(tb.Context(), &s.frame); err != nil {
		tb.Fatal(err)
	}
	return s
}

func (s *still) Format() capture.Format { return s.frame.Format }
func (s *still) Close() error           { return nil }

func (s *still) Next(ctx context.Context, f *capture.Frame) error {
	select {
	case <-time.After(s.every):
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mono += s.every
	s.seq++
	*f = s.frame
	f.Mono, f.Seq = s.mono, s.seq
	return nil
}

// thin is a link of so many bytes a second towards a broker; 0 for any number.
func thin(t *testing.T, to string, rate *atomic.Int64) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				return
			}
			go func() { io.Copy(near, far); near.Close() }()
			go func() {
				defer far.Close()
				b := make([]byte, 1<<10)
				for {
					n, err := near.Read(b)
					if r := rate.Load(); r > 0 {
						time.Sleep(time.Duration(n) * time.Second / time.Duration(r))
					}
					if _, werr := far.Write(b[:n]); err != nil || werr != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// sight is a camera that runs, its link, and one viewer before its screen.
type sight struct {
	t      *testing.T
	house  *identity.Household
	broker *broker.Broker
	camera *identity.Camera
	agent  *Agent
	link   atomic.Int64 // bytes a second; 0 for any number
	later  atomic.Int64 // how far the camera's monotonic clock is ahead
	seen   chan viewer.Outcome
	viewer *viewer.Viewer
}

func newSight(t *testing.T, spec string, every time.Duration) *sight {
	t.Helper()
	return newSightOf(t, func(*Settings) {}, func(context.Context) (capture.Camera, error) { return newStill(t, spec, every), nil })
}

// newSightOf is newSight with a camera of its own, and settings.
func newSightOf(t *testing.T, change func(*Settings), open func(context.Context) (capture.Camera, error)) *sight {
	t.Helper()
	s := &sight{t: t, seen: make(chan viewer.Outcome, 10000)}
	dir := t.TempDir()
	try := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	s.house, err = identity.CreateHousehold(filepath.Join(dir, "home"), "mqtts://127.0.0.1:1", time.Now)
	try(err)
	conf, err := s.house.ServerTLS("127.0.0.1")
	try(err)
	s.broker, err = broker.New(broker.Config{Addr: "127.0.0.1:0", TLS: conf})
	try(err)
	try(s.house.SetBroker("mqtts://" + thin(t, strings.TrimPrefix(s.broker.URL(), "mqtts://"), &s.link)))
	s.camera, err = identity.OpenCamera(filepath.Join(dir, "state", IdentityDir))
	try(err)
	try(s.house.AddCamera(s.camera.ID(), "door"))
	desk, err := s.house.AddViewer("desk")
	try(err)
	try(s.house.Adopt(s.camera))

	set := Defaults()
	set.State, set.Live.Every.Duration, set.Clips.Enabled = filepath.Join(dir, "state"), 0, false
	change(&set)
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	up, err := uplink.Open(uplink.Config{
		Dir: filepath.Join(set.State, SpoolDir), Camera: s.camera, Broker: s.camera.Broker(), Budget: 1 << 26, Firmware: "test",
		Now: time.Now, Mono: s.mono, Clock: func() string { return seal.ClockNone }, Log: log,
	})
	try(err)
	t.Cleanup(func() { up.Close() })
	s.agent, err = New(Config{
		Settings: set, Uplink: up, Now: time.Now, Mono: s.mono, Log: log,
		Open: open,
	})
	try(err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var ends sync.WaitGroup
	t.Cleanup(func() { stop(); ends.Wait() })
	ends.Go(func() { s.broker.Run(ctx) })
	ends.Go(func() { s.agent.Run(ctx) })
	s.viewer = s.look(ctx, &ends, desk, s.seen)
	return s
}

// mono is the camera's monotonic clock.
func (s *sight) mono() time.Duration { return Monotonic() + time.Duration(s.later.Load()) }

// look has a viewer look at what comes.
func (s *sight) look(ctx context.Context, ends *sync.WaitGroup, who *identity.Viewer, seen chan viewer.Outcome) *viewer.Viewer {
	s.t.Helper()
	up, err := feed.NewBroker(feed.BrokerConfig{MQTT: mqtt.Config{URL: s.broker.URL(), TLS: who.TLS()}, View: true})
	if err != nil {
		s.t.Fatal(err)
	}
	v, err := viewer.New(viewer.Config{Identity: who, Feed: up, Now: time.Now})
	if err != nil {
		s.t.Fatal(err)
	}
	ends.Go(func() {
		v.Run(ctx, func(o viewer.Outcome) error { seen <- o; return nil })
	})
	return v
}

// until waits for an Outcome that want accepts.
func (s *sight) until(what string, want func(viewer.Outcome) bool) viewer.Outcome {
	s.t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		select {
		case o := <-s.seen:
			if o.What == viewer.Refused {
				s.t.Errorf("refused: %v", o.Refusal)
			}
			if want(o) {
				return o
			}
		case <-limit:
			s.t.Fatalf("after two minutes: no %s; agent %+v", what, s.agent.Stats().Uplink)
		}
	}
}

func isView(o viewer.Outcome) bool {
	return o.What == viewer.Verified && o.Verified.Meta().Stream == seal.View
}

// watch watches until the returned function is called.
func (s *sight) watch() (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go func() { s.viewer.Watch(ctx, s.camera.ID()); close(done) }()
	return func() { cancel(); <-done }
}

// Who watches sees the camera's own frames, whole, each proven to be of now though
// the camera has no clock. When the viewer has gone, the camera stops by itself.
func TestLiveView(t *testing.T) {
	s := newSight(t, "empty?size=1280x720", 20*time.Millisecond)
	s.until("status", func(o viewer.Outcome) bool { return o.What == viewer.Verified })
	if n := s.agent.Stats().Uplink.Views; n != 0 {
		t.Errorf("%d frames were sealed before anybody watched", n)
	}
	stop := s.watch()
	first := s.until("frame", isView).Verified.Meta()
	if first.Width >= 1280 {
		t.Errorf("the first frame is %d pixels wide: it has to be small on a link that is not known", first.Width)
	}
	whole := 0
	s.until("ten whole frames", func(o viewer.Outcome) bool {
		if isView(o) {
			m := o.Verified.Meta()
			if !o.Verified.Fresh() || m.Kind != seal.KindView || m.Cause != "watch" {
				t.Errorf("a frame came as %+v, fresh %v", m, o.Verified.Fresh())
			}
			if m.Width == 1280 {
				whole++
			}
		}
		return whole == 10
	})
	stop()
	s.later.Add(int64(seal.WatchLife))
	// The camera goes on, and nothing is sealed any more.
	settled := func() uint64 { return s.agent.Stats().Uplink.Views }
	for n, deadline := settled(), time.Now().Add(time.Minute); ; n = settled() {
		frames := s.agent.Stats().Capture.Frames
		for s.agent.Stats().Capture.Frames < frames+20 && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
		}
		if n == settled() {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a minute after the last watch has run out frames are still sealed")
		}
	}
	if _, wanted := s.agent.up.ViewWanted(); wanted {
		t.Error("frames are wanted, and nobody watches")
	}
}

// On a link of 256 kbit/s live view becomes small and slow, and what must arrive
// waits for one frame at most.
func TestLiveViewOnAThinLink(t *testing.T) {
	s := newSight(t, "empty?size=1920x1080", 30*time.Millisecond)
	s.link.Store(256_000 / 8)
	s.until("status", func(o viewer.Outcome) bool { return o.What == viewer.Verified })
	defer s.watch()()
	for round := range 3 {
		for range 3 {
			s.until("frame", isView)
		}
		err := s.agent.up.Send(encode.Picture{
			Kind: encode.Snapshot, Media: "image/jpeg", Data: make([]byte, 20_000), Width: 8, Height: 8, Cause: encode.CauseMotion, Event: uint64(round + 1),
		})
		if err != nil {
			t.Fatal(err)
		}
		for len(s.seen) > 0 { // what had come before
			<-s.seen
		}
		before := 0
		s.until("snapshot of the event", func(o viewer.Outcome) bool {
			if isView(o) {
				before++
			}
			return o.What == viewer.Verified && o.Verified.Meta().Kind == seal.KindSnapshot
		})
		// One is on its way; another may have come between sealing and looking.
		if before > 2 {
			t.Errorf("%d frames came before the snapshot of an event", before)
		}
	}
	if m := s.until("frame", isView).Verified.Meta(); m.Width > 480 {
		t.Errorf("frames of %d pixels on 256 kbit/s", m.Width)
	}
	s.link.Store(0) // and it grows with the link
	s.until("whole frame", func(o viewer.Outcome) bool { return isView(o) && o.Verified.Meta().Width == 1920 })
}

// Live view of a camera that is closed ends at once, and so does that of a viewer
// who is removed.
func TestLiveViewEnds(t *testing.T) {
	s := newSight(t, "empty?size=640x360", 20*time.Millisecond)
	s.until("status", func(o viewer.Outcome) bool { return o.What == viewer.Verified })
	defer s.watch()()
	s.until("frame", isView)
	s.agent.gate.set(true)
	if err := s.agent.up.View(encode.Picture{Kind: encode.Snapshot, Media: "image/jpeg", Data: []byte("x")}); !errors.Is(err, uplink.ErrPrivate) {
		t.Errorf("a frame of a closed camera: %v", err)
	}
	if _, wanted := s.agent.up.ViewWanted(); wanted {
		t.Error("a closed camera wants frames")
	}
}
