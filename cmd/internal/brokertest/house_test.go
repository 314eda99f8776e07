// Package brokertest tells the same story to three brokers: the one of the
// bench, Debian's Mosquitto, and NATS with JetStream. What a camera and a
// viewer promise must not depend on which of them is in between.
package brokertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// patience is how long a test waits for what must come.
const patience = 90 * time.Second

// host is what brokers are certified for and reached by.
const host = "127.0.0.1"

// house is a household, and the files by which a broker knows it.
type house struct {
	*identity.Household
	t      *testing.T
	dir    string
	screen *identity.Viewer
	trust  [][]byte // PEM: authorities of brokers, beside its own
}

func newHouse(t *testing.T) *house {
	t.Helper()
	dir := t.TempDir()
	h := &house{t: t, dir: dir}
	var err error
	h.Household, err = identity.CreateHousehold(filepath.Join(dir, "house"), "", time.Now)
	check(t, err)
	h.screen, err = h.AddViewer("screen")
	check(t, err)
	return h
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// camera makes a camera of the household.
func (h *house) camera(name string) *identity.Camera {
	h.t.Helper()
	c, err := identity.OpenCamera(filepath.Join(h.dir, name))
	check(h.t, err)
	check(h.t, h.AddCamera(c.ID(), name))
	check(h.t, h.Adopt(c))
	_, err = h.screen.Refresh()
	check(h.t, err)
	return c
}

// files are what a broker process reads.
type files struct{ dir, ca, cert, key string }

// files writes the broker's certificate, for the given host.
func (h *house) files(host string) files {
	h.t.Helper()
	dir, err := os.MkdirTemp(h.t.TempDir(), "broker")
	check(h.t, err)
	f := files{dir: dir, ca: dir + "/ca.crt", cert: dir + "/server.crt", key: dir + "/server.key"}
	cert, key, err := h.IssueServer(host)
	check(h.t, err)
	for name, data := range map[string][]byte{f.ca: h.Authority(), f.cert: cert, f.key: key} {
		check(h.t, os.WriteFile(name, data, 0o600))
	}
	return f
}

// process is a running uplink.
type process struct {
	*uplink.Uplink
	stop func()
}

// start runs the uplink of a camera until stop.
func (h *house) start(c *identity.Camera, url string, log slog.Handler) *process {
	h.t.Helper()
	up, err := uplink.Open(uplink.Config{
		Dir: filepath.Join(h.dir, "spool-"+string(c.ID()[:8])), Camera: c, Broker: url, Budget: 1 << 28,
		Firmware: "test", Now: time.Now, Mono: sinceStart(), Log: slog.New(log),
		Dial: func(ctx context.Context, c mqtt.Config) (uplink.Conn, error) {
			c.TLS = h.believing(c.TLS)
			return mqtt.Dial(ctx, c)
		},
	})
	check(h.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- up.Run(ctx) }()
	p := &process{Uplink: up}
	p.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				h.t.Errorf("uplink: %v", err)
			}
		case <-time.After(2 * time.Second):
			h.t.Error("the uplink does not stop within 2 s")
		}
		if err := up.Close(); err != nil {
			h.t.Errorf("uplink: %v", err)
		}
	})
	h.t.Cleanup(p.stop)
	return p
}

func sinceStart() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}

// heard returns a handler whose lines a failed test shows.
func (h *house) heard(level slog.Level) slog.Handler {
	var log lines
	h.t.Cleanup(func() {
		if h.t.Failed() {
			h.t.Logf("log:\n%s", tail(log.String(), 40))
		}
	})
	return slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level})
}

// picture is a snapshot whose bytes say which it is.
func picture(text string, size int) encode.Picture {
	data := make([]byte, max(size, len(text)))
	copy(data, text)
	return encode.Picture{Kind: encode.Snapshot, Media: "image/jpeg", Data: data, Width: 8, Height: 8,
		Taken: time.Now(), Cause: encode.CauseMotion, Event: 1}
}

// screen is a viewer that notes what it is shown.
type screen struct {
	t      *testing.T
	viewer *viewer.Viewer
	mu     sync.Mutex
	shown  map[string]int // verified pictures, by camera and text
	others []viewer.Outcome
	change chan struct{}
}

// watch runs the household's viewer until the end of the test.
func (h *house) watch(url string) *screen {
	h.t.Helper()
	s := &screen{t: h.t, shown: map[string]int{}, change: make(chan struct{}, 1)}
	log := slog.New(h.heard(slog.LevelDebug))
	from, err := feed.NewBroker(feed.BrokerConfig{MQTT: mqtt.Config{URL: url, TLS: h.believing(h.screen.TLS())}, Log: log})
	check(h.t, err)
	s.viewer, err = viewer.New(viewer.Config{Identity: h.screen, Feed: from, Now: time.Now, Log: log})
	check(h.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.viewer.Run(ctx, s.see) }()
	h.t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			h.t.Errorf("viewer: %v", err)
		}
	})
	s.until("the viewer is connected", func() bool { up, _ := from.Link(); return up })
	return s
}

func (s *screen) see(o viewer.Outcome) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.What == viewer.Verified && o.Verified.Meta().Kind == seal.KindSnapshot {
		s.shown[label(o.Camera, o.Verified)]++
	} else {
		s.others = append(s.others, o)
	}
	select {
	case s.change <- struct{}{}:
	default:
	}
	return nil
}

func label(id seal.CameraID, v *seal.Verified) string {
	_, media := v.Media()
	return fmt.Sprintf("%.8s %s", id, strings.TrimRight(string(media), "\x00"))
}

// until waits for a condition on what has been seen. It holds no lock while
// it is asked.
func (s *screen) until(what string, ok func() bool) {
	s.t.Helper()
	limit := time.After(patience)
	for !ok() {
		select {
		case <-s.change:
		case <-time.After(20 * time.Millisecond):
		case <-limit:
			s.t.Fatalf("waited %v until %s; %s", patience, what, s)
		}
	}
}

func (s *screen) String() string {
	st := s.viewer.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%d pictures shown, viewer %+v", len(s.shown), st)
}

func (s *screen) count(camera seal.CameraID, text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown[fmt.Sprintf("%.8s %s", camera, text)]
}

// total returns how many different pictures were shown, and how many twice.
func (s *screen) total() (different, doubles int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.shown {
		different++
		doubles += n - 1
	}
	return different, doubles
}

// saw tells whether there was another outcome for which ok holds.
func (s *screen) saw(ok func(viewer.Outcome) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.others, ok)
}

// lines is an io.Writer that counts what is said in a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) handler() slog.Handler { return slog.NewTextHandler(io.Writer(l), nil) }
