package agent

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/seal"
)

// gated is a camera that waits before each of some frames until it may go on.
type gated struct {
	limited
	gates map[int]<-chan struct{} // by how many frames are left
}

func (g *gated) Next(ctx context.Context, f *capture.Frame) error {
	if gate := g.gates[g.left]; gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return g.limited.Next(ctx, f)
}

// A lens that is covered becomes an event with a picture and a trouble in status,
// which ends when the lens is free again.
func TestCoveredLensIsTold(t *testing.T) {
	const frames, seen, free = 320, 215, 280 // of the scene: covered from 122 to 251
	h, sky, covered, end := newHome(t), newAir(), make(chan struct{}), make(chan struct{})
	s := Defaults()
	s.Camera.Once = true
	s.Motion.Enabled = false
	s.Live.Every.Duration = 0
	a := h.agent(t, s, func(context.Context) (capture.Camera, error) {
		cam, err := scene.Open("covered?size=320x180&rate=5&pixel=grey&noise=0&seed=2", scene.Options{})
		return &gated{limited{cam, frames}, map[int]<-chan struct{}{frames - seen: covered, frames - free: end}}, err
	}, nil, sky)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(t.Context()) }()

	view := &screen{t: t, air: sky, camera: h.camera.ID(), opener: h.opener(t)}
	view.until("a picture of a covered lens", func(v *seal.Verified) bool {
		m := v.Meta()
		_, media := v.Media()
		return m.Stream == seal.Durable && m.Kind == seal.KindSnapshot && m.Cause == "covered" && m.Event == firstSight+1 && len(media) > 500
	})
	told := func(state string, troubles ...string) func(v *seal.Verified) bool {
		return func(v *seal.Verified) bool {
			var said uplink.Status
			_, media := v.Media()
			return v.Meta().Kind == seal.KindStatus && json.Unmarshal(media, &said) == nil && said.State == state && slices.Equal(said.Troubles, troubles)
		}
	}
	view.until("a status that says so", told("trouble", "the lens is covered"))
	view.shown = nil
	close(covered)
	view.until("a status without it", told("running"))
	close(end)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if st := a.Stats(); st.Events != 1 || st.Sealed != 1 || st.Sight.String() != "none" {
		t.Errorf("%d events, %d pictures, sight %v", st.Events, st.Sealed, st.Sight)
	}
}

// Nobody has to have it.
func TestTamperOff(t *testing.T) {
	s := Defaults()
	s.Camera.Once, s.Motion.Enabled, s.Tamper.Enabled = true, false, false
	s.Live.Every.Duration = 0
	a := newAgent(t, s, once("covered?size=320x180&rate=4&pixel=grey&seed=2", 240))
	if err := a.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := a.Stats(); st.Events != 0 || st.Sealed != 0 {
		t.Errorf("%d events, %d pictures", st.Events, st.Sealed)
	}
}
