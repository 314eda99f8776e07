package agent

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/stream"
	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/seal"
)

// paced is a camera that gives a frame each time something has passed.
type paced struct {
	capture.Camera
	every time.Duration
}

func (c paced) Next(ctx context.Context, f *capture.Frame) error {
	select {
	case <-time.After(c.every):
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.Camera.Next(ctx, f)
}

// newFilmSight is a camera that gives H.264 only.
func newFilmSight(t *testing.T, film string, change func(*Settings)) *sight {
	t.Helper()
	return newSightOf(t, change, func(ctx context.Context) (capture.Camera, error) {
		cam, err := stream.Open(ctx, film, stream.Options{Rate: 10})
		return paced{cam, 20 * time.Millisecond}, err
	})
}

// quiet waits until frames come and none is sealed for live view any more.
func (s *sight) quiet(what string) {
	s.t.Helper()
	settled := func() uint64 { return s.agent.Stats().Uplink.Views }
	for n, deadline := settled(), time.Now().Add(time.Minute); ; n = settled() {
		for frames := s.agent.Stats().Capture.Frames; s.agent.Stats().Capture.Frames < frames+30 && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
		if n == settled() {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("a minute after %s live view is still sealed", what)
		}
	}
}

// Who watches a camera that gives H.264 only sees it in parts, each of which plays,
// with or without clips. When the viewer has gone it stops.
func TestLiveViewOfVideo(t *testing.T) {
	film := h264(t, "walk?size=640x360&rate=10&pixel=grey", 300)
	for name, clips := range map[string]bool{"with clips": true, "live view alone": false} {
		t.Run(name, func(t *testing.T) {
			s := newFilmSight(t, film, func(set *Settings) { set.Clips.Enabled = clips })
			s.until("status", func(o viewer.Outcome) bool { return o.What == viewer.Verified })
			s.quiet("no watch")
			if n := s.agent.Stats().Uplink.Views; n != 0 {
				t.Errorf("%d parts were sealed before anybody watched", n)
			}
			stop := s.watch()
			var last *clip.Layout
			whole := 0
			s.until("five whole parts", func(o viewer.Outcome) bool {
				if !isView(o) {
					return false
				}
				m := o.Verified.Meta()
				if !o.Verified.Fresh() || m.Kind != seal.KindView || m.Media != clip.Media || m.Cause != "watch" || m.Part != 0 || m.Width != 640 || len(m.Labels) > 0 {
					t.Errorf("a part came as %+v, fresh %v", m, o.Verified.Fresh())
				}
				_, media := o.Verified.Media()
				in, err := clip.Look(media)
				if err != nil {
					t.Fatal(err)
				}
				if last != nil && in.Start < last.End() && in.Start > 0 {
					t.Errorf("a part begins at %d, in the one before, which ends at %d", in.Start, last.End())
				}
				if last = in; len(in.Frames) == 10 {
					whole++
				}
				play(t, bytes.NewReader(media))
				return whole == 5
			})
			stop()
			s.later.Add(int64(seal.WatchLife))
			s.quiet("the last watch")
		})
	}
}

// A closed camera shows nothing of what it has seen, and one with masks, which
// cannot be applied to compressed video, nothing at all.
func TestLiveViewOfVideoIsKept(t *testing.T) {
	film := h264(t, "walk?size=640x360&rate=10&pixel=grey", 100)
	t.Run("closed", func(t *testing.T) {
		s := newFilmSight(t, film, func(*Settings) {})
		s.until("status", func(o viewer.Outcome) bool { return o.What == viewer.Verified })
		defer s.watch()()
		s.until("part", isView)
		s.agent.gate.set(true)
		n := s.agent.Stats().Uplink.Views
		if !s.agent.gate.idle(t.Context()) {
			t.Fatal("the camera does not close")
		}
		if st := s.agent.Stats(); st.Ring.Frames != 0 {
			t.Errorf("a closed camera remembers %d frames", st.Ring.Frames)
		}
		if again := s.agent.Stats().Uplink.Views; again != n {
			t.Errorf("%d parts of a closed camera", again-n)
		}
	})
	t.Run("masks", func(t *testing.T) {
		s := newFilmSight(t, film, func(set *Settings) { set.Privacy.Masks = []MaskSettings{{Rect: []int{0, 0, 500, 500}}} })
		s.until("status", func(o viewer.Outcome) bool { return o.What == viewer.Verified })
		defer s.watch()()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			if _, wanted := s.agent.up.ViewWanted(); wanted {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("nobody watches")
			}
		}
		s.quiet("a watch")
		if st := s.agent.Stats(); st.Uplink.Views != 0 || st.Unmasked == 0 {
			t.Errorf("%d parts in spite of masks; held back %d frames", st.Uplink.Views, st.Unmasked)
		}
	})
}
