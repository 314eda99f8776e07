package agent

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/capturetest"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/uplink/seal"
)

// opener opens what the camera of a home seals, for its viewer.
func (h *home) opener(tb testing.TB) *seal.Opener {
	tb.Helper()
	o, err := seal.NewOpener(seal.OpenerConfig{Household: h.viewer.Household(), Roster: h.viewer.Roster(), Key: h.viewer.Key(), Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// What is published of a camera with a mask is flat grey there, whatever the
// camera delivers, and says that it is masked. Somebody who walks behind the mask
// is no event.
func TestPublishedPicturesAreMasked(t *testing.T) {
	for _, pixel := range []string{"grey", "mjpeg"} {
		h, sky := newHome(t), newAir()
		s := Defaults()
		s.Camera.Once = true
		s.Live.Every.Duration = time.Second
		s.Privacy.Masks = []MaskSettings{{Rect: []int{0, 250, 1000, 750}}}
		end := make(chan struct{})
		a := h.agent(t, s, func(context.Context) (capture.Camera, error) {
			cam, err := scene.Open("walk?size=640x360&rate=10&pixel="+pixel, scene.Options{})
			return &patient{limited{cam, 300}, end}, err
		}, nil, sky)
		ended := make(chan error, 1)
		go func() { ended <- a.Run(t.Context()) }()
		view := &screen{t: t, air: sky, camera: h.camera.ID(), opener: h.opener(t)}
		view.until("a masked picture", func(v *seal.Verified) bool {
			_, media := v.Media()
			return v.Meta().Stream == seal.Live && bytes.Equal(v.Meta().Masks, a.masks) && len(a.masks) == 32 && flatBelow(t, media, 96)
		})
		close(end)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if st := a.Stats(); st.Events != 0 || st.Unmasked != 0 || st.Sealed == 0 {
			t.Errorf("%s: %d events behind the mask, %d pictures not masked, %d sealed", pixel, st.Events, st.Unmasked, st.Sealed)
		}
	}
}

// flatBelow says whether a JPEG is grey and nothing else from a row on, and
// something above it.
func flatBelow(t *testing.T, data []byte, from int) bool {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	level := func(x, y int) uint8 {
		if g, ok := m.(*image.Gray); ok {
			return g.GrayAt(x, y).Y
		}
		return m.(*image.YCbCr).YCbCrAt(x, y).Y
	}
	seen := map[uint8]bool{}
	for y := range m.Bounds().Dy() {
		for x := range m.Bounds().Dx() {
			v := level(x, y)
			if y >= from && v != 128 {
				return false
			}
			if y < from-16 {
				seen[v] = true
			}
		}
	}
	return len(seen) > 10
}

// A frame that cannot be masked, here because its colours come in scans of their
// own, is not sent, and status says so.
func TestUnmaskableFramesStay(t *testing.T) {
	frame, err := os.ReadFile(filepath.Join("..", "..", "..", "capture", "mjpeg", "testdata", "three-scans.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	s := Defaults()
	s.Camera.Once = true
	s.Motion.Enabled = false
	s.Privacy.Masks = []MaskSettings{{Polygon: [][]int{{0, 0}, {100, 0}, {0, 100}}}}
	a := newAgent(t, s, func(context.Context) (capture.Camera, error) {
		return &capturetest.Camera{
			Delivers: capture.Format{Pixel: capture.MJPEG, Width: 40, Height: 24, Rate: 10},
			Steps:    append(capturetest.Frames(frame, frame), capturetest.Ended()),
		}, nil
	})
	if err := a.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := a.Stats()
	if st.Sealed != 0 || st.Unmasked == 0 || st.Failed != st.Unmasked {
		t.Errorf("%d sealed, %d not masked, %d failed", st.Sealed, st.Unmasked, st.Failed)
	}
	if said := a.statusNow(a.mono()); said.State != "trouble" || len(said.Troubles) == 0 {
		t.Errorf("status says %+v", said)
	}
}

func TestMaskSettingsRefused(t *testing.T) {
	for name, m := range map[string]MaskSettings{
		"nothing":       {},
		"both":          {Rect: []int{0, 0, 1, 1}, Polygon: [][]int{{0, 0}, {1, 0}, {1, 1}}},
		"three numbers": {Rect: []int{0, 0, 1}},
		"odd corner":    {Polygon: [][]int{{0, 0}, {1, 0}, {1}}},
		"outside":       {Rect: []int{900, 0, 200, 10}},
	} {
		s := Defaults()
		s.Privacy.Masks = []MaskSettings{m}
		var bad *settingError
		if err := s.Validate(); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
