//go:build linux

package poornet

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/rig"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

var (
	runs  = flag.Int("runs", 3, "how many events have to be seen")
	links = flag.Int("links", 3, "how many cameras there are, each behind a link of its own")
)

// event is what a viewer saw of one.
type event struct {
	snapshot, clip time.Duration // from the event's picture being taken
	first          string        // kind of what came first
	taken          time.Time
}

// tally keeps what a viewer saw.
type tally struct {
	mu      sync.Mutex
	events  map[string]*event // by camera, boot and number
	refused []string
	whole   int           // events of which both came
	enough  chan struct{} // closed when there are runs of them, or one is wrong
	over    sync.Once
}

// see takes an Outcome.
func (y *tally) see(o viewer.Outcome) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	if o.What == viewer.Refused {
		y.refused = append(y.refused, o.Refusal.Error())
	}
	if o.What != viewer.Verified {
		return nil
	}
	m := o.Verified.Meta()
	if m.Event == 0 || m.Kind != seal.KindSnapshot && (m.Kind != seal.KindClip || m.Part != 0) {
		return nil
	}
	key := fmt.Sprintf("%s %x %d", o.Camera, m.Boot, m.Event)
	e := y.events[key]
	if e == nil {
		e = &event{first: m.Kind}
		y.events[key] = e
		if m.Kind == seal.KindClip {
			y.over.Do(func() { close(y.enough) })
		}
	}
	switch since := o.At.Sub(m.Taken); {
	case m.Kind == seal.KindSnapshot && e.snapshot == 0:
		e.snapshot, e.taken = since, m.Taken
	case m.Kind == seal.KindClip && e.clip == 0:
		e.clip = since
	default:
		return nil
	}
	if e.snapshot != 0 && e.clip != 0 {
		if y.whole++; y.whole == *runs {
			y.over.Do(func() { close(y.enough) })
		}
	}
	return nil
}

// Somebody walks by, again and again, before cameras behind links of 256 kbit/s
// that lose 5 % of all packets each way. Of each event the viewer sees the picture
// before the clip's first part, although parts of older clips wait all the time:
// more is filmed than the link carries.
func TestSnapshotBeforeClip(t *testing.T) {
	newHub(t)
	dir := t.TempDir()
	house, err := identity.CreateHousehold(filepath.Join(dir, "home"), "", time.Now)
	check(t, err)
	eye, err := house.AddViewer("desk")
	check(t, err)
	conf, err := house.ServerTLS(hub)
	check(t, err)
	b, err := broker.New(broker.Config{Addr: hub + ":0", TLS: conf})
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() { _ = b.Run(ctx) }) // its error would show as cameras that do not connect
	check(t, house.SetBroker(b.URL()))

	sealcamd, err := rig.Sealcamd(ctx, dir)
	check(t, err)
	var cameras []*identity.Camera
	for i := range *links {
		c, err := identity.OpenCamera(filepath.Join(dir, fmt.Sprint(i), "identity"))
		check(t, err)
		check(t, house.AddCamera(c.ID(), fmt.Sprint("camera ", i)))
		cameras = append(cameras, c)
	}
	for _, c := range cameras {
		check(t, house.Adopt(c))
	}
	_, err = eye.Refresh()
	check(t, err)

	seen := &tally{events: map[string]*event{}, enough: make(chan struct{})}
	from, err := feed.NewBroker(feed.BrokerConfig{MQTT: mqtt.Config{URL: b.URL(), TLS: eye.TLS()}, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	v, err := viewer.New(viewer.Config{Identity: eye, Feed: from, Now: time.Now})
	check(t, err)
	all.Go(func() { _ = v.Run(ctx, seen.see) })
	for i := range *links {
		film(t, ctx, &all, sealcamd, filepath.Join(dir, fmt.Sprint(i)), i)
	}

	limit := time.Duration(3 + *runs / *links) * time.Minute
	select {
	case <-seen.enough:
	case <-time.After(limit):
		t.Errorf("after %v", limit)
	}
	seen.tell(t)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// film runs sealcamd behind a link of its own until ctx ends.
func film(t *testing.T, ctx context.Context, all *sync.WaitGroup, sealcamd, state string, n int) {
	t.Helper()
	l := newLink(t, n)
	l.impair(t, "256kbit", 5)
	config := filepath.Join(state, "sealcamd.toml")
	check(t, os.WriteFile(config, fmt.Appendf(nil, `state = %q
[camera]
source = "scene:walk?size=640x360&rate=5&seed=%d"
[clips]
before = "2s"
after = "2s"
[uplink]
budget = "64 MiB"
`, state, n+1), 0o600))
	cmd := l.command(ctx, sealcamd, "-config", config)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	said, err := os.Create(filepath.Join(state, "said"))
	check(t, err)
	cmd.Stderr = said
	check(t, cmd.Start())
	all.Go(func() {
		defer said.Close()
		_ = cmd.Wait()
		if text, err := os.ReadFile(said.Name()); err == nil && t.Failed() {
			t.Logf("camera %d said:\n%s", n, text)
		}
	})
}

// tell judges and prints what was seen.
func (y *tally) tell(t *testing.T) {
	t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	var snapshots, clips []time.Duration
	before := 0
	for key, e := range y.events {
		if e.first == seal.KindSnapshot {
			before++
		} else {
			t.Errorf("%s: the clip came first", key)
		}
		if e.snapshot != 0 && e.clip != 0 {
			snapshots, clips = append(snapshots, e.snapshot), append(clips, e.clip)
		}
	}
	for _, r := range y.refused {
		t.Errorf("refused: %s", r)
	}
	if y.whole < *runs || before < *runs {
		t.Fatalf("the picture came before the clip in %d events, of %d both were seen; %d wanted", before, y.whole, *runs)
	}
	slices.Sort(snapshots)
	slices.Sort(clips)
	at := func(d []time.Duration, part float64) time.Duration {
		return d[int(part*float64(len(d)-1))].Round(10 * time.Millisecond)
	}
	t.Logf("256 kbit/s, 5 %% of packets lost each way: the picture before the clip in %d of %d events; picture seen %v after it was taken (95 %%: %v), first part of the clip %v after its first frame (95 %%: %v)",
		before, len(y.events), at(snapshots, 0.5), at(snapshots, 0.95), at(clips, 0.5), at(clips, 0.95))
}
