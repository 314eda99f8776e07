package trials

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/faults"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/mosquitto"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// house is a household with its cameras, a viewer and the ledger of both.
type house struct {
	*identity.Household
	t        *testing.T
	dir      string
	ledger   *faults.Ledger
	eye      *screen
	patience time.Duration // how long it waits for what must come
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), ledger: faults.NewLedger(), patience: patience}
	var err error
	h.Household, err = identity.CreateHousehold(filepath.Join(h.dir, "house"), "", time.Now)
	check(t, err)
	_, err = h.AddViewer("screen")
	check(t, err)
	return h
}

// mosquitto runs a broker that forgets everything when it ends.
func (h *house) mosquitto() *broker {
	h.t.Helper()
	port, err := mosquitto.FreePort(host)
	check(h.t, err)
	cert, key, err := h.IssueServer(host)
	check(h.t, err)
	b := &broker{house: h, dir: filepath.Join(h.dir, "broker"), config: mosquitto.Config{
		Host: host, Port: port, CA: h.Authority(), Cert: cert, Key: key,
		Rules: "pattern readwrite sealcam/v1/%u/#\nuser viewer-screen\ntopic readwrite sealcam/v1/#\n",
	}}
	check(h.t, os.Mkdir(b.dir, 0o700))
	b.start()
	h.t.Cleanup(b.kill)
	return b
}

// broker is a Mosquitto that can be killed and started again on its port.
type broker struct {
	house  *house
	dir    string
	config mosquitto.Config
	run    *mosquitto.Broker // nil while it does not run
	log    lines
}

func (b *broker) start() {
	b.house.t.Helper()
	var err error
	b.run, err = mosquitto.Start(context.Background(), b.dir, b.config, &b.log)
	check(b.house.t, err)
}

// kill ends it as kill -9 does.
func (b *broker) kill() {
	if b.run != nil {
		b.run.Stop()
		b.run = nil
	}
}

func (b *broker) addr() string { return fmt.Sprintf("%s:%d", host, b.config.Port) }

// The ends of what a proxy can do.
var (
	sound   = faults.Fault{}
	refused = faults.Fault{Refuse: true}
)

// proxy is a poor network before the broker.
func (h *house) proxy(seed uint64, targets ...string) *faults.Proxy {
	h.t.Helper()
	p, err := faults.NewProxy(seed, targets...)
	check(h.t, err)
	h.t.Cleanup(p.Close)
	return p
}

// camera is a camera of the house, and the sealcamd that runs it.
type camera struct {
	house  *house
	name   string
	id     seal.CameraID
	state  string
	config string
	broker string // host:port
	budget string
	live   string // how often a live picture is wanted
	cmd    *exec.Cmd
}

// camera takes a new camera into the house. Its state is to be in dir, which is
// empty, or in a directory of the house if dir is "".
func (h *house) camera(name, broker, dir string) *camera {
	h.t.Helper()
	if dir == "" {
		dir = filepath.Join(h.dir, name)
	}
	c := &camera{house: h, name: name, state: dir, config: filepath.Join(h.dir, name+".toml"), broker: broker, budget: "64 MiB", live: "0s"}
	own, err := identity.OpenCamera(filepath.Join(dir, agent.IdentityDir))
	check(h.t, err)
	c.id = own.ID()
	check(h.t, h.AddCamera(c.id, name))
	check(h.t, h.Adopt(own))
	h.t.Cleanup(func() {
		c.kill()
		if h.t.Failed() {
			tail := h.ledger.Tail(c.id)
			h.t.Logf("%s: missing %v, log:\n%s", name, h.ledger.Missing(c.id), strings.Join(tail[max(0, len(tail)-40):], "\n"))
		}
	})
	return c
}

// The scenes: somebody walks by, twenty times as fast as people do; the same at a
// slower pace, and in smaller pictures; nobody does.
const (
	busy  = "scene:walk?size=160x120&speed=20&seed=%d"
	slow  = "scene:walk?size=160x120&speed=2&seed=%d"
	small = "scene:walk?size=96x72&speed=20&quality=20&seed=%d"
	still = "scene:empty?size=160x120&rate=1"
)

// settings writes the settings file.
func (c *camera) settings(source, status string) {
	c.house.t.Helper()
	check(c.house.t, os.WriteFile(c.config, fmt.Appendf(nil, `state = %q
log = "debug"
[camera]
source = %q
[tamper]
enabled = false
[pairing]
lens = false
[live]
every = %q
[clips]
before = "2s"
after = "2s"
max = "10s"
[uplink]
broker = %q
budget = %q
status = %q
`, c.state, source, c.live, "mqtts://"+c.broker, c.budget, status), 0o600))
}

// run runs sealcamd before one of the scenes.
func (c *camera) run(scene string, seed int) {
	c.house.t.Helper()
	c.settings(fmt.Sprintf(scene, seed), "1s")
	c.start()
}

func (c *camera) start() {
	c.house.t.Helper()
	c.cmd = exec.Command(sealcamd(c.house.t), "-config", c.config)
	c.cmd.Stderr = c.house.ledger.Log(c.id)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	check(c.house.t, c.cmd.Start())
}

// kill ends it as a power cut would, but for the disk.
func (c *camera) kill() {
	if c.cmd != nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
		c.cmd = nil
	}
}

// sealed waits until the camera has sealed up to number seq.
func (c *camera) sealed(seq uint64) {
	c.house.t.Helper()
	c.house.until(fmt.Sprintf("%s has sealed %d messages", c.name, seq), func() bool { return c.house.ledger.Head(c.id) >= seq })
}

// pause is a moment in which the camera goes on.
func (c *camera) pause() { time.Sleep(20 * time.Millisecond) }

// quiet has it see nothing any more: it only delivers. What it sealed until then
// is what counts.
func (c *camera) quiet() {
	c.house.t.Helper()
	c.settings(still, "2s")
	if c.cmd == nil {
		c.start()
	} else {
		check(c.house.t, c.cmd.Process.Signal(syscall.SIGHUP))
	}
	c.house.until(c.name+" sees nothing any more", func() bool { return c.house.ledger.Said(c.id, "scene:empty") })
	check(c.house.t, c.house.ledger.Stored(c.id, filepath.Join(c.state, agent.SpoolDir, "messages")))
	c.house.ledger.Until(c.id, c.house.ledger.Head(c.id))
}

// settle waits until of everything that the cameras sealed a viewer has the
// message or a word, then asks a viewer that starts anew, and writes the row of
// the table.
func (h *house) settle(trial, note string, cams ...*camera) faults.Count {
	h.t.Helper()
	for _, c := range cams {
		h.until("all that "+c.name+" sealed is verified or confessed", func() bool { return len(h.ledger.Missing(c.id)) == 0 })
	}
	h.eye.again()
	for _, c := range cams {
		h.until(c.name+" is heard after the viewer's restart", func() bool { return h.eye.heard(c.id) })
	}
	var sum faults.Count
	for _, c := range cams {
		sum = sum.Plus(h.ledger.Count(c.id))
	}
	if n := h.eye.late(); n > 0 {
		note = strings.TrimSpace(fmt.Sprint(note, " ", n, " late copies not shown"))
	}
	table.add(trial, note, sum)
	h.judge(sum)
	return sum
}

// judge fails the trial if anything was lost, shown twice, contradicted or refused.
func (h *house) judge(c faults.Count) {
	h.t.Helper()
	if c.Lost != 0 || c.Doubled != 0 {
		h.t.Errorf("%d lost, %d shown twice: %+v", c.Lost, c.Doubled, c)
	}
	for _, f := range h.ledger.Contradictions() {
		h.t.Error(f)
	}
	for _, r := range h.eye.refusals() {
		h.t.Errorf("refused: %s", r)
	}
}

// until waits for a condition.
func (h *house) until(what string, ok func() bool) {
	h.t.Helper()
	for limit := time.Now().Add(h.patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(limit) {
			if h.eye != nil && h.eye.viewer != nil {
				h.t.Logf("viewer: %+v", h.eye.stats())
			}
			h.t.Fatalf("waited %v until %s", h.patience, what)
		}
	}
}

// screen is a viewer of the house, with its memory on disk.
type screen struct {
	house *house
	addr  string
	log   lines

	mu      sync.Mutex
	refused []string
	copies  int         // refused as seen before, a long time after
	live    int         // live pictures
	order   []seal.Meta // of durable messages as they came, if that is noted
	noting  bool
	since   map[seal.CameraID]bool // heard since the last start
	viewer  *viewer.Viewer
	stop    func()
}

// watch runs the viewer until the end of the trial.
func (h *house) watch(addr string) *screen {
	h.t.Helper()
	h.eye = &screen{house: h, addr: addr}
	h.eye.start()
	h.t.Cleanup(func() {
		h.eye.stop()
		if h.t.Failed() {
			h.t.Logf("viewer's log:\n%s", h.eye.log.tail(40))
		}
	})
	return h.eye
}

// start opens the viewer as it is on disk.
func (s *screen) start() {
	t := s.house.t
	t.Helper()
	own, err := identity.OpenViewer(s.house.Dir(), "screen")
	check(t, err)
	log := slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	from, err := feed.NewBroker(feed.BrokerConfig{MQTT: mqtt.Config{URL: "mqtts://" + s.addr, TLS: own.TLS()}, Log: log})
	check(t, err)
	var v *viewer.Viewer
	s.house.until("the viewer's lock is free", func() bool { // a process that another trial starts has it for a moment
		v, err = viewer.New(viewer.Config{Identity: own, Feed: from, Now: time.Now, Log: log})
		return !errors.As(err, new(*identity.LockedError))
	})
	check(t, err)
	s.mu.Lock()
	s.viewer, s.since = v, map[seal.CameraID]bool{}
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx, s.see) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("viewer: %v", err)
		}
	})
}

// again ends the viewer and starts it from its disk.
func (s *screen) again() {
	s.house.t.Helper()
	s.stop()
	s.start()
}

func (s *screen) see(o viewer.Outcome) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch o.What {
	case viewer.Verified:
		s.house.ledger.Verified(o.Verified)
		switch m := o.Verified.Meta(); {
		case m.Stream == seal.Live:
			s.live++
		case m.Stream == seal.Durable && s.noting:
			s.order = append(s.order, m)
		}
		s.since[o.Camera] = s.since[o.Camera] || o.Verified.Meta().Stream == seal.Durable
	case viewer.Refused:
		if o.Refusal.Reason == seal.Replayed && !o.Refusal.Alarm {
			s.copies++ // what poor networks do, and nobody is shown
			return nil
		}
		s.refused = append(s.refused, o.Refusal.Error())
	}
	return nil
}

func (s *screen) heard(id seal.CameraID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since[id]
}

// late returns how many copies came so late that the viewer only knew that it
// misses nothing.
func (s *screen) late() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copies
}

// note begins to note what comes, and in which order.
func (s *screen) note() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noting = true
}

func (s *screen) noted() []seal.Meta {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

// lives returns how many live pictures were shown.
func (s *screen) lives() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live
}

func (s *screen) refusals() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.refused...)
}

func (s *screen) stats() viewer.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.viewer.Stats()
}

// lines keeps what is said in a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := strings.Split(strings.TrimSpace(l.text.String()), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}
