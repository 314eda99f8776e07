package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

// home is a household with one viewer and one claimed camera.
type home struct {
	dir    string
	house  *identity.Household
	viewer *identity.Viewer
	camera *identity.Camera
}

func newHome(tb testing.TB) *home {
	tb.Helper()
	dir := tb.TempDir()
	h, err := identity.CreateHousehold(filepath.Join(dir, "home"), "mqtts://127.0.0.1:1", time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	camera, err := identity.OpenCamera(filepath.Join(dir, "state", IdentityDir))
	if err != nil {
		tb.Fatal(err)
	}
	if err := h.AddCamera(camera.ID(), "door"); err != nil {
		tb.Fatal(err)
	}
	viewer, err := h.AddViewer("desk")
	if err != nil {
		tb.Fatal(err)
	}
	if err := h.Adopt(camera); err != nil {
		tb.Fatal(err)
	}
	return &home{dir, h, viewer, camera}
}

// agent makes the agent of the camera. With a nil conn its broker is not there,
// and what it sends waits in its spool.
func (h *home) agent(tb testing.TB, s Settings, open func(context.Context) (capture.Camera, error), light Lighting, conn uplink.Conn) *Agent {
	tb.Helper()
	return h.agentOf(tb, Config{Settings: s, Open: open, Light: light}, conn)
}

// agentOf makes the agent of the camera of what is set in c.
func (h *home) agentOf(tb testing.TB, c Config, conn uplink.Conn) *Agent {
	tb.Helper()
	s := c.Settings
	if c.Now == nil {
		c.Now = time.Now
	}
	s.State = filepath.Join(h.dir, "state")
	log := slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	record, err := s.recording()
	if err != nil {
		tb.Fatal(err)
	}
	up, err := uplink.Open(uplink.Config{
		Recording: record,
		Dir:       filepath.Join(s.State, SpoolDir), Camera: h.camera, Broker: h.camera.Broker(), Budget: s.Uplink.Budget.Bytes,
		Firmware: "test", Now: c.Now, Mono: Monotonic, Log: log,
		Dial: func(context.Context, mqtt.Config) (uplink.Conn, error) {
			if conn == nil {
				return nil, errors.New("no broker in this test")
			}
			return conn, nil
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { up.Close() })
	c.Settings, c.Uplink, c.Mono, c.Log = s, up, Monotonic, log
	a, err := New(c)
	if err != nil {
		tb.Fatal(err)
	}
	if conn == nil {
		a.patience = 0
	}
	return a
}

func newAgent(tb testing.TB, s Settings, open func(context.Context) (capture.Camera, error)) *Agent {
	tb.Helper()
	return newHome(tb).agent(tb, s, open, nil, nil)
}

// once returns a scene that ends after some frames, as fast as possible.
func once(spec string, frames int) func(context.Context) (capture.Camera, error) {
	return func(context.Context) (capture.Camera, error) {
		cam, err := scene.Open(spec, scene.Options{})
		return &limited{Camera: cam, left: frames}, err
	}
}

type limited struct {
	capture.Camera
	left int
}

func (l *limited) Next(ctx context.Context, f *capture.Frame) error {
	if l.left == 0 {
		return io.EOF
	}
	l.left--
	return l.Camera.Next(ctx, f)
}

// Somebody walks by twice: two events, two pictures of them, and the run ends
// with the film.
func TestEventsBecomePictures(t *testing.T) {
	s := Defaults()
	s.Live.Every.Duration = 0
	s.Camera.Once = true
	truth, err := scene.Open("walk?size=640x360&rate=10&pixel=grey", scene.Options{})
	if err != nil {
		t.Fatal(err)
	}
	visits, frames := 0, 0
	for visits < 2 || truth.(*scene.Scene).Truth(time.Duration(frames)*100*time.Millisecond).Moving {
		visits = max(visits, truth.(*scene.Scene).Truth(time.Duration(frames)*100*time.Millisecond).Visit)
		frames++
	}
	frames += 80 // long enough for the second event to end
	a := newAgent(t, s, once("walk?size=640x360&rate=10&pixel=grey", frames))
	if err := a.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := a.Stats()
	if st.Events != uint64(visits) || st.Sealed != uint64(visits) || st.Failed != 0 || st.Skipped != 0 {
		t.Errorf("%d visits: %d events, %d pictures sealed, %d failed, %d skipped", visits, st.Events, st.Sealed, st.Failed, st.Skipped)
	}
	if st.Capture.Frames != uint64(frames) {
		t.Errorf("%d frames seen, want %d", st.Capture.Frames, frames)
	}
	if st.Uplink.Waiting < visits {
		t.Errorf("%d messages wait, want the %d pictures and the status", st.Uplink.Waiting, visits)
	}
}

// The film ends while somebody is in view: what was seen is not lost with it.
func TestEndDuringAnEvent(t *testing.T) {
	s := Defaults()
	s.Live.Every.Duration = 0
	s.Camera.Once = true
	frames := 1
	for {
		a := newAgent(t, s, once("walk?size=640x360&rate=10&pixel=grey", frames))
		if err := a.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := a.Stats(); st.Events == 1 { // it began with the last frame or a few before
			if st.Sealed != 1 {
				t.Errorf("%d pictures sealed of an event that was open at the end, want 1", st.Sealed)
			}
			return
		}
		if frames += 4; frames > 200 {
			t.Fatal("nobody walked by in 20 s")
		}
	}
}

// A camera that is told to stop while somebody is in view looks at no further frame,
// seals what it has filmed, the clip to a last part, and waits for no network: how long
// that takes is bounded by what it holds.
func TestStopDuringAnEvent(t *testing.T) {
	s := Defaults()
	s.Live.Every.Duration = 0
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var a *Agent
	late := 0 // frames asked for after the stop
	a = newAgent(t, s, func(context.Context) (capture.Camera, error) {
		cam, err := scene.Open("walk?size=640x360&rate=10&pixel=mjpeg", scene.Options{})
		return &followed{cam, func(n int) {
			switch {
			case ctx.Err() != nil:
				late++
			case n > 1000:
				t.Error("nobody walked by in 100 s")
				stop()
			case a.Stats().Events > 0:
				stop()
			}
		}}, err
	})
	a.patience = 24 * time.Hour // is for sources that end
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
	st := a.Stats()
	if late > 1 {
		t.Errorf("%d frames were asked for after the stop", late)
	}
	if st.Events != 1 || st.Sealed != 1 || st.Clips != 1 || st.Parts == 0 || st.Failed != 0 {
		t.Errorf("stopped in event %d with %d pictures and %d clips of %d parts sealed, %d failed; want one picture and one whole clip", st.Events, st.Sealed, st.Clips, st.Parts, st.Failed)
	}
	if waiting := uint64(st.Uplink.Waiting); waiting < st.Sealed+st.Parts {
		t.Errorf("%d messages wait for the next run, want %d and the status", waiting, st.Sealed+st.Parts)
	}
}

// followed says before each frame which it is.
type followed struct {
	capture.Camera
	each func(n int)
}

func (c *followed) Next(ctx context.Context, f *capture.Frame) error {
	c.each(int(f.Seq))
	return c.Camera.Next(ctx, f)
}

// What is kept outlives the camera's buffer.
func TestHeldOwnsItsBytes(t *testing.T) {
	f := capture.Frame{Data: []byte("best"), Seq: 7, Light: capture.LightNight}
	var h held
	h.keep(&f, time.Unix(1, 0), 2)
	copy(f.Data, "next")
	if string(h.frame.Data) != "best" || h.frame.Seq != 7 || h.frame.Light != capture.LightNight || h.mono != 2 {
		t.Errorf("kept %+v, data %q", h, h.frame.Data)
	}
}

// A camera that is looked at while sealing has stopped loses pictures, counted,
// and never waits.
func TestSealingBehind(t *testing.T) {
	a := newAgent(t, Defaults(), once("empty?size=320x180&pixel=grey", 1))
	var f capture.Frame
	cam, err := scene.Open("empty?size=320x180&pixel=grey", scene.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := cam.Next(t.Context(), &f); err != nil {
		t.Fatal(err)
	}
	for range circulating + 3 {
		a.hand(want{live: true}, &f) // nobody reads a.jobs
	}
	if got := a.Stats().Skipped; got != 3 {
		t.Errorf("%d pictures skipped, want 3", got)
	}
}

// steady returns a function that looks at one more frame of a quiet garden.
func steady(tb testing.TB, spec string) func() {
	s := Defaults()
	s.Live.Every.Duration = 0
	s.Motion.Rate = 60 // every frame is looked at
	a := newAgent(tb, s, nil)
	var err error
	if a.light, err = daynight.NewPart(daynight.PartConfig{}); err != nil {
		tb.Fatal(err)
	}
	a.eye.meter = newMeter(&a.cpu)
	cam, err := scene.Open(spec, scene.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	var kept capture.Frame
	if err := cam.Next(tb.Context(), &kept); err != nil {
		tb.Fatal(err)
	}
	look := func() {
		f := kept
		f.Mono, f.Seq = kept.Mono, kept.Seq
		kept.Mono += 34 * time.Millisecond
		kept.Seq++
		if err := a.frame(&f); err != nil {
			tb.Fatal(err)
		}
	}
	for range 100 { // buffers grow and the background is learned
		look()
	}
	return look
}

func TestSteadyFrameAllocatesNothing(t *testing.T) {
	for _, pixel := range []string{"mjpeg", "yuyv", "nv12", "grey"} {
		look := steady(t, "empty?size=1920x1080&pixel="+pixel)
		if n := testing.AllocsPerRun(50, look); n != 0 {
			t.Errorf("%s: %v allocations for a frame that causes no picture", pixel, n)
		}
	}
}

func BenchmarkSteadyFrame(b *testing.B) {
	for _, pixel := range []string{"mjpeg", "yuyv", "nv12", "grey"} {
		b.Run("1080p-"+pixel, func(b *testing.B) {
			look := steady(b, "empty?size=1920x1080&pixel="+pixel)
			b.ReportAllocs()
			for b.Loop() {
				look()
			}
		})
	}
}
