package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// How long the judge waits for things that take longer the larger the fleet and
// the busier the machine.
const (
	startTime  = 2 * time.Minute // for a part to be there, and a moment for each camera
	perCamera  = 50 * time.Millisecond
	answerTime = 5 * time.Minute // for a part to answer
)

// run is one run of a fleet.
type run struct {
	Config
	world   world
	report  *Report
	cameras *part
	broker  *part
	url     string
	screens *screens

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
		if p != nil {
			p.kill()
		}
	}
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
	if err := r.startBroker("127.0.0.1:0"); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	var watched sync.WaitGroup
	defer func() { stop(); watched.Wait() }()
	hostile, _ := chosen(r.Faults)
	var err error
	if r.screens, err = r.world.newScreens(r.url, hostile[faultRelay]); err != nil {
		return err
	}
	watched.Go(func() { r.screens.run(watching) })
	if r.cameras, err = r.start(partCameras, r.setup(r.url)); err != nil {
		return err
	}
	if _, err := r.cameras.hear(r.patience()); err != nil {
		return err
	}
	r.step = "connecting"
	if err := r.until(ctx, r.patience(), "not all cameras connected", r.allUp); err != nil {
		return err
	}
	r.report.Connected = time.Since(r.began)
	if err := r.measure(&r.report.Idle); err != nil {
		return err
	}
	if err := r.days(ctx); err != nil {
		return err
	}
	return r.account(ctx)
}

func (r *run) allUp() bool { return r.cameras.stats().Up == r.Cameras }

// startBroker starts the part of the broker at addr.
func (r *run) startBroker(addr string) (err error) {
	if r.broker, err = r.start(partBroker, r.setup(addr)); err != nil {
		return err
	}
	ready, err := r.broker.hear(startTime)
	r.url = ready.Ready
	return err
}

// measure asks both sides what they hold.
func (r *run) measure(m *Held) error {
	for _, side := range []struct {
		p  *part
		to *Memory
	}{{r.cameras, &m.Cameras}, {r.broker, &m.Broker}} {
		if err := side.p.order(order{Do: doMeasure}); err != nil {
			return err
		}
		got, err := side.p.hear(answerTime)
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
	case err := <-r.broker.ended:
		return errors.Join(errors.New("fleet: the broker ended"), err)
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(500 * time.Millisecond):
	}
	c, b := r.cameras.stats(), r.broker.stats()
	now := time.Since(r.began)
	r.series.add(now, b)
	p := Progress{
		Step: r.step, At: now, Of: r.Cameras, Fault: r.fault, Up: c.Up, Rate: r.series.rate(),
		Sealed: c.Sealed, Arrived: b.Arrived, Waiting: c.Waiting, Wrong: r.screens.watched().Wrong,
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

// befall lets a fault happen, and waits until all cameras are back.
func (r *run) befall(ctx context.Context, f fault) error {
	began := time.Now()
	back := Return{Fault: f.Kind, At: began.Sub(r.first), before: r.broker.stats(), from: len(r.series.points)}
	connects := r.cameras.stats().Connects
	switch f.Kind {
	case faultRestart:
		r.broker.kill()
		r.series.restart()
		if err := r.pass(ctx, f.At+f.Lasts); err != nil {
			return err
		}
		if err := r.startBroker(r.url[len("mqtts://"):]); err != nil {
			return err
		}
		back.before = sideStats{}
	case faultFlap:
		if err := r.cameras.order(order{Do: doFlap, Groups: f.Groups}); err != nil {
			return err
		}
	case faultCut:
		if err := r.cameras.order(order{Do: doCut, Groups: f.Groups}); err != nil {
			return err
		}
		if err := r.pass(ctx, f.At+f.Lasts); err != nil {
			return err
		}
		if err := r.cameras.order(order{Do: doHeal, Groups: f.Groups}); err != nil {
			return err
		}
	}
	healed := time.Now()
	hit := false // the cameras' statistics know of it
	err := r.until(ctx, r.patience(), "not all cameras came back after "+f.Kind, func() bool {
		hit = hit || !r.allUp() || r.cameras.stats().Connects > connects
		return hit && r.allUp() || r.affected(f) == 0
	})
	back.Took, back.Away = time.Since(healed), healed.Sub(began)
	r.report.returned(r, back)
	return err
}

// affected is how many cameras a fault befalls.
func (r *run) affected(f fault) (n int) {
	if f.Kind == faultRestart {
		return r.Cameras
	}
	in := map[int]bool{}
	for _, g := range f.Groups {
		in[g] = true
	}
	for i := range r.Cameras {
		if in[r.group(i)] {
			n++
		}
	}
	return n
}

// account ends the events, lets everything arrive, and adds up.
func (r *run) account(ctx context.Context) error {
	r.step = "draining"
	if err := r.cameras.order(order{Do: doStop}); err != nil {
		return err
	}
	r.report.after(r)
	settled := 0
	err := r.until(ctx, r.patience(), "not everything arrived", func() bool {
		c, b := r.cameras.stats(), r.broker.stats()
		if c.Waiting > 0 || b.Arrived < c.Sealed || r.screens.watched().Missing > 0 {
			settled = 0
		}
		settled++
		return settled > 5 // statistics are a second old
	})
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		r.report.Notes = append(r.report.Notes, err.Error())
	}
	if err := r.measure(&r.report.End); err != nil {
		return err
	}
	sides := [2]map[string]*account{}
	for i, p := range []*part{r.cameras, r.broker} {
		if err := p.order(order{Do: doEnd}); err != nil {
			return err
		}
		got, err := p.hear(answerTime)
		if err != nil {
			return err
		}
		sides[i] = got.Accounts
	}
	r.report.settle(sides[0], sides[1])
	return nil
}
