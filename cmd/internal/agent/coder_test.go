package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/capture/stream"
	"github.com/sealcam/sealcam/capture/v4l2"
	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/encode"
)

// fakeEncoder is a fake, for what no driver that runs everywhere can show: it gives
// Units in their order, one for each frame, whatever the frames show. The interface
// to true devices is tried in the lab, by the kernel's virtual codec.
type fakeEncoder struct {
	Units [][]byte
	Fail  func(n int) error      // before the n-th frame; nil never fails
	See   func(f *capture.Frame) // of each frame; may be nil

	opened, frames, flushed, closed int
}

func (e *fakeEncoder) open(w v4l2.EncoderWant) (VideoEncoder, error) {
	e.opened++
	return e, nil
}

func (e *fakeEncoder) String() string { return "fake" }
func (e *fakeEncoder) Flush() error   { e.flushed++; return nil }
func (e *fakeEncoder) Close() error   { e.closed++; return nil }

func (e *fakeEncoder) Encode(ctx context.Context, f *capture.Frame, each func(*capture.Frame) error) error {
	if e.See != nil {
		e.See(f)
	}
	n := e.frames
	e.frames++
	if e.Fail != nil {
		if err := e.Fail(n); err != nil {
			return err
		}
	}
	out := *f
	out.Format = capture.Format{Pixel: capture.H264, Width: f.Format.Width, Height: f.Format.Height}
	out.Data, out.Seq = e.Units[n%len(e.Units)], uint64(n)
	return each(&out)
}

// units returns the access units of a film, as a camera's own encoder makes them.
func units(t *testing.T, spec string, frames int) (all [][]byte) {
	t.Helper()
	cam, err := stream.Open(t.Context(), h264(t, spec, frames), stream.Options{Rate: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer cam.Close()
	for {
		var f capture.Frame
		err := cam.Next(t.Context(), &f)
		if err == io.EOF && len(all) > 10 {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, append([]byte(nil), f.Data...))
	}
}

// A raw camera on a machine with an encoder: its events have a snapshot and then a
// clip of H.264 that plays. What masks hide, the encoder has never seen, and viewers
// are told of the masks.
func TestRawClipsByAnEncoder(t *testing.T) {
	film := units(t, "walk?size=320x180&rate=10&pixel=grey", 60)
	for _, pixel := range []string{"yuyv", "nv12"} {
		h, sky := newHome(t), newAir()
		opener := h.opener(t)
		s := Defaults()
		s.Live.Every.Duration = 0
		s.Camera.Once = true
		s.Clips.After.Duration = 2 * time.Second
		s.Privacy.Masks = []MaskSettings{{Rect: []int{0, 0, 250, 1000}}}
		seen, leaks := 0, 0
		enc := &fakeEncoder{Units: film, See: func(f *capture.Frame) {
			seen++
			step := f.Format.Stride / f.Format.Width
			for y := range f.Format.Height {
				for x := range 80 {
					if f.Data[y*f.Format.Stride+x*step] != 128 {
						leaks++
					}
				}
			}
		}}
		a := h.agentOf(t, Config{Settings: s, Open: once("walk?size=320x180&rate=10&pixel="+pixel, 200), Encoder: enc.open}, sky)
		if err := a.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if seen == 0 || leaks > 0 || enc.opened != 1 || enc.closed != 1 {
			t.Errorf("%s: %d frames in an encoder that was opened %d times and closed %d times, %d samples behind masks", pixel, seen, enc.opened, enc.closed, leaks)
		}
		view := &screen{t: t, air: sky, camera: h.camera.ID(), opener: opener}
		view.look()
		films, snapshots := map[clip.Key]*clip.Film{}, 0
		for _, v := range view.shown {
			k, ok := clip.KeyOf(v)
			if !ok {
				snapshots++
				continue
			}
			if _, media := v.Media(); !strings.Contains(string(media), "avc1") {
				t.Errorf("%s: a part is not of H.264", pixel)
			}
			if string(v.Meta().Masks) != string(a.masks) {
				t.Errorf("%s: a part says nothing of masks", pixel)
			}
			if films[k] == nil {
				films[k] = clip.New(k)
			}
			if err := films[k].Add(v); err != nil {
				t.Error(err)
			}
		}
		if len(films) == 0 || snapshots == 0 {
			t.Fatalf("%s: %d clips, %d snapshots", pixel, len(films), snapshots)
		}
		for k, f := range films {
			if !f.Whole() {
				t.Errorf("%s: clip of event %d is not whole", pixel, k.Event)
			}
			play(t, f)
		}
	}
}

// shelf is a coder whose results are counted by layout.
type shelf struct {
	*coder
	now   time.Duration
	got   map[capture.Pixel]int
	lines strings.Builder
	frame *capture.Frame
}

func newShelf(t *testing.T, format string, open func(v4l2.EncoderWant) (VideoEncoder, error), masks capture.Masks) *shelf {
	t.Helper()
	cam, err := scene.Open("walk?size=64x48&rate=10&pixel=yuyv", scene.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{got: map[capture.Pixel]int{}, frame: new(capture.Frame)}
	if err := cam.Next(t.Context(), s.frame); err != nil {
		t.Fatal(err)
	}
	c := Config{Settings: Defaults(), Encoder: open, Mono: func() time.Duration { return s.now }, Log: slog.New(slog.NewTextHandler(&s.lines, nil))}
	c.Settings.Clips.Format = format
	s.coder = newCoder(c, masks, func(f *capture.Frame) error { s.got[f.Format.Pixel]++; return nil })
	return s
}

// take gives n frames, a tenth of a second apart.
func (s *shelf) take(t *testing.T, n int) {
	t.Helper()
	for range n {
		s.now += 100 * time.Millisecond
		s.frame.Mono = s.now
		if _, err := s.compress(t.Context(), s.frame); err != nil {
			t.Fatal(err)
		}
	}
}

// Without an encoder clips are of motion JPEG, which is told once with its reason;
// whether there is one by now is asked now and then, and when the frames change.
func TestNoEncoder(t *testing.T) {
	asked := 0
	s := newShelf(t, "h264", func(v4l2.EncoderWant) (VideoEncoder, error) {
		asked++
		return nil, fmt.Errorf("%w here", v4l2.ErrNoEncoder)
	}, nil)
	s.take(t, 50)
	if asked != 1 || s.got[capture.MJPEG] != 50 {
		t.Errorf("asked %d times, stored %v", asked, s.got)
	}
	if said := s.lines.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "level=WARN") || !strings.Contains(said, "motion JPEG") || !strings.Contains(said, "no video encoder here") {
		t.Errorf("said %s", said)
	}
	s.now += encoderRest
	s.take(t, 1)
	s.frame.Format.Height--
	s.take(t, 2)
	if asked != 3 || s.got[capture.MJPEG] != 53 {
		t.Errorf("asked %d times, stored %v", asked, s.got)
	}
}

// Who does not want one gets none.
func TestMotionJPEGIsWanted(t *testing.T) {
	s := newShelf(t, "mjpeg", func(v4l2.EncoderWant) (VideoEncoder, error) {
		t.Error("an encoder was looked for")
		return nil, v4l2.ErrNoEncoder
	}, nil)
	s.take(t, 3)
	if s.got[capture.MJPEG] != 3 || !strings.Contains(s.lines.String(), "clips.format") {
		t.Errorf("stored %v, said %s", s.got, s.lines.String())
	}
}

// An encoder that fails is opened again, three times in a row; then clips are of
// motion JPEG until it has rested. A failure once a minute is no reason to rest.
func TestEncoderFails(t *testing.T) {
	broken := true
	enc := &fakeEncoder{Units: units(t, "walk?size=320x180&rate=10&pixel=grey", 20)}
	enc.Fail = func(int) error {
		if broken {
			return fmt.Errorf("/dev/video11: %w", v4l2.ErrEncoderStuck)
		}
		return nil
	}
	s := newShelf(t, "auto", enc.open, nil)
	s.take(t, 10)
	if enc.opened != encoderStrikes || enc.closed != encoderStrikes || s.got[capture.MJPEG] != 10-encoderStrikes {
		t.Errorf("opened %d times, closed %d times, stored %v", enc.opened, enc.closed, s.got)
	}
	if words := s.trouble.Load(); s.failures.Load() != encoderStrikes || words == nil || !strings.Contains(*words, "encoder fails") || !strings.Contains(*words, v4l2.ErrEncoderStuck.Error()) {
		t.Errorf("%d failures are counted, and the trouble is %v", s.failures.Load(), words)
	}
	broken = false
	s.now += encoderRest
	if s.take(t, 10); s.trouble.Load() == nil {
		t.Error("an encoder that has failed is trusted after a second")
	}
	if s.take(t, int(encoderTrust/(100*time.Millisecond))); s.trouble.Load() != nil {
		t.Errorf("an encoder that works again is still a trouble: %s", *s.trouble.Load())
	}
	for range 2 * encoderStrikes {
		s.take(t, int(encoderTrust/(100*time.Millisecond))+10)
		broken = true
		s.take(t, 1)
		broken = false
	}
	s.take(t, 1)
	if enc.opened != 3*encoderStrikes+1 || s.failures.Load() != 3*encoderStrikes || s.got[capture.MJPEG] != 10-encoderStrikes {
		t.Errorf("opened %d times, stored %v", enc.opened, s.got)
	}
	// Frames stay away for a while: what is inside is of before.
	before := enc.flushed
	s.now += 2 * encoderGap
	s.take(t, 2)
	if enc.flushed != before+1 {
		t.Errorf("flushed %d times", enc.flushed-before)
	}
	// The camera is closed for privacy.
	s.shut()
	if enc.closed != enc.opened {
		t.Errorf("opened %d times, closed %d times", enc.opened, enc.closed)
	}
}

// What no clip can be made of is the encoder's failure, too: a stream without
// parameter sets, pictures in another order, and something that is no stream.
func TestEncoderMakesWhatCannotBeUsed(t *testing.T) {
	for name, units := range map[string][][]byte{
		"no parameter sets": {{0, 0, 1, 0x65, 0x88, 0x80}},
		"refused":           {{0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x65, 0x88}},
	} {
		enc := &fakeEncoder{Units: units}
		s := newShelf(t, "auto", enc.open, nil)
		if name == "refused" {
			store := s.store
			s.store = func(f *capture.Frame) error {
				if f.Format.Pixel == capture.H264 {
					return &capture.BadFrame{Reason: "reordered"}
				}
				return store(f)
			}
		}
		s.take(t, 500)
		if enc.opened != encoderStrikes || s.got[capture.MJPEG] == 0 {
			t.Errorf("%s: opened %d times, stored %v", name, enc.opened, s.got)
		}
	}
}

// A frame that cannot be painted is not given to the encoder, nor anybody else.
func TestUnpaintableFramesStay(t *testing.T) {
	enc := &fakeEncoder{Units: [][]byte{{0, 0, 1, 0x65, 0x88}}}
	s := newShelf(t, "auto", enc.open, capture.Masks{capture.Rectangle(0, 0, 100, 100)})
	s.frame.Data = s.frame.Data[:100]
	if _, err := s.compress(t.Context(), s.frame); !errors.Is(err, encode.ErrUnmasked) || enc.frames != 0 || len(s.got) != 0 {
		t.Errorf("%v, %d frames in the encoder, stored %v", err, enc.frames, s.got)
	}
}

// The camera is closed for privacy: the encoder, which may hold frames, is closed
// with it, and another one is opened when frames come again.
func TestPrivacyClosesTheEncoder(t *testing.T) {
	enc := &fakeEncoder{Units: [][]byte{{0, 0, 1, 0x65, 0x88}}}
	a := newHome(t).agentOf(t, Config{Settings: Defaults(), Encoder: enc.open}, nil)
	ended := make(chan error, 1)
	go func() { ended <- a.compress(t.Context()) }()
	f := newShelf(t, "auto", nil, nil).frame
	for n := range 3 {
		a.keepForClips(f)
		a.clips.drop()
		if enc.opened != n+1 || enc.closed != n+1 || enc.frames != n+1 {
			t.Errorf("closed for the %d. time: %d frames in an encoder that was opened %d times and closed %d times", n+1, enc.frames, enc.opened, enc.closed)
		}
	}
	close(a.clips.raw)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
