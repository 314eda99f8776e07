package fleet

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"sync"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/keeper"
)

// spare is how many more than its cameras a broker lets in: those that came back
// before it has noticed that they were gone, and who watches.
const spare = 2000

// site is the part that cameras publish to: a broker with a keeper in it, or a
// keeper beside a cluster.
type site struct {
	*keeping
	broker *broker.Broker // nil beside a cluster
	began  time.Time
}

// runBroker is the part of the broker, with its keeper.
func runBroker(s Setup, orders *json.Decoder, say *speaker, stderr io.Writer) error {
	w, log := world{s.config()}, partLog(stderr)
	conf, err := w.serverTLS()
	if err != nil {
		return err
	}
	b, err := broker.New(broker.Config{
		Addr: s.Addr, TLS: conf, Log: log,
		Limits: broker.Limits{Clients: s.Cameras + spare, Handshakes: s.Handshakes},
	})
	if err != nil {
		return err
	}
	k, source, err := w.storeOnDisk(b, log)
	if err != nil {
		return err
	}
	t := &site{keeping: k, broker: b}
	return t.serve(w, source, orders, say, stderr, b.Run)
}

// runKeeper is the part of a keeper of a cluster, whose nodes are at s.Addr.
func runKeeper(s Setup, orders *json.Decoder, say *speaker, stderr io.Writer) error {
	w, log := world{s.config()}, partLog(stderr)
	k, source, err := w.storeInCluster(context.Background(), s.Addr, log)
	if err != nil {
		return err
	}
	t := &site{keeping: k}
	return t.serve(w, source, orders, say, stderr, k.run)
}

// serve works, and obeys, until the judge says that it is the end. beside runs
// beside the keeper.
func (t *site) serve(w world, source keeper.Source, orders *json.Decoder, say *speaker, stderr io.Writer, beside func(context.Context) error) error {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer func() { stop(); running.Wait(); _ = t.close() }()
	t.began = time.Now()
	running.Go(func() { _ = beside(ctx) })
	if err := t.begin(ctx, w, source, partLog(stderr)); err != nil {
		return err
	}
	api, err := t.serveViewers(ctx, w, &running)
	if err != nil {
		return err
	}
	running.Go(func() { _ = t.keeper.Run(ctx) })
	ready := "yes"
	if t.broker != nil {
		ready = t.broker.URL()
	}
	kept, err := t.accounts(ctx)
	if err != nil {
		return err
	}
	say.say(report{Ready: ready, API: api, Accounts: kept})
	lines := make(chan order)
	go func() { // until the judge has ended
		defer close(lines)
		for {
			var o order
			if orders.Decode(&o) != nil {
				return
			}
			lines <- o
		}
	}()
	return t.obey(ctx, lines, say)
}

// serveViewers answers viewers over HTTPS, and returns where.
func (t *site) serveViewers(ctx context.Context, w world, running *sync.WaitGroup) (url string, err error) {
	conf, err := w.serverTLS()
	if err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		return "", err
	}
	conf.ClientAuth = tls.NoClientCert // who may read says so with a pass
	running.Go(func() { _ = t.keeper.Serve(ctx, l, conf) })
	return "https://" + l.Addr().String(), nil
}

func (t *site) obey(ctx context.Context, lines <-chan order, say *speaker) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			say.say(report{Stats: t.stats()})
		case o, ok := <-lines:
			switch {
			case !ok:
				return nil
			case o.Do == doUsage:
				say.say(report{Measured: usage()})
			case o.Do == doMeasure:
				say.say(report{Measured: measure()})
			case o.Do == doEnd:
				say.say(report{Stats: t.stats()})
				accounts, err := t.accounts(ctx)
				say.say(report{Accounts: accounts})
				return err
			}
		}
	}
}

func (t *site) stats() *sideStats {
	s := &sideStats{At: time.Since(t.began), CPU: cpuTime("self")}
	if t.broker != nil {
		c := t.broker.Counts()
		s.Inside, s.Admitted, s.Busiest, s.Turned, s.Shaken, s.Resumed = c.Inside, c.Admitted, c.Busiest, c.Refused, c.Shaken, c.Resumed
	}
	t.count(s)
	return s
}
