package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/keeper"
	"github.com/sealcam/sealcam/cmd/internal/keeper/jetstream"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// natsFlags say which cluster keeps everything, in place of a directory.
type natsFlags struct {
	url, creds string
	replicas   int
}

// keepInCluster runs a keeper whose store is a cluster, until ctx ends, which is
// no error.
func keepInCluster(ctx context.Context, env *cli.Env, f keepFlags, papers *papers, log *slog.Logger) error {
	who := papers.who
	e, err := jetstream.Open(ctx, jetstream.Config{
		URL: f.nats.url, TLS: papers.clientTLS(), Creds: f.nats.creds, Replicas: f.nats.replicas,
		Name: identity.KeeperPrefix + who.Name(), Version: version, Rand: rand.Reader, Now: time.Now, Log: log,
	})
	if err != nil {
		return err
	}
	s := &station{who: who, flags: f, store: e, engine: e, papers: papers, log: log}
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return e.Run(running) })
	g.Go(func() error { return s.run(running, env.Stdout) })
	err = g.Wait()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil // the person, or the system, ended it
	}
	return errors.Join(err, e.Close())
}

// clustered is a keeper.Source of a cluster. What is to be retained passes the
// cluster's MQTT, which alone retains.
type clustered struct {
	shared *jetstream.Source
	posts  feed.Feed
}

func newClustered(e *jetstream.Engine, broker, name string, conf *tls.Config, log *slog.Logger) (*clustered, error) {
	suffix := make([]byte, 6)
	if _, err := rand.Read(suffix); err != nil {
		return nil, err
	}
	posts, err := feed.NewBroker(feed.BrokerConfig{
		MQTT:  mqtt.Config{URL: broker, TLS: conf, ClientID: identity.KeeperPrefix + name + "-" + hex.EncodeToString(suffix)},
		Kinds: []string{feed.Roster}, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return &clustered{shared: e.Source(), posts: posts}, nil
}

// Run implements keeper.Source.
func (c *clustered) Run(ctx context.Context, each func(keeper.Delivery)) error {
	var mu sync.Mutex
	one := func(d keeper.Delivery) {
		mu.Lock()
		defer mu.Unlock()
		each(d)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return c.posts.Run(ctx, func(it feed.Item) { one(keeper.Delivery{Item: it}) })
	})
	g.Go(func() error {
		return c.shared.Run(ctx, func(it feed.Item, done func(error)) {
			d := keeper.Delivery{Item: it}
			if done != nil {
				d.Done = func(err error) {
					if errors.Is(err, keeper.ErrNewer) {
						err = store.ErrNewer
					}
					done(err)
				}
			}
			one(d)
		})
	})
	return g.Wait()
}

// Send implements keeper.Source.
func (c *clustered) Send(ctx context.Context, camera seal.CameraID, kind string, payload []byte) error {
	if kind == feed.Command {
		return c.shared.Send(ctx, camera, kind, payload)
	}
	return c.posts.Send(ctx, camera, kind, payload)
}

// Link implements keeper.Source.
func (c *clustered) Link() (bool, string) { return c.shared.Link() }
