package main

import (
	"flag"
	"fmt"
	"log/slog"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// ways says how a viewer reaches what its cameras send: by what the household names,
// its broker and its keepers, or by what a person named alone.
type ways struct {
	broker, keeper string // URLs
	since          span   // how far back a keeper is read for a viewer that has nothing
	newest         uint64 // and how many messages of each camera at most; 0 for all
	view           bool   // live view is wanted
}

// flags adds the flags of ways to a command.
func (w *ways) flags(fs *flag.FlagSet) {
	fs.StringVar(&w.broker, "broker", "", "the broker's `URL`; the household's own if empty")
	fs.StringVar(&w.keeper, "keeper", "", "a keeper's `URL`, without the broker unless that is named too; the household's own if empty")
}

// sinceFlag adds how far back a keeper is read.
func (w *ways) sinceFlag(fs *flag.FlagSet) {
	w.since = span(feed.DefaultSince)
	fs.Var(&w.since, "since", "how far `back` a keeper is read by a viewer that has seen nothing yet")
}

// open opens a viewer of the household in dir, and its ways to the cameras.
func (w ways) open(dir, name string, log *slog.Logger) (*identity.Viewer, feed.Feed, error) {
	who, err := identity.OpenViewer(dir, name)
	if err != nil {
		return nil, nil, hintNoHousehold(dir, err)
	}
	keepers := keepersOf(who.Roster())
	if w.keeper != "" {
		keepers = []string{w.keeper}
	} else if w.broker != "" {
		keepers = nil // what is named is what is used
	}
	if w.broker == "" && w.keeper == "" {
		w.broker = who.Broker()
	}
	var all []feed.Feed
	if w.broker != "" {
		b, err := feed.NewBroker(feed.BrokerConfig{MQTT: mqtt.Config{URL: w.broker, TLS: who.TLS()}, View: w.view, Log: log})
		if err != nil {
			return nil, nil, err
		}
		all = append(all, b)
	}
	if len(keepers) > 0 {
		k, err := w.keepers(who, keepers, log)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, k)
	}
	switch len(all) {
	case 0:
		return nil, nil, cli.Hint(fmt.Errorf("%s: the household names no broker", dir), "give its URL with --broker mqtts://HOST:8883, or a keeper's with --keeper https://HOST:8443")
	case 1:
		return who, all[0], nil
	}
	return who, feed.Join(all...), nil
}

func (w ways) keepers(who *identity.Viewer, urls []string, log *slog.Logger) (*feed.Keeper, error) {
	conf, err := who.KeeperTLS()
	if err != nil {
		return nil, err
	}
	return feed.NewKeeper(feed.KeeperConfig{
		URLs: urls, TLS: conf, Household: who.Household(), Since: time.Duration(w.since), Newest: w.newest, View: w.view, Now: time.Now, Log: log,
		Pass: func(keeper seal.KeyID) ([]byte, error) { return who.Pass(keeper, time.Now()) },
	})
}

// keepersOf returns where the keepers of a household are reached.
func keepersOf(r *seal.Roster) (urls []string) {
	for _, k := range r.Keepers {
		if k.URL != "" {
			urls = append(urls, k.URL)
		}
	}
	return urls
}
