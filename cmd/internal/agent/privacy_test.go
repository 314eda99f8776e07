package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/cmd/internal/pins"
	"github.com/sealcam/sealcam/cmd/internal/privacy"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// counted counts the cameras that are open.
type counted struct {
	capture.Camera
	open *atomic.Int32
}

func (c counted) Close() error {
	c.open.Add(-1)
	return c.Camera.Close()
}

// status returns what a status says, nil for anything else.
func status(v *seal.Verified) *uplink.Status {
	_, media := v.Media()
	var s uplink.Status
	if v.Meta().Kind != seal.KindStatus || json.Unmarshal(media, &s) != nil {
		return nil
	}
	return &s
}

// order signs an owner's command.
func (h *home) order(tb testing.TB, c seal.Command) mqtt.Message {
	tb.Helper()
	c.Camera, c.Counter, c.Issued, c.Expires = h.camera.ID(), uint64(time.Now().UnixMilli()), time.Now(), time.Now().Add(time.Minute)
	b, err := seal.SignCommand(h.house.Owner(), c)
	if err != nil {
		tb.Fatal(err)
	}
	return mqtt.Message{Topic: "sealcam/v1/" + string(h.camera.ID()) + "/cmd", Payload: b, QoS: 1}
}

// The button closes the camera in the middle of an event: its device is closed,
// its lamp told, what it held is never sealed, and a signed status says since
// when. Over a restart it stays closed. The owner's command opens it, with an
// answer that says from when to when it was closed.
func TestPrivacyMode(t *testing.T) {
	h, sky, light := newHome(t), newAir(), night{make(chan struct{})}
	file := filepath.Join(h.dir, PrivacyFile)
	keeper, err := privacy.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	var open atomic.Int32
	s := Defaults()
	s.Live.Every.Duration = 300 * time.Millisecond
	presses := make(chan pins.Press)
	config := Config{Settings: s, Light: light, Privacy: keeper, Presses: presses, Open: func(context.Context) (capture.Camera, error) {
		cam, err := scene.Open("walk?size=640x360&rate=10&pixel=grey", scene.Options{Pace: true})
		open.Add(1)
		return counted{cam, &open}, err
	}}
	a := h.agentOf(t, config, sky)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	view := &screen{t: t, air: sky, camera: h.camera.ID(), opener: h.opener(t)}
	view.until("a live picture", func(v *seal.Verified) bool { return v.Meta().Stream == seal.Live })
	for deadline := time.Now().Add(time.Minute); a.Stats().Events == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no event in a minute")
		}
	}
	pressed := time.Now()
	presses <- pins.ShortPress
	closed := func(v *seal.Verified) bool {
		said := status(v)
		return said != nil && said.State == "privacy" && said.Privacy.On && said.Privacy.By == "button" && said.Privacy.Since.Sub(pressed).Abs() < 10*time.Second
	}
	view.until("a status of the closed camera", closed)
	if open.Load() != 0 {
		t.Error("status says privacy, and the device is open")
	}
	<-light.lost
	for _, h := range append(drain(a.free, circulating), a.eye.best) {
		if len(bytes.Trim(h.buf[:cap(h.buf)], "\x00")) != 0 {
			t.Error("a frame is still in memory")
		}
		if h != a.eye.best {
			a.free <- h
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}

	// The next process finds what was said.
	if config.Privacy, err = privacy.Load(file, nil); err != nil {
		t.Fatal(err)
	}
	config.Light = nil
	a.up.Close()
	a = h.agentOf(t, config, sky)
	go func() { ended <- a.Run(t.Context()) }()
	nonce := bytes.Repeat([]byte{7}, 16)
	sky.commands <- h.order(t, seal.Command{Verb: seal.VerbPrivacyOff, Nonce: nonce})
	answer := func(v *seal.Verified) bool {
		said := status(v)
		return said != nil && bytes.Equal(v.Meta().Nonce, nonce) && !said.Privacy.On && said.Privacy.Since.Sub(pressed).Abs() < 10*time.Second && said.Privacy.Until.After(pressed)
	}
	view.until("the answer to the owner", answer)
	shown := len(view.shown)
	view.until("a live picture again", func(v *seal.Verified) bool {
		return v.Meta().Stream == seal.Live && v.Meta().Taken.After(pressed.Add(time.Second))
	})

	from, to := 0, 0
	for i, v := range view.shown {
		switch {
		case from == 0 && closed(v):
			from = i
		case answer(v):
			to = i
		case v.Meta().Kind != seal.KindStatus && from > 0 && to == 0:
			t.Errorf("message %d, %s %s, was sealed while the camera was closed", i, v.Meta().Stream, v.Meta().Kind)
		}
		if v.Meta().Event == 1 && i <= shown {
			t.Error("the event that was cut off has a picture")
		}
	}
}

func drain(free chan *held, n int) (all []*held) {
	for range n {
		all = append(all, <-free)
	}
	return all
}

// A viewer who is no owner neither opens nor closes a camera.
func TestPrivacyIsTheOwners(t *testing.T) {
	h, sky := newHome(t), newAir()
	s := Defaults()
	s.Live.Every.Duration = 300 * time.Millisecond
	a := h.agent(t, s, func(context.Context) (capture.Camera, error) {
		return scene.Open("empty?size=320x180&rate=10&pixel=grey", scene.Options{Pace: true})
	}, nil, sky)
	go func() { _ = a.Run(t.Context()) }()
	b, err := seal.SignCommand(h.viewer.Key().Signer(), seal.Command{
		Camera: h.camera.ID(), Counter: 1, Verb: seal.VerbPrivacyOn, Issued: time.Now(), Expires: time.Now().Add(time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	sky.commands <- mqtt.Message{Topic: "sealcam/v1/" + string(h.camera.ID()) + "/cmd", Payload: b, QoS: 1}
	// For a moment, and with an answer.
	nonce := bytes.Repeat([]byte{9}, 16)
	until := time.Now().Add(3 * time.Second)
	sky.commands <- h.order(t, seal.Command{Verb: seal.VerbPrivacyOn, Nonce: nonce, From: uint64(time.Now().Unix()), To: uint64(until.Unix())})
	view := &screen{t: t, air: sky, camera: h.camera.ID(), opener: h.opener(t)}
	view.until("the answer", func(v *seal.Verified) bool {
		said := status(v)
		return said != nil && bytes.Equal(v.Meta().Nonce, nonce) && said.Privacy.On && said.Privacy.By == "owner" && said.Privacy.Until.Unix() == until.Unix()
	})
	if st := a.Stats().Uplink; st.Refused != 1 {
		t.Errorf("%d commands refused, want the viewer's", st.Refused)
	}
	view.until("a picture of afterwards", func(v *seal.Verified) bool {
		return v.Meta().Stream == seal.Live && !v.Meta().Taken.Before(until.Truncate(time.Second))
	})
}

// A camera with a schedule that does not know the time never opens its device.
func TestScheduleWithoutClockStaysClosed(t *testing.T) {
	h, sky := newHome(t), newAir()
	keeper, err := privacy.Load("", []daynight.Span{{From: time.Hour, To: 2 * time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	in1970 := func() time.Time { return time.Unix(1000, 0) }
	a := h.agentOf(t, Config{Settings: Defaults(), Privacy: keeper, Now: in1970, Open: func(context.Context) (capture.Camera, error) {
		t.Error("the device was opened")
		return nil, capture.ErrNoDevice
	}}, sky)
	ctx, stop := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer stop()
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if n := a.Stats().Capture.Frames; n != 0 {
		t.Errorf("%d frames", n)
	}
}
