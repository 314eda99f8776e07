package agent

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/piece"
	"github.com/sealcam/sealcam/uplink/seal"
)

// air is a broker that acknowledges everything and keeps it.
type air struct {
	commands chan mqtt.Message
	done     chan struct{}

	mu   sync.Mutex
	sent []mqtt.Message
}

func newAir() *air { return &air{commands: make(chan mqtt.Message, 4), done: make(chan struct{})} }

func (a *air) Subscribe(context.Context, ...string) error { return nil }
func (a *air) Messages() <-chan mqtt.Message              { return a.commands }
func (a *air) Done() <-chan struct{}                      { return a.done }
func (a *air) Err() error                                 { return io.ErrUnexpectedEOF }
func (a *air) Close()                                     {}

func (a *air) Publish(_ context.Context, m mqtt.Message) mqtt.Token {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent = append(a.sent, m)
	return acknowledged{}
}

// acknowledged is a token that is done.
type acknowledged struct{}

func (acknowledged) Done() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
func (acknowledged) Err() error { return nil }

// night is a light that never changes, with a lamp that does not work.
type night struct{ lost chan struct{} }

func (night) Step(time.Duration, time.Time, *capture.Luma) capture.Light { return capture.LightNight }
func (night) Faults() []string                                           { return []string{"the lamp is dead"} }
func (n night) Lost()                                                    { close(n.lost) }

// patient is a camera that ends only when it is told to.
type patient struct {
	limited
	end <-chan struct{}
}

func (l *patient) Next(ctx context.Context, f *capture.Frame) error {
	if l.left == 0 {
		select {
		case <-l.end:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return l.limited.Next(ctx, f)
}

// screen opens what is on the air, each message once.
type screen struct {
	t      *testing.T
	air    *air
	camera seal.CameraID
	opener *seal.Opener
	joiner piece.Joiner
	seen   int
	shown  []*seal.Verified
}

// until looks at what comes until something verified satisfies want.
func (s *screen) until(what string, want func(*seal.Verified) bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		s.look()
		if slices.ContainsFunc(s.shown, want) {
			return
		}
	}
	s.t.Fatalf("after a minute nothing has come that is %s; shown: %d messages", what, len(s.shown))
}

func (s *screen) look() {
	s.t.Helper()
	s.air.mu.Lock()
	news := s.air.sent[s.seen:]
	s.seen = len(s.air.sent)
	s.air.mu.Unlock()
	for _, m := range news {
		topic := m.Topic[strings.LastIndexByte(m.Topic, '/')+1:]
		if topic == "hello" {
			continue
		}
		sealed := m.Payload
		if topic == piece.Topic {
			kind, whole, err := s.joiner.Add(m.Topic, sealed)
			if err != nil {
				s.t.Fatal(err)
			}
			if whole == nil {
				continue
			}
			sealed, topic = whole, kind.String()
		}
		v, err := s.opener.Open(s.camera, sealed)
		if err != nil {
			s.t.Fatalf("%s: %v", topic, err)
		}
		stream := map[string]seal.Stream{"live": seal.Live, "media": seal.Durable, "status": seal.Durable}[topic]
		if v.Meta().Stream != stream {
			s.t.Errorf("on %s comes a %s message", topic, v.Meta().Stream)
		}
		s.shown = append(s.shown, v)
	}
}

// Everything that a camera says arrives as what it is: live pictures, the
// answer to a request, the picture of an event, the status with what does not
// work; and when the camera goes, the lamp is told.
func TestWhatIsSent(t *testing.T) {
	h, sky, light, end := newHome(t), newAir(), night{make(chan struct{})}, make(chan struct{})
	opener, err := seal.NewOpener(seal.OpenerConfig{
		Household: h.viewer.Household(), Roster: h.viewer.Roster(), Key: h.viewer.Key(), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd, nonce, err := opener.Ask(h.camera.ID())
	if err != nil {
		t.Fatal(err)
	}
	s := Defaults()
	s.Camera.Once = true
	s.Live.Every.Duration = time.Second
	s.Uplink.Status.Duration = time.Second
	a := h.agent(t, s, func(context.Context) (capture.Camera, error) {
		cam, err := scene.Open("walk?size=640x360&rate=10&pixel=grey", scene.Options{Pace: true})
		return &patient{limited{cam, 130}, end}, err
	}, light, sky)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(t.Context()) }()

	view := &screen{t: t, air: sky, camera: h.camera.ID(), opener: opener}
	atNight := func(v *seal.Verified) bool { return v.Meta().Light == "night" }
	view.until("a live picture of the night", func(v *seal.Verified) bool {
		return v.Meta().Stream == seal.Live && v.Meta().Cause == "period" && atNight(v)
	})
	sky.commands <- mqtt.Message{Topic: "sealcam/v1/" + string(h.camera.ID()) + "/cmd", Payload: cmd, QoS: 1}
	view.until("the answer to the request", func(v *seal.Verified) bool {
		return v.Fresh() && string(v.Meta().Nonce) == string(nonce) && v.Meta().Cause == "request"
	})
	var first int64
	dead := func(after int64) func(v *seal.Verified) bool {
		return func(v *seal.Verified) bool {
			var said uplink.Status
			_, media := v.Media()
			if v.Meta().Kind != seal.KindStatus || json.Unmarshal(media, &said) != nil || said.Uptime <= after || said.State != "trouble" ||
				!slices.Equal(said.Troubles, []string{"the lamp is dead"}) {
				return false
			}
			first = said.Uptime
			return true
		}
	}
	view.until("a status that names the dead lamp", dead(-1))
	view.until("a status that says so again, a period later", dead(first))
	view.until("the picture of the event", func(v *seal.Verified) bool {
		m := v.Meta()
		_, media := v.Media()
		return m.Stream == seal.Durable && m.Cause == "motion" && m.Event == 1 && atNight(v) && m.Width == 640 && len(media) > 1000
	})
	close(end)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	<-light.lost
}
