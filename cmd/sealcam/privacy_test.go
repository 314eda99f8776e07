package main

import (
	"context"
	"log/slog"
	"path/filepath"
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

// The owner closes a running camera from afar and opens it again; each time it
// answers in a sealed status. A camera that is not there is no success.
func TestPrivacy(t *testing.T) {
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
		err := runPrivacy(t.Context(), env, append([]string{"--household", home}, args...))
		return out.String(), err
	}

	if _, err := run("--timeout", "2s", "on", string(camera.ID())); err == nil || !strings.Contains(err.Error(), "has not answered") {
		t.Errorf("of a camera that is off: %v", err)
	}
	up, err := uplink.Open(uplink.Config{
		Dir: filepath.Join(dir, "spool"), Camera: camera, Broker: hub.URL(), Budget: 1 << 24, Now: time.Now, Mono: agent.Monotonic,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	a, err := agent.New(agent.Config{
		Settings: agent.Defaults(), Uplink: up, Now: time.Now, Mono: agent.Monotonic, Log: slog.New(slog.DiscardHandler),
		Open: func(context.Context) (capture.Camera, error) {
			return scene.Open("empty?size=320x180&rate=10&pixel=grey", scene.Options{Pace: true})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ends.Go(func() { _ = a.Run(ctx) })
	for deadline := time.Now().Add(time.Minute); !up.Stats().Connected; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the camera does not connect")
		}
	}
	out, err := run("on", "--for", "2h", string(camera.ID()))
	if err != nil || !strings.Contains(out, "closed since ") || !strings.Contains(out, "until ") || !strings.Contains(out, "by owner") {
		t.Errorf("on: %q, %v", out, err)
	}
	frames := a.Stats().Capture.Frames
	if out, err = run("off", string(camera.ID())); err != nil || !strings.HasSuffix(out, "  open\n") {
		t.Errorf("off: %q, %v", out, err)
	}
	for deadline := time.Now().Add(time.Minute); a.Stats().Capture.Frames == frames; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the camera does not see again")
		}
	}
	for _, bad := range [][]string{{"on"}, {"perhaps", "door"}, {"off", "--for", "2h", "door"}, {"on", "--for", "-2h", "door"}} {
		if _, err := run(bad...); err == nil {
			t.Errorf("%v: accepted", bad)
		}
	}
}
