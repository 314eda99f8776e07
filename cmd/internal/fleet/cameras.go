package fleet

import (
	"container/heap"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// cameras are those of one process.
type cameras struct {
	world
	all      []*camera
	networks [groups]*network
	log      *slog.Logger
	began    time.Time
	in, out  atomic.Uint64
	failed   atomic.Pointer[string] // the first picture that could not be stored
}

// runCameras is the part of the cameras.
func runCameras(s Setup, orders *json.Decoder, say *speaker, stderr io.Writer) error {
	cs := &cameras{world: world{s.config()}, log: partLog(stderr), began: time.Now()}
	for i := range cs.networks {
		cs.networks[i] = newNetwork(&cs.in, &cs.out)
	}
	if err := cs.open(s); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	defer func() { stop(); work.Wait() }()
	for _, c := range cs.all {
		work.Go(func() { c.run(ctx) })
	}
	say.say(report{Ready: "yes"})
	work.Go(func() { cs.tell(ctx, say) })
	events, stopEvents := context.WithCancel(ctx)
	defer stopEvents()
	var shooting sync.WaitGroup
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			return nil // the judge has ended
		}
		switch o.Do {
		case doBegin:
			shooting.Go(func() { cs.shoot(events) })
		case doStop:
			stopEvents()
			shooting.Wait()
			if err := cs.speak(); err != nil {
				return err
			}
		case doCut, doHeal:
			cs.each(o.Groups, func(n *network) { n.set(o.Do == doCut) })
		case doFlap:
			cs.each(o.Groups, (*network).flap)
		case doUsage:
			say.say(report{Measured: usage()})
		case doMeasure:
			say.say(report{Measured: measure()})
		case doAccount:
			say.say(report{Accounts: cs.accounts()})
		case doEnd:
			stats := cs.stats()
			say.say(report{Stats: &stats})
			if s.Guest {
				accounts := cs.accounts()
				stop()
				work.Wait()
				err := cs.leave(s.Addr)
				say.say(report{Accounts: accounts})
				return err
			}
			return cs.end(say)
		}
	}
}

func (cs *cameras) each(groups []int, do func(*network)) {
	for _, g := range groups {
		if g >= 0 && g < len(cs.networks) {
			do(cs.networks[g])
		}
	}
}

// open opens the cameras.
func (cs *cameras) open(s Setup) error {
	cs.all = make([]*camera, s.Last-s.First)
	return cs.many(func(i int) (err error) {
		n := s.First + i
		cs.all[i], err = cs.openCamera(n, s.Addr, cs.networks[cs.group(n)], cs.began, cs.log)
		return err
	})
}

// speak lets every camera say how it is, as cameras do from time to time: what came
// to nobody although a broker has acknowledged it is noticed by what comes after.
func (cs *cameras) speak() error {
	return cs.many(func(i int) error { return cs.all[i].up.Status(running) })
}

// many does something for every camera, as many at a time as there are processors.
func (cs *cameras) many(do func(i int) error) error {
	errs := make([]error, runtime.GOMAXPROCS(0))
	var next atomic.Int64
	var workers sync.WaitGroup
	for k := range errs {
		workers.Go(func() {
			for errs[k] == nil {
				i := int(next.Add(1)) - 1
				if i >= len(cs.all) {
					return
				}
				errs[k] = do(i)
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}

// tell says once a second how it is.
func (cs *cameras) tell(ctx context.Context, say *speaker) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			stats := cs.stats()
			say.say(report{Stats: &stats})
		case <-ctx.Done():
			return
		}
	}
}

func (cs *cameras) stats() sideStats {
	t := sideStats{At: time.Since(cs.began), CPU: cpuTime("self"), In: cs.in.Load(), Out: cs.out.Load(), Refusals: map[string]uint64{}}
	for _, c := range cs.all {
		s := c.up.Stats()
		if s.Connected {
			t.Up++
		}
		t.Connects += s.Connects
		t.Sealed += s.Head
		t.Bytes += s.SealedBytes
		t.Published += s.Published
		t.Waiting += uint64(s.Waiting)
		t.Dropped += s.Dropped
		t.Spooled += s.Bytes
		for why, n := range s.Refusals {
			t.Refusals[why] += n
		}
	}
	return t
}

// end gives the account.
func (cs *cameras) end(say *speaker) error {
	if p := cs.failed.Load(); p != nil {
		return fmt.Errorf("a picture was not stored: %s", *p)
	}
	say.say(report{Accounts: cs.accounts()})
	return nil
}

func (cs *cameras) accounts() map[string]*account {
	all := map[string]*account{}
	for _, c := range cs.all {
		all[string(c.id)] = c.account()
	}
	return all
}

// shoot lets events happen until ctx ends. A few workers seal for all: cameras
// have a processor each, and share these here.
func (cs *cameras) shoot(ctx context.Context) {
	due := make(chan *camera)
	noise := make([]byte, 1<<20+5*cs.Size)
	rand.NewChaCha8([32]byte{}).Read(noise)
	var workers sync.WaitGroup
	for k := range runtime.GOMAXPROCS(0) {
		rng := numbers(cs.Seed, "pictures", k)
		workers.Go(func() {
			for c := range due {
				if err := c.shoot(cs.Size, noise, rng); err != nil {
					text := fmt.Sprintf("camera %d: %v", c.number, err)
					cs.failed.CompareAndSwap(nil, &text)
				}
			}
		})
	}
	cs.schedule(ctx, due)
	close(due)
	workers.Wait()
}

// schedule hands out each camera when its next event is.
func (cs *cameras) schedule(ctx context.Context, due chan<- *camera) {
	q := append(queue(nil), cs.all...)
	heap.Init(&q)
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for len(q) > 0 {
		c := q[0]
		timer.Reset(time.Until(began.Add(c.next)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		select {
		case due <- c:
		case <-ctx.Done():
			return
		}
		// What could not be done in time is not made up for: a busy machine has
		// fewer events, and no burst of them.
		c.next = c.rhythm.next(max(c.next, time.Since(began)))
		heap.Fix(&q, 0)
	}
	<-ctx.Done()
}

// queue is cameras by their next event.
type queue []*camera

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].next < q[j].next }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(any)          {} // none comes
func (q *queue) Pop() any          { return nil }
