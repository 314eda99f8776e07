package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/seal"
)

// days is a camera that sees half-hour days and the short nights between. Nothing that
// is done to lamp or filter shows in its picture.
type days struct {
	frames int
	end    <-chan struct{}
}

func (*days) Format() capture.Format {
	return capture.Format{Pixel: capture.Grey, Width: 64, Height: 36, Stride: 64, Rate: 5}
}
func (*days) Close() error { return nil }

func (d *days) Next(ctx context.Context, f *capture.Frame) error {
	at := time.Duration(d.frames) * 200 * time.Millisecond
	if at > 75*time.Minute {
		select {
		case <-d.end:
			return io.EOF
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	d.frames++
	level := byte(120)
	if at%(36*time.Minute) > 31*time.Minute {
		level = 22
	}
	*f = capture.Frame{Format: d.Format(), Seq: uint64(d.frames), Mono: at, Data: bytes.Repeat([]byte{level}, 64*36)}
	return nil
}

// idle is a filter and a lamp whose wires are cut.
type idle struct {
	moves int
	lit   bool
	shone bool
}

func (i *idle) Move(daynight.Filter) error { i.moves++; return nil }
func (i *idle) Park() error                { return nil }
func (i *idle) Dims() bool                 { return false }
func (i *idle) Set(power float64) error {
	i.lit, i.shone = power > 0, i.shone || power > 0
	return nil
}

// A lamp that lights nothing and a filter that does not move are found by the
// picture, and reach the owner in a signed status.
func TestDeadLampAndStuckFilterAreTold(t *testing.T) {
	h, sky, end, wires := newHome(t), newAir(), make(chan struct{}), new(idle)
	light, err := daynight.NewPart(daynight.PartConfig{Actuator: &daynight.Actuator{Filter: wires, Lamp: wires}})
	if err != nil {
		t.Fatal(err)
	}
	s := Defaults()
	s.Camera.Once = true
	s.Live.Every.Duration = 0
	a := h.agent(t, s, func(context.Context) (capture.Camera, error) { return &days{end: end}, nil }, light, sky)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(t.Context()) }()

	view := &screen{t: t, air: sky, camera: h.camera.ID(), opener: h.opener(t)}
	view.until("a status that names lamp and filter", func(v *seal.Verified) bool {
		var said uplink.Status
		_, media := v.Media()
		if v.Meta().Kind != seal.KindStatus || json.Unmarshal(media, &said) != nil || said.State != "trouble" {
			return false
		}
		all := strings.Join(said.Troubles, "\n")
		return strings.Contains(all, "infrared lamp does not brighten the picture") && strings.Contains(all, "infrared cut filter does not change the picture")
	})
	close(end)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if wires.moves < 3 || !wires.shone || wires.lit {
		t.Errorf("the filter was moved %d times, the lamp was lit %t, and burns at the end %t", wires.moves, wires.shone, wires.lit)
	}
}

// restricted is a light of a camera that cannot do something.
type restricted struct{ night }

func (restricted) Faults() []string { return nil }
func (restricted) Limits() []string { return []string{"pictures of the night are tinted"} }

// What a camera cannot do is said in status, and is no trouble.
func TestLimitsAreToldWithoutTrouble(t *testing.T) {
	a := newAgent(t, Defaults(), nil)
	a.light = restricted{}
	a.noteLight(&capture.Frame{Light: capture.LightNight, Mono: faultsEach})
	said := a.statusNow(a.mono())
	if limits, _ := said.Capture["limits"].([]string); len(limits) != 1 || limits[0] != "pictures of the night are tinted" {
		t.Errorf("status says %+v", said.Capture)
	}
	if said.State != "running" || len(said.Troubles) > 0 {
		t.Errorf("state %s, troubles %q", said.State, said.Troubles)
	}
}

// A camera whose H.264 comes without parameter sets: no clip can be made, and
// status says why, until they come. An encoder that fails is told too.
func TestVideoTroubles(t *testing.T) {
	a := newAgent(t, Defaults(), nil)
	give := func(at time.Duration, data ...byte) {
		t.Helper()
		f := capture.Frame{Format: capture.Format{Pixel: capture.H264, Width: 64, Height: 48}, Data: data, Seq: uint64(at / time.Second), Mono: at}
		if err := a.store(&f); err != nil {
			t.Fatal(err)
		}
	}
	said := func(words string) bool {
		s := a.statusNow(a.mono())
		return s.State == "trouble" && strings.Contains(strings.Join(s.Troubles, "\n"), words)
	}
	key := []byte{0, 0, 0, 1, 0x65, 0x88, 0x80}
	give(time.Second, key...)
	give(bareFor, key...)
	if said("parameter sets") {
		t.Error("parameter sets are missed too early")
	}
	if give(bareFor+time.Second, key...); !said("parameter sets") {
		t.Error("status does not say that parameter sets lack")
	}
	sets := []byte{0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x0a, 0xd9, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80}
	if give(bareFor+2*time.Second, append(sets, key...)...); said("parameter sets") {
		t.Error("status says that parameter sets lack when they have come")
	}
	a.clips.coder.fail(errors.New("/dev/video11: stuck"))
	if !said("/dev/video11: stuck") || a.Stats().EncoderFailed != 1 {
		t.Errorf("status does not tell of the encoder: %+v", a.statusNow(a.mono()))
	}
}
