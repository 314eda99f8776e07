// Package keeper takes in what cameras publish, checks it without any key that
// opens it, keeps the sealed bytes, tells cameras what has arrived, asks them for
// what is missing, and serves viewers over HTTPS.
//
// A keeper serves a household because that household's roster names the keeper's
// key, and for no other reason. It holds no secret of anybody: what it loses, swaps
// or invents shows at the viewer, whose Open is the same as for what a broker brings.
//
// What this package does not do: it opens no seal and draws nothing. It does not
// judge a camera's history, which is the viewer's to judge: what one camera signed is
// kept, and only a second message of one number is refused. It keeps what must not be
// lost; live pictures, wills, live view and what was fetched are handed on, and held
// in memory for as long as they are the newest.
package keeper

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Store is where the sealed bytes go, and where they are found again. What its
// methods promise is said at store.Store. All are safe for concurrent use.
type Store interface {
	Put(ctx context.Context, batch []store.Message) ([]error, error)
	Get(ctx context.Context, hash [32]byte) ([]byte, error)
	List(ctx context.Context, q store.Query) (store.Page, error)
	Cameras(ctx context.Context, h seal.HouseholdID) ([]store.Camera, error)
	Delete(ctx context.Context, h seal.HouseholdID, c seal.CameraID, from, to uint64) (messages uint64, bytes int64, err error)
	Trim(ctx context.Context, policy func(seal.HouseholdID) store.Policy) (messages uint64, bytes int64, err error)
	SetRoster(ctx context.Context, h seal.HouseholdID, roster []byte) error
	Rosters(ctx context.Context, each func(h seal.HouseholdID, roster []byte) error) error
	Wait(ctx context.Context, h seal.HouseholdID, after uint64) error
	Stats() store.Stats
}

// Source is where messages come from, and the way back to cameras.
type Source interface {
	// Run hands on what comes, one Delivery at a time, until ctx ends. each never
	// waits for long.
	Run(ctx context.Context, each func(Delivery)) error
	// Send is feed.Feed's.
	Send(ctx context.Context, camera seal.CameraID, kind string, payload []byte) error
	// Link is feed.Feed's.
	Link() (up bool, why string)
}

// Delivery is a message that has come.
type Delivery struct {
	feed.Item
	// Done, unless it is nil, is told once what became of the message: nil when it
	// is durable or will never be wanted, an error when it is to be delivered
	// again later, ErrNewer when by another keeper. It may be called at any time
	// and does not wait.
	Done func(err error)
}

func (d Delivery) done(err error) {
	if d.Done != nil {
		d.Done(err)
	}
}

// ErrNewer says that a message is of a newer format than this keeper knows.
var ErrNewer = fmt.Errorf("of a newer format than this keeper knows: %w", store.ErrNewer)

// ErrBusy says that there was no room for a message now.
var ErrBusy = errors.New("the keeper has too much to do")

// Config is what a Keeper is made of.
type Config struct {
	Key     crypto.Signer // the keeper's own, which rosters name
	Version string        // of the program, told to who asks
	Store   Store
	Source  Source
	// Policy says how long and how much is kept of a household; nil is all, for ever.
	Policy func(seal.HouseholdID) store.Policy
	// Households lists whose keeper this may be; empty: anybody's whose roster
	// names it, at most MaxHouseholds.
	Households []seal.HouseholdID
	Now        func() time.Time
	Jitter     func() float64 // a number in [0,1); nil means a random one
	Log        *slog.Logger
}

// MaxHouseholds bounds how many households one keeper serves.
const MaxHouseholds = 1 << 17

// workers is how many batches are checked and stored at a time: while one waits for
// the disk, another is checked.
const workers = 4

// Keeper is one running keeper.
type Keeper struct {
	config Config
	id     seal.KeyID
	log    *slog.Logger

	rosters *rosters
	queue   *lanes // messages
	news    *lanes // rosters that came, the newest of each camera
	heads   heads
	passing *passing
	tending *tending
	figures *figures
	deleted deletions
	gates   gates
}

// New returns a Keeper that knows the rosters which its store has kept.
func New(ctx context.Context, c Config) (*Keeper, error) {
	id, err := seal.KeyIDOf(c.Key.Public())
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	k := &Keeper{config: c, id: id, log: c.Log.With("part", "keeper")}
	k.rosters = newRosters(id, c.Households)
	k.queue = newLanes(maxLane, maxQueue)
	k.news = newLanes(bound{items: 1, bytes: seal.MaxRoster}, bound{items: 4096, bytes: 64 << 20})
	k.passing, k.tending, k.figures = newPassing(), newTending(), newFigures(c.Now())
	k.gates = newGates()
	return k, k.remember(ctx)
}

// ID returns the id of the keeper's key.
func (k *Keeper) ID() seal.KeyID { return k.id }

// remember takes in the rosters of the runs before. One that is not valid, or does
// not name this keeper any more, is told and left.
func (k *Keeper) remember(ctx context.Context) error {
	return k.config.Store.Rosters(ctx, func(h seal.HouseholdID, signed []byte) error {
		if _, err := k.rosters.take(signed, true); err != nil {
			k.log.Warn("a roster that was kept is not used", "household", h, "err", err)
		}
		return nil
	})
}

// Run works until ctx ends, and then returns ctx's error, or until something cannot
// go on. What was not stored when it ends was not receipted: cameras have it still.
func (k *Keeper) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return k.config.Source.Run(ctx, k.arrive) })
	for range workers {
		g.Go(func() error { return k.intake(ctx) })
	}
	g.Go(func() error { return k.readRosters(ctx) })
	g.Go(func() error { return k.tendLoop(ctx) })
	g.Go(func() error { return k.trimLoop(ctx) })
	return g.Wait()
}

// trimEvery is the pause between looking for what is too old or too much.
const trimEvery = time.Minute

func (k *Keeper) trimLoop(ctx context.Context) error {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		if k.config.Policy != nil {
			n, _, err := k.config.Store.Trim(ctx, k.config.Policy)
			k.figures.trimmed.Add(n)
			if err != nil && ctx.Err() == nil {
				k.log.Warn("what is too old could not be deleted", "err", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// heads remembers the newest durable message of each camera that this run has seen,
// to notice a camera that goes two ways.
type heads struct {
	mu   sync.Mutex
	last map[seal.CameraID]head
}

type head struct {
	seq  uint64
	hash [32]byte
}

// follow records v and reports whether it contradicts the message before.
func (h *heads) follow(v seal.Visible) (fork bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil {
		h.last = map[seal.CameraID]head{}
	}
	old := h.last[v.Camera]
	if v.Seq > old.seq {
		h.last[v.Camera] = head{v.Seq, v.Hash}
	}
	return old.seq != 0 && v.Seq == old.seq+1 && v.Prev != old.hash
}
