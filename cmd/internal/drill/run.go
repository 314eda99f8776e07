package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how large a drill is. Zero fields are set by Validate.
type Config struct {
	Deliveries int    // in all, to all viewers
	Households int    // at least 2
	Cameras    int    // of each household, at least 2
	Sessions   int    // viewers, each with days of its own
	Seed       uint64 // of everything that happens
	Workers    int    // sessions at a time; 0 for one per processor
	// Exec is a program, with arguments, that takes the viewer's place; see the
	// package's doc. Empty for sealcam's own opener.
	Exec   []string
	Stderr io.Writer // of that program; nil for nowhere
	// Way is a broker that messages go over; nil to hand them over in process.
	Way    *Way
	Broker string // its name, for the report
	// Progress is called now and then, with how many deliveries were made and
	// how many pictures were shown wrongly until then; nil for nobody.
	Progress func(deliveries, wrong int)
	Now      func() time.Time // for the report's seconds
}

// Bounds of a Config.
const (
	maxSessions = 10000
	maxHomes    = 32
	maxCameras  = 16
)

// Validate fills in what is zero, and refuses what makes no drill.
func (c *Config) Validate() error {
	set := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	each, most, deliveries := 1000, 1000, 1000000
	if c.Way != nil { // every viewer is a connection, and every delivery a round
		each, most, deliveries = 500, 200, 20000
	}
	set(&c.Deliveries, deliveries)
	set(&c.Households, 3)
	set(&c.Cameras, 3)
	set(&c.Sessions, min(max(c.Deliveries/each, c.Households), most))
	set(&c.Workers, runtime.GOMAXPROCS(0))
	if c.Now == nil {
		c.Now = time.Now
	}
	switch {
	case c.Households < 2 || c.Households > maxHomes:
		return fmt.Errorf("%d households: expected 2 to %d", c.Households, maxHomes)
	case c.Cameras < 2 || c.Cameras > maxCameras:
		return fmt.Errorf("%d cameras: expected 2 to %d in each household", c.Cameras, maxCameras)
	case c.Sessions < 1 || c.Sessions > maxSessions:
		return fmt.Errorf("%d viewers: expected 1 to %d", c.Sessions, maxSessions)
	case c.Deliveries/c.Sessions < 100*c.Cameras:
		return fmt.Errorf("%d deliveries for %d viewers: expected at least %d for each, for its cameras alone send half as many", c.Deliveries, c.Sessions, 100*c.Cameras)
	case c.Workers < 1:
		return fmt.Errorf("%d workers", c.Workers)
	}
	return nil
}

// Run makes the drill in this process, or with programs that it starts. The
// error is a failure of the drill; what a viewer did wrong is in the Report.
func Run(ctx context.Context, c Config) (*Report, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	began := c.Now()
	w, err := newWorld(c.Seed, c.Households, c.Cameras)
	if err != nil {
		return nil, fmt.Errorf("the cameras could not seal their days: %w", err)
	}
	d := &drill{config: c, world: w, total: newTally()}
	if c.Way != nil {
		err = d.overBroker(ctx)
	} else {
		err = d.inProcess(ctx)
	}
	if err != nil {
		return nil, err
	}
	r := &Report{Broker: c.Broker, Seed: c.Seed, Households: c.Households, Cameras: c.Cameras, Sessions: c.Sessions, Viewer: c.viewer(), Seconds: c.Now().Sub(began).Seconds()}
	d.total.report(r)
	return r, d.keepers(ctx, r)
}

func (c *Config) viewer() string {
	if len(c.Exec) > 0 {
		return "exec:" + c.Exec[0]
	}
	return "uplink/seal"
}

// drill is a drill that runs.
type drill struct {
	config Config
	world  *world
	next   atomic.Int64 // session

	mu         sync.Mutex
	total      *tally
	deliveries int
	wrong      int
}

// inProcess lets workers go through the sessions.
func (d *drill) inProcess(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	for range d.config.Workers {
		workers.Go(func() {
			if err := d.work(ctx); err != nil {
				cancel(err)
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// subject makes a viewer.
func (d *drill) subject(ctx context.Context) (subject, error) {
	if len(d.config.Exec) > 0 {
		return start(ctx, d.config.Exec, d.config.Stderr)
	}
	return &openers{}, nil
}

// work takes sessions until there are none left.
func (d *drill) work(ctx context.Context) (err error) {
	s, err := d.subject(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for ctx.Err() == nil {
		i := int(d.next.Add(1)) - 1
		if i >= d.config.Sessions {
			return nil
		}
		t, err := d.session(ctx, s, i)
		if err != nil {
			return err
		}
		d.mu.Lock()
		d.total.add(t)
		d.mu.Unlock()
	}
	return nil
}

// session lets one viewer live through its days.
func (d *drill) session(ctx context.Context, s subject, i int) (*tally, error) {
	w, c := d.world, d.config
	home := w.homes[i%len(w.homes)]
	r := numbersOf(c.Seed, fmt.Sprintf("session %d", i))
	var join time.Duration
	if r.IntN(4) == 0 {
		join = 7 * time.Hour
	}
	n := c.Deliveries*(i+1)/c.Sessions - c.Deliveries*i/c.Sessions
	p := w.plan(home, r, n, join, i/len(w.homes)%2 == 1)
	t := newTally()
	j := newJudge(w, home, join, t)
	if err := s.begin(home, home.keys[i/len(w.homes)%len(home.keys)], j.roster); err != nil {
		return nil, err
	}
	made := 0
	err := p.steps(func(st step) error {
		if st.do == deliver {
			if made++; made%256 == 0 {
				d.progress(256, 0)
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
		}
		return j.take(s, st)
	})
	if err == nil {
		err = j.end(s.gaps)
	}
	d.progress(made%256, t.wrong())
	return t, err
}

// take lets the viewer do a step, and judges what it does.
func (j *judge) take(s subject, st step) error {
	switch st.do {
	case newRoster:
		j.roster = st.roster
		return s.roster(st.roster)
	case reconnect:
		return s.reconnect()
	case forget:
		if err := j.forget(st.now, s.gaps); err != nil {
			return err
		}
		return s.forget()
	case look:
		return j.look(s, st, true)
	}
	a, err := s.open(dawn.Add(st.now), st.screen.id, st.sealed)
	if err != nil {
		return err
	}
	j.answered(st, a)
	if st.clip != nil {
		return j.look(s, st, false)
	}
	return nil
}

func (d *drill) progress(deliveries, wrong int) {
	if d.config.Progress == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deliveries += deliveries
	d.wrong += wrong
	d.config.Progress(d.deliveries, d.wrong)
}
