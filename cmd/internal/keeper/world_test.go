package keeper

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// world is a keeper with a household that names it, on a feed in memory.
type world struct {
	t      *testing.T
	feed   *feed.Fake
	store  *store.Memory
	keeper *Keeper
	key    *ecdsa.PrivateKey
	home   *home
	server *httptest.Server
	log    *logged
	stop   func() // ends the keeper that runs
}

// home is a household.
type home struct {
	t       testing.TB
	owner   *ecdsa.PrivateKey
	viewer  *seal.ViewerKey
	roster  seal.Roster
	signed  []byte
	opened  *seal.Roster
	cameras []*camera
}

// camera seals.
type camera struct {
	home *home
	key  *ecdsa.PrivateKey
	id   seal.CameraID
	boot [16]byte
	seq  uint64
	prev [32]byte
}

// logged is a log that is read while it is written.
type logged struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

func (l *logged) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.String()
}

func (l *logged) count(text string) int { return strings.Count(l.text(), text) }

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newHome returns a household with so many cameras, that names keepers.
func newHome(t testing.TB, cameras int, keepers ...*ecdsa.PrivateKey) *home {
	t.Helper()
	h := &home{t: t, owner: newKey(t)}
	var err error
	if h.viewer, err = seal.NewViewerKey(nil); err != nil {
		t.Fatal(err)
	}
	viewer := h.viewer.Public()
	viewer.Name = "phone"
	h.roster.Viewers = []seal.Viewer{viewer}
	for _, k := range keepers {
		h.name(k)
	}
	for range cameras {
		c := &camera{home: h, key: newKey(t)}
		if c.id, err = seal.CameraIDOf(c.key.Public()); err != nil {
			t.Fatal(err)
		}
		h.cameras = append(h.cameras, c)
		h.roster.Cameras = append(h.roster.Cameras, seal.RosterCamera{ID: c.id, Name: "c" + string(c.id)})
	}
	h.sign()
	return h
}

// name puts a keeper into the roster, which is to be signed again.
func (h *home) name(k *ecdsa.PrivateKey) {
	h.t.Helper()
	spki, err := seal.MarshalPublicKey(k.Public())
	if err != nil {
		h.t.Fatal(err)
	}
	h.roster.Keepers = append(h.roster.Keepers, seal.Keeper{Name: "keeper" + string(rune('a'+len(h.roster.Keepers))), Key: spki})
}

// sign signs the next version of the roster.
func (h *home) sign() {
	h.t.Helper()
	h.roster.Version++
	h.roster.SortCameras()
	var err error
	if h.signed, err = seal.SignRoster(h.owner, h.roster); err != nil {
		h.t.Fatal(err)
	}
	id, err := seal.HouseholdIDOf(h.owner.Public())
	if err != nil {
		h.t.Fatal(err)
	}
	if h.opened, err = seal.OpenRoster(id, h.signed); err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) id() seal.HouseholdID { return h.opened.Household }

// seal makes the camera's next message of a stream.
func (c *camera) seal(stream seal.Stream, media string) seal.Sealed {
	c.home.t.Helper()
	s, err := seal.NewSealer(seal.SealerConfig{Key: c.key, Roster: c.home.opened, Boot: c.boot, Firmware: "1"})
	if err != nil {
		c.home.t.Fatal(err)
	}
	c.seq++
	m := seal.Meta{Stream: stream, Seq: c.seq, Kind: seal.KindSnapshot, Media: "image/jpeg", Clock: seal.ClockNone}
	switch stream {
	case seal.Durable:
		m.Prev = c.prev
	case seal.View:
		m.Kind, m.Nonce = seal.KindView, make([]byte, seal.MinNonce)
	}
	out, err := s.Seal(m, []byte(media))
	if err != nil {
		c.home.t.Fatal(err)
	}
	if stream == seal.Durable {
		c.prev = out.Hash
	}
	return out
}

func (c *camera) item(s seal.Sealed) feed.Item {
	kind := map[seal.Stream]string{seal.Durable: feed.Media, seal.Live: feed.Live, seal.Will: feed.Status, seal.View: feed.View, seal.Recording: feed.Recording}[s.Stream]
	return feed.Item{Camera: c.id, Kind: kind, Sealed: s.Bytes}
}

// rosterItem is how a camera's roster comes.
func (c *camera) rosterItem() feed.Item {
	return feed.Item{Camera: c.id, Kind: feed.Roster, Sealed: c.home.signed, Retained: true}
}

// newWorld runs a keeper for a household with so many cameras until the test ends.
func newWorld(t *testing.T, cameras int, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, feed: new(feed.Fake), store: &store.Memory{Now: time.Now}, key: newKey(t), log: new(logged)}
	w.home = newHome(t, cameras, w.key)
	w.start(change...)
	if cameras > 0 {
		w.feed.Deliver(w.home.cameras[0].rosterItem())
		w.until("the roster is in force", func() bool { _, err := w.keeper.rosters.of(w.home.id()); return err == nil })
	}
	return w
}

// start runs a keeper on what is stored, as after a restart.
func (w *world) start(change ...func(*Config)) {
	w.t.Helper()
	c := Config{Key: w.key, Version: "1.2.3", Store: w.store, Source: FromFeed(w.feed), Now: time.Now, Log: slog.New(slog.NewTextHandler(w.log, nil))}
	for _, f := range change {
		f(&c)
	}
	var err error
	if w.keeper, err = New(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.keeper.Run(ctx) }()
	w.server = httptest.NewServer(w.keeper.Handler())
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			w.server.CloseClientConnections()
			w.server.Close()
			if err := <-done; err != context.Canceled {
				w.t.Errorf("the keeper ended with %v", err)
			}
		})
	}
	w.t.Cleanup(stop)
	w.stop = stop
}

// patience is how long a condition may take on a machine that is busy with others.
var patience = 8 * time.Second

func (w *world) until(what string, done func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within a minute: %s\n%s", what, w.keeper.Metrics())
		}
	}
}

// counted waits until so many messages have had a verdict.
func (w *world) counted(verdict string, n uint64) {
	w.t.Helper()
	w.until(verdict, func() bool {
		w.keeper.figures.mu.Lock()
		defer w.keeper.figures.mu.Unlock()
		return w.keeper.figures.messages[verdict] >= n
	})
}

// pass is the value of an Authorization header that lets in.
func (w *world) pass() string {
	now := time.Now()
	return w.passOf(w.home.viewer.Signer(), seal.Pass{Household: w.home.id(), Keeper: w.keeper.ID(), Issued: now, Expires: now.Add(time.Minute)})
}

// ask sends a request and returns its answer.
func (w *world) ask(method, path, pass string, body []byte, header ...string) (int, []byte, http.Header) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if pass != "" {
		r.Header.Set("Authorization", pass)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := w.server.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, b, answer.Header
}

// get asks for JSON with a pass.
func (w *world) get(path string, v any) {
	w.t.Helper()
	status, b, _ := w.ask(http.MethodGet, path, w.pass(), nil)
	if status != http.StatusOK {
		w.t.Fatalf("%s: %d %s", path, status, b)
	}
	if err := json.Unmarshal(b, v); err != nil {
		w.t.Fatalf("%s: %v in %s", path, err, b)
	}
}

func (w *world) home1(path string) string { return "/v1/households/" + string(w.home.id()) + path }

func encodePass(b []byte) string { return "Sealcam " + base64.RawURLEncoding.EncodeToString(b) }
