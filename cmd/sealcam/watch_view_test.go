package main

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/clip/cliptest"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Live view has one line a second, whatever comes.
func TestWatchView(t *testing.T) {
	s := newShutter(t)
	cmd, err := s.opener.Watch(s.camera)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := seal.OpenCommand(s.camera, s.opener.Roster(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := newWatcher(&out, watchFlags{})
	w.camera = seal.RosterCamera{ID: s.camera, Name: "Garden"}
	w.tally.from = lunch
	later := func(n int) time.Time { return lunch.Add(time.Duration(n) * time.Second) }
	var got []string
	got = append(got, w.viewLine(later(1)), w.viewLine(later(2)))
	var seq uint64
	show := func(media string, taken time.Time, data []byte) {
		t.Helper()
		seq++
		sealed, err := s.sealer.Seal(seal.Meta{
			Stream: seal.View, Seq: seq, Kind: seal.KindView, Media: media, Clock: seal.ClockRTC, Taken: taken.Add(-400 * time.Millisecond),
			Nonce: asked.Nonce, Width: 1280, Height: 720,
		}, data)
		if err != nil {
			t.Fatal(err)
		}
		v, err := s.opener.Open(s.camera, sealed.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.outcome(viewer.Outcome{What: viewer.Verified, Camera: s.camera, Kind: feed.View, Verified: v}); err != nil {
			t.Fatal(err)
		}
	}
	for range 12 {
		show("image/jpeg", later(3), make([]byte, 20_000))
	}
	got = append(got, w.viewLine(later(3)))
	bad := viewer.Outcome{What: viewer.Refused, Camera: s.camera, Kind: feed.View, Refusal: &seal.Refusal{Reason: seal.WrongCamera}}
	for range 2 {
		if err := w.outcome(bad); err != nil {
			t.Fatal(err)
		}
	}
	got = append(got, w.viewLine(later(4)))
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 16, 16)), nil); err != nil {
		t.Fatal(err)
	}
	film := cliptest.Cut(t, cliptest.JPEGs(slices.Repeat([][]byte{picture.Bytes()}, 20), 16, 16, 50*time.Millisecond), 0, lunch)[0].Data
	show("video/mp4", later(5), film)
	got = append(got, w.viewLine(later(5)))
	show("video/mp4", later(6), film)
	show("video/mp4", later(6), []byte("none"))
	got = append(got, w.viewLine(later(6)))
	rate := func(bytes int) string { return fmt.Sprintf("%5.0f kB/s", float64(bytes)/1000) }
	want := []string{
		"12:00:01  waiting    Garden            live view  nothing comes",
		"",
		"12:00:03  verified   Garden            live view  12.0 frames/s    240 kB/s  1280x720   0.4 s ago  proven to be now",
		"12:00:04  refused    Garden            live view  2 wrong camera",
		"12:00:05  verified   Garden            live view  20.0 frames/s  " + rate(len(film)) + "  1280x720   0.4 s ago  proven to be now  in 1 part",
		"12:00:06  verified   Garden            live view  20.0 frames/s  " + rate(len(film)+4) + "  1280x720   0.4 s ago  proven to be now  in 2 parts, 1 of which hold no film",
	}
	if text := strings.Join(got, "\n"); text != strings.Join(want, "\n") {
		t.Errorf("live view is told as\n%s\nwant\n%s", text, strings.Join(want, "\n"))
	}
	if out.Len() > 0 || w.shown != 15 {
		t.Errorf("%d shown, and besides:\n%s", w.shown, out.String())
	}
}

func TestCameraOf(t *testing.T) {
	r := &seal.Roster{Cameras: []seal.RosterCamera{{ID: "aabb", Name: "Garden"}, {ID: "aacc", Name: "Front door"}}}
	for name, want := range map[string]seal.CameraID{"": "", "Garden": "aabb", "aacc": "aacc", "aab": "aabb"} {
		if got, err := cameraOf(r, name); err != nil || got.ID != want {
			t.Errorf("%q is %q, %v, want %q", name, got.ID, err, want)
		}
	}
	for _, name := range []string{"aa", "garden", "x"} {
		if got, err := cameraOf(r, name); err == nil || !strings.Contains(err.Error(), `"Front door"`) {
			t.Errorf("%q is %q, %v, want to be told the names", name, got.ID, err)
		}
	}
}
