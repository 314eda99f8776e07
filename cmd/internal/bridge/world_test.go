package bridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/bridge"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/mosquitto"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// patience is how long a test waits for what must come.
const patience = 90 * time.Second

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a household, Home Assistant's broker, and somebody who reads there.
type world struct {
	t      *testing.T
	owner  *identity.Household
	viewer *identity.Viewer
	fake   *feed.Fake
	local  *mosquitto.Broker
	assist *assistant

	mu    sync.Mutex
	ahead time.Duration // of the bridge's clock
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, fake: new(feed.Fake)}
	dir := t.TempDir()
	var err error
	w.owner, err = identity.CreateHousehold(filepath.Join(dir, "home"), "", time.Now)
	check(t, err)
	w.viewer, err = w.owner.AddViewer("bridge")
	check(t, err)
	port, err := mosquitto.FreePort("127.0.0.1")
	check(t, err)
	w.local, err = mosquitto.Start(t.Context(), t.TempDir(), mosquitto.Config{
		Host: "127.0.0.1", Port: port, Users: map[string]string{"bridge": "pass: word", "assistant": "other"},
	}, t.Output())
	check(t, err)
	t.Cleanup(w.local.Stop)
	w.assist = w.listen()
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

// pass lets time pass at the bridge.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

// bridge runs a bridge until stop.
func (w *world) bridge(up feed.Feed) (stop func()) {
	w.t.Helper()
	_, err := w.viewer.Refresh()
	check(w.t, err)
	b, err := bridge.New(bridge.Config{
		Identity: w.viewer, Feed: up, Local: mqtt.Config{URL: w.local.URL(), User: "bridge", Password: "pass: word"},
		Version: "1.2", Now: w.now, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	})
	check(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != context.Canceled {
			w.t.Errorf("Run ended with %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// assistant reads what Home Assistant would read.
type assistant struct {
	t    *testing.T
	conn *mqtt.Conn

	mu      sync.Mutex
	stands  map[string]mqtt.Message // the newest of each topic; cleared ones are not in it
	history map[string][]string     // every payload of a topic
	changed chan struct{}
}

func (w *world) listen() *assistant {
	w.t.Helper()
	conn, err := mqtt.Dial(w.t.Context(), mqtt.Config{
		URL: w.local.URL(), ClientID: "assistant", User: "assistant", Password: "other", Queue: 4096, MaxIncoming: 4 << 20,
	})
	check(w.t, err)
	a := &assistant{t: w.t, conn: conn, stands: map[string]mqtt.Message{}, history: map[string][]string{}, changed: make(chan struct{})}
	check(w.t, conn.Subscribe(w.t.Context(), "#"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case m := <-conn.Messages():
				a.take(m)
			case <-conn.Done():
				return
			}
		}
	}()
	w.t.Cleanup(func() { conn.Close(); <-done })
	return a
}

func (a *assistant) take(m mqtt.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stands[m.Topic] = m
	if len(m.Payload) == 0 {
		delete(a.stands, m.Topic)
	}
	a.history[m.Topic] = append(a.history[m.Topic], string(m.Payload))
	close(a.changed)
	a.changed = make(chan struct{})
}

// until waits for ok to be true of all that stands.
func (a *assistant) until(what string, ok func(map[string]mqtt.Message) bool) {
	a.t.Helper()
	limit := time.After(patience)
	for {
		a.mu.Lock()
		changed, fine := a.changed, ok(a.stands)
		a.mu.Unlock()
		if fine {
			return
		}
		select {
		case <-changed:
		case <-limit:
			a.mu.Lock()
			defer a.mu.Unlock()
			for topic, m := range a.stands {
				a.t.Logf("%s  %.80q", topic, m.Payload)
			}
			a.t.Fatalf("waited %v for: %s", patience, what)
		}
	}
}

// state waits until a topic says want.
func (a *assistant) state(topic, want string) {
	a.t.Helper()
	a.until(topic+" is "+want, func(all map[string]mqtt.Message) bool { return string(all[topic].Payload) == want })
}

// picture waits until a topic shows exactly these bytes.
func (a *assistant) picture(topic string, want []byte) {
	a.t.Helper()
	a.until(topic+" shows the picture", func(all map[string]mqtt.Message) bool { return bytes.Equal(all[topic].Payload, want) })
}

// card waits until a topic shows a card, and returns its bytes.
func (a *assistant) card(topic string, not ...[]byte) (payload []byte) {
	a.t.Helper()
	a.until(topic+" shows a card", func(all map[string]mqtt.Message) bool {
		payload = all[topic].Payload
		for _, n := range not {
			if bytes.Equal(n, payload) {
				return false
			}
		}
		img, err := jpeg.Decode(bytes.NewReader(payload))
		return err == nil && img.Bounds() == image.Rect(0, 0, 960, 540)
	})
	return payload
}

// detail returns a JSON object that stands on a topic.
func (a *assistant) detail(topic string) map[string]any {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	var v map[string]any
	if err := json.Unmarshal(a.stands[topic].Payload, &v); err != nil {
		a.t.Fatalf("%s: %v", topic, err)
	}
	return v
}

// said returns how often a topic said something.
func (a *assistant) said(topic, what string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.history[topic] {
		if strings.Contains(s, what) {
			n++
		}
	}
	return n
}

func (a *assistant) publish(topic, payload string) {
	a.t.Helper()
	token := a.conn.Publish(a.t.Context(), mqtt.Message{Topic: topic, Payload: []byte(payload), QoS: 1})
	select {
	case <-token.Done():
		check(a.t, token.Err())
	case <-time.After(patience):
		a.t.Fatal("no acknowledgement")
	}
}

// camera seals as a real one does.
type camera struct {
	w      *world
	id     seal.CameraID
	sealer *seal.Sealer
	seq    [4]uint64 // by stream
	prev   [32]byte
}

func (w *world) camera(name string) *camera {
	w.t.Helper()
	key, err := identity.OpenCamera(filepath.Join(w.t.TempDir(), "camera"))
	check(w.t, err)
	check(w.t, w.owner.AddCamera(key.ID(), name))
	r, _, err := w.owner.Roster()
	check(w.t, err)
	s, err := seal.NewSealer(seal.SealerConfig{Key: key.Signer(), Roster: r, Boot: [16]byte{1}, Firmware: "7"})
	check(w.t, err)
	return &camera{w: w, id: key.ID(), sealer: s}
}

// topic is where an entity of the camera says what it shows.
func (c *camera) topic(entity string) string { return "sealcam-bridge/" + string(c.id) + "/" + entity }

func (c *camera) seal(m seal.Meta, media []byte) feed.Item {
	c.w.t.Helper()
	c.seq[m.Stream]++
	m.Seq = c.seq[m.Stream]
	if m.Clock == "" {
		m.Clock = seal.ClockNTP
	}
	if m.Taken.IsZero() {
		m.Taken = c.w.now()
	}
	kind := feed.Media
	switch m.Stream {
	case seal.Durable:
		m.Prev = c.prev
	case seal.Live:
		kind, m.Expires = feed.Live, m.Taken.Add(30*time.Second).Truncate(time.Second)
	}
	if m.Kind == "" {
		m.Kind, m.Media = seal.KindSnapshot, "image/jpeg"
	} else if m.Kind == seal.KindStatus {
		kind, m.Media = feed.Status, "application/json"
	}
	s, err := c.sealer.Seal(m, media)
	check(c.w.t, err)
	if m.Stream == seal.Durable {
		c.prev = s.Hash
	}
	return feed.Item{Camera: c.id, Kind: kind, Sealed: s.Bytes}
}

func (c *camera) live(light string, picture []byte) feed.Item {
	return c.seal(seal.Meta{Stream: seal.Live, Light: light, Cause: "period"}, picture)
}

func (c *camera) motion(event uint64, picture []byte) feed.Item {
	return c.seal(seal.Meta{Stream: seal.Durable, Cause: "motion", Event: event, Light: "day"}, picture)
}

func (c *camera) status(stream seal.Stream, state string) feed.Item {
	return c.seal(seal.Meta{Stream: stream, Kind: seal.KindStatus}, []byte(`{"state":"`+state+`","light":"day"}`))
}

// says seals a status with this text.
func (c *camera) says(text string) feed.Item {
	return c.seal(seal.Meta{Stream: seal.Durable, Kind: seal.KindStatus, Media: "application/json"}, []byte(text))
}

// painted returns a picture of one colour.
func painted(t *testing.T, grey uint8) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 64, 36))
	for i := range img.Pix {
		img.Pix[i] = color.Gray{Y: grey}.Y
	}
	var b bytes.Buffer
	check(t, jpeg.Encode(&b, img, nil))
	return b.Bytes()
}
