package agent

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/boards/toml"
	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/model/modeltest"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/seal"
)

// withModel returns settings for one walk past a camera with a model that takes
// everything for a cat.
func withModel(t *testing.T) (s Settings, file []byte) {
	t.Helper()
	dir := t.TempDir()
	file = modeltest.Says(1, 3)
	s = Defaults()
	s.Camera.Once = true
	s.Live.Every.Duration = 0
	s.Model.File, s.Model.Labels = filepath.Join(dir, "cats.tflite"), filepath.Join(dir, "labels.txt")
	s.Model.Wait = toml.Duration{Duration: 20 * time.Second}
	if err := os.WriteFile(s.Model.File, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Model.Labels, []byte("person\ncat\nvehicle\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, file
}

// oneWalk runs the agent over a film in which somebody walks by.
func oneWalk(t *testing.T, h *home, s Settings, sky uplink.Conn) Stats {
	t.Helper()
	a := h.agent(t, s, func(context.Context) (capture.Camera, error) {
		cam, err := scene.Open("walk?size=640x360&rate=10&pixel=nv12", scene.Options{})
		return &limited{cam, 130}, err
	}, nil, sky)
	if err := a.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a.Stats()
}

// What a model says of an event arrives signed, with the model's hash and the box
// that was looked at.
func TestEventsAreNamed(t *testing.T) {
	s, file := withModel(t)
	h, sky := newHome(t), newAir()
	st := oneWalk(t, h, s, sky)
	if st.Named == 0 || st.Unnamed != 0 || st.Unwanted != 0 || st.Failed != 0 {
		t.Errorf("%d named, %d not, %d unwanted, %d failed", st.Named, st.Unnamed, st.Unwanted, st.Failed)
	}
	opener, err := seal.NewOpener(seal.OpenerConfig{Household: h.viewer.Household(), Roster: h.viewer.Roster(), Key: h.viewer.Key(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	view := &screen{t: t, air: sky, camera: h.camera.ID(), opener: opener}
	_, want := (&seal.Meta{Kind: seal.KindSnapshot, Labels: []seal.Label{seal.ModelLabel(sha256.Sum256(file))}}).Things()
	view.until("a snapshot of a cat", func(v *seal.Verified) bool {
		m := v.Meta()
		things, model := m.Things()
		return m.Event != 0 && len(things) > 0 && things[0].Name == "cat" && things[0].Score > 900 && model == want &&
			things[0].Box.W > 0 && things[0].Box.H > things[0].Box.W && things[0].Box.H < 1000 // somebody upright
	})
	view.until("a status that names the model", func(v *seal.Verified) bool {
		var said uplink.Status
		_, media := v.Media()
		return v.Meta().Kind == seal.KindStatus && json.Unmarshal(media, &said) == nil && said.Model != nil && strings.Contains(said.Model.Source, "cats.tflite")
	})
}

// Events without what a household wants to hear of are not sent; those of which
// nobody knows are.
func TestOnlyWantedEventsAreSent(t *testing.T) {
	s, _ := withModel(t)
	s.Model.Only = []string{"person"}
	if st := oneWalk(t, newHome(t), s, nil); st.Events == 0 || st.Unwanted != st.Events || st.Sealed != 0 || st.Parts != 0 || st.Failed != 0 {
		t.Errorf("of %d events %d are unwanted, %d pictures and %d parts of clips are sealed, %d failed", st.Events, st.Unwanted, st.Sealed, st.Parts, st.Failed)
	}
	s.Model.Only = []string{"person", "cat"}
	if st := oneWalk(t, newHome(t), s, nil); st.Unwanted != 0 || st.Sealed != st.Events || st.Parts == 0 {
		t.Errorf("of %d events %d are unwanted, %d pictures and %d parts of clips are sealed", st.Events, st.Unwanted, st.Sealed, st.Parts)
	}
}

// A detector that takes the question and never answers costs names, and no event.
func TestDeadDetectorLosesNoEvent(t *testing.T) {
	s := Defaults()
	s.Camera.Once, s.Live.Every.Duration = true, 0
	s.Model.Socket = filepath.Join(t.TempDir(), "detector")
	s.Model.Wait = toml.Duration{Duration: 200 * time.Millisecond}
	s.Model.Only = []string{"person"}
	l, err := net.Listen("unix", s.Model.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if st := oneWalk(t, newHome(t), s, nil); st.Events == 0 || st.Sealed != st.Events || st.Unnamed != st.Events || st.Unwanted != 0 {
		t.Errorf("of %d events %d pictures are sealed, %d without names", st.Events, st.Sealed, st.Unnamed)
	}
}

// A look does not keep the camera from closing for privacy.
func TestPrivacyEndsALook(t *testing.T) {
	s := Defaults()
	s.Model.Socket = filepath.Join(t.TempDir(), "detector")
	s.Model.Wait = toml.Duration{Duration: 30 * time.Second}
	l, err := net.Listen("unix", s.Model.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a := newHome(t).agent(t, s, nil, nil, nil)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Read(make([]byte, 1)) // the question comes, no answer goes
		asked <- struct{}{}
		<-t.Context().Done()
	}()
	began := time.Now()
	done := make(chan bool)
	go func() { done <- a.name(t.Context(), &encode.Picture{Data: []byte("picture")}, nil) }()
	<-asked
	a.gate.set(true)
	if wanted := <-done; !wanted || a.unnamed.Load() != 0 {
		t.Errorf("the event is held back, or counted as not named (%d)", a.unnamed.Load())
	}
	if took := time.Since(began); took >= s.Model.Wait.Duration {
		t.Errorf("the look went on for %v", took)
	}
}
