package agent

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/cmd/internal/privacy"
	"github.com/sealcam/sealcam/uplink/ota"
)

// unending opens a scene that goes on as a camera does.
func unending(spec string) func(context.Context) (capture.Camera, error) {
	return func(context.Context) (capture.Camera, error) { return scene.Open(spec, scene.Options{Pace: true}) }
}

// healthyWithin asks until the agent is healthy, and returns what it lacked last.
func healthyWithin(t *testing.T, a *Agent, limit time.Duration) (lacks error) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if lacks = a.Healthy(t.Context()); lacks == nil || time.Now().After(deadline) {
			return lacks
		}
	}
}

// What a version on trial has to show: a frame, which is sealed and opened again,
// and something that the broker has acknowledged since.
func TestHealthy(t *testing.T) {
	s := Defaults()
	s.Live.Every.Duration = 0
	a := newHome(t).agent(t, s, unending("empty?size=320x180&rate=10&pixel=grey"), nil, newAir())
	if err := a.Healthy(t.Context()); err == nil || !strings.Contains(err.Error(), "no frame") {
		t.Errorf("before it runs: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	if err := healthyWithin(t, a, time.Minute); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Without a broker a camera is not healthy, though it seals; without frames neither;
// and one that is closed proves nothing.
func TestNotHealthy(t *testing.T) {
	s := Defaults()
	run := func(a *Agent) {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = a.Run(ctx) }()
		t.Cleanup(func() { stop(); <-ended })
	}
	alone := newHome(t).agent(t, s, unending("empty?size=320x180&rate=10&pixel=grey"), nil, nil)
	run(alone)
	for deadline := time.Now().Add(time.Minute); alone.exam.passed.Load() == nil && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		_ = alone.Healthy(t.Context())
	}
	if err := healthyWithin(t, alone, time.Second); err == nil || !strings.Contains(err.Error(), "acknowledged") {
		t.Errorf("without a broker: %v", err)
	}

	blind := newHome(t).agent(t, s, func(context.Context) (capture.Camera, error) { return nil, errors.New("no such device") }, nil, newAir())
	run(blind)
	if err := healthyWithin(t, blind, time.Second); err == nil || !strings.Contains(err.Error(), "no frame") {
		t.Errorf("without frames: %v", err)
	}

	keeper, err := privacy.Load(filepath.Join(t.TempDir(), "privacy"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Close(privacy.ByOwner, time.Now(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	closed := newHome(t).agentOf(t, Config{Settings: s, Open: unending("empty?size=320x180&rate=10&pixel=grey"), Privacy: keeper}, newAir())
	if err := closed.Healthy(t.Context()); !errors.Is(err, ota.ErrNotNow) {
		t.Errorf("closed: %v", err)
	}
}

// Hours, over midnight too, and none for a clock that was never set.
func TestUpdateHours(t *testing.T) {
	s := UpdateSettings{Window: []daynight.Span{{From: 23 * time.Hour, To: 2 * time.Hour}, {From: 12 * time.Hour, To: 13 * time.Hour}}}
	day := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	for at, want := range map[time.Duration]time.Duration{
		0: 0, 119 * time.Minute: 0, 2 * time.Hour: 10 * time.Hour, 12*time.Hour + time.Minute: 0, 13 * time.Hour: 10 * time.Hour, 23 * time.Hour: 0,
	} {
		if got := s.closedFor(day.Add(at)); got != want {
			t.Errorf("at %v it is closed for %v, want %v", at, got, want)
		}
	}
	if got := s.closedFor(time.Unix(3*3600, 0)); got != 0 {
		t.Errorf("a clock of 1970 keeps updates away for %v", got)
	}
	if got := (UpdateSettings{}).closedFor(day); got != 0 {
		t.Errorf("without hours: %v", got)
	}
}

// Events go before updates, and an update has its turn all the same.
func TestCourtesy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		mono := func() time.Duration { return time.Since(began) }
		var busy atomic.Bool
		busy.Store(true)
		c := courtesy{busy: busy.Load, mono: mono}
		if err := c.yield(t.Context()); err != nil || mono() != calmMost {
			t.Errorf("at a busy street it waited %v, %v", mono(), err)
		}
		at := mono()
		for mono() < at+calmTurn {
			if err := c.yield(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if took := mono() - at; took != calmTurn {
			t.Errorf("its turn of %v took %v", calmTurn, took)
		}
		at = mono()
		time.AfterFunc(5500*time.Millisecond, func() { busy.Store(false) })
		if err := c.yield(t.Context()); err != nil || mono()-at != 6*time.Second {
			t.Errorf("an event of 5.5 s kept it for %v, %v", mono()-at, err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := c.yield(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("stopped: %v", err)
		}
	})
}
