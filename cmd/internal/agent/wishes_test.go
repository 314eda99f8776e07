package agent

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/desired"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/ota"
	"github.com/sealcam/sealcam/uplink/seal"
)

// site is a household with a broker and a camera that runs as a whole.
type site struct {
	t      *testing.T
	house  *identity.Household
	viewer *identity.Viewer
	id     seal.CameraID
	up     *feed.Broker
	local  Settings
	host   Host
	now    uint64 // version that was signed last
	stop   func() error
	roster *seal.Roster // the newest, once change has made one

	mu      sync.Mutex
	opener  *seal.Opener
	said    uplink.Status // newest
	numbers []uint64      // durable messages, in their order of arrival
	applied []Settings    // of each life
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, local: Defaults(), stop: func() error { return nil }}
	dir := t.TempDir()
	h, err := identity.CreateHousehold(filepath.Join(dir, "home"), "", time.Now)
	s.do(err)
	s.house = h
	s.viewer, err = h.AddViewer("desk")
	s.do(err)
	conf, err := h.ServerTLS("127.0.0.1")
	s.do(err)
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", TLS: conf})
	s.do(err)
	s.run(b.Run)
	s.do(h.SetBroker(b.URL()))

	s.local.State = filepath.Join(dir, "state")
	s.local.Camera.Source = "scene:empty?size=320x180&rate=10&pixel=grey"
	s.local.Motion.Sensitivity = 3
	camera, err := identity.OpenCamera(filepath.Join(s.local.State, IdentityDir))
	s.do(err)
	s.id = camera.ID()
	s.do(h.AddCamera(s.id, "door"))
	s.do(h.Adopt(camera))
	_, err = s.viewer.Refresh()
	s.do(err)
	s.opener, err = seal.NewOpener(seal.OpenerConfig{Household: s.viewer.Household(), Roster: s.viewer.Roster(), Key: s.viewer.Key(), Now: time.Now})
	s.do(err)
	s.up, err = feed.NewBroker(feed.BrokerConfig{MQTT: mqtt.Config{URL: b.URL(), TLS: s.viewer.TLS()}})
	s.do(err)
	s.run(func(ctx context.Context) error { _ = s.up.Run(ctx, s.hear); return nil })
	s.host = Host{Firmware: "test", Applied: func(now Settings) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.applied = append(s.applied, now)
	}}
	s.until("a link to the broker", func() bool { up, _ := s.up.Link(); return up })
	return s
}

func (s *site) do(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// run runs f until the test, or the function that it returns, ends it.
func (s *site) run(f func(context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
	s.t.Cleanup(func() { _ = stop() })
	return stop
}

// serve starts the camera.
func (s *site) serve() {
	log := slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	s.stop = s.run(func(ctx context.Context) error { return Serve(ctx, s.local, s.host, log) })
}

// hear takes what the camera seals.
func (s *site) hear(it feed.Item) {
	if it.Camera != s.id || it.Kind == feed.Roster || it.Kind == feed.Hello {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.opener.Open(s.id, it.Sealed)
	if err != nil {
		return
	}
	if v.Meta().Stream == seal.Durable {
		s.numbers = append(s.numbers, v.Meta().Seq)
	}
	var said uplink.Status
	if _, text := v.Media(); v.Meta().Kind == seal.KindStatus && json.Unmarshal(text, &said) == nil && said.State != "offline" {
		s.said = said
	}
}

func (s *site) until(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.mu.Lock()
			defer s.mu.Unlock()
			text, _ := json.MarshalIndent(s.said, "", " ")
			s.t.Fatalf("after two minutes there is not %s; the camera says %s", what, text)
		}
	}
}

// wanted returns what the camera said last about a target.
func (s *site) wanted(t desired.Target) (w uplink.WantedSettings, said uplink.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.said.Settings != nil {
		for _, w := range s.said.Settings.Wanted {
			if w.For == string(t) {
				return w, s.said
			}
		}
	}
	return w, s.said
}

// becomes waits until the camera says that the newest settings for t are in state.
func (s *site) becomes(t desired.Target, state string) (w uplink.WantedSettings, said uplink.Status) {
	s.t.Helper()
	s.until("settings for "+string(t)+" "+state, func() bool {
		w, said = s.wanted(t)
		return w.State == state && w.Newest == s.now
	})
	return w, said
}

// signed returns settings of the next version for c, signed by the owner.
func (s *site) signed(c seal.Settings) []byte {
	s.t.Helper()
	s.now++
	c.Household, c.Version, c.Issued = s.house.ID(), s.now, time.Now()
	b, err := seal.SignSettings(s.house.Owner(), c)
	s.do(err)
	return b
}

// leave leaves bytes with the broker as settings.
func (s *site) leave(topic string, b []byte) {
	s.t.Helper()
	s.do(s.up.Send(s.t.Context(), s.id, feed.Settings+"/"+topic, b))
}

// push leaves settings for c with the broker.
func (s *site) push(c seal.Settings, body string) {
	s.t.Helper()
	c.Body = []byte(body)
	topic := desired.All
	if c.Camera != "" {
		topic = desired.Camera
	} else if c.Group != "" {
		topic = desired.Group(c.Group)
	}
	s.leave(topic.Topic(), s.signed(c))
}

// film returns the path of a short film in motion JPEG.
func (s *site) film() string {
	s.t.Helper()
	cam, err := scene.Open("empty?size=320x180&rate=10&pixel=mjpeg", scene.Options{})
	s.do(err)
	var film []byte
	var f capture.Frame
	for range 10 {
		s.do(cam.Next(s.t.Context(), &f))
		film = append(film, f.Data...)
	}
	path := filepath.Join(s.t.TempDir(), "film.mjpeg")
	s.do(os.WriteFile(path, film, 0o600))
	return path
}

// lives returns the settings of each life so far.
func (s *site) lives() []Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.applied)
}

// What the owner wants is tried, proves itself, holds, outlives a restart, and is said
// in a sealed status; and the order of messages goes on through all of it.
func TestWantedSettingsHold(t *testing.T) {
	s := newSite(t)
	s.push(seal.Settings{}, "[motion]\nsensitivity = 7\n[live]\nevery = \"20s\"\n") // before the camera is there
	s.serve()
	s.becomes(desired.All, uplink.Applied)
	s.push(seal.Settings{Camera: s.id}, "motion.sensitivity = 9\n")
	w, said := s.becomes(desired.Camera, uplink.Applied)
	if w.Version != s.now || w.By != "owner" || w.Since.IsZero() || w.Why != "" {
		t.Errorf("the camera says %+v", w)
	}
	want := []string{`live.every = "20s"`, `motion.sensitivity = 9`}
	if said.Settings == nil || !slices.Equal(said.Settings.Effective, want) {
		t.Errorf("in force are %+v, want %q", said.Settings, want)
	}
	last := s.lives()[len(s.lives())-1]
	if last.Motion.Sensitivity != 9 || last.Live.Every.Seconds() != 20 {
		t.Errorf("the last life had sensitivity %d, live each %v", last.Motion.Sensitivity, last.Live.Every)
	}
	lives := len(s.lives())
	s.do(s.stop())
	s.serve()
	s.until("another life", func() bool { return len(s.lives()) > lives })
	if again := s.lives()[lives]; again.Motion.Sensitivity != 9 {
		t.Errorf("after a restart sensitivity is %d", again.Motion.Sensitivity)
	}
	s.push(seal.Settings{Camera: s.id}, "") // taken back: what is for all shows again
	s.becomes(desired.Camera, uplink.Applied)
	if last := s.lives()[len(s.lives())-1]; last.Motion.Sensitivity != 7 {
		t.Errorf("what was taken back left sensitivity %d", last.Motion.Sensitivity)
	}
	s.do(s.stop())
	s.mu.Lock()
	defer s.mu.Unlock()
	if gaps := s.opener.Gaps(s.id); len(gaps) > 0 || len(s.numbers) < 4 {
		t.Errorf("of %v there are gaps %v", s.numbers, gaps)
	}
}

// A camera that cannot show that it is one goes back to what was before, says why, and
// does not try the same again.
func TestWantedSettingsRollBack(t *testing.T) {
	s := newSite(t)
	s.local.Camera.Source = s.film()
	s.serve()
	s.push(seal.Settings{}, "motion.sensitivity = 7\n")
	s.becomes(desired.All, uplink.Applied)
	held := s.now
	s.do(s.stop())
	s.host.trial = 3 * time.Second
	s.serve()
	s.push(seal.Settings{}, "[motion]\nsensitivity = 8\n[camera]\nrate = 0.001\n") // after a first frame none comes
	w, said := s.becomes(desired.All, uplink.RolledBack)
	if w.Version != held || !strings.Contains(w.Why, "no frame has been sealed and opened again") {
		t.Errorf("the camera says %+v", w)
	}
	if said.Health == nil || said.Health.Word != uplink.Care || !strings.Contains(strings.Join(said.Health.Reasons, ";"), "were rolled back") {
		t.Errorf("its health is %+v", said.Health)
	}
	lives := s.lives()
	if last := lives[len(lives)-1]; last.Motion.Sensitivity != 7 || last.Camera.Rate != 0 {
		t.Errorf("it goes on with sensitivity %d and rate %g", last.Motion.Sensitivity, last.Camera.Rate)
	}
	s.do(s.stop())
	s.host.trial = 0
	s.serve() // the broker still keeps them
	s.until("another life", func() bool { return len(s.lives()) > len(lives) })
	s.push(seal.Settings{Camera: s.id}, "live.view = 5.0\n") // comes after them
	s.becomes(desired.Camera, uplink.Applied)
	for _, l := range s.lives()[len(lives):] {
		if l.Camera.Rate != 0 || l.Motion.Sensitivity != 7 {
			t.Errorf("after the restart it tried rate %g, sensitivity %d", l.Camera.Rate, l.Motion.Sensitivity)
		}
	}
	s.push(seal.Settings{}, "motion.sensitivity = 4\n") // a higher version is tried
	s.becomes(desired.All, uplink.Applied)
}

// That settings are tried is on record before they are: a camera that died of them
// does not begin its next life with them.
func TestWantedSettingsThatKill(t *testing.T) {
	s := newSite(t)
	s.push(seal.Settings{}, "motion.sensitivity = 8\n")
	var killed []byte
	s.host.Applied = func(now Settings) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.applied = append(s.applied, now)
		if now.Motion.Sensitivity == 8 && killed == nil { // what a power cut now would leave
			killed, _ = os.ReadFile(filepath.Join(now.State, WantedFile))
		}
	}
	s.serve()
	s.becomes(desired.All, uplink.Applied)
	s.do(s.stop())
	s.do(os.WriteFile(filepath.Join(s.local.State, WantedFile), killed, 0o600))
	lives := len(s.lives())
	s.serve()
	w, _ := s.becomes(desired.All, uplink.RolledBack)
	if w.Version != 0 || !strings.Contains(w.Why, "power cut") {
		t.Errorf("the camera says %+v", w)
	}
	if next := s.lives()[lives]; next.Motion.Sensitivity != 3 {
		t.Errorf("the next life had sensitivity %d", next.Motion.Sensitivity)
	}
}

// change has the camera take a roster of its household in which change was made.
func (s *site) change(change func(*seal.Roster)) {
	s.t.Helper()
	r, _, err := s.house.Roster()
	s.do(err)
	if s.roster != nil {
		r = s.roster
	}
	next := *r
	next.Version++
	next.Cameras, next.Viewers = slices.Clone(r.Cameras), slices.Clone(r.Viewers)
	change(&next)
	signed, err := seal.SignRoster(s.house.Owner(), next)
	s.do(err)
	s.roster, err = seal.OpenRoster(s.house.ID(), signed)
	s.do(err)
	s.do(s.up.Send(s.t.Context(), s.id, feed.Roster, signed))
}

// Whatever comes from somebody who may not, from before, or for somebody else, is
// refused and counted by its own reason, and changes nothing. What is for a group holds
// as long as the camera is in it.
func TestWantedSettingsRefused(t *testing.T) {
	s := newSite(t)
	guard, err := s.house.AddViewer("guard")
	s.do(err)
	s.local.Uplink.Status.Duration = time.Second
	s.serve()
	s.push(seal.Settings{}, "motion.sensitivity = 7\n")
	s.becomes(desired.All, uplink.Applied)
	held := s.now
	s.change(func(r *seal.Roster) {
		for i := range r.Viewers {
			if r.Viewers[i].Name == "guard" {
				r.Viewers[i].Roles = seal.MayWatch
			}
		}
	})
	counted := func(reason string, most uint64) {
		t.Helper()
		s.until("settings "+reason+" counted", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.said.Uplink != nil && s.said.Uplink.Refusals["settings "+reason] >= 1 && s.said.Uplink.Refusals["settings "+reason] <= most
		})
	}
	by := func(key crypto.Signer, c seal.Settings) []byte {
		t.Helper()
		if c.Household == "" {
			c.Household = s.house.ID()
		}
		c.Issued, c.Body = time.Now(), []byte("motion.sensitivity = 1\n")
		b, err := seal.SignSettings(key, c)
		s.do(err)
		return b
	}
	other, err := identity.CreateHousehold(filepath.Join(t.TempDir(), "other"), "", time.Now)
	s.do(err)
	stranger, err := identity.OpenCamera(t.TempDir())
	s.do(err)
	s.leave("all", by(guard.Key().Signer(), seal.Settings{Version: 100}))
	counted("revoked", 1)
	s.leave("all", by(other.Owner(), seal.Settings{Household: other.ID(), Version: 100}))
	s.leave("all", by(s.house.Owner(), seal.Settings{Household: other.ID(), Version: 100}))
	counted("not for you", 1)
	s.leave("camera", by(s.house.Owner(), seal.Settings{Camera: stranger.ID(), Version: 100}))
	s.leave("group-gates", by(s.house.Owner(), seal.Settings{Group: "gates", Version: 50}))
	counted("wrong camera", 4)
	s.leave("all", by(s.house.Owner(), seal.Settings{Version: held}))
	counted("replayed", 1) // another of the version that holds
	s.leave("x", []byte("garbage that a broker keeps"))
	s.leave("y", make([]byte, seal.MaxSettings+2048))
	counted("malformed", 8)
	s.push(seal.Settings{Camera: s.id}, "motion.sensitivity = 7\nstate = \"/tmp\"\n")
	counted("unusable", 1)
	if w, _ := s.becomes(desired.Camera, uplink.Refused); w.Version != 0 || !strings.Contains(w.Why, "camera:2:1: state: not settable from afar") {
		t.Errorf("the camera says %+v", w)
	}
	if w, _ := s.wanted(desired.All); w.Version != held || w.State != uplink.Applied {
		t.Errorf("for all it says %+v", w)
	}
	for _, l := range s.lives() {
		if l.Motion.Sensitivity == 1 {
			t.Error("a life began with what was refused")
		}
	}

	// Taken into the group, the camera asks the broker for what it keeps for it.
	s.change(func(r *seal.Roster) { r.Cameras[0].Groups = []string{"gates"} })
	s.until("the group's settings in force", func() bool {
		w, _ := s.wanted(desired.Group("gates"))
		return w.State == uplink.Applied && w.Version == 50
	})
	if last := s.lives()[len(s.lives())-1]; last.Motion.Sensitivity != 1 {
		t.Errorf("in the group sensitivity is %d", last.Motion.Sensitivity)
	}
	s.change(func(r *seal.Roster) { r.Cameras[0].Groups = nil })
	s.until("the group left", func() bool {
		w, said := s.wanted(desired.Group("gates"))
		return w.State == uplink.LeftGroup && slices.Equal(said.Settings.Effective, []string{"motion.sensitivity = 7"})
	})
	if last := s.lives()[len(s.lives())-1]; last.Motion.Sensitivity != 7 {
		t.Errorf("out of the group sensitivity is %d", last.Motion.Sensitivity)
	}
}

// A life on trial that ends with an error is given up, and the camera goes on with the
// settings from before; one that a person or a restart ends is tried again.
func TestTrialEnds(t *testing.T) {
	local := Defaults()
	local.State = t.TempDir()
	failure := errors.New("the encoder has fallen over")
	for name, tc := range map[string]struct {
		err   error
		ended bool // by whoever started it
		state string
		same  bool // the error stays what it was
	}{
		"an error":               {failure, false, uplink.RolledBack, false},
		"stopped":                {nil, true, uplink.Waits, true},
		"stopped with an error":  {failure, true, uplink.Waits, true},
		"the film is over":       {nil, false, uplink.Waits, true},
		"another version starts": {ota.ErrRestart, false, uplink.Waits, true},
		"reset":                  {ErrReset, false, uplink.Trying, true},
		"other settings":         {errSettings, false, uplink.Trying, true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.RemoveAll(filepath.Join(local.State, WantedFile)); err != nil {
				t.Fatal(err)
			}
			w := openWishes(local, 0, slog.New(slog.DiscardHandler))
			if err := errors.Join(w.book.Take(layer(desired.All, "motion.sensitivity = 7\n")), w.book.Begin()); err != nil {
				t.Fatal(err)
			}
			if w.begin().Motion.Sensitivity != 7 {
				t.Fatal("what is tried is not applied")
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			if tc.ended {
				stop()
			}
			err := w.ended(ctx, tc.err)
			if tc.same != (err == tc.err) || !tc.same && !errors.Is(err, errSettings) {
				t.Errorf("it goes on with %v", err)
			}
			if got := w.book.Status()[0]; got.State != tc.state {
				t.Errorf("%+v", got)
			}
			if tc.state == uplink.RolledBack && w.begin().Motion.Sensitivity != 5 {
				t.Error("the next life has what was given up")
			}
		})
	}
}

// While nothing can be proven, for the camera is closed or has no connection, a trial
// goes on; with a connection and without a picture its time passes.
func TestTrialIsPatient(t *testing.T) {
	local := Defaults()
	local.State = t.TempDir()
	w := openWishes(local, time.Minute, slog.New(slog.DiscardHandler))
	if err := errors.Join(w.book.Take(layer(desired.All, "motion.sensitivity = 7\n")), w.book.Begin()); err != nil {
		t.Fatal(err)
	}
	w.begin()
	alone := newHome(t).agent(t, Defaults(), unending("empty?size=320x180&rate=10&pixel=grey"), nil, nil) // without a broker
	left := w.limit
	for range 100 {
		if err := w.judge(t.Context(), alone, w.book.Trial(), &left); err != nil || left != w.limit {
			t.Fatalf("without a connection: %v, %v left", err, left)
		}
	}
	for n := 1; ; n++ {
		err := w.judge(t.Context(), nil, w.book.Trial(), &left)
		if n < 60 && err != nil || n == 60 && !errors.Is(err, errSettings) {
			t.Fatalf("at look %d: %v", n, err)
		}
		if n == 60 {
			break
		}
	}
	if s := w.book.Status()[0]; s.State != uplink.RolledBack || !strings.Contains(s.Why, "within 1m0s the camera has not begun") {
		t.Errorf("%+v", s)
	}
}
