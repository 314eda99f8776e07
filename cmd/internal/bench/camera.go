package bench

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/sealcam/sealcam/capture/daynight"
	"github.com/sealcam/sealcam/cmd/internal/agent"
)

// camera is an agent on the bench.
type camera struct {
	agent *agent.Agent
	close func() error
}

// newCamera claims the camera of h, and puts the agent of sealcamd on it, with
// a shorter period between live pictures than a board would have.
func (b *bench) newCamera(h *house, source agent.Source, every time.Duration) (*camera, error) {
	if err := h.Adopt(h.camera); err != nil {
		return nil, fmt.Errorf("pair %s: %w", h.name, err)
	}
	s := agent.Defaults()
	s.State = filepath.Join(b.dir, h.name)
	s.Live.Every.Duration = every
	s.Camera.Once = source.Once
	open := source.Open
	if b.ends(source) {
		open, s.Camera.Once = endsAt(open, b.began.Add(b.For)), true
	}
	log := b.Log.With("camera", h.name)
	up, err := agent.OpenUplink(s, h.camera, agent.Host{Firmware: Firmware}, log)
	if err != nil {
		return nil, err
	}
	light, err := daynight.NewPart(daynight.PartConfig{Log: log}) // told by the picture alone: a desk has no lamp
	if err != nil {
		return nil, err
	}
	a, err := agent.New(agent.Config{Settings: s, Open: open, Light: light, Uplink: up, Now: time.Now, Mono: agent.Monotonic, Log: log})
	if err != nil {
		return nil, err
	}
	return &camera{a, up.Close}, nil
}

// Firmware is what the bench's seals claim as their firmware.
const Firmware = "bench"
