package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/exposition"
	"github.com/sealcam/sealcam/cmd/internal/keeper"
	"github.com/sealcam/sealcam/cmd/internal/keeper/jetstream"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

const keepSynopsis = `sealcam keep --identity DIR --store DIR [--listen ADDRESS] [--broker-listen ADDRESS | --broker URL]
                    [--keep-for TIME] [--keep-bytes SIZE] [--any] [--cert FILE --key FILE] [--crl FILE] [--metrics ADDRESS]
       sealcam keep --identity DIR --nats URL --broker URL [--nats-creds FILE] [--nats-replicas N] ...
       sealcam keep check|backup|restore|status|delete ...`

const keepText = `
Keeps what cameras seal, so that viewers that were away find it: takes it in, checks
what can be checked without a key that opens it, stores the sealed bytes, tells
cameras what has arrived, asks them for what is missing, and serves viewers over
HTTPS. It is the keeper of a household because that household's roster names it:
sealcam household keeper add makes its identity, and names it.

Without --broker it is the household's broker too: cameras and viewers that have the
household's certificates connect to it. With --broker it reads from another.

With --nats everything is kept in an existing NATS cluster with JetStream instead of
a directory, beside any number of keepers that do the same; --broker is then where
the cluster speaks MQTT.
`

// keepFlags is how "sealcam keep" was called.
type keepFlags struct {
	identity, store      string
	nats                 natsFlags
	listen, brokerListen string
	broker, metrics      string
	cert, key, crl       string
	keepFor              span
	keepBytes            volume
	any                  bool
}

// Where a keeper listens if nothing says otherwise.
const (
	keepPort   = "8443"
	brokerPort = "8883"
)

// runKeep is "sealcam keep".
func runKeep(ctx context.Context, env *cli.Env, args []string) error {
	for _, c := range keepVerbs() {
		if len(args) > 0 && args[0] == c.Name {
			return c.Run(ctx, env, args[1:])
		}
	}
	var f keepFlags
	fs := env.Flags("keep", keepSynopsis, keepText)
	fs.StringVar(&f.identity, "identity", "", "the keeper's `directory`, from sealcam household keeper add")
	fs.StringVar(&f.store, "store", "", "`directory` in which the sealed bytes are kept; it is made")
	fs.StringVar(&f.listen, "listen", "", "`address` for viewers; all of this machine's, at the port of the keeper's URL or "+keepPort+", if empty")
	fs.StringVar(&f.brokerListen, "broker-listen", "", "`address` for cameras; all of this machine's, at the port of the household's broker or "+brokerPort+", if empty")
	fs.StringVar(&f.broker, "broker", "", "`URL` of the broker to read from, instead of being one")
	fs.StringVar(&f.nats.url, "nats", "", "`URL` of a NATS cluster that keeps everything, tls://host:4222; several with commas")
	fs.StringVar(&f.nats.creds, "nats-creds", "", "`file` with credentials for it, beside the keeper's certificate")
	fs.IntVar(&f.nats.replicas, "nats-replicas", 3, "how many `nodes` hold each message: 3 or 5, or 1 for a trial")
	fs.StringVar(&f.metrics, "metrics", "", "`address` on this machine for Prometheus, such as 127.0.0.1:9483; none if empty")
	fs.StringVar(&f.cert, "cert", "", "`file` with a certificate for viewers, PEM; the identity's own if empty; it is read again when it changes, as that is")
	fs.StringVar(&f.key, "key", "", "`file` with its key, PEM")
	fs.StringVar(&f.crl, "crl", "", "`file` with the certificates that open this broker no more, from sealcam household crl; it is read again when it changes")
	fs.Var(&f.keepFor, "keep-for", "delete what is older than this, such as `30d`; nothing if 0")
	fs.Var(&f.keepBytes, "keep-bytes", "of each household delete the oldest when it takes more than this, such as `50G`; nothing if 0")
	fs.BoolVar(&f.any, "any", false, "keep for every household whose roster names this keeper, not only for its own")
	if err := cli.Parse(fs, args); err != nil {
		return err
	}
	switch {
	case fs.NArg() > 0:
		return cli.Usagef("%q: sealcam keep takes flags", fs.Arg(0))
	case f.identity == "":
		return cli.Usagef("--identity is missing: sealcam household keeper add makes one")
	case f.nats.url != "" && f.store != "":
		return cli.Usagef("--store and --nats are two places for one thing")
	case f.nats.url != "" && f.broker == "":
		return cli.Usagef("--broker is missing: where does the cluster speak MQTT?")
	case f.store == "" && f.nats.url == "":
		return cli.Usagef("--store is missing: in which directory is everything kept?")
	case f.broker != "" && f.brokerListen != "":
		return cli.Usagef("--broker-listen is of a keeper that is the broker itself")
	case f.broker != "" && f.crl != "":
		return cli.Usagef("--crl is for a keeper that is the broker itself; the other one has its own")
	case (f.cert == "") != (f.key == ""):
		return cli.Usagef("--cert and --key go together")
	}
	return keep(ctx, env, f)
}

// keep runs a keeper until ctx ends, which is no error.
func keep(ctx context.Context, env *cli.Env, f keepFlags) error {
	log := slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	who, err := openKeeper(f.identity)
	if err != nil {
		return err
	}
	papers, err := newPapers(who, f, log)
	if err != nil {
		return err
	}
	if f.nats.url != "" {
		return keepInCluster(ctx, env, f, papers, log)
	}
	st, err := store.Open(store.Config{Dir: f.store, Now: time.Now, Log: log})
	if err != nil {
		return err
	}
	s := &station{who: who, flags: f, store: st, papers: papers, log: log}
	err = s.run(ctx, env.Stdout)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil // the person, or the system, ended it
	}
	return errors.Join(err, st.Close())
}

// openKeeper opens a keeper's identity, and says what is to be done without one.
func openKeeper(dir string) (*identity.Keeper, error) {
	who, err := identity.OpenKeeper(dir)
	if errors.Is(err, identity.ErrNoKeeper) {
		err = cli.Hint(err, "sealcam household keeper add HOUSEHOLD NAME makes one; copy its directory here")
	}
	return who, err
}

// station is a keeper with what stands around it: its broker, its two listeners.
type station struct {
	who    *identity.Keeper
	flags  keepFlags
	store  keeper.Store
	engine *jetstream.Engine // nil: it is a directory
	log    *slog.Logger
	broker *broker.Broker // nil: another's
	papers *papers
}

func (s *station) run(ctx context.Context, out io.Writer) error {
	source, err := s.source()
	if err != nil {
		return err
	}
	c := keeper.Config{
		Key: s.who.Signer(), Version: version, Store: s.store, Source: source, Now: time.Now, Log: s.log,
		Households: []seal.HouseholdID{s.who.Household()},
	}
	if s.flags.any {
		c.Households = nil
	}
	if policy := (store.Policy{Age: time.Duration(s.flags.keepFor), Bytes: int64(s.flags.keepBytes)}); policy != (store.Policy{}) {
		c.Policy = func(seal.HouseholdID) store.Policy { return policy }
	}
	k, err := keeper.New(ctx, c)
	if err != nil {
		return err
	}
	viewers, err := net.Listen("tcp", orPort(s.flags.listen, s.who.URL(), keepPort))
	if err != nil {
		return fmt.Errorf("listen for viewers: %w", err)
	}
	defer viewers.Close()
	g, ctx := errgroup.WithContext(ctx)
	if err := s.serveMetrics(ctx, g, k); err != nil {
		return err
	}
	if s.broker != nil {
		if err := s.papers.revoke(s.broker); err != nil {
			return err
		}
		g.Go(func() error { return s.broker.Run(ctx) })
	}
	g.Go(func() error { return s.papers.watch(ctx, s.broker) })
	g.Go(func() error { return k.Run(ctx) })
	g.Go(func() error { return k.Serve(ctx, viewers, s.papers.viewersTLS()) })
	s.tell(out, k, viewers.Addr())
	return g.Wait()
}

// source is the broker to read from: its own, or the one that was named.
func (s *station) source() (keeper.Source, error) {
	if s.engine != nil {
		return newClustered(s.engine, s.flags.broker, s.who.Name(), s.papers.clientTLS(), s.log)
	}
	if s.flags.broker != "" {
		return keeper.FromURL(s.flags.broker, identity.KeeperPrefix+s.who.Name(), s.papers.clientTLS(), s.log)
	}
	var err error
	s.broker, err = broker.New(broker.Config{
		Addr: orPort(s.flags.brokerListen, s.who.Broker(), brokerPort), TLS: s.papers.brokerTLS(),
		Retain: filepath.Join(s.flags.store, "retained"), Log: s.log,
	})
	if err != nil {
		return nil, err
	}
	return keeper.FromBroker(s.broker, s.log)
}

// orPort returns addr, or else all addresses of this machine at the port of rawURL.
func orPort(addr, rawURL, port string) string {
	if addr != "" {
		return addr
	}
	if u, err := url.Parse(rawURL); err == nil && u.Port() != "" {
		port = u.Port()
	}
	return ":" + port
}

func (s *station) serveMetrics(ctx context.Context, g *errgroup.Group, k *keeper.Keeper) error {
	if s.flags.metrics == "" {
		return nil
	}
	l, err := net.Listen("tcp", s.flags.metrics)
	if err != nil {
		return fmt.Errorf("listen for Prometheus: %w", err)
	}
	g.Go(func() error {
		defer l.Close()
		return k.ServeMetrics(ctx, l, s.figures)
	})
	return nil
}

// figures adds those of the certificates and of the broker.
func (s *station) figures(e *exposition.Text) {
	s.papers.figures(e)
	if s.broker == nil {
		return
	}
	c := s.broker.Counts()
	e.Gauge("sealcam_keeper_broker_connections", "Cameras and viewers that are connected.", float64(c.Inside))
	e.Gauge("sealcam_keeper_broker_waiting", "Those that wait for their handshake.", float64(c.Waiting))
	e.Counter("sealcam_keeper_broker_handshakes_total", "Handshakes that were made.", float64(c.Shaken))
	e.Counter("sealcam_keeper_broker_resumed_total", "Handshakes that took up an earlier session.", float64(c.Resumed))
	e.Kinds("sealcam_keeper_broker_refused_total", "Connections that were sent away.", "why", map[string]uint64{"pace": c.Refused})
}

// tell says where everything is.
func (s *station) tell(out io.Writer, k *keeper.Keeper, viewers net.Addr) {
	st := s.store.Stats()
	fmt.Fprintf(out, "keeper   %s\nviewers  https://%s\n", k.ID(), viewers)
	if s.broker != nil {
		fmt.Fprintf(out, "cameras  %s\n", s.broker.URL())
	} else {
		fmt.Fprintf(out, "broker   %s\n", s.flags.broker)
	}
	where := s.flags.store
	if s.engine != nil {
		where = s.flags.nats.url
	}
	fmt.Fprintf(out, "store    %s, %d %s, %s\n", where, st.Messages, plural(int(min(st.Messages, 2)), "message"), volume(st.Bytes))
}
