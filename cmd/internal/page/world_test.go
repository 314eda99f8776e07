package page

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

// world is a household with its cameras, as the page's tests need it: every
// message is really sealed, and tests decide which arrive where. It is also
// the feed behind the page and the bench in front of it.
type world struct {
	t      *testing.T
	owner  *ecdsa.PrivateKey
	viewer *seal.ViewerKey
	id     seal.HouseholdID
	*scenery

	mu      sync.Mutex
	roster  []byte
	version uint64
	cameras []*fakeCamera
	revoked []seal.CameraID
	pumping bool
	stats   BenchStats
	down    string // why the broker is not reached
	items   chan feed.Item
	mute    bool     // cameras do not answer
	keeps   bool     // there is a keeper, which has all that was sealed
	late    [][]byte // sealed, and not yet delivered
	told    any      // what the last step has to say
	pair    fakePairing
}

// fakeCamera seals like a camera, and remembers what it sealed.
type fakeCamera struct {
	id     seal.CameraID
	key    *ecdsa.PrivateKey
	name   string
	sealer *seal.Sealer
	guard  *seal.Guard
	light  string
	seq    uint64 // durable
	prev   [32]byte
	live   uint64
	watch  []byte // nonce of the newest watch
	shots  int
	sent   map[uint64][]byte // durable messages by sequence
	kept   []byte            // a live message that was held back
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newWorld(t *testing.T, seen *scenery, cameras ...string) *world {
	t.Helper()
	w := &world{t: t, owner: newKey(t), scenery: seen, items: make(chan feed.Item, 4096), stats: BenchStats{Network: true}}
	var err error
	if w.viewer, err = seal.NewViewerKey(nil); err != nil {
		t.Fatal(err)
	}
	if w.id, err = seal.HouseholdIDOf(w.owner.Public()); err != nil {
		t.Fatal(err)
	}
	for _, name := range cameras {
		key := newKey(t)
		id, err := seal.CameraIDOf(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		w.cameras = append(w.cameras, &fakeCamera{id: id, key: key, name: name, light: "day", sent: map[uint64][]byte{}})
	}
	w.sign()
	return w
}

// garden returns what moves in n pictures of a drawn scene.
func garden(t *testing.T, spec string, n int) (out [][]byte) {
	t.Helper()
	watch(t, spec, n, func(data []byte, moving bool) bool {
		if moving || len(out) == 0 {
			out = append(out, bytes.Clone(data))
		}
		return true
	})
	return out
}

// walk returns n pictures of a drawn scene, of which nothing moves in the first before.
func walk(t *testing.T, spec string, before, n int) (out [][]byte) {
	t.Helper()
	began := false
	watch(t, spec, 100*n, func(data []byte, moving bool) bool {
		if began = began || moving; !began && len(out) == before {
			out = out[1:]
		}
		out = append(out, bytes.Clone(data))
		return len(out) < n
	})
	if len(out) != n {
		t.Fatalf("%s: %d pictures", spec, len(out))
	}
	return out
}

// watch hands on up to n pictures of a scene, each valid until each returns, as
// long as that is true.
func watch(t *testing.T, spec string, n int, each func(data []byte, moving bool) bool) {
	t.Helper()
	s, err := scene.New(spec, scene.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range n {
		var f capture.Frame
		if err := s.Next(t.Context(), &f); err != nil {
			t.Fatal(err)
		}
		if !each(f.Data, s.Truth(f.Mono).Moving) {
			return
		}
	}
}

// sign makes the next roster and gives it to every camera in it.
func (w *world) sign() {
	w.t.Helper()
	w.version++
	v := w.viewer.Public()
	v.Name = "laptop"
	r := seal.Roster{Version: w.version, Viewers: []seal.Viewer{v}, Revoked: w.revoked}
	for _, c := range w.sorted() {
		r.Cameras = append(r.Cameras, seal.RosterCamera{ID: c.id, Name: c.name})
	}
	b, err := seal.SignRoster(w.owner, r)
	if err != nil {
		w.t.Fatal(err)
	}
	opened, err := seal.OpenRoster(w.id, b)
	if err != nil {
		w.t.Fatal(err)
	}
	w.roster = b
	for i, c := range w.cameras {
		if c.sealer == nil {
			c.sealer, err = seal.NewSealer(seal.SealerConfig{Key: c.key, Roster: opened, Boot: [16]byte{1, byte(i)}, Firmware: "1.4.0"})
		} else {
			err = c.sealer.SetRoster(opened)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if c.guard, err = seal.NewGuard(c.id, opened, nil); err != nil {
			w.t.Fatal(err)
		}
	}
}

// sorted lists the cameras by id, as a roster has them.
func (w *world) sorted() []*fakeCamera {
	list := append([]*fakeCamera(nil), w.cameras...)
	for i := range list {
		for j := i; j > 0 && list[j].id < list[j-1].id; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	return list
}

func (w *world) picture(c *fakeCamera) []byte {
	list := w.stills[c.light]
	c.shots++
	return list[c.shots%len(list)]
}

// sealLive seals a live picture that says it was taken at taken.
func (w *world) sealLive(c *fakeCamera, taken time.Time, life time.Duration, nonce []byte) []byte {
	c.live++
	cause := "period"
	if nonce != nil {
		cause = "request"
	}
	s, err := c.sealer.Seal(seal.Meta{
		Stream: seal.Live, Seq: c.live, Kind: seal.KindSnapshot, Media: "image/jpeg", Clock: seal.ClockNTP, Cause: cause, Light: c.light,
		Taken: taken, Expires: taken.Add(life).Truncate(time.Second).Add(time.Second), Width: 1280, Height: 720, Nonce: nonce,
	}, w.picture(c))
	if err != nil {
		w.t.Error(err)
		return nil
	}
	return s.Bytes
}

// sealView seals a frame of live view that echoes the newest watch.
func (w *world) sealView(c *fakeCamera) ([]byte, error) {
	return w.sealViewed(c, "image/jpeg", w.picture(c))
}

func (w *world) sealViewed(c *fakeCamera, media string, data []byte) ([]byte, error) {
	if c.watch == nil {
		return nil, errors.New("nobody watches")
	}
	c.live++
	s, err := c.sealer.Seal(seal.Meta{
		Stream: seal.View, Seq: c.live, Kind: seal.KindView, Media: media, Clock: seal.ClockNTP, Cause: "watch", Light: c.light,
		Taken: time.Now().Add(-80 * time.Millisecond), Width: 1280, Height: 720, Nonce: c.watch,
	}, data)
	return s.Bytes, err
}

// sealDurable seals the next message of the camera's sequence.
func (w *world) sealDurable(c *fakeCamera, m seal.Meta, media []byte) []byte {
	c.seq++
	m.Stream, m.Seq, m.Prev, m.Clock = seal.Durable, c.seq, c.prev, seal.ClockNTP
	if media != nil && m.Media == "" {
		m.Media, m.Width, m.Height = "image/jpeg", 1280, 720
	}
	s, err := c.sealer.Seal(m, media)
	if err != nil {
		w.t.Error(err)
		return nil
	}
	c.prev, c.sent[c.seq] = s.Hash, s.Bytes
	return s.Bytes
}

// event seals n pictures of a motion event that began at start.
func (w *world) event(c *fakeCamera, id uint64, start time.Time, n int, labels ...seal.Label) [][]byte {
	var out [][]byte
	for i := range n {
		m := seal.Meta{Kind: seal.KindSnapshot, Cause: "motion", Light: c.light, Event: id, Taken: start.Add(time.Duration(i) * 7 * time.Second), Labels: labels}
		out = append(out, w.sealDurable(c, m, w.picture(c)))
	}
	return out
}

func (w *world) deliver(c *fakeCamera, kind string, b []byte) {
	w.items <- feed.Item{Camera: c.id, Kind: kind, Sealed: b, Retained: kind == feed.Live}
}

// pump sends a live picture of every camera, swapped while the bench is
// hostile, until ctx ends.
func (w *world) pump(ctx context.Context) {
	tick := time.NewTicker(400 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		w.mu.Lock()
		if w.pumping && w.stats.Network {
			w.pumpOnce()
		}
		w.mu.Unlock()
	}
}

func (w *world) pumpOnce() {
	now := time.Now()
	for i, c := range w.cameras {
		b := w.sealLive(c, now.Add(-180*time.Millisecond), 6*time.Second, nil)
		to := c
		if w.stats.Hostile && len(w.cameras) > 1 {
			to = w.cameras[(i+1)%len(w.cameras)]
			w.stats.Swapped++
		}
		w.deliver(to, feed.Live, b)
		w.stats.Sealed++
		w.stats.Bytes += uint64(len(b))
	}
}

// Run implements feed.Feed.
func (w *world) Run(ctx context.Context, each func(feed.Item)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case it := <-w.items:
			each(it)
		}
	}
}

// Link implements feed.Feed.
func (w *world) Link() (bool, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.down == "", w.down
}

// Send implements feed.Feed: the cameras do what they are told.
func (w *world) Send(_ context.Context, camera seal.CameraID, kind string, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down != "" {
		return feed.ErrOffline
	}
	for _, c := range w.cameras {
		if c.id == camera && kind == feed.Command {
			return w.command(c, payload)
		}
	}
	return errors.New("no such camera")
}

// Know implements feed.Archive.
func (w *world) Know(func(seal.CameraID) feed.Known) {}

// Fill implements feed.Archive.
func (w *world) Fill(camera seal.CameraID, first, last uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.cameras {
		for n := first; w.keeps && c.id == camera && n <= last; n++ {
			w.items <- feed.Item{Camera: camera, Kind: feed.Media, Sealed: c.sent[n], Stored: true, Asked: true}
		}
	}
	return w.keeps
}

func (w *world) command(c *fakeCamera, payload []byte) error {
	cmd, err := c.guard.Accept(payload, false, time.Now())
	if err != nil {
		w.t.Errorf("the page's command was refused by the camera: %v", err)
		return err
	}
	if w.mute {
		return nil
	}
	switch cmd.Verb {
	case seal.VerbSnapshot:
		w.deliver(c, feed.Live, w.sealLive(c, time.Now(), 30*time.Second, cmd.Nonce))
	case seal.VerbWatch:
		c.watch = cmd.Nonce
	case seal.VerbResend:
		for n := cmd.From; n <= cmd.To; n++ {
			if b := c.sent[n]; b != nil {
				w.deliver(c, feed.Media, b)
			}
		}
	}
	return nil
}

// Stats implements BenchControls with figures that move as real ones do.
func (w *world) Stats() BenchStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Frames += 30
	x := float64(w.stats.Frames) / 30
	wave := 1 + 0.08*math.Sin(x*0.7) + 0.03*math.Sin(x*2.9)
	s := w.stats
	s.FPS = 30 - 0.6*math.Abs(math.Sin(x*0.4))
	s.Stages = []BenchStage{{"capture", 0.34 * wave}, {"luma", 1.9 * wave}, {"motion", 0.62 * wave}, {"encode", 0.05 * wave}, {"seal", 0.41 * wave}, {"uplink", 0.22 * wave}}
	if !s.Network {
		s.Spool = int(x) % 40
	}
	return s
}

// Hostile implements BenchControls.
func (w *world) Hostile(on bool) { w.mu.Lock(); defer w.mu.Unlock(); w.stats.Hostile = on }

// Network implements BenchControls.
func (w *world) Network(up bool) { w.mu.Lock(); defer w.mu.Unlock(); w.stats.Network = up }

// rosterNow implements Config.Roster.
func (w *world) rosterNow() ([]byte, error) { w.mu.Lock(); defer w.mu.Unlock(); return w.roster, nil }
