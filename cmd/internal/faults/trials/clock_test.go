package trials

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
)

// A camera whose clock begins in 1970, is set, jumps back by a day and forward by
// two, and is lost again over a restart.
func TestClock(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	b := h.mosquitto()
	c := h.camera("door", b.addr(), "")
	h.watch(b.addr())
	var off atomic.Int64 // of the camera's clock
	now := func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
	lost := func() { off.Store(int64(time.Until(time.Unix(10, 0)))) }
	flows := func(what string) {
		t.Helper()
		n := h.ledger.Count(c.id).Verified
		h.until("pictures arrive "+what, func() bool { return h.ledger.Count(c.id).Verified >= n+12 })
	}

	lost()
	stop := c.within(now)
	flows("from 1970")
	off.Store(0)
	flows("when the clock is set")
	off.Store(int64(-24 * time.Hour))
	flows("a day ago")
	off.Store(int64(24 * time.Hour))
	flows("tomorrow")
	stop()
	lost()
	stop = c.within(now)
	flows("from 1970 again")
	stop()
	off.Store(0)
	c.quiet()
	h.settle("clock at 1970, and jumps of days", "", c)
}

// within runs the camera's agent within this process, with a clock of its own.
func (c *camera) within(now func() time.Time) (stop func()) {
	t := c.house.t
	t.Helper()
	own, err := identity.OpenCamera(filepath.Join(c.state, agent.IdentityDir))
	check(t, err)
	log := slog.New(slog.NewTextHandler(c.house.ledger.Log(c.id), &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := agent.Defaults()
	s.State, s.Uplink.Status.Duration, s.Live.Every.Duration = c.state, time.Second, 0
	s.Tamper.Enabled = false
	up, err := uplink.Open(uplink.Config{
		Dir: filepath.Join(c.state, agent.SpoolDir), Camera: own, Broker: "mqtts://" + c.broker, Budget: s.Uplink.Budget.Bytes,
		Now: now, Mono: agent.Monotonic, Log: log,
	})
	check(t, err)
	open := func(context.Context) (capture.Camera, error) {
		return scene.Open(strings.ReplaceAll(strings.TrimPrefix(busy, "scene:"), "%d", "41"), scene.Options{Pace: true})
	}
	a, err := agent.New(agent.Config{Settings: s, Open: open, Uplink: up, Now: now, Mono: agent.Monotonic, Log: log})
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return func() {
		cancel()
		check(t, <-ended)
		check(t, up.Close())
	}
}
