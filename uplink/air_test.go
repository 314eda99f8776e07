package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// air is a network with a broker in it that does what a test says.
type air struct {
	mu    sync.Mutex
	conns []*airConn
	dials []time.Time
	down  error                     // why Dial fails; nil when it does not
	deaf  bool                      // acknowledges nothing
	check func(mqtt.Config)         // of every Dial
	deny  string                    // of a filter: it is not granted if it holds this; "" for all are
	rule  func(mqtt.Message) bool   // false: the connection ends on this message
	carry func(mqtt.Message, *sent) // acknowledges it in its own time
	rate  float64                   // bytes a second, see thin; 0 for no limit
	delay time.Duration
}

type airConn struct {
	air      *air
	config   mqtt.Config
	messages chan mqtt.Message
	done     chan struct{}
	once     sync.Once
	err      error
	sent     []*sent
	filters  []string
	busy     time.Time // a thin link is, until then
	arrived  []*sent   // over a thin link
}

// sent is a published message and its Token.
type sent struct {
	mqtt.Message
	done chan struct{}
	err  error
	at   time.Time // it arrived over a thin link
}

func (s *sent) Done() <-chan struct{} { return s.done }
func (s *sent) Err() error            { return s.err }

var errDown = &mqtt.Error{Reason: mqtt.ErrUnreachable, Broker: "test:1", Err: errors.New("no route")}
var errLost = &mqtt.Error{Reason: mqtt.ErrLost, Broker: "test:1"}

func (a *air) dial(_ context.Context, c mqtt.Config) (Conn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dials = append(a.dials, time.Now())
	if a.check != nil {
		a.check(c)
	}
	if a.down != nil {
		return nil, a.down
	}
	conn := &airConn{air: a, config: c, messages: make(chan mqtt.Message, 100), done: make(chan struct{})}
	a.conns = append(a.conns, conn)
	return conn, nil
}

func (c *airConn) Subscribe(_ context.Context, filters ...string) error {
	c.filters = append(c.filters, filters...)
	if c.air.deny != "" && strings.Contains(strings.Join(filters, " "), c.air.deny) {
		return errors.New("not authorized")
	}
	return c.Err()
}

func (c *airConn) Publish(_ context.Context, m mqtt.Message) mqtt.Token {
	c.air.mu.Lock()
	defer c.air.mu.Unlock()
	s := &sent{Message: m, done: make(chan struct{})}
	if err := c.Err(); err != nil {
		s.err = err
		close(s.done)
		return s
	}
	c.sent = append(c.sent, s)
	if c.air.rate > 0 {
		c.carry(s)
	} else if c.air.rule != nil && !c.air.rule(m) {
		c.drop(errLost)
	} else if c.air.carry != nil {
		c.air.carry(m, s)
	} else if !c.air.deaf {
		close(s.done)
	}
	return s
}

func (c *airConn) Messages() <-chan mqtt.Message { return c.messages }
func (c *airConn) Done() <-chan struct{}         { return c.done }
func (c *airConn) Close()                        { c.drop(errors.New("closed")) }

func (c *airConn) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

func (c *airConn) drop(err error) { c.once.Do(func() { c.err = err; close(c.done) }) }

// cut ends the connection as a network does.
func (a *air) cut() { a.last().drop(errLost) }

// ack acknowledges the nth message of the newest connection.
func (a *air) ack(n int) {
	c := a.last()
	a.mu.Lock()
	defer a.mu.Unlock()
	close(c.sent[n].done)
}

func (a *air) last() *airConn {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.conns[len(a.conns)-1]
}

// home is one camera of a household, and one viewer's eye on it.
type home struct {
	t           *testing.T
	house       *identity.Household
	camera      *identity.Camera
	viewer      *identity.Viewer
	opener      *seal.Opener
	dir         string
	air         *air
	log         *lines
	now         func() time.Time
	clock       func() string
	budget      int64
	record      *RecordingConfig
	credentials Credentials        // nil: the household's
	set         func([]byte) error // takes settings; nil for none
	up          *Uplink
	stop        func()
	read        int // messages of the newest connection that were opened
}

// lines is a slog.Handler that keeps what is said to people.
type lines struct {
	mu   sync.Mutex
	said []string
}

func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *lines) WithGroup(string) slog.Handler                    { return l }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, text)
	return nil
}

// count returns how many lines hold part.
func (l *lines) count(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.said {
		if strings.Contains(s, part) {
			n++
		}
	}
	return n
}

// inHome runs f in a bubble of its own time.
func inHome(t *testing.T, f func(t *testing.T, h *home)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &home{t: t, air: &air{}, log: &lines{}, dir: t.TempDir(), budget: 1 << 24}
		h.now = func() time.Time { return time.Now().AddDate(30, 0, 0) } // bubbles begin in 2000
		h.house = must(identity.CreateHousehold(path.Join(h.dir, "house"), "", h.now))
		h.viewer = must(h.house.AddViewer("phone"))
		h.camera = must(identity.OpenCamera(path.Join(h.dir, "camera")))
		h.do(h.house.AddCamera(h.camera.ID(), "door"))
		h.do(h.house.Adopt(h.camera))
		h.opener = h.newOpener(h.viewer)
		f(t, h)
		h.halt()
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (h *home) do(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) newOpener(v *identity.Viewer) *seal.Opener {
	roster, _, err := h.house.Roster()
	h.do(err)
	return must(seal.NewOpener(seal.OpenerConfig{Household: h.house.ID(), Roster: roster, Key: v.Key(), Now: h.now}))
}

// open opens the uplink without running it.
func (h *home) open() {
	h.t.Helper()
	began := time.Now()
	up, err := Open(Config{
		Dir: path.Join(h.dir, "spool"), Camera: h.camera, Broker: "mqtts://test", Budget: h.budget, Firmware: "1.2.3",
		Now: h.now, Mono: func() time.Duration { return time.Since(began) }, Clock: h.clock, Recording: h.record, Credentials: h.credentials, Settings: h.set,
		Log: slog.New(h.log), Dial: h.air.dial,
	})
	h.do(err)
	h.up = up
}

// run runs the uplink until halt.
func (h *home) run() {
	ctx, cancel := context.WithCancel(h.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.up.Run(ctx) }()
	go func() { ended <- h.up.Recall(ctx) }()
	h.stop = func() { cancel(); h.do(<-ended); h.do(<-ended) }
	synctest.Wait()
}

// halt ends Run and closes the uplink.
func (h *home) halt() {
	if h.stop != nil {
		h.stop()
		h.stop = nil
	}
	if h.up != nil {
		h.do(h.up.Close())
		h.up = nil
	}
}

func (h *home) picture(text string) encode.Picture {
	return encode.Picture{Kind: encode.Snapshot, Media: "image/jpeg", Data: []byte(text), Width: 8, Height: 8,
		Taken: h.now(), Cause: encode.CauseMotion, Event: 1}
}

func (h *home) send(texts ...string) {
	h.t.Helper()
	for _, text := range texts {
		h.do(h.up.Send(h.picture(text)))
	}
}

// pass lets time go by.
func (h *home) pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

// arrived returns the messages of the newest connection since the last call.
func (h *home) arrived() []*sent {
	synctest.Wait()
	c := h.air.last()
	h.air.mu.Lock()
	defer h.air.mu.Unlock()
	if h.read > len(c.sent) {
		h.read = 0
	}
	news := c.sent[h.read:]
	h.read = len(c.sent)
	return news
}

// shown opens what has arrived on the given topic and returns what it says:
// the media of pictures, "lost 3-5" of confessions.
func (h *home) shown(kind string) (texts []string) {
	h.t.Helper()
	for _, s := range h.arrived() {
		if path.Base(s.Topic) != kind {
			continue
		}
		v, err := h.opener.Open(h.camera.ID(), s.Payload)
		if err != nil {
			h.t.Errorf("on %s: %v", s.Topic, err)
			continue
		}
		texts = append(texts, said(v))
	}
	return texts
}

func said(v *seal.Verified) string {
	if m := v.Meta(); m.Kind == seal.KindGap {
		text := "lost"
		for _, r := range m.Lost {
			text += " " + rangeOf(r)
		}
		return text
	}
	_, media := v.Media()
	if len(media) > 1000 {
		return fmt.Sprintf("%.10s... %d bytes", media, len(media))
	}
	return string(media)
}

// command delivers what a viewer says to the camera.
func (h *home) command(cmd []byte, err error) {
	h.t.Helper()
	h.do(err)
	h.tell("cmd", cmd, false)
}

func (h *home) tell(kind string, payload []byte, retained bool) {
	h.air.last().messages <- mqtt.Message{Topic: "sealcam/v1/" + string(h.camera.ID()) + "/" + kind, Payload: payload, Retained: retained}
	synctest.Wait()
}

func expect(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}
