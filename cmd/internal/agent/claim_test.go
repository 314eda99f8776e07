package agent

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"image"
	"image/jpeg"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/cmd/internal/lenstest"
	"github.com/sealcam/sealcam/cmd/internal/pairing"
	"github.com/sealcam/sealcam/cmd/internal/qr"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

const patience = 60 * time.Second

// lines is a log that can be asked while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lines) slog() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// await waits until text has been logged.
func (l *lines) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(l.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not logged: %s\n%s", text, l)
		}
	}
}

func household(t *testing.T) *identity.Household {
	t.Helper()
	h, err := identity.CreateHousehold(filepath.Join(t.TempDir(), "home"), "mqtts://broker.lan", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func session(t *testing.T, h *identity.Household, wifi *identity.WiFi) (*pairing.Session, <-chan error) {
	t.Helper()
	s, err := pairing.Start(pairing.Config{
		Household: h, Name: "Front door", Listen: "127.0.0.1:0", Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		WiFi: wifi, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context()) }()
	return s, done
}

// shown returns what the camera sees of somebody who holds text before it.
func shown(t *testing.T, text string) *image.Gray {
	t.Helper()
	c, err := qr.Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	return lenstest.NewFilm(c, lenstest.View{Width: 640, Height: 480, Share: .7, Tilt: 15, Bright: .5, Noise: 6}).Next()
}

// film writes frames as motion JPEG, one showing of text each.
func film(t *testing.T, path string, texts ...string) {
	t.Helper()
	var b bytes.Buffer
	for _, text := range texts {
		img := shown(t, text)
		for range 10 {
			if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 70}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestClaimedByCode is the story: codes that are not followed, then the right
// one, confirmed, and the camera is the household's.
func TestClaimedByCode(t *testing.T) {
	h, stranger := household(t), household(t)
	addr := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	old, expired, err := stranger.Invite(addr, 1, nil, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for time.Now().Before(old.Expires()) {
		time.Sleep(50 * time.Millisecond)
	}
	s, done := session(t, h, nil)
	forged := []byte(s.Text())
	if i := len(forged) - 30; forged[i] == 'B' { // within the signature
		forged[i] = 'C'
	} else {
		forged[i] = 'B'
	}
	path := filepath.Join(t.TempDir(), "film.mjpeg")
	film(t, path, "HTTPS://EXAMPLE.COM/MENU", expired, string(forged), "SEALCAM-PAIR-1XXXX", s.Text())
	set := Defaults()
	set.State = filepath.Join(t.TempDir(), "state")
	set.Camera.Source, set.Camera.Rate = path, 20
	log := &lines{}
	got := make(chan *identity.Camera, 1)
	go func() {
		c, err := claimed(t.Context(), set, Host{Firmware: "1.2.3"}, log.slog())
		if err != nil {
			t.Error(err)
		}
		got <- c
	}()
	e := <-s.Progress()
	if e.Kind != pairing.Read {
		t.Fatalf("%+v", e)
	}
	log.await(t, e.Words)
	s.Confirm(true)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	c := <-got
	if c == nil || c.ID() != e.Camera || c.Household() != h.ID() {
		t.Fatalf("claimed %v", c)
	}
	// How many of the short showings a busy machine looks at is open; no showing
	// counts twice, and the film may have run twice.
	for reason, n := range c.CodesRefused() {
		if n > 2 || reason != seal.Stale && reason != seal.BrokenSeal && reason != seal.Malformed {
			t.Errorf("counted %d of %s\n%s", n, reason, log)
		}
	}
}

// TestLook gives the camera one frame after another, without a clock of the
// machine's.
func TestLook(t *testing.T) {
	h, stranger := household(t), household(t)
	now, mono := time.Now(), time.Duration(0)
	addr := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	_, good, err := h.Invite(addr, 1, nil, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	_, brief, err := stranger.Invite(addr, 1, nil, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	c, err := identity.OpenCamera(filepath.Join(t.TempDir(), "identity"))
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	u := &unclaimed{camera: c, now: func() time.Time { return now }, mono: func() time.Duration { return mono }, log: log.slog()}
	look := func(text string) error {
		img := shown(t, text)
		return u.look(&capture.Frame{Format: capture.Format{Pixel: capture.Grey, Width: 640, Height: 480, Stride: 640}, Data: img.Pix})
	}
	now = now.Add(time.Minute)
	for range 3 { // held up for a second: one refusal
		if err := look(brief); err != nil {
			t.Fatal(err)
		}
		mono += 400 * time.Millisecond
	}
	if n := c.CodesRefused()[seal.Stale]; n != 1 || !strings.Contains(log.String(), "reason=stale") {
		t.Errorf("an expired code is counted %d times\n%s", n, log)
	}
	mono += heldUp
	if err := look(brief); err != nil || c.CodesRefused()[seal.Stale] != 2 {
		t.Errorf("shown again later: %v, counted %v", err, c.CodesRefused())
	}
	mono += time.Second
	if err := look("SEALCAM-PAIR-1AAAA"); err != nil || c.CodesRefused()[seal.Malformed] != 1 {
		t.Errorf("malformed: %v, counted %v", err, c.CodesRefused())
	}
	mono += time.Second
	if err := look("HTTPS://EXAMPLE.COM/MENU"); err != nil || len(c.CodesRefused()) != 2 {
		t.Errorf("somebody else's code: %v, counted %v", err, c.CodesRefused())
	}
	// Too early for a look, then the look.
	mono += lensLook / 2
	if err := look(good); err != nil {
		t.Errorf("looked %v after the last look: %v", lensLook/2, err)
	}
	mono += lensLook
	var found *foundCode
	if err := look(good); !errors.As(err, &found) || found.code.Household != h.ID() {
		t.Errorf("the good code: %v", err)
	}
	if err := u.look(&capture.Frame{Format: capture.Format{Pixel: capture.H264}}); err != nil {
		t.Errorf("too early, and yet looked at: %v", err)
	}
}

// TestClaimedByFileWhileLooking: the two ways do not get into each other's way.
func TestClaimedByFileWhileLooking(t *testing.T) {
	h := household(t)
	set := Defaults()
	set.State = filepath.Join(t.TempDir(), "state")
	set.Camera.Source = filepath.Join(t.TempDir(), "film.mjpeg")
	film(t, set.Camera.Source, "NOTHING")
	log := &lines{}
	got := make(chan *identity.Camera, 1)
	go func() {
		c, err := claimed(t.Context(), set, Host{}, log.slog())
		if err != nil {
			t.Error(err)
		}
		got <- c
	}()
	log.await(t, "belongs to no household yet")
	c, err := identity.OpenCamera(filepath.Join(set.State, IdentityDir))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.AddCamera(c.ID(), "Garden"), h.Adopt(c)); err != nil {
		t.Fatal(err)
	}
	select {
	case c := <-got:
		if c.Household() != h.ID() {
			t.Errorf("claimed by %q", c.Household())
		}
	case <-time.After(patience):
		t.Fatalf("the camera goes on looking\n%s", log)
	}
}

// hook writes a program that keeps its arguments, one a line.
func hook(t *testing.T, rest string) (command, args string) {
	t.Helper()
	dir := t.TempDir()
	command, args = filepath.Join(dir, "wifi hook"), filepath.Join(dir, "args")
	script := "#!/bin/sh\nfor a in \"$@\"; do printf '%s\\n' \"$a\"; done > '" + args + "'\n" + rest
	if err := os.WriteFile(command, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return command, args
}

func TestWiFiHook(t *testing.T) {
	all := make([]byte, 32)
	for i := range all {
		all[i] = byte(255 - 8*i)
	}
	command, args := hook(t, "")
	for name, w := range map[string]*identity.WiFi{
		"plain":         {SSID: []byte("home"), Secret: []byte("correct horse")},
		"open":          {SSID: []byte("café")},
		"quotes":        {SSID: []byte(`a"b'c`), Secret: []byte("$(reboot) `id` ; \\ &")},
		"newlines":      {SSID: []byte("a\nb\r"), Secret: []byte("\n\n")},
		"NUL":           {SSID: []byte("a\x00b"), Secret: []byte("\x00")},
		"arbitrary":     {SSID: all, Secret: bytes.Repeat([]byte{0xfe}, 64)},
		"right to left": {SSID: []byte("\u202eteppop"), Secret: []byte("\u200f")},
		"like a flag":   {SSID: []byte("--help"), Secret: []byte("-rf")},
	} {
		if err := joinWiFi(t.Context(), []string{command, "-i", "wlan0"}, w); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := os.ReadFile(args)
		if err != nil {
			t.Fatal(err)
		}
		want := "-i\nwlan0\n" + hex.EncodeToString(w.SSID) + "\n" + hex.EncodeToString(w.Secret) + "\n"
		if string(got) != want {
			t.Errorf("%s: arguments %q, want %q", name, got, want)
		}
	}
}

func TestWiFiHookFails(t *testing.T) {
	w := &identity.WiFi{SSID: []byte("x")}
	if err := joinWiFi(t.Context(), nil, w); !errors.Is(err, errNoWiFi) {
		t.Errorf("no command: %v", err)
	}
	command, _ := hook(t, "yes no such network | head -c 100000 >&2; exit 3\n")
	if err := joinWiFi(t.Context(), []string{command}, w); err == nil || !strings.Contains(err.Error(), "no such network") || len(err.Error()) > 2000 {
		t.Errorf("it fails: %v", err)
	}
	command, _ = hook(t, "exec sleep 600\n")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := joinWiFi(ctx, []string{command}, w); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it takes for ever: %v", err)
	}
}

// TestPairByText: a code that is handed over, with a network to join first.
func TestPairByText(t *testing.T) {
	h, stranger := household(t), household(t)
	s, done := session(t, h, &identity.WiFi{SSID: []byte("home"), Secret: []byte("secret")})
	command, args := hook(t, "")
	set := Defaults()
	set.Pairing.WiFi = []string{command}
	c, err := identity.OpenCamera(filepath.Join(t.TempDir(), "identity"))
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	paired := make(chan error, 1)
	go func() { paired <- Pair(t.Context(), set, c, s.Text()+"\n", "", log.slog()) }()
	<-s.Progress()
	s.Confirm(true)
	if err := errors.Join(<-paired, <-done); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(args); err != nil || string(got) != hex.EncodeToString([]byte("home"))+"\n"+hex.EncodeToString([]byte("secret"))+"\n" {
		t.Errorf("the command got %q, %v", got, err)
	}
	other, _ := session(t, stranger, nil)
	for _, tc := range []struct {
		name, text string
		want       seal.Reason
	}{
		{"the same code", s.Text(), seal.Replayed},
		{"a second household's", other.Text(), seal.NotForYou},
		{"no code", "hello", seal.Malformed},
	} {
		if err := Pair(t.Context(), set, c, tc.text, "", log.slog()); seal.ReasonOf(err) != tc.want || c.CodesRefused()[tc.want] != 1 {
			t.Errorf("%s: %v, counted %v", tc.name, err, c.CodesRefused())
		}
	}
	if c.Household() != h.ID() {
		t.Errorf("belongs to %q", c.Household())
	}
}
