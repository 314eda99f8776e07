package fleet

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/keeper"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// keeping is the keeper of all households of a run, and its store.
type keeping struct {
	keeper *keeper.Keeper
	store  *store.Store
	homes  []seal.HouseholdID
}

// openKeeping opens the store of w, which goes on where an earlier keeper was
// killed, and the keeper that every roster names.
func (w world) openKeeping(ctx context.Context, b *broker.Broker, log *slog.Logger) (*keeping, error) {
	operator, err := identity.OpenHousehold(w.operator(), time.Now)
	if err != nil {
		return nil, err
	}
	self, err := identity.OpenKeeper(operator.KeeperDir(keeperName))
	if err != nil {
		return nil, err
	}
	k := &keeping{}
	if k.store, err = store.Open(store.Config{Dir: w.kept(), Now: time.Now, Log: log}); err != nil {
		return nil, err
	}
	source, err := keeper.FromBroker(b, log)
	if err == nil {
		k.keeper, err = keeper.New(ctx, keeper.Config{Key: self.Signer(), Store: k.store, Source: source, Now: time.Now, Log: log})
	}
	if err == nil {
		err = k.store.Rosters(ctx, func(h seal.HouseholdID, _ []byte) error {
			k.homes = append(k.homes, h)
			return nil
		})
	}
	if err != nil {
		_ = k.store.Close()
		return nil, err
	}
	return k, nil
}

// tellKeeper gives the keeper's store the rosters of all households, as their
// owners' phones would over the broker, and far sooner.
func (w world) tellKeeper(ctx context.Context) (err error) {
	s, err := store.Open(store.Config{Dir: w.kept(), Now: time.Now, Log: w.Log})
	if err != nil {
		return err
	}
	defer func() {
		if cerr := s.Close(); err == nil {
			err = cerr
		}
	}()
	for i := range w.Homes() {
		h, err := identity.OpenHousehold(w.home(i), time.Now)
		if err != nil {
			return err
		}
		_, signed, err := h.Roster()
		if err != nil {
			return err
		}
		if err := s.SetRoster(ctx, h.ID(), signed); err != nil {
			return err
		}
	}
	return nil
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
			all[string(c.ID)] = &account{Count: c.Count}
		}
	}
	return all, nil
}
