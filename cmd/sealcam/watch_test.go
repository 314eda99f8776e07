package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/album"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/clip/cliptest"
	"github.com/sealcam/sealcam/cmd/internal/desired"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// shutter makes verified messages.
type shutter struct {
	t      *testing.T
	camera seal.CameraID
	sealer *seal.Sealer
	opener *seal.Opener
	seq    uint64
	prev   [32]byte
}

func newShutter(t *testing.T) *shutter {
	t.Helper()
	house, err := identity.CreateHousehold(filepath.Join(t.TempDir(), "house"), "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	who, err := house.AddViewer("desk")
	if err != nil {
		t.Fatal(err)
	}
	c := pairedCamera(t, house, filepath.Join(t.TempDir(), "camera"))
	s := &shutter{t: t, camera: c.ID()}
	if s.sealer, err = seal.NewSealer(seal.SealerConfig{Key: c.Signer(), Roster: c.Roster(), Boot: [16]byte{1}}); err != nil {
		t.Fatal(err)
	}
	s.opener, err = seal.NewOpener(seal.OpenerConfig{Household: house.ID(), Roster: c.Roster(), Key: who.Key(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// outcome seals m as the next durable message and returns it as a viewer has it.
func (s *shutter) outcome(m seal.Meta, media string) viewer.Outcome {
	s.t.Helper()
	s.seq++
	m.Stream, m.Seq, m.Prev = seal.Durable, s.seq, s.prev
	sealed, err := s.sealer.Seal(m, []byte(media))
	if err != nil {
		s.t.Fatal(err)
	}
	s.prev = sealed.Hash
	v, err := s.opener.Open(s.camera, sealed.Bytes)
	if err != nil {
		s.t.Fatal(err)
	}
	return viewer.Outcome{What: viewer.Verified, Camera: s.camera, Name: "Garden", At: lunch, Verified: v, Sealed: sealed.Bytes}
}

// lunch is when everything here is seen.
var lunch = time.Date(2026, 5, 4, 12, 0, 0, 0, time.Local)

func newWatcher(out *bytes.Buffer, f watchFlags) *watcher {
	w := &watcher{env: &cli.Env{Stdout: out}, flags: f, status: map[seal.CameraID]string{}, greeted: map[seal.CameraID]bool{}, codes: map[seal.CameraID]uint64{}}
	w.films, _ = w.album.Films(false) // without an album nothing can fail
	return w
}

// Of a clip there is one line, however many parts come, and another for what comes
// late. It says where the film is, and what is missing.
func TestWatchClips(t *testing.T) {
	dir := t.TempDir()
	a, err := album.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	studio := cliptest.New(t, 1)
	parts := studio.Clip(7, 4)
	var out bytes.Buffer
	w := newWatcher(&out, watchFlags{save: dir})
	w.roster = func() *seal.Roster {
		return &seal.Roster{Cameras: []seal.RosterCamera{{ID: studio.Camera, Name: "Garden"}}}
	}
	w.album = a
	if w.films, err = a.Films(false); err != nil {
		t.Fatal(err)
	}
	film := filepath.Join(dir, string(studio.Camera), "clip-01000000-7.mp4")
	from := "clip of event 7: "
	what := ", 4.0 s, from 1.5 s before, with event 8; ended early: the camera was lost"
	for _, c := range []struct {
		do   func() error
		want string
	}{
		{func() error {
			for _, n := range []int{0, 1, 3} {
				if err := w.outcome(viewer.Outcome{What: viewer.Verified, Camera: studio.Camera, Name: "Garden", At: lunch, Verified: parts[n]}); err != nil {
					return err
				}
			}
			return w.tick(lunch.Add(time.Second))
		}, ""},
		{func() error { return w.tick(lunch.Add(time.Minute)) }, "  partial    Garden            " + from + "3 of 4 parts" + what + "; part 3 missing (2.0 s to 3.0 s)  " + film + "\n"},
		{func() error {
			return w.outcome(viewer.Outcome{What: viewer.Verified, Camera: studio.Camera, Name: "Garden", At: lunch, Verified: parts[2]})
		}, "  verified   Garden            " + from + "4 parts" + what + "; 1 part came late  " + film + "\n"},
		{func() error {
			w.flags.asJSON = true
			for _, v := range studio.Clip(8, 2)[:1] {
				if err := w.outcome(viewer.Outcome{What: viewer.Verified, Camera: studio.Camera, Name: "Garden", At: lunch, Verified: v}); err != nil {
					return err
				}
			}
			out.Reset()
			return w.tick(lunch.Add(time.Hour))
		}, `,"what":"clip","camera":"` + string(studio.Camera) + `","name":"Garden","event":8,"parts":1,"whole":false,"seconds":1,"pre_roll_s":1.5,"person":"clip of event 8: 1 part, 1.0 s, from 1.5 s before; its end has not come","saved":"` + filepath.Join(dir, string(studio.Camera), "clip-01000000-8.mp4") + `"}` + "\n"},
	} {
		out.Reset()
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.HasSuffix(got, c.want) || c.want == "" && got != "" || strings.Count(got, "\n") > 1 {
			t.Errorf("got  %q\nwant ...%q", got, c.want)
		}
	}
}

func TestWatchLines(t *testing.T) {
	s := newShutter(t)
	id := string(s.camera)
	picture := func(ago time.Duration) viewer.Outcome {
		return s.outcome(seal.Meta{Kind: seal.KindSnapshot, Media: "image/jpeg", Clock: seal.ClockNTP, Taken: lunch.Add(-ago),
			Cause: "motion", Light: "night", Event: 3, Width: 1920, Height: 1080}, strings.Repeat("x", 213_400))
	}
	status := func(text string) viewer.Outcome {
		return s.outcome(seal.Meta{Kind: seal.KindStatus, Media: "application/json", Clock: seal.ClockNone}, text)
	}
	gap := func(what viewer.What, n, lost uint64) viewer.Outcome {
		return viewer.Outcome{What: what, Lost: lost, Camera: s.camera, Name: "Garden", At: lunch,
			Gap: seal.Gap{First: 5, Last: 4 + n, After: lunch.Add(-2 * time.Hour), Before: lunch.Add(-time.Hour)}}
	}
	var out bytes.Buffer
	w := newWatcher(&out, watchFlags{})
	for _, c := range []struct {
		name string
		o    viewer.Outcome
		want string
	}{
		{"picture", picture(400 * time.Millisecond), "12:00:00  verified   Garden            snapshot  motion     night      1920x1080    214 kB  0.4 s ago\n"},
		{"picture of a clock that is ahead", picture(-time.Second), "12:00:00  verified   Garden            snapshot  motion     night      1920x1080    214 kB  just now\n"},
		{"older picture", picture(90 * time.Second), "12:00:00  verified   Garden            snapshot  motion     night      1920x1080    214 kB  1m30s ago\n"},
		{"old picture", picture(26 * time.Hour), "12:00:00  verified   Garden            snapshot  motion     night      1920x1080    214 kB  of 2026-05-03 10:00:00\n"},
		{"picture of things", s.outcome(seal.Meta{Kind: seal.KindSnapshot, Media: "image/jpeg", Clock: seal.ClockNone, Cause: "motion",
			Labels: []seal.Label{seal.ModelLabel([32]byte{1}), {Name: "cat", Score: 404}, {Name: "person", Score: 930}}}, "x"),
			"12:00:00  verified   Garden            snapshot  motion                               1 kB  no clock  person 93 %, cat 40 %\n"},
		{"no part of a clip", s.outcome(seal.Meta{Kind: seal.KindClip, Media: "video/mp4", Clock: seal.ClockNone, Event: 7, Part: 2}, "x"),
			"12:00:00  odd part   Garden            part 3 of event 7: not a part of this clip: no MP4 of one fragment\n"},
		{"refusal", viewer.Outcome{What: viewer.Refused, Camera: s.camera, Name: "Garden", At: lunch, Refusal: &seal.Refusal{Reason: seal.BrokenSeal, Alarm: true}},
			"12:00:00  refused    Garden            broken seal   This picture was changed on its way, or is not from your camera; the camera's key may have been copied\n"},
		{"gap", gap(viewer.GapOpened, 3, 0), "12:00:00  gap        Garden            3 missing between 10:00 and 11:00, asked for\n"},
		{"gap closed", gap(viewer.GapClosed, 3, 0), "12:00:00  closed     Garden            3 arrived late, between 10:00 and 11:00\n"},
		{"gap lost", gap(viewer.GapLost, 3, 3), "12:00:00  closed     Garden            3 will never come, between 10:00 and 11:00\n"},
		{"gap lost in part", gap(viewer.GapLost, 3, 1), "12:00:00  closed     Garden            2 arrived late and 1 will never come, between 10:00 and 11:00\n"},
		{"roster", viewer.Outcome{What: viewer.RosterRefused, Camera: s.camera, Name: "Garden", At: lunch, Refusal: &seal.Refusal{Reason: seal.Replayed}},
			"12:00:00  refused    Garden            replayed      A list of cameras and viewers that is not this household's newest; the newest is sent\n"},
		{"again", viewer.Outcome{What: viewer.Again, Camera: s.camera, At: lunch}, ""},
		{"hello", viewer.Outcome{What: viewer.Hello, Camera: s.camera, At: lunch, Hello: &seal.Hello{}},
			"12:00:00  hello      " + id[:8] + "...       a camera that is nobody's yet: " + id + "\n"},
		{"hello again", viewer.Outcome{What: viewer.Hello, Camera: s.camera, At: lunch, Hello: &seal.Hello{}}, ""},
		{"status", status(`{"state":"running","uptime_s":1}`), "12:00:00  status     Garden            running\n"},
		{"the same status", status(`{"state":"running","uptime_s":2}`), ""},
		{"trouble", status(`{"state":"trouble","troubles":["lens covered","\u001b[2J disk\u202e full"]}`), "12:00:00  status     Garden            trouble; lens covered; ?[2J disk? full\n"},
		{"an update on trial", status(`{"state":"running","firmware":"v1.4.0","software":{"slot":"b","trial":true},"machine":{"celsius":61.2}}`),
			"12:00:00  status     Garden            running; v1.4.0, slot b, on trial; 61 °C\n"},
		{"only warmer", status(`{"state":"running","firmware":"v1.4.0","software":{"slot":"b","trial":true},"machine":{"celsius":71.2}}`), ""},
		{"care", status(`{"state":"running","health":{"word":"care","reasons":["it is hot","\u001b[2J","three","four"]},"firmware":"v1\u202e","machine":{"celsius":1e99}}`),
			"12:00:00  status     Garden            running; it is hot; ?[2J; three; v1?\n"},
		{"refusals of the camera", status(`{"state":"running","uplink":{"refusals":{"roster replayed":2,"command retained":1}}}`),
			"12:00:00  status     Garden            running; it has refused 1 command retained, 2 roster replayed\n"},
		{"status that is none", status(`{`), ""},
		{"kind of the future", s.outcome(seal.Meta{Kind: "sound", Media: "audio/ogg", Clock: seal.ClockNone}, "x"), ""},
	} {
		out.Reset()
		if err := w.outcome(c.o); err != nil {
			t.Fatal(err)
		}
		if out.String() != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, out.String(), c.want)
		}
	}
	if w.shown != 5 {
		t.Errorf("%d pictures counted, want 5", w.shown)
	}
}

func TestWatchJSON(t *testing.T) {
	s := newShutter(t)
	var out bytes.Buffer
	w := newWatcher(&out, watchFlags{asJSON: true})
	for _, o := range []viewer.Outcome{
		s.outcome(seal.Meta{Kind: seal.KindSnapshot, Media: "image/jpeg", Clock: seal.ClockNTP, Taken: lunch.UTC(), Cause: "motion", Width: 640, Height: 360,
			Labels: []seal.Label{seal.ModelLabel([32]byte{}), {Name: "cat", Score: 404, Box: seal.Box{X: 1, Y: 2, W: 3, H: 4}}}}, "JPEG"),
		s.outcome(seal.Meta{Kind: seal.KindStatus, Media: "application/json", Clock: seal.ClockNone}, `{"state":"running"}`),
		{What: viewer.GapOpened, Camera: s.camera, At: lunch, Gap: seal.Gap{First: 3, Last: 9}},
	} {
		o.At = time.Unix(0, 0).UTC()
		if err := w.outcome(o); err != nil {
			t.Fatal(err)
		}
	}
	taken, err := lunch.UTC().MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	head := func(what, name string) string {
		return `{"at":"1970-01-01T00:00:00Z","what":"` + what + `","camera":"` + string(s.camera) + `"` + name
	}
	want := head("verified", `,"name":"Garden"`) + `,"stream":"durable","seq":1,"kind":"snapshot","media":"image/jpeg","bytes":4,"taken":"` + string(taken) + `","clock":"ntp","cause":"motion","width":640,"height":360,"things":[{"label":"cat","score":404,"box":[1,2,3,4]}],"model":"` + strings.Repeat("a", 52) + `"}` + "\n" +
		head("verified", `,"name":"Garden"`) + `,"stream":"durable","seq":2,"kind":"status","media":"application/json","bytes":19,"clock":"none","status":{"state":"running"}}` + "\n" +
		head("gap", "") + `,"person":"7 missing","first":3,"until":9,"count":7}` + "\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	for line := range strings.Lines(out.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
}

// Codes that a camera refused before are said, and are no alarm; new ones are.
func TestWatchRefusedCodes(t *testing.T) {
	s := newShutter(t)
	var out bytes.Buffer
	w := newWatcher(&out, watchFlags{})
	w.env.Colour = true
	for _, c := range []struct {
		refusals string
		style    cli.Style
	}{
		{`{"code stale":2}`, cli.Faint}, {`{"code stale":1,"code malformed":1}`, cli.Faint}, {`{"code stale":2,"code malformed":1}`, cli.Warn}, {`{"code stale":2,"command retained":1}`, cli.Warn}, {`{}`, cli.Faint},
	} {
		out.Reset()
		text := `{"state":"running","uplink":{"refusals":` + c.refusals + `}}`
		if err := w.outcome(s.outcome(seal.Meta{Kind: seal.KindStatus, Media: "application/json", Clock: seal.ClockNone}, text)); err != nil {
			t.Fatal(err)
		}
		if want := w.env.Paint(c.style, fmt.Sprintf("%-9s", "status")); !strings.Contains(out.String(), want) || want == "status   " {
			t.Errorf("%s: %q, want %q in it", c.refusals, out.String(), want)
		}
	}
}

// What could not be stored is an error, so that no receipt lets the camera
// delete it.
func TestWatchThatCannotStore(t *testing.T) {
	s := newShutter(t)
	dir := filepath.Join(t.TempDir(), "album")
	a, err := album.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var out bytes.Buffer
	w := newWatcher(&out, watchFlags{save: dir})
	w.album = a
	if err := os.WriteFile(filepath.Join(dir, string(s.camera)), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := s.outcome(seal.Meta{Kind: seal.KindSnapshot, Media: "image/jpeg", Clock: seal.ClockNone}, "JPEG")
	if err := w.outcome(o); err == nil || errors.Is(err, viewer.ErrStop) || cli.HintOf(err) == "" || out.Len() != 0 {
		t.Errorf("error %v (hint %q), printed %q", err, cli.HintOf(err), out.String())
	}
	if err := os.Remove(filepath.Join(dir, string(s.camera))); err != nil {
		t.Fatal(err)
	}
	if err := w.outcome(o); err != nil || !strings.HasSuffix(out.String(), "boot-01000000-durable-0000000001.jpg\n") {
		t.Errorf("error %v, printed %q", err, out.String())
	}
}

// What holds and what is still to is said; what failed is a reason of the health.
func TestWatchSettingsWords(t *testing.T) {
	of := func(version uint64) string { return desired.VersionWords(version) }
	for _, tc := range []struct {
		wanted []uplink.WantedSettings
		want   string
	}{
		{nil, ""},
		{[]uplink.WantedSettings{{For: "all", Version: 5, Newest: 5, State: uplink.Applied}, {For: "group gates", Version: 6, Newest: 6, State: uplink.LeftGroup}}, "; settings for all " + of(5)},
		{[]uplink.WantedSettings{{For: "camera", Newest: 7, State: uplink.Trying}}, "; settings for camera " + of(7) + " on trial"},
		{[]uplink.WantedSettings{{For: "camera\x1b[2J", Version: 7, Newest: 9, State: uplink.Waits}}, "; settings for camera?[2J " + of(7) + "; settings for camera?[2J " + of(9) + " waiting"},
		{[]uplink.WantedSettings{{For: "camera", Version: 7, Newest: 9, State: uplink.RolledBack, Why: "no frame"}}, "; settings for camera " + of(7)},
	} {
		if got := (cameraStatus{Settings: &uplink.SettingsStatus{Wanted: tc.wanted}}).settingsWords(); got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.wanted, got, tc.want)
		}
	}
	if got := (cameraStatus{}).settingsWords(); got != "" {
		t.Errorf("a camera that says nothing of settings: %q", got)
	}
}
