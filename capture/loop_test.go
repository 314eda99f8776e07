package capture_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/capturetest"
	"github.com/sealcam/sealcam/capture/mjpeg"
)

var small = capture.Format{Pixel: capture.MJPEG, Width: 32, Height: 16, Rate: 10}

// opens returns an Open that gives the cameras one after the other, then
// capture.ErrNoDevice. A nil camera is ErrNoDevice too.
func opens(cams ...*capturetest.Camera) func(context.Context) (capture.Camera, error) {
	return func(context.Context) (capture.Camera, error) {
		if len(cams) == 0 || cams[0] == nil {
			if len(cams) > 0 {
				cams = cams[1:]
			}
			return nil, &capture.SourceError{Source: "/dev/video7", Err: capture.ErrNoDevice, Try: "plug it in"}
		}
		c := cams[0]
		cams = cams[1:]
		return c, nil
	}
}

// half makes back-off predictable.
func half() float64 { return 0.5 }

func logTo(b *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func ignore(*capture.Frame) error { return nil }

func TestLoopHandsOnGoodFramesTrimmed(t *testing.T) {
	a, b := capturetest.JPEG(32, 16, 1), capturetest.Bare(capturetest.JPEG(32, 16, 2))
	cam := &capturetest.Camera{Delivers: small, End: io.EOF,
		Steps: capturetest.Frames(append([]byte{0, 0, 0}, a...), append(bytes.Clone(b), make([]byte, 500)...))}
	l := capture.Loop{Open: opens(cam), Once: true}
	var got [][]byte
	err := l.Run(t.Context(), func(f *capture.Frame) error {
		got = append(got, bytes.Clone(f.Data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || !bytes.Equal(got[0], a) || !bytes.Equal(got[1], b) {
		t.Errorf("%d frames, not those that were sent", len(got))
	}
	if s := l.Stats(); s.Frames != 2 || s.Format != small || len(s.Bad) != 0 || s.LastFrame.IsZero() {
		t.Errorf("%+v", s)
	}
	if cam.Closed != 1 {
		t.Errorf("camera was closed %d times", cam.Closed)
	}
}

func TestLoopCountsBadFramesAndStepsOver(t *testing.T) {
	good := capturetest.JPEG(32, 16, 1)
	huge := bytes.Clone(good)
	copy(huge[bytes.Index(huge, []byte{0xff, 0xc0})+5:], []byte{0xff, 0xff, 0xff, 0xff})
	frame := func(d []byte) capturetest.Step { return capturetest.Step{Data: d} }
	cam := &capturetest.Camera{Delivers: small, End: io.EOF, Steps: []capturetest.Step{
		frame(make([]byte, 1<<16)), // what some drivers send first
		frame(good),
		frame(nil),
		frame(good[:len(good)-9]),
		frame(huge),
		frame(capturetest.JPEG(64, 16, 1)),
		frame(append(bytes.Clone(good), good...)),
		{Err: &capture.BadFrame{Reason: "flagged", Err: errors.New("by the driver")}},
		frame(good),
	}}
	var log bytes.Buffer
	l := capture.Loop{Open: opens(cam), Once: true, Log: logTo(&log)}
	frames := 0
	if err := l.Run(t.Context(), func(f *capture.Frame) error { frames++; return nil }); err != nil {
		t.Fatal(err)
	}
	s := l.Stats()
	want := "map[doubled:1 empty:1 flagged:1 not-jpeg:1 size:1 too-large:1 truncated:1]"
	if fmt.Sprint(s.Bad) != want || frames != 3 || s.Frames != 3 {
		t.Errorf("%d frames, bad %v, want %v", frames, s.Bad, want)
	}
	if n := strings.Count(log.String(), "bad frame"); n != 7 {
		t.Errorf("%d lines about bad frames, want one for each reason:\n%s", n, log.String())
	}
}

func TestLoopBelievesASizeThatStays(t *testing.T) {
	other := capturetest.JPEG(48, 16, 1)
	cam := &capturetest.Camera{Delivers: small, End: io.EOF, Steps: capturetest.Frames(other, other, other, other, capturetest.JPEG(32, 16, 1))}
	l := capture.Loop{Open: opens(cam), Once: true}
	if err := l.Run(t.Context(), func(f *capture.Frame) error {
		if f.Format.Width != 48 {
			t.Errorf("a frame of %v", f.Format)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s.Frames != 2 || s.Bad["size"] != 3 {
		t.Errorf("%+v", s)
	}
}

func TestLoopHoldsRawFramesAgainstTheirFormat(t *testing.T) {
	for _, c := range []struct {
		f    capture.Format
		size int
		want string
	}{
		{capture.Format{Pixel: capture.Grey, Width: 8, Height: 8}, 64, ""},
		{capture.Format{Pixel: capture.Grey, Width: 8, Height: 8}, 63, "truncated"},
		{capture.Format{Pixel: capture.Grey, Width: 8, Height: 8, Stride: 10}, 78, ""},
		{capture.Format{Pixel: capture.Grey, Width: 8, Height: 8, Stride: 10}, 77, "truncated"},
		{capture.Format{Pixel: capture.Grey, Width: 8, Height: 8, Stride: 7}, 64, "header"},
		{capture.Format{Pixel: capture.YUYV, Width: 8, Height: 8}, 128, ""},
		{capture.Format{Pixel: capture.YUYV, Width: 8, Height: 8}, 127, "truncated"},
		{capture.Format{Pixel: capture.YUYV, Width: 7, Height: 8}, 127, "truncated"},
		{capture.Format{Pixel: capture.NV12, Width: 8, Height: 8}, 96, ""},
		{capture.Format{Pixel: capture.NV12, Width: 8, Height: 8}, 95, "truncated"},
		{capture.Format{Pixel: capture.NV12, Width: 8, Height: 7}, 87, "truncated"},
		{capture.Format{Pixel: capture.Grey, Width: 65535, Height: 65535}, 1000, "header"},
		{capture.Format{Pixel: capture.Grey, Width: 1, Height: 7680 * 4320, Stride: 1 << 30}, 1000, "header"},
		{capture.Format{Pixel: capture.Grey}, 1000, "header"},
		{capture.Format{Pixel: capture.H264}, 1000, ""},
		{capture.Format{Pixel: capture.H264}, 0, "empty"},
	} {
		cam := &capturetest.Camera{Delivers: c.f, End: io.EOF, Steps: capturetest.Frames(make([]byte, c.size))}
		l := capture.Loop{Open: opens(cam), Once: true}
		if err := l.Run(t.Context(), ignore); err != nil {
			t.Fatal(err)
		}
		s := l.Stats()
		if c.want == "" && s.Frames != 1 || c.want != "" && s.Bad[c.want] != 1 {
			t.Errorf("%d bytes of %+v: want %q, got %+v", c.size, c.f, c.want, s)
		}
	}
}

func TestLoopCountsGapsButNotAcrossReopening(t *testing.T) {
	g := capturetest.JPEG(32, 16, 1)
	at := func(seq uint64) capturetest.Step { return capturetest.Step{Data: g, Seq: seq} }
	first := &capturetest.Camera{Delivers: small, End: capture.ErrGone, Steps: []capturetest.Step{at(4), at(5), at(8),
		{Err: &capture.BadFrame{Reason: "flagged"}}, {Err: &capture.BadFrame{Reason: "flagged"}}, at(11)}}
	second := &capturetest.Camera{Delivers: small, Steps: []capturetest.Step{at(100), at(102)}}
	synctest.Test(t, func(t *testing.T) {
		l := capture.Loop{Open: opens(first, second)}
		n := 0
		stop := errors.New("enough")
		err := l.Run(t.Context(), func(*capture.Frame) error {
			if n++; n == 6 {
				return stop
			}
			return nil
		})
		if err != stop {
			t.Fatal(err)
		}
		if s := l.Stats(); s.Dropped != 3 || s.Reopened != 1 {
			t.Errorf("%+v", s)
		}
		if first.Closed != 1 || second.Closed != 1 {
			t.Errorf("closed %d and %d times", first.Closed, second.Closed)
		}
	})
}

func TestLoopComesBackInANewFormat(t *testing.T) {
	grey := capture.Format{Pixel: capture.Grey, Width: 8, Height: 4, Rate: 5}
	first := &capturetest.Camera{Delivers: small, End: fmt.Errorf("read: %w", capture.ErrGone), Steps: capturetest.Frames(capturetest.JPEG(32, 16, 1))}
	second := &capturetest.Camera{Delivers: grey, Steps: capturetest.Frames(capturetest.Grey(8, 4, 9))}
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := capture.Loop{Open: opens(first, nil, nil, nil, second), Log: logTo(&log), Backoff: capture.Backoff{Rand: half}}
		ctx, cancel := context.WithCancel(t.Context())
		var formats []capture.Format
		began := time.Now()
		err := l.Run(ctx, func(f *capture.Frame) error {
			formats = append(formats, f.Format)
			if len(formats) == 2 {
				cancel()
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) || len(formats) != 2 || formats[0] != small || formats[1] != grey {
			t.Fatalf("%v, %v", err, formats)
		}
		// 0.75 of 0.5 s, 1 s, 2 s and 4 s.
		if took := time.Since(began); took != 5625*time.Millisecond {
			t.Errorf("came back after %v", took)
		}
		s := l.Stats()
		if s.Reopened != 1 || !strings.Contains(s.LastError, "no such camera") || s.Format != grey {
			t.Errorf("%+v", s)
		}
		for text, want := range map[string]int{
			"camera runs": 2, "read: camera is gone": 1, "/dev/video7: no such camera": 1, "plug it in": 1, "level=WARN": 2,
		} {
			if n := strings.Count(log.String(), text); n != want {
				t.Errorf("%q is said %d times, want %d:\n%s", text, n, want, log.String())
			}
		}
	})
}

// Lost is called once for each time that frames had come, and not for attempts
// that gave none.
func TestLoopTellsOfALostCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		frame := capturetest.Frames(capturetest.JPEG(32, 16, 1))
		first := &capturetest.Camera{Delivers: small, Steps: frame, End: capture.ErrGone}
		again := &capturetest.Camera{Delivers: small, Steps: frame, End: capture.ErrGone}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		var story []string
		l := capture.Loop{
			Open: opens(first, nil, nil, again), Backoff: capture.Backoff{Rand: half},
			Lost: func() { story = append(story, "lost") },
		}
		_ = l.Run(ctx, func(*capture.Frame) error { story = append(story, "frame"); return nil }) // ends with ctx
		if got := strings.Join(story, " "); got != "frame lost frame lost" {
			t.Errorf("%s, want frame lost frame lost", got)
		}
	})
}

func TestLoopIsPatientAndQuietWithoutACamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		tries := 0
		l := capture.Loop{Log: logTo(&log), Open: func(context.Context) (capture.Camera, error) {
			tries++
			return nil, capture.ErrBusy
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := l.Run(ctx, ignore); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if tries < 120 || tries > 250 { // every 15 to 30 s, after a quicker start
			t.Errorf("tried %d times in an hour", tries)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("%d lines in an hour:\n%s", n, log.String())
		}
	})
}

func TestLoopReopensAStuckCamera(t *testing.T) {
	good := capturetest.JPEG(32, 16, 1)
	bad := capturetest.Step{Wait: time.Second, Data: good[:50]}
	for name, stuck := range map[string]*capturetest.Camera{
		"silent":        {Delivers: small, Steps: capturetest.Frames(good)},
		"only bad ones": {Delivers: small, Steps: []capturetest.Step{bad}, Repeat: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			l := capture.Loop{Open: opens(stuck, &capturetest.Camera{Delivers: small, Steps: capturetest.Frames(good, good)}), Log: logTo(&log)}
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			if err := l.Run(ctx, ignore); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			s := l.Stats()
			if stuck.Closed != 1 || !s.Connected || s.Frames < 2 || !strings.Contains(s.LastError, "camera delivers no frames") {
				t.Errorf("%s: closed %d times, %+v", name, stuck.Closed, s)
			}
			if !strings.Contains(log.String(), "check the cable") {
				t.Errorf("%s: no hint in\n%s", name, log.String())
			}
			if name == "only bad ones" && !strings.Contains(s.LastError, "(truncated)") {
				t.Errorf("%s: %q does not say what the frames were", name, s.LastError)
			}
		})
	}
}

func TestLoopDoesNotBlameTheCameraForSlowWork(t *testing.T) {
	good := capturetest.JPEG(32, 16, 1)
	synctest.Test(t, func(t *testing.T) {
		cam := &capturetest.Camera{Delivers: small, Steps: capturetest.Frames(good, good, good), End: io.EOF}
		l := capture.Loop{Open: opens(cam), Once: true}
		if err := l.Run(t.Context(), func(*capture.Frame) error { time.Sleep(time.Minute); return nil }); err != nil {
			t.Fatal(err)
		}
		if s := l.Stats(); s.Frames != 3 {
			t.Errorf("%+v", s)
		}
	})
}

func TestLoopOnceEndsWithWhatWentWrong(t *testing.T) {
	l := capture.Loop{Open: opens(), Once: true}
	if err := l.Run(t.Context(), ignore); !errors.Is(err, capture.ErrNoDevice) {
		t.Error(err)
	}
	cam := &capturetest.Camera{Delivers: small, End: capture.ErrGone}
	l = capture.Loop{Open: opens(cam), Once: true}
	if err := l.Run(t.Context(), ignore); !errors.Is(err, capture.ErrGone) {
		t.Error(err)
	}
}

func TestSourceErrorReadsAsASentence(t *testing.T) {
	err := fmt.Errorf("open: %w", &capture.SourceError{Source: "/dev/video0", Err: capture.ErrNoFormat, Offers: "H264 1920x1080", Try: "ask for H264"})
	if err.Error() != "open: /dev/video0: no usable format; it offers H264 1920x1080" || !errors.Is(err, capture.ErrNoFormat) {
		t.Error(err)
	}
}

func TestLimitsAgree(t *testing.T) {
	if capture.MaxPixels != mjpeg.MaxPixels {
		t.Errorf("%d pixels here, %d in mjpeg", capture.MaxPixels, mjpeg.MaxPixels)
	}
}

// forFrames is a camera that gives one JPEG n times.
type forFrames struct {
	n    int
	data []byte
	seq  uint64
}

func (c *forFrames) Format() capture.Format { return small }
func (c *forFrames) Close() error           { return nil }

func (c *forFrames) Next(_ context.Context, f *capture.Frame) error {
	if c.seq == uint64(c.n) {
		return io.EOF
	}
	f.Format, f.Data, f.Seq = small, c.data, c.seq
	c.seq++
	return nil
}

func runFrames(tb testing.TB, n int) {
	data := capturetest.Bare(capturetest.JPEG(32, 16, 1))
	l := capture.Loop{Once: true, Open: func(context.Context) (capture.Camera, error) { return &forFrames{n: n, data: data}, nil }}
	if err := l.Run(tb.Context(), ignore); err != nil {
		tb.Fatal(err)
	}
}

func TestLoopAllocatesNothingPerFrame(t *testing.T) {
	few := testing.AllocsPerRun(3, func() { runFrames(t, 10) })
	many := testing.AllocsPerRun(3, func() { runFrames(t, 2010) })
	if many-few > 20 {
		t.Errorf("%v allocations for 2000 frames", many-few)
	}
}

func BenchmarkLoopFrame(b *testing.B) {
	b.ReportAllocs()
	runFrames(b, b.N)
}
