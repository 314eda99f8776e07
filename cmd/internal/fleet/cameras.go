package fleet

import (
	"container/heap"
	"context"
	"encoding/json"
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
	in, out  atomic.Uint64
	failed   atomic.Pointer[string] // the first picture that could not be stored
}

// runCameras is the part of the cameras.
func runCameras(s Setup, orders *json.Decoder, say *speaker, stderr io.Writer) error {
	cs := &cameras{world: world{s.config()}, log: partLog(stderr)}
	for i := range cs.networks {
		cs.networks[i] = newNetwork(&cs.in, &cs.out)
	}
	if err := cs.open(s); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer func() { stop(); running.Wait() }()
	for _, c := range cs.all {
		running.Go(func() { c.run(ctx) })
	}
	say.say(report{Ready: "yes"})
	running.Go(func() { cs.tell(ctx, say) })
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
		case doCut, doHeal:
			cs.each(o.Groups, func(n *network) { n.set(o.Do == doCut) })
		case doFlap:
			cs.each(o.Groups, (*network).flap)
		case doMeasure:
			say.say(report{Measured: measure()})
		case doEnd:
			stats := cs.stats()
			say.say(report{Stats: &stats})
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

// open opens the cameras, as many at a time as there are processors.
func (cs *cameras) open(s Setup) error {
	began := time.Now()
	cs.all = make([]*camera, s.Last-s.First)
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
				n := s.First + i
				cs.all[i], errs[k] = cs.openCamera(n, s.Addr, cs.networks[cs.group(n)], began, cs.log)
			}
		})
	}
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
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
	t := sideStats{CPU: cpuTime(), In: cs.in.Load(), Out: cs.out.Load()}
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
		t.Refused += s.Refused
	}
	return t
}

// end gives the account.
func (cs *cameras) end(say *speaker) error {
	if p := cs.failed.Load(); p != nil {
		return fmt.Errorf("a picture was not stored: %s", *p)
	}
	accounts := map[string]*account{}
	for _, c := range cs.all {
		accounts[string(c.id)] = c.account()
	}
	say.say(report{Accounts: accounts})
	return nil
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
