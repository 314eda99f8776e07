// Package page serves the viewer's page: the one place of sealcam where a
// person looks at pictures in a browser. The server hands on sealed bytes; the
// page's worker opens them with the same Go code as every other viewer
// (uplink/seal as WebAssembly), and draws a verified picture or a refusal.
//
// What this package does not do: the server holds no key, opens no seal and
// sees no pixel. Where the owner runs it, a Pairing that it is given takes
// cameras in. It decides nothing about a message; what it keeps for a page
// that connects later is bounded and is checked again by the page like
// everything else. The page caches nothing plain.
package page

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

// BenchControls is what the bench drawer shows and switches. All its methods
// are safe for concurrent use.
type BenchControls interface {
	Stats() BenchStats
	Hostile(on bool) // the relay swaps the pictures of two cameras
	Network(up bool) // the cameras' network
}

// BenchStats is what the bench measured, each figure since the start unless it
// says otherwise.
type BenchStats struct {
	FPS     float64      `json:"fps"`     // frames a second over the last second or so
	Frames  uint64       `json:"frames"`  // frames that the camera gave
	Dropped uint64       `json:"dropped"` // frames lost before they were looked at
	Stages  []BenchStage `json:"stages"`  // CPU per frame, in the order in which light travels
	Spool   int          `json:"spool"`   // messages that wait
	Bytes   uint64       `json:"bytes"`   // sealed bytes sent
	Sealed  uint64       `json:"sealed"`  // pictures sealed
	Hostile bool         `json:"hostile"` // the relay is hostile now
	Swapped uint64       `json:"swapped"` // pictures that the relay swapped
	Network bool         `json:"network"` // the network is up
}

// BenchStage is the cost of one stage.
type BenchStage struct {
	Name  string  `json:"name"`
	Milli float64 `json:"ms"` // CPU per frame in milliseconds, over the last second or so
}

// Config is what a Page is made of.
type Config struct {
	Feed  feed.Feed     // if it is a feed.Archive, it is asked for what a page misses
	Bench BenchControls // nil outside the bench
	// Pairing is for the owner's own page, and PairToken is what only that page
	// knows: both are empty where others look.
	Pairing   Pairing
	PairToken string
	// Roster returns the signed roster as it is now. It may be nil: then the
	// page waits for a roster in the feed.
	Roster func() ([]byte, error)
	Hosts  []string // names under which the page may be opened, beside loopback
	// Module gives the opener for browsers; nil means LoadModule.
	Module func(context.Context) (*Module, error)
	Now    func() time.Time
	Log    *slog.Logger
}

// Validate reports what is missing.
func (c *Config) Validate() error {
	switch {
	case c.Feed == nil:
		return errors.New("page: Config.Feed is missing")
	case c.Now == nil:
		return errors.New("page: Config.Now is missing")
	case c.Log == nil:
		return errors.New("page: Config.Log is missing")
	case c.Pairing != nil && len(c.PairToken) < 20:
		return errors.New("page: Config.PairToken is too short to be a secret")
	}
	return nil
}

// Page is the server. It answers as soon as it is made; Run fills it.
type Page struct {
	conf    Config
	log     *slog.Logger
	hub     *hub
	handler http.Handler

	module    *Module       // valid after loaded is closed
	moduleErr error         // likewise
	loaded    chan struct{} // closed when the opener is there, or is known not to come
}

// New returns a Page for conf.
func New(conf Config) (*Page, error) { return newPage(conf, defaultLimits) }

func newPage(conf Config, l limits) (*Page, error) {
	if err := conf.Validate(); err != nil {
		return nil, err
	}
	if conf.Module == nil {
		conf.Module = LoadModule
	}
	p := &Page{conf: conf, log: conf.Log.With("part", "page"), hub: newHub(l), loaded: make(chan struct{})}
	mux, err := p.routes()
	if err != nil {
		return nil, err
	}
	p.handler = guard(conf.Hosts, mux)
	return p, nil
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// URL returns the address to open: origin is where the page is served
// ("http://127.0.0.1:8480"); the fragment, which browsers never send, holds the
// household and the viewer's secret. name is how the household is called; it
// may be empty. Whoever has the address can see the household's pictures.
func URL(origin string, household seal.HouseholdID, key *seal.ViewerKey, name string) (string, error) {
	secret, err := key.MarshalText()
	if err != nil {
		return "", err
	}
	v := url.Values{"h": {string(household)}, "k": {string(secret)}}
	if name != "" {
		v.Set("n", name)
	}
	return origin + "/#" + v.Encode(), nil
}

// beat is how often a page hears from the server at least.
const beat = 2 * time.Second

// Run takes messages from the feed into the history and every open page until
// ctx ends or the feed gives up.
func (p *Page) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go p.load(ctx)
	done := make(chan error, 1)
	go func() { done <- p.conf.Feed.Run(ctx, p.take) }()
	link, stats := time.NewTicker(beat), time.NewTicker(time.Second)
	defer link.Stop()
	defer stats.Stop()
	p.tellLink()
	for {
		select {
		case err := <-done:
			return err
		case <-link.C:
			p.tellLink()
		case <-stats.C:
			p.tellBench()
		}
	}
}

// load waits for the opener. A page that is open meanwhile says so.
func (p *Page) load(ctx context.Context) {
	start := p.conf.Now()
	p.module, p.moduleErr = p.conf.Module(ctx)
	if p.moduleErr != nil {
		p.log.Error("no opener for the browser", "err", p.moduleErr)
	} else {
		p.log.Debug("opener for the browser ready", "bytes", len(p.module.Wasm), "after", p.conf.Now().Sub(start))
	}
	close(p.loaded)
}

func (p *Page) take(it feed.Item) {
	k := kindOf(it.Kind)
	if k == 0 {
		return
	}
	r := &record{kind: k, camera: string(it.Camera), received: p.conf.Now(), payload: it.Sealed}
	if it.Retained {
		r.flags |= flagRetained
	}
	if it.Stored { // a browser may have had it long ago
		r.flags |= flagHistory
	}
	if !p.hub.add(r) {
		p.log.Warn("message not handed on: too large or not of a camera", "bytes", len(it.Sealed))
	}
}

// linkState is the payload of a link record.
type linkState struct {
	Up    bool   `json:"up"`
	Why   string `json:"why,omitempty"`
	Bench bool   `json:"bench"` // there is a bench to control
	Pair  bool   `json:"pair"`  // an owner can take cameras in
}

func (p *Page) tellLink() {
	up, why := p.conf.Feed.Link()
	p.tell(kindLink, linkState{Up: up, Why: why, Bench: p.conf.Bench != nil, Pair: p.conf.Pairing != nil})
}

func (p *Page) tellBench() {
	if p.conf.Bench == nil || !p.hub.watched() {
		return
	}
	p.tell(kindBench, p.conf.Bench.Stats())
}

func (p *Page) tell(k kind, v any) {
	payload, err := json.Marshal(v)
	if err != nil {
		p.log.Error("cannot tell the page", "err", err)
		return
	}
	p.hub.add(&record{kind: k, received: p.conf.Now(), payload: payload})
}

// body reads at most limit bytes of a request.
func body(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, bool) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(10 * time.Second))
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		http.Error(w, "The message is too large or did not arrive whole.", http.StatusRequestEntityTooLarge)
		return nil, false
	}
	return b, true
}
