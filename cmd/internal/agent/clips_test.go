package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/capture/stream"
	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Somebody walks by: the event's snapshot comes first, and then a clip that
// begins before the event and plays, of motion JPEG as the camera made it and of
// raw frames as far as they were compressed.
func TestClipsOfEvents(t *testing.T) {
	for _, pixel := range []string{"mjpeg", "grey", "h264"} {
		t.Run(pixel, func(t *testing.T) {
			h, sky := newHome(t), newAir()
			opener, err := seal.NewOpener(seal.OpenerConfig{
				Household: h.viewer.Household(), Roster: h.viewer.Roster(), Key: h.viewer.Key(), Now: time.Now,
			})
			if err != nil {
				t.Fatal(err)
			}
			s := Defaults()
			s.Live.Every.Duration = 0
			s.Camera.Once = true
			s.Clips.After.Duration = 2 * time.Second
			open := once("walk?size=640x360&rate=10&pixel="+pixel, 200)
			if pixel == "h264" {
				film := h264(t, "walk?size=320x180&rate=10&pixel=grey", 300)
				open = func(ctx context.Context) (capture.Camera, error) {
					return stream.Open(ctx, film, stream.Options{Rate: 10})
				}
			}
			a := h.agent(t, s, open, nil, sky)
			if err := a.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			view := &screen{t: t, air: sky, camera: h.camera.ID(), opener: opener}
			view.look()
			snapshots, films, order := map[uint64]bool{}, map[clip.Key]*clip.Film{}, []clip.Key{}
			for _, v := range view.shown {
				m := v.Meta()
				if m.Kind == seal.KindSnapshot {
					snapshots[m.Event] = true
				}
				k, ok := clip.KeyOf(v)
				if !ok {
					continue
				}
				if !snapshots[k.Event] && pixel != "h264" {
					t.Errorf("part %d of event %d comes before its snapshot", m.Part, k.Event)
				}
				if films[k] == nil {
					films[k], order = clip.New(k), append(order, k)
				}
				if err := films[k].Add(v); err != nil {
					t.Error(err)
				}
			}
			st := a.Stats()
			if len(films) == 0 || st.Events == 0 || st.Clips != uint64(len(films)) || st.Ring.Lost != 0 {
				t.Fatalf("%d clips have come of %d events, %d were sealed, %d frames were lost", len(films), st.Events, st.Clips, st.Ring.Lost)
			}
			for _, k := range order {
				f := films[k]
				if !f.Whole() {
					t.Errorf("clip of event %d is not whole", k.Event)
				}
				if pixel != "grey" && f.Marks().PreRoll < time.Second { // the first event is early in the film
					t.Errorf("clip of event %d begins %v before it", k.Event, f.Marks().PreRoll)
				}
				play(t, f)
			}
		})
	}
}

// h264 draws a scene and has it compressed as a camera's own encoder does, with a
// key frame each second.
func h264(t *testing.T, spec string, frames int) (file string) {
	t.Helper()
	cam, err := scene.Open(spec, scene.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer cam.Close()
	file = filepath.Join(t.TempDir(), "film.h264")
	f := cam.Format()
	cmd := exec.Command("ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "gray", "-s", fmt.Sprintf("%dx%d", f.Width, f.Height), "-r", "10", "-i", "-",
		"-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "10", "-crf", "28", "-f", "h264", file)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: make test-deps installs it", err)
	}
	for range frames {
		var f capture.Frame
		if err := cam.Next(t.Context(), &f); err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write(f.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	return file
}

// play decodes a film; a decoder that complains is an error.
func play(t *testing.T, f io.WriterTo) {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatalf("%v: make test-deps installs it", err)
	}
	var mp4 bytes.Buffer
	if _, err := f.WriteTo(&mp4); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "film.mp4")
	if err := os.WriteFile(file, mp4.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(ffmpeg, "-v", "warning", "-xerror", "-i", file, "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

// The camera is lost in the middle of an event: the clip so far is kept, and says so.
func TestClipOfALostCamera(t *testing.T) {
	h, sky := newHome(t), newAir()
	opener, err := seal.NewOpener(seal.OpenerConfig{
		Household: h.viewer.Household(), Roster: h.viewer.Roster(), Key: h.viewer.Key(), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := Defaults()
	s.Live.Every.Duration = 0
	s.Camera.Once = true
	a := h.agent(t, s, once("walk?size=640x360&rate=10&pixel=mjpeg", 60), nil, sky)
	if err := a.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	view := &screen{t: t, air: sky, camera: h.camera.ID(), opener: opener}
	view.look()
	var film *clip.Film
	for _, v := range view.shown {
		if k, ok := clip.KeyOf(v); ok {
			if film == nil {
				film = clip.New(k)
			}
			if err := film.Add(v); err != nil {
				t.Error(err)
			}
		}
	}
	if film == nil || !film.Whole() || film.Marks().Ended != "camera" {
		t.Fatalf("the clip of an event that the camera was lost in: %+v", film)
	}
	play(t, film)
}

// Without clips nothing is kept and nothing sealed but snapshots.
func TestNoClips(t *testing.T) {
	s := Defaults()
	s.Live.Every.Duration = 0
	s.Camera.Once = true
	s.Clips.Enabled = false
	a := newAgent(t, s, once("walk?size=640x360&rate=10&pixel=grey", 150))
	if err := a.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := a.Stats(); st.Events == 0 || st.Parts != 0 || st.Ring.Bytes != 0 {
		t.Errorf("%d events, %d parts, %d bytes of ring", st.Events, st.Parts, st.Ring.Bytes)
	}
}
