package fleet

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/keeper"
	"github.com/sealcam/sealcam/cmd/internal/keeper/jetstream"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// keeping is the keeper of all households of a run, and its store.
type keeping struct {
	keeper *keeper.Keeper
	store  keeper.Store
	homes  []seal.HouseholdID
	run    func(ctx context.Context) error // the store's own work; nil for none
	close  func() error
}

// storeOnDisk is a keeper's store beside the broker. It goes on where an earlier
// keeper was killed.
func (w world) storeOnDisk(b *broker.Broker, log *slog.Logger) (*keeping, keeper.Source, error) {
	s, err := store.Open(store.Config{Dir: w.kept(), Now: time.Now, Log: log})
	if err != nil {
		return nil, nil, err
	}
	source, err := keeper.FromBroker(b, log)
	return &keeping{store: s, close: s.Close}, source, err
}

// storeInCluster is a keeper's store in the nodes at url.
func (w world) storeInCluster(ctx context.Context, url string, log *slog.Logger) (*keeping, keeper.Source, error) {
	e, err := jetstream.Open(ctx, jetstream.Config{
		URL: url, Name: keeperName, Version: "fleet", IntakeBytes: 1 << 30, Rand: rand.Reader, Now: time.Now, Log: log,
	})
	if err != nil {
		return nil, nil, err
	}
	return &keeping{store: e, run: e.Run, close: e.Close}, fromCluster{e.Source()}, nil
}

// fromCluster is a cluster's source, with deliveries as a keeper takes them.
type fromCluster struct{ *jetstream.Source }

// Run implements keeper.Source.
func (s fromCluster) Run(ctx context.Context, each func(keeper.Delivery)) error {
	return s.Source.Run(ctx, func(it feed.Item, done func(error)) { each(keeper.Delivery{Item: it, Done: done}) })
}

// begin makes the keeper that every roster names, and tells its store the rosters.
func (k *keeping) begin(ctx context.Context, w world, source keeper.Source, log *slog.Logger) error {
	operator, err := identity.OpenHousehold(w.operator(), time.Now)
	if err != nil {
		return err
	}
	self, err := identity.OpenKeeper(operator.KeeperDir(keeperName))
	if err != nil {
		return err
	}
	if k.homes, err = w.tellKeeper(ctx, k.store); err != nil {
		return err
	}
	k.keeper, err = keeper.New(ctx, keeper.Config{Key: self.Signer(), Store: k.store, Source: source, Now: time.Now, Log: log})
	return err
}

// tellKeeper gives a keeper's store the rosters of all households, as their
// owners' phones would over the broker, and far sooner, unless it has them.
func (w world) tellKeeper(ctx context.Context, s keeper.Store) (homes []seal.HouseholdID, err error) {
	err = s.Rosters(ctx, func(h seal.HouseholdID, _ []byte) error {
		homes = append(homes, h)
		return nil
	})
	if err != nil || len(homes) == w.Homes() {
		return homes, err
	}
	homes = nil
	for i := range w.Homes() {
		h, err := identity.OpenHousehold(w.home(i), time.Now)
		if err != nil {
			return nil, err
		}
		_, signed, err := h.Roster()
		if err != nil {
			return nil, err
		}
		if err := s.SetRoster(ctx, h.ID(), signed); err != nil {
			return nil, err
		}
		homes = append(homes, h.ID())
	}
	return homes, nil
}

// count fills in what has arrived.
func (k *keeping) count(t *sideStats) {
	s := k.store.Stats()
	t.Arrived, t.ArrivedBytes = s.Messages, uint64(s.Bytes)
	t.Verdicts = verdicts(k.keeper.Metrics())
	for what, n := range t.Verdicts {
		switch what {
		case "conflict", "malformed", "broken_seal", "not_ours", "wrong_camera", "version":
			t.Bad += n
		}
	}
}

// verdicts reads what became of messages out of the keeper's own figures.
func verdicts(metrics []byte) map[string]uint64 {
	all := map[string]uint64{}
	for lines := bufio.NewScanner(bytes.NewReader(metrics)); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), `sealcam_keeper_messages_total{verdict="`)
		what, number, found := strings.Cut(rest, `"} `)
		var n float64
		if _, err := fmt.Sscan(number, &n); ok && found && err == nil {
			all[what] = uint64(n)
		}
	}
	return all
}

// accounts says how many messages of each camera are kept.
func (k *keeping) accounts(ctx context.Context) (map[string]*account, error) {
	all := map[string]*account{}
	for _, h := range k.homes {
		cameras, err := k.store.Cameras(ctx, h)
		if err != nil {
			return nil, err
		}
		for _, c := range cameras {
			all[string(c.ID)] = &account{Count: c.Count, Last: c.Last, Missing: c.Missing}
		}
	}
	return all, nil
}
