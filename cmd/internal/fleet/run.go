package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// How long the judge waits for things that take longer the larger the fleet and
// the busier the machine.
const (
	startTime  = 2 * time.Minute // for a part to be there, and a moment for each camera
	perCamera  = 50 * time.Millisecond
	answerTime = 5 * time.Minute  // for a part to answer
	quietTime  = 90 * time.Second // without anything new, when something could still come: keepers ask ever more rarely
	lookTime   = 40 * time.Second // for viewers, who do too, and miss nothing that is lost
)

// run is one run of a fleet.
type run struct {
	Config
	world   world
	report  *Report
	cameras *part
	broker  *part   // or the keeper of a cluster
	nodes   []*node // of that
	url     string
	screens *screens
	api     string              // of the keeper that was started last
	kept    map[string]*account // what the keeper had when it was started last

	began  time.Time // the judge
	first  time.Time // all cameras were there
	step   string
	fault  string
	series series
}

// Run makes a fleet, lets it live through c.For, and reports. An error means that
// the run could not be made; what it has found is in the Report.
func Run(ctx context.Context, c Config) (*Report, error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r := &run{Config: c, world: world{c}, report: newReport(c), began: time.Now()}
	if err := r.makeKeys(ctx); err != nil {
		return nil, err
	}
	err := r.live(ctx)
	for _, p := range []*part{r.cameras, r.broker} {
		p.kill()
	}
	stopNodes(r.nodes)
	if err != nil {
		return nil, err
	}
	r.report.finish(r)
	return r.report, nil
}

func (r *run) makeKeys(ctx context.Context) error {
	var told time.Time
	var mu sync.Mutex
	return r.world.make(ctx, func(n int) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(told) >= time.Second {
			told = now
			r.Tell(Progress{Step: "making keys", At: now.Sub(r.began), Done: n, Of: r.Cameras})
		}
	})
}

// patience is how long something may take that all cameras take part in.
func (r *run) patience() time.Duration {
	return startTime + time.Duration(r.Cameras)*perCamera + 2*r.Spread
}

// live is the run proper.
func (r *run) live(ctx context.Context) error {
	if err := r.startSite(loopback + ":0"); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	var watched sync.WaitGroup
	defer func() { stop(); watched.Wait() }()
	var err error
	first, _, _ := strings.Cut(r.url, ",")
	if r.screens, err = r.world.newScreens(first, r.api); err != nil {
		return err
	}
	if r.Broker == "" {
		watched.Go(func() { r.screens.run(watching) })
	}
	if r.cameras, err = r.start(partCameras, r.setup(r.url)); err != nil {
		return err
	}
	if _, err := r.cameras.hear(r.patience()); err != nil {
		return err
	}
	if err := r.measure(doUsage, &r.report.Open); err != nil {
		return err
	}
	r.step = "connecting"
	if err := r.until(ctx, r.patience(), "not all cameras connected", r.allUp); err != nil {
		return err
	}
	r.report.Connected = time.Since(r.began)
	if err := r.measure(doMeasure, &r.report.Idle); err != nil {
		return err
	}
	if err := r.days(ctx); err != nil {
		return err
	}
	return r.account(ctx)
}

func (r *run) allUp() bool { return r.cameras.stats().Up == r.Cameras }

// startSite starts what cameras publish to: the part of the broker at addr, or a
// cluster, unless it runs, and its keeper.
func (r *run) startSite(addr string) (err error) {
	if r.Broker != "" {
		r.url = r.Broker
		return nil
	}
	if r.Nodes == 0 {
		if r.broker, err = r.start(partBroker, r.setup(addr)); err != nil {
			return err
		}
		ready, err := r.broker.hear(r.patience())
		r.url, r.kept = ready.Ready, ready.Accounts
		r.readFrom(ready.API)
		return err
	}
	if r.nodes == nil {
		if r.nodes, err = r.world.startNodes(); err != nil {
			return err
		}
		r.url = urls(r.nodes, "mqtts", func(n *node) int { return n.mqtt })
	}
	late := time.Now().Add(startTime)
	for { // a cluster that has just begun has no leader yet
		if r.broker, err = r.start(partKeeper, r.setup(urls(r.nodes, "nats", func(n *node) int { return n.nats }))); err != nil {
			return err
		}
		ready, err := r.broker.hear(r.patience())
		r.readFrom(ready.API)
		if r.kept = ready.Accounts; err == nil || time.Now().After(late) {
			return err
		}
		r.broker.kill()
	}
}

// readFrom says where the keeper answers, which runs on another port each time.
func (r *run) readFrom(api string) {
	if r.api = api; r.screens != nil && r.screens.liar != nil {
		r.screens.liar.repeat(api)
	}
}

// measure asks both sides what they hold, by doMeasure or doUsage.
func (r *run) measure(how string, m *Held) error {
	for _, side := range []struct {
		p  *part
		to *Memory
	}{{r.cameras, &m.Cameras}, {r.broker, &m.Broker}} {
		if side.p == nil { // it is not ours
			continue
		}
		got, err := r.ask(side.p, how)
		if err != nil {
			return err
		}
		if got.Measured == nil {
			return errors.New("fleet: a part did not measure")
		}
		*side.to = *got.Measured
	}
	return nil
}

// until looks twice a second whether something is so, and tells how it goes.
func (r *run) until(ctx context.Context, patience time.Duration, otherwise string, so func() bool) error {
	late := time.Now().Add(patience)
	for !so() {
		if time.Now().After(late) {
			return fmt.Errorf("fleet: %s within %v: %s", otherwise, patience, r.words())
		}
		if err := r.tick(ctx); err != nil {
			return err
		}
	}
	return nil
}

// words says how things stand, for an error.
func (r *run) words() string {
	c, b := r.cameras.stats(), r.broker.stats()
	return fmt.Sprintf("%d of %d connected, %d sealed, %d arrived, %d waiting", c.Up, r.Cameras, c.Sealed, b.Arrived, c.Waiting)
}

// tick waits half a second, and takes down how things stand.
func (r *run) tick(ctx context.Context) error {
	select {
	case err := <-r.cameras.ended:
		return errors.Join(errors.New("fleet: the cameras ended"), err)
	case err := <-r.broker.end():
		return errors.Join(errors.New("fleet: the broker ended"), err)
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(500 * time.Millisecond):
	}
	c, b := r.cameras.stats(), r.broker.stats()
	now := time.Since(r.began)
	if r.Nodes > 0 || r.Broker != "" { // which say nothing: what cameras have made counts
		r.series.add(now, sideStats{At: c.At, Admitted: c.Connects, CPU: b.CPU})
	} else {
		r.series.add(now, b)
	}
	p := Progress{
		Step: r.step, At: now, Of: r.Cameras, Fault: r.fault, Up: c.Up, Rate: r.series.rate(),
		Sealed: c.Sealed, Arrived: b.Arrived, Waiting: c.Waiting, Wrong: r.screens.wrong(),
	}
	if !r.first.IsZero() {
		p.At, p.Done, p.Of = time.Since(r.first), int(time.Since(r.first)/time.Second), int(r.For/time.Second)
	}
	r.Tell(p)
	return nil
}

// days lets events and faults happen for r.For.
func (r *run) days(ctx context.Context) error {
	r.step, r.first = "running", time.Now()
	r.report.before(r)
	if err := r.cameras.order(order{Do: doBegin}); err != nil {
		return err
	}
	for _, f := range r.plan() {
		if err := r.pass(ctx, f.At); err != nil {
			return err
		}
		r.fault = f.Kind
		if err := r.befall(ctx, f); err != nil {
			return err
		}
		r.fault = ""
	}
	return r.pass(ctx, r.For)
}

// pass lets time go on up to at.
func (r *run) pass(ctx context.Context, at time.Duration) error {
	for time.Since(r.first) < at {
		if err := r.tick(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ask gives a part an order that it answers.
func (r *run) ask(p *part, what string) (report, error) {
	if err := p.order(order{Do: what}); err != nil {
		return report{}, err
	}
	return p.hear(answerTime)
}

// account ends the events, lets everything arrive, and adds up.
func (r *run) account(ctx context.Context) error {
	r.step = "draining"
	if err := r.cameras.order(order{Do: doStop}); err != nil {
		return err
	}
	r.report.after(r)
	settled, began := 0, time.Now()
	arrived, news := uint64(0), time.Now()
	err := r.until(ctx, r.patience(), "not everything arrived", func() bool {
		c, b := r.cameras.stats(), r.broker.stats()
		if b.Arrived != arrived {
			arrived, news = b.Arrived, time.Now()
		}
		settled++
		if c.Waiting > 0 || r.broker != nil && b.Arrived < c.Sealed && time.Since(news) < quietTime {
			settled = 0
		}
		if r.screens.watched().Missing > 0 && time.Since(began) < lookTime {
			settled = 0
		}
		return settled > 5 // statistics are a second old
	})
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		r.report.Notes = append(r.report.Notes, err.Error())
	}
	if err := r.measure(doMeasure, &r.report.End); err != nil {
		return err
	}
	sent, err := r.ask(r.cameras, doEnd)
	if err != nil {
		return err
	}
	if r.Broker != "" {
		r.report.settleSent(sent.Accounts)
		return nil
	}
	kept, err := r.ask(r.broker, doEnd)
	if err != nil {
		return err
	}
	r.report.settle(&tally{sent.Accounts, kept.Accounts}, r.world)
	return nil
}
