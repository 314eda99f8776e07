package jetstream

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

var long = flag.Bool("long", false, "every trouble, three times over")

// trial is cameras, a cluster and keepers, and the ledger between them.
type trial struct {
	*testing.T
	site   *site
	house  *house
	config func(name string, first int) Config

	mu       sync.Mutex
	sealed   map[seal.CameraID]map[uint64][32]byte // what each camera has sealed
	open     map[seal.CameraID]map[uint64]seal.Sealed
	receipts int
	quiet    bool // no more is sealed
}

func newTrial(t *testing.T, cameras int) *trial {
	return &trial{T: t, house: newHouse(t, cameras), sealed: map[seal.CameraID]map[uint64][32]byte{}, open: map[seal.CameraID]map[uint64]seal.Sealed{}}
}

// keeper is a keeper as far as this package is concerned: what comes is checked,
// put, and receipted.
type keeper struct {
	t     *trial
	e     *Engine
	form  byte
	stop  context.CancelFunc
	ended chan struct{}

	mu    sync.Mutex
	dying string // "before" or "after" Put, with work in hand
	later int    // messages of a form that only the next version knows
	died  chan struct{}
}

func (t *trial) keeper(name string, first int, form byte) *keeper {
	t.Helper()
	e, _ := openAs(t.T, t.config(name, first), form)
	e.ackWait, e.pause = 5*time.Second, 2*time.Second
	ctx, stop := context.WithCancel(context.Background())
	k := &keeper{t: t, e: e, form: form, stop: stop, ended: make(chan struct{}), died: make(chan struct{})}
	type work struct {
		it   feed.Item
		done func(error)
	}
	queue := make(chan work, 1024)
	var parts sync.WaitGroup
	parts.Go(func() {
		err := e.Source().Run(ctx, func(it feed.Item, done func(error)) {
			if done != nil {
				queue <- work{it, done}
			}
		})
		if ctx.Err() == nil && !errors.Is(err, store.ErrNewer) {
			t.Errorf("%s: %v", name, err)
		}
		stop()
	})
	parts.Go(func() {
		for {
			select {
			case w := <-queue:
				w.done(k.take(ctx, w.it))
			case <-ctx.Done():
				return
			}
		}
	})
	go func() { parts.Wait(); close(k.ended) }()
	t.Cleanup(func() { stop(); <-k.ended })
	return k
}

var errDied = errors.New("the keeper has died")

// take puts one message and sends its receipt.
func (k *keeper) take(ctx context.Context, it feed.Item) error {
	v, err := seal.Peek(it.Sealed)
	switch {
	case err != nil && k.form == format:
		return store.ErrNewer
	case err != nil:
		k.mu.Lock()
		k.later++
		k.mu.Unlock()
		return nil
	}
	if k.dies("before") {
		return errDied
	}
	batch := []store.Message{{Entry: store.Entry{Visible: v, Kind: it.Kind}, Sealed: it.Sealed}}
	errs, err := k.e.Put(ctx, batch)
	if err = errors.Join(append(errs, err)...); err != nil {
		return err
	}
	if k.dies("after") {
		return errDied
	}
	_ = k.e.Source().Send(ctx, v.Camera, feed.Command, fmt.Appendf(nil, "%d %x", v.Seq, v.Hash))
	return nil
}

// dies ends the keeper's connection at once, with everything in hand, if it is to.
func (k *keeper) dies(when string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dying != when {
		return false
	}
	k.dying = ""
	k.e.nc.Close()
	k.stop()
	close(k.died)
	return true
}

func (k *keeper) die(when string) {
	k.mu.Lock()
	k.dying = when
	k.mu.Unlock()
	<-k.died
	<-k.ended
}

// camera seals, publishes, and publishes again what has no receipt.
func (t *trial) camera(c *light, first int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	t.mu.Lock()
	t.sealed[c.id], t.open[c.id] = map[uint64][32]byte{}, map[uint64]seal.Sealed{}
	t.mu.Unlock()
	go func() {
		defer close(ended)
		for n := first; ctx.Err() == nil; n++ {
			k := t.site.cluster[n%len(t.site.cluster)]
			t.session(ctx, c, fmt.Sprintf("mqtts://%s:%d", k.addr, k.mqtt))
			select {
			case <-time.After(200 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// session is one connection of a camera.
func (t *trial) session(ctx context.Context, c *light, url string) {
	conn, err := mqtt.Dial(ctx, mqtt.Config{URL: url, TLS: t.site.tls, ClientID: "camera-" + string(c.id[:12]), ConnectTimeout: 5 * time.Second, KeepAlive: 5 * time.Second})
	if err != nil {
		return
	}
	defer conn.Close()
	waiting, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	if conn.Subscribe(waiting, feed.Topic(c.id, feed.Command)) != nil {
		return
	}
	told := map[uint64]time.Time{}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case m := <-conn.Messages():
			t.receipt(c, string(m.Payload))
		case <-tick.C:
			for seq, s := range t.next(c) {
				if time.Since(told[seq]) < 3*time.Second {
					continue
				}
				told[seq] = time.Now()
				conn.Publish(ctx, mqtt.Message{Topic: feed.Topic(c.id, feed.Media), Payload: s.Bytes, QoS: 1})
			}
		case <-conn.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// next returns what of a camera has no receipt, with one message more if there
// are not too many already.
func (t *trial) next(c *light) map[uint64]seal.Sealed {
	t.mu.Lock()
	defer t.mu.Unlock()
	if open := t.open[c.id]; !t.quiet && len(open) < 64 {
		s := c.seal(2000)
		t.sealed[c.id][s.Seq], open[s.Seq] = s.Hash, s
	}
	return maps.Clone(t.open[c.id])
}

func (t *trial) receipt(c *light, text string) {
	var seq uint64
	var hash string
	if _, err := fmt.Sscanf(text, "%d %s", &seq, &hash); err != nil {
		t.Errorf("receipt %q: %v", text, err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if want := t.sealed[c.id][seq]; hex.EncodeToString(want[:]) != hash {
		t.Errorf("a receipt for what %s has not sealed: %q", c.id, text)
	}
	delete(t.open[c.id], seq)
	t.receipts++
}

func (t *trial) got() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.receipts
}

// flows waits until receipts come again.
func (t *trial) flows(what string) {
	t.Helper()
	began, n := time.Now(), t.got()
	until(t.T, "receipts come "+what, func() bool { return t.got() >= n+30 })
	t.Logf("%v until 30 receipts have come %s", time.Since(began).Round(100*time.Millisecond), what)
}

// settle lets the cameras fall silent, and compares what they have sealed with
// what each keeper has.
func (t *trial) settle(keepers ...*keeper) {
	t.Helper()
	t.mu.Lock()
	t.quiet = true
	t.mu.Unlock()
	until(t.T, "everything has a receipt", func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		open := 0
		for _, o := range t.open {
			open += len(o)
		}
		return open == 0
	})
	total := 0
	for _, all := range t.sealed {
		total += len(all)
	}
	for _, k := range keepers {
		until(t.T, "the keeper has read the log", func() bool { return k.e.Stats().Messages >= uint64(total) })
		if n := k.e.Stats().Messages; n != uint64(total) {
			t.Errorf("%s keeps %d messages, sealed were %d", k.e.config.Name, n, total)
		}
		for id, all := range t.sealed {
			var q = store.Query{Household: t.house.id, Camera: id, BySeq: true, Limit: 100}
			for seq := uint64(1); seq <= uint64(len(all)); {
				p, err := k.e.List(t.Context(), q)
				check(t.T, err)
				if len(p.Entries) == 0 {
					t.Fatalf("%s has lost %d of camera %s", k.e.config.Name, seq, id)
				}
				for _, m := range p.Entries {
					if m.Visible.Seq != seq || m.Visible.Hash != all[seq] {
						t.Fatalf("%s has %d, want %d of camera %s", k.e.config.Name, m.Visible.Seq, seq, id)
					}
					if b, err := k.e.Get(t.Context(), m.Visible.Hash); err != nil || len(b) != m.Visible.Size {
						t.Errorf("camera %s, %d: %v", id, seq, err)
					}
					seq++
				}
				q.After = p.Entries[len(p.Entries)-1].Visible.Seq
			}
		}
	}
	info, err := must(keepers[0].e.shard(t.Context(), 0)).Info(t.Context())
	check(t.T, err)
	t.Logf("sealed %d, kept %d, lost 0, twice 0; %d copies that no line names", total, total, int(info.State.Msgs)-total)
}

// A cluster of three in trouble, and keepers that die with work in hand: what has
// a receipt is there, what was sealed is there, and nothing is there twice.
func TestTrouble(t *testing.T) {
	tr := newTrial(t, 3)
	tr.site = newSite(t)
	tr.config = func(name string, first int) Config { return tr.site.config(t, name, first) }
	a, b := tr.keeper("a", 0, format), tr.keeper("b", 1, format)
	for i, c := range tr.house.cameras {
		t.Cleanup(tr.camera(c, i))
	}
	tr.flows("at first")
	rounds, kinds := 1, "killed cut"
	if *long {
		rounds, kinds = 3, "killed cut follower intake"
	}
	for range rounds {
		a.die("after")
		tr.flows("after a keeper died between Put and acknowledgement")
		a = tr.keeper("a", 0, format)
		b.die("before")
		tr.flows("after a keeper died before Put")
		b = tr.keeper("b", 1, format)
		for kind := range strings.FieldsSeq(kinds) {
			tr.strike(kind)
		}
	}
	tr.settle(a, b)
}

// strike does something to the cluster, and mends it. Before that all nodes have
// everything: three outlive the loss of one, and one that has yet to catch up is
// as good as lost.
func (t *trial) strike(kind string) {
	t.Helper()
	stream := streamIndex
	if kind == "intake" {
		stream = streamIntake
	}
	until(t.T, "all nodes have everything", t.site.whole)
	var k *node
	until(t.T, "the log has a leader", func() bool { k = t.site.leader(stream); return k != nil })
	switch kind {
	case "cut":
		t.site.part(k)
		t.flows("with the leader of the log cut off from the others")
		t.site.heal(t.T)
	case "follower":
		for _, n := range t.site.cluster {
			if n != k {
				k = n
			}
		}
		fallthrough
	default:
		k.kill()
		t.flows("with a node killed: " + kind)
		k.start()
	}
	t.flows("after it was mended")
}
