package feed

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/seal"
)

// DefaultSince is how far back a reader that has nothing of a camera is brought.
const DefaultSince = 7 * 24 * time.Hour

// maxFills bounds what may be asked for with Fill and was not brought yet.
const maxFills = 64

// KeeperConfig says which keepers are read, and for whom.
type KeeperConfig struct {
	// URLs are where keepers of the household are reached: https://HOST[:PORT][/PATH],
	// before /v1. One is read, and the next when it fails.
	URLs []string
	// TLS says whom to trust; the household's authority, and others.
	TLS       *tls.Config
	Household seal.HouseholdID
	// Pass makes a pass for the keeper with this key, or says why not: it is none of
	// the household's. A keeper is asked for nothing of a household before that.
	Pass func(keeper seal.KeyID) ([]byte, error)
	// Since is how far back to go where nothing is known of a camera; 0 for
	// DefaultSince.
	Since time.Duration
	// Newest is how many messages of such a camera are brought at most, the newest; 0
	// for all.
	Newest uint64
	// View hands on live view, too.
	View bool
	Now  func() time.Time
	Log  *slog.Logger
	// Transport carries requests; nil for one of its own, with TLS.
	Transport http.RoundTripper
	// Jitter returns a number in [0,1); nil means a random one.
	Jitter func() float64
}

// KeeperStats counts what a Keeper has been given.
type KeeperStats struct {
	Connected uint64 // sessions
	Received  uint64 // Items handed on
	Bytes     uint64 // of them
	Withheld  uint64 // messages that it lists and does not give
	Wrong     uint64 // answers that were not the message that was asked for; nobody saw them
}

// Keeper is a Feed, and an Archive, over a keeper's HTTPS interface. What it brings
// was checked to be the message that was asked for: sealed by that camera, for that
// household, with that number. It is not opened here.
//
// First comes what the reader does not have: of each camera in the order of its
// numbers, and of several as they were received, so that a sequence is checked from
// the oldest on and is shown as it happened. What is live comes at once, meanwhile.
type Keeper struct {
	config KeeperConfig
	log    *slog.Logger
	apis   []*api
	known  func(seal.CameraID) Known
	// Run's own:
	passed map[seal.CameraID]uint64 // highest number handed on
	faults int                      // answers of no use, in a row
	recent recent                   // handed on just now
	turn   int                      // of apis
	// someone is a camera of the household, on whose topic a roster would come.
	someone seal.CameraID

	mu      sync.Mutex
	api     *api // that is read, or is tried; set by Run
	up      bool
	why     string // not up
	fills   []span
	filling chan struct{} // holds a token while there may be some

	connected, received, bytes, withheld, wrong atomic.Uint64
}

// NewKeeper returns a Keeper; Run connects. It refuses a configuration that no
// attempt could succeed with.
func NewKeeper(c KeeperConfig) (*Keeper, error) {
	if c.Pass == nil || c.Now == nil || len(c.URLs) == 0 {
		return nil, errors.New("feed: a keeper needs an address, passes and a clock")
	}
	if _, err := seal.ParseHouseholdID(string(c.Household)); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Jitter == nil {
		c.Jitter = mathrand.Float64
	}
	if c.Since == 0 {
		c.Since = DefaultSince
	}
	if c.Transport == nil {
		c.Transport = newTransport(c.TLS)
	}
	var apis []*api
	for _, text := range c.URLs {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, cli.Hint(fmt.Errorf("%.200q is not the address of a keeper", text), "it looks like https://HOST:8443")
		}
		apis = append(apis, newAPI(c, u))
	}
	return &Keeper{
		config: c, log: c.Log.With("part", "keeper"), apis: apis, api: apis[0],
		known:  func(seal.CameraID) Known { return Known{} },
		passed: map[seal.CameraID]uint64{}, recent: newRecent(maxRecent), why: "not connected yet", filling: make(chan struct{}, 1),
	}, nil
}

// Know implements Archive.
func (k *Keeper) Know(known func(seal.CameraID) Known) { k.known = known }

// Run implements Feed.
func (k *Keeper) Run(ctx context.Context, each func(Item)) error {
	session := func(ctx context.Context) (time.Duration, error) {
		k.mu.Lock()
		k.api = k.apis[k.turn%len(k.apis)]
		k.mu.Unlock()
		k.turn++
		return k.session(ctx, each)
	}
	return again(ctx, k.config.Jitter, session, func(err error, news bool) {
		k.set(false, err.Error())
		if news {
			k.log.Warn("no connection to the keeper", "err", err, "hint", cli.HintOf(err))
		}
	})
}

// Send implements Feed: the keeper publishes to the camera what it has checked. For
// whom settings are, it reads in them.
func (k *Keeper) Send(ctx context.Context, camera seal.CameraID, kind string, payload []byte) error {
	if strings.HasPrefix(kind, Settings+"/") {
		kind = Settings
	}
	if kind != Command && kind != Roster && kind != Settings {
		return fmt.Errorf("a viewer sends to %s, %s or %s, not to %.20q", Command, Roster, Settings, kind)
	}
	k.mu.Lock()
	to, up := k.api, k.up
	k.mu.Unlock()
	if !up {
		return ErrOffline
	}
	return to.send(ctx, camera, kind, payload)
}

// Link implements Feed.
func (k *Keeper) Link() (up bool, why string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.up, k.why
}

// Fill implements Archive.
func (k *Keeper) Fill(camera seal.CameraID, first, last uint64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.up || first == 0 || last < first || len(k.fills) == maxFills {
		return false
	}
	k.fills = append(k.fills, span{camera: camera, from: first, to: last})
	select {
	case k.filling <- struct{}{}:
	default:
	}
	return true
}

// Stats returns the counts so far.
func (k *Keeper) Stats() KeeperStats {
	return KeeperStats{
		Connected: k.connected.Load(), Received: k.received.Load(), Bytes: k.bytes.Load(),
		Withheld: k.withheld.Load(), Wrong: k.wrong.Load(),
	}
}

func (k *Keeper) set(up bool, why string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.up, k.why = up, why
	if !up {
		k.fills = nil // whoever misses something asks again
	}
}

// takeFills returns what was asked for since.
func (k *Keeper) takeFills() []span {
	k.mu.Lock()
	defer k.mu.Unlock()
	fills := k.fills
	k.fills = nil
	return fills
}
