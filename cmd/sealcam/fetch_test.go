package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
)

// A camera records, is closed, and records again; a viewer fetches all of it as
// one film, and is told why a piece is missing.
func TestFetch(t *testing.T) {
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	house, err := identity.CreateHousehold(home, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := house.ServerTLS("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	hub, err := broker.New(broker.Config{Addr: "127.0.0.1:0", TLS: conf, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var ends sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer ends.Wait()
	defer cancel()
	ends.Go(func() { hub.Run(ctx) })
	if err := house.SetBroker(hub.URL()); err != nil {
		t.Fatal(err)
	}
	if _, err := house.AddViewer("desk"); err != nil {
		t.Fatal(err)
	}
	camera := pairedCamera(t, house, filepath.Join(dir, "camera"))
	run := func(args ...string) (string, error) {
		var out strings.Builder
		env := &cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
		err := runFetch(t.Context(), env, append([]string{"--household", home, "--camera", string(camera.ID())}, args...))
		return out.String(), err
	}
	up, err := uplink.Open(uplink.Config{
		Dir: filepath.Join(dir, "spool"), Camera: camera, Broker: hub.URL(), Budget: 1 << 24, Now: time.Now, Mono: agent.Monotonic,
		Recording: &uplink.RecordingConfig{Dir: dir, Budget: uplink.MinRecording, Rate: 1 << 20},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	s := agent.Defaults()
	s.Recording.Enabled = true
	a, err := agent.New(agent.Config{
		Settings: s, Uplink: up, Now: time.Now, Mono: agent.Monotonic, Log: slog.New(slog.DiscardHandler),
		Open: func(context.Context) (capture.Camera, error) {
			return scene.Open("walk?size=320x180&rate=10&pixel=mjpeg", scene.Options{Pace: true})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ends.Go(func() { _ = a.Run(ctx) })
	kept := func(n uint64) {
		t.Helper()
		for deadline := time.Now().Add(2 * time.Minute); up.Recording().Kept < n; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%+v", up.Recording())
			}
		}
	}
	kept(3)
	film := filepath.Join(dir, "film.mp4")
	out, err := run("--from", "-5m", "--save", film)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(out)
	if !regexp.MustCompile(`saved    .*film\.mp4  [3-9] parts, [3-9]\.\d s, from .*, all verified`).MatchString(out) ||
		!strings.Contains(out, "nothing was recorded") || strings.Contains(out, "refused") || strings.Contains(out, "broken") {
		t.Errorf("%s", out)
	}
	probe(t, film)
	if _, err := run("--from", "-5m", "--save", film); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("over another film: %v", err)
	}
	if out, err := run("--from", "-5h", "--to", "-4h", "--save", film+"2"); err == nil || !strings.Contains(err.Error(), "no recording of that time") {
		t.Errorf("of before: %s, %v", out, err)
	}
}

// probe has ffprobe read a film to its end; a warning is an error.
func probe(t *testing.T, file string) {
	t.Helper()
	ffprobe, err := exec.LookPath("ffprobe")
	if err != nil {
		t.Fatalf("%v: make test-deps installs it", err)
	}
	out, err := exec.Command(ffprobe, "-v", "warning", "-show_entries", "packet=pts_time", "-of", "csv=p=0", file).CombinedOutput()
	if err != nil || strings.Contains(string(out), "[") || strings.Count(string(out), "\n") < 10 {
		t.Errorf("%v: %.500s", err, out)
	}
	if info, err := os.Stat(file); err != nil || info.Size() == 0 {
		t.Error(err)
	}
}

func TestMoments(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 10, 0, 500, time.Local)
	at := func(d, h, m, s int) time.Time { return time.Date(2026, 11, d, h, m, s, 0, time.Local) }
	for said, want := range map[string]time.Time{
		"now": at(22, 14, 10, 0), "-10m": at(22, 14, 0, 0), "-1h30m": at(22, 12, 40, 0), "14:05": at(22, 14, 5, 0), "14:05:30": at(22, 14, 5, 30),
		"14:15": at(21, 14, 15, 0), "2026-11-20 07:00": at(20, 7, 0, 0), "2026-11-20 07:00:01": at(20, 7, 0, 1), "2026-11-20T07:00:01": at(20, 7, 0, 1),
		at(20, 7, 0, 0).Format(time.RFC3339): at(20, 7, 0, 0),
	} {
		if got, err := momentOf(said, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v, want %v", said, got, err, want)
		}
	}
	for _, bad := range []string{"", "noon", "-soon", "25:00", "2026-13-01 00:00", "10m"} {
		if got, err := momentOf(bad, now); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}
