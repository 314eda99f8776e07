package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/stream"
	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/piece"
	"github.com/sealcam/sealcam/uplink/seal"
)

// archive is a viewer that fetches.
type archive struct {
	t      *testing.T
	h      *home
	air    *air
	opener *seal.Opener
	joiner piece.Joiner
	seen   int
	reel   *clip.Reel
	answer uplink.Answer
}

func newArchive(t *testing.T, h *home, sky *air) *archive {
	t.Helper()
	opener, err := seal.NewOpener(seal.OpenerConfig{Household: h.viewer.Household(), Roster: h.viewer.Roster(), Key: h.viewer.Key(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return &archive{t: t, h: h, air: sky, opener: opener}
}

// fetch gets what was recorded in the last minutes, and returns when the camera
// says that it is all.
func (v *archive) fetch() {
	v.t.Helper()
	v.reel, v.answer = clip.NewReel(v.h.camera.ID(), new(clip.Memory)), uplink.Answer{}
	cmd, nonce, err := v.opener.Fetch(v.h.camera.ID(), time.Now().Add(-5*time.Minute), time.Now())
	if err != nil {
		v.t.Fatal(err)
	}
	v.air.commands <- mqtt.Message{Topic: "sealcam/v1/" + string(v.h.camera.ID()) + "/cmd", Payload: cmd, QoS: 1}
	for deadline := time.Now().Add(time.Minute); v.answer.State != "done"; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			v.t.Fatalf("%+v", v.answer)
		}
		v.air.mu.Lock()
		news := slices.Clone(v.air.sent[v.seen:])
		v.seen += len(news)
		v.air.mu.Unlock()
		for _, m := range news {
			v.take(m, nonce)
		}
	}
}

func (v *archive) take(m mqtt.Message, nonce []byte) {
	v.t.Helper()
	topic, sealed := m.Topic[strings.LastIndexByte(m.Topic, '/')+1:], m.Payload
	if _, err := piece.Parse(sealed); err == nil {
		if _, sealed, err = v.joiner.Add(topic, sealed); err != nil {
			v.t.Fatal(err)
		}
	}
	switch {
	case sealed == nil:
	case topic == "recording":
		part, err := v.opener.Recall(v.h.camera.ID(), sealed)
		if err == nil {
			err = v.reel.Add(part)
		}
		if err != nil {
			v.t.Fatal(err)
		}
	case topic == "media":
		got, err := v.opener.Check(v.h.camera.ID(), sealed)
		if err != nil {
			v.t.Fatal(err)
		}
		if _, text := got.Media(); got.Meta().Kind == seal.KindAnswer && bytes.Equal(got.Meta().Nonce, nonce) {
			if err := json.Unmarshal(text, &v.answer); err != nil {
				v.t.Fatal(err)
			}
		}
	}
}

// tiring is a camera that gives some frames as fast as it can, and then ten a
// second.
type tiring struct {
	capture.Camera
	fast int
}

func (c *tiring) Next(ctx context.Context, f *capture.Frame) error {
	if c.fast--; c.fast < 0 {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return c.Camera.Next(ctx, f)
}

// Whatever the camera gives is recorded beside the clips of events, verifies part
// by part, and plays; while the camera is closed nothing is.
func TestRecording(t *testing.T) {
	for _, pixel := range []string{"mjpeg", "grey", "h264"} {
		t.Run(pixel, func(t *testing.T) {
			h, sky := newHome(t), newAir()
			s := Defaults()
			s.Live.Every.Duration = 0
			s.Camera.Once = true
			s.Recording.Enabled = true
			frames := 150
			open := once("walk?size=320x180&rate=10&pixel="+pixel, 1<<30)
			if pixel == "h264" {
				film := h264(t, "walk?size=320x180&rate=10&pixel=grey", 1000)
				open = func(ctx context.Context) (capture.Camera, error) {
					return stream.Open(ctx, film, stream.Options{Rate: 10})
				}
			}
			a := h.agent(t, s, func(ctx context.Context) (capture.Camera, error) {
				cam, err := open(ctx)
				return &tiring{cam, frames}, err
			}, nil, sky)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- a.Run(ctx) }()
			defer func() {
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}()
			want := uint64(frames/10 - 1) // the last second is not over
			if pixel == "grey" {
				want = 1 // as far as the compressor comes
			}
			for deadline := time.Now().Add(2 * time.Minute); a.up.Recording().Kept < want; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%+v", a.up.Recording())
				}
			}
			v := newArchive(t, h, sky)
			v.fetch()
			films := v.reel.Takes()
			if len(films) != 1 || len(v.reel.Breaks()) != 0 || uint64(v.reel.Parts()) < want || v.answer.Parts != v.reel.Parts() {
				t.Fatalf("%d films of %d parts, %v, %+v", len(films), v.reel.Parts(), v.reel.Breaks(), v.answer)
			}
			play(t, films[0])
			if length := films[0].Length(); pixel != "grey" && length < 13900*time.Millisecond {
				t.Errorf("%v of 15 s", length)
			}
			if st := a.Stats(); st.Ring.Missed != 0 || st.Ring.Lost != 0 || pixel != "grey" && st.Clips == 0 && st.Parts == 0 {
				t.Errorf("%+v, %d clips of %d parts", st.Ring, st.Clips, st.Parts)
			}
			if st := a.up.Recording(); st.Failed != 0 || st.Limited != 0 || st.Bytes == 0 || st.Oldest.IsZero() || st.Trouble != "" {
				t.Errorf("%+v", st)
			}
			now := time.Now()
			order, err := seal.SignCommand(h.house.Owner(), seal.Command{
				Camera: h.camera.ID(), Counter: uint64(now.UnixMilli()), Verb: seal.VerbPrivacyOn, Issued: now, Expires: now.Add(time.Minute),
			})
			if err != nil {
				t.Fatal(err)
			}
			sky.commands <- mqtt.Message{Topic: "sealcam/v1/" + string(h.camera.ID()) + "/cmd", Payload: order, QoS: 1}
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
				if v.fetch(); slices.ContainsFunc(v.answer.Missing, func(m uplink.AnswerRange) bool { return m.Why == "private" }) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%+v", v.answer)
				}
			}
			kept := a.up.Recording().Kept
			if uint64(v.reel.Parts()) != kept {
				t.Errorf("%d parts of %d, %+v", v.reel.Parts(), kept, v.answer)
			}
		})
	}
}

// A card that is not there, or takes nothing: the camera goes on, and says why.
func TestRecordingWithoutCard(t *testing.T) {
	for name, s := range map[string]func(dir string) string{
		"is not there":  func(dir string) string { return filepath.Join(dir, "no card") },
		"takes nothing": func(string) string { return "/proc/sys" },
	} {
		h := newHome(t)
		set := Defaults()
		set.Live.Every.Duration = 0
		set.Camera.Once = true
		set.Recording.Enabled, set.Recording.Directory = true, s(h.dir)
		a := h.agent(t, set, once("walk?size=640x360&rate=10&pixel=mjpeg", 150), nil, nil)
		if err := a.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		st := a.statusNow(0)
		if got := a.Stats(); got.Events == 0 || got.Sealed == 0 || got.Clips == 0 || a.up.Recording().Failed == 0 {
			t.Errorf("%s: %+v", name, got)
		}
		if st.State != "trouble" || !slices.ContainsFunc(st.Troubles, func(s string) bool { return strings.Contains(s, "recording has holes: disk") }) {
			t.Errorf("%s: %q, %q", name, st.State, st.Troubles)
		}
		if _, err := os.Stat(filepath.Join(h.dir, "no card")); !errors.Is(err, os.ErrNotExist) {
			t.Error("the card's mount point was made")
		}
	}
}
