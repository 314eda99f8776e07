package bridge_test

import (
	"bytes"
	"context"
	"image/jpeg"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture/daynight"
	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

// TestRealCamera follows an agent, with a scene in front of it, from light to
// Home Assistant, and to the end of its network.
func TestRealCamera(t *testing.T) {
	w := newWorld(t)
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	conf, err := w.owner.ServerTLS("127.0.0.1")
	check(t, err)
	cloud, err := broker.New(broker.Config{Addr: "127.0.0.1:0", TLS: conf, Log: log})
	check(t, err)
	check(t, w.owner.SetBroker(cloud.URL()))
	dir := t.TempDir()
	id, err := identity.OpenCamera(filepath.Join(dir, "identity"))
	check(t, err)
	check(t, w.owner.AddCamera(id.ID(), "Yard"))
	check(t, w.owner.Adopt(id))

	s := agent.Defaults()
	s.State, s.Live.Every.Duration, s.Uplink.Status.Duration = dir, time.Second, time.Second
	up, err := agent.OpenUplink(s, id, agent.Host{Firmware: "test"}, log)
	check(t, err)
	light, err := daynight.NewPart(daynight.PartConfig{Log: log})
	check(t, err)
	cam, err := agent.New(agent.Config{Settings: s, Open: agent.Source{Name: "scene:walk?size=320x180&rate=10"}.Open, Light: light, Uplink: up, Now: time.Now, Mono: agent.Monotonic, Log: log})
	check(t, err)
	var ends sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); ends.Wait(); up.Close() })
	ends.Go(func() { _ = cloud.Run(ctx) })
	ends.Go(func() { _ = cam.Run(ctx) })
	eye, err := feed.NewBroker(feed.BrokerConfig{MQTT: mqtt.Config{URL: cloud.URL(), TLS: w.viewer.TLS()}, Log: log})
	check(t, err)
	w.bridge(eye)

	a, yard := w.assist, &camera{w: w, id: id.ID()}
	a.state(yard.topic("online"), "ON")
	a.state(yard.topic("light"), "day")
	a.until("a picture of the scene", func(all map[string]mqtt.Message) bool {
		c, err := jpeg.DecodeConfig(bytes.NewReader(all[yard.topic("picture")].Payload))
		return err == nil && c.Width == 320 && c.Height == 180
	})
	a.until("motion", func(map[string]mqtt.Message) bool {
		return len(a.history[yard.topic("event")]) > 0 && slices.Contains(a.history[yard.topic("motion")], "ON")
	})
	cloud.Cut(func(name string) bool { return name == string(id.ID()) })
	a.state(yard.topic("online"), "OFF")
	a.card(yard.topic("picture"))
	cloud.Heal()
	a.state(yard.topic("online"), "ON")
}
