package page

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
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
	frames map[string][][]byte // by light: JPEG pictures of a garden

	mu      sync.Mutex
	roster  []byte
	version uint64
	cameras []*fakeCamera
	revoked []seal.CameraID
	pumping bool
	stats   BenchStats
	down    string // why the broker is not reached
	items   chan feed.Item
	mute    bool // cameras do not answer
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

func newWorld(t *testing.T, cameras ...string) *world {
	t.Helper()
	w := &world{t: t, owner: newKey(t), frames: map[string][][]byte{}, items: make(chan feed.Item, 4096), stats: BenchStats{Network: true}}
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
	w.frames["day"] = garden(t, "walk?size=1280x720&rate=2&seed=3", 26)
	w.frames["night"] = garden(t, "night?size=1280x720&rate=2&seed=5", 26)
	return w
}

// garden returns n pictures of a drawn scene.
func garden(t *testing.T, spec string, n int) [][]byte {
	t.Helper()
	s, err := scene.New(spec, scene.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out [][]byte
	for range n {
		var f capture.Frame
		if err := s.Next(t.Context(), &f); err != nil {
			t.Fatal(err)
		}
		if s.Truth(f.Mono).Moving || len(out) == 0 {
			out = append(out, append([]byte(nil), f.Data...))
		}
	}
	return out
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
	list := w.frames[c.light]
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

// sealDurable seals the next message of the camera's sequence.
func (w *world) sealDurable(c *fakeCamera, m seal.Meta, media []byte) []byte {
	c.seq++
	m.Stream, m.Seq, m.Prev, m.Clock = seal.Durable, c.seq, c.prev, seal.ClockNTP
	if media != nil {
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
	tick := time.NewTicker(600 * time.Millisecond)
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
		b := w.sealLive(c, now.Add(-180*time.Millisecond), 4*time.Second, nil)
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
		w.deliver(c, feed.Live, w.sealLive(c, time.Now(), 4*time.Second, cmd.Nonce))
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

// do performs one step of a browser test by name.
func (w *world) do(what string, camera int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	step, ok := map[string]func(*fakeCamera) error{
		"pump":   func(*fakeCamera) error { w.pumping = true; return nil },
		"stop":   func(*fakeCamera) error { w.pumping = false; return nil },
		"day":    func(*fakeCamera) error { w.eachLight("day"); return nil },
		"night":  func(*fakeCamera) error { w.eachLight("night"); return nil },
		"mute":   func(*fakeCamera) error { w.mute = true; return nil },
		"unmute": func(*fakeCamera) error { w.mute = false; return nil },
		"down":   func(*fakeCamera) error { w.down = "The broker’s certificate has expired."; return nil },
		"up":     func(*fakeCamera) error { w.down = ""; return nil },
		"live":   w.doLive,
		"short": func(c *fakeCamera) error {
			return w.doRefusable(c, feed.Live, w.sealLive(c, time.Now(), time.Second, nil))
		},
		"history": w.doHistory,
		"event":   w.doEvent,
		"gap":     w.doGap,
		"lost":    w.doLost,
		"again":   func(c *fakeCamera) error { return w.doRefusable(c, feed.Media, c.sent[c.seq]) },
		"trouble": func(c *fakeCamera) error {
			return w.doStatus(c, seal.Durable, `{"state":"trouble","troubles":["no frames from /dev/video0 for 12 s"],"uptime_s":5}`)
		},
		"running":   func(c *fakeCamera) error { return w.doStatus(c, seal.Durable, `{"state":"running"}`) },
		"will":      func(c *fakeCamera) error { return w.doStatus(c, seal.Will, `{"state":"offline"}`) },
		"malformed": func(c *fakeCamera) error { return w.doRefusable(c, feed.Live, []byte("not a sealed picture at all")) },
		"wrong": func(c *fakeCamera) error {
			return w.doRefusable(c, feed.Live, w.sealLive(w.other(c), time.Now(), 4*time.Second, nil))
		},
		"broken":   w.doBroken,
		"notyours": w.doNotYours,
		"keep":     func(c *fakeCamera) error { c.kept = w.sealLive(c, time.Now(), 4*time.Second, nil); return nil },
		"replayed": func(c *fakeCamera) error { return w.doRefusable(c, feed.Live, c.kept) },
		"stale": func(c *fakeCamera) error {
			return w.doRefusable(c, feed.Live, w.sealLive(c, time.Now().Add(-9*time.Hour), time.Second, nil))
		},
		"revoked": w.doRevoked,
	}[what]
	if !ok {
		return fmt.Errorf("no step %q", what)
	}
	return step(w.cameras[camera])
}

func (w *world) eachLight(l string) {
	for _, c := range w.cameras {
		c.light = l
	}
}

func (w *world) other(c *fakeCamera) *fakeCamera {
	for _, o := range w.cameras {
		if o != c {
			return o
		}
	}
	return c
}

func (w *world) doRefusable(c *fakeCamera, kind string, b []byte) error {
	w.deliver(c, kind, b)
	return nil
}

func (w *world) doLive(c *fakeCamera) error {
	w.deliver(c, feed.Live, w.sealLive(c, time.Now(), 4*time.Second, nil))
	return nil
}

// doHistory lets yesterday evening, the night and today happen, as far as
// today has come.
func (w *world) doHistory(*fakeCamera) error {
	now := time.Now()
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	person := seal.Label{Name: "person", Score: 930, Box: seal.Box{X: 400, Y: 300, W: 120, H: 400}}
	var id uint64
	for _, at := range []float64{-16.2, -15.9, -11.7, -7.4, -6.1, -5.2, -5.15, -1.6, 0.4, 2.25, 6.7, 7.1, 7.9, 8.05, 11.3, 12.6, 15.2, 15.3, 17.8, 18.1} {
		start := day.Add(time.Duration(at * float64(time.Hour)))
		if start.After(now.Add(-2 * time.Minute)) {
			break
		}
		id++
		c := w.cameras[int(id)%len(w.cameras)]
		c.light = "day"
		if at < -6 && at > -8 || at > -6.5 && at < 6.9 || at > 17 {
			c.light = "night"
		}
		var labels []seal.Label
		if id%3 == 1 {
			labels = []seal.Label{person}
		}
		for _, b := range w.event(c, id, start, 1+int(id)%3, labels...) {
			w.deliver(c, feed.Media, b)
		}
	}
	return nil
}

func (w *world) doEvent(c *fakeCamera) error {
	for _, b := range w.event(c, 1000+c.seq, time.Now().Add(-40*time.Second), 2) {
		w.deliver(c, feed.Media, b)
	}
	return nil
}

// doGap seals three messages, lets two of them go astray, and one arrive.
func (w *world) doGap(c *fakeCamera) error {
	if c.seq == 0 {
		w.deliver(c, feed.Media, w.event(c, 500, time.Now().Add(-2*time.Hour), 1)[0])
	}
	w.event(c, 501, time.Now().Add(-70*time.Minute), 2)
	w.deliver(c, feed.Media, w.event(c, 502, time.Now().Add(-30*time.Minute), 1)[0])
	return nil
}

// doLost confesses that the four messages before will never come.
func (w *world) doLost(c *fakeCamera) error {
	first := c.seq + 1
	for range 4 {
		w.event(c, 600, time.Now().Add(-20*time.Minute), 1)
	}
	lost := seal.Meta{Kind: seal.KindGap, Taken: time.Now().Add(-10 * time.Minute), Lost: []seal.Range{{First: first, Last: c.seq}}}
	w.deliver(c, feed.Status, w.sealDurable(c, lost, nil))
	return nil
}

// doStatus lets the camera, or its last will, speak about itself.
func (w *world) doStatus(c *fakeCamera, stream seal.Stream, text string) error {
	m := seal.Meta{Stream: stream, Kind: seal.KindStatus, Media: "application/json", Taken: time.Now(), Clock: seal.ClockNTP}
	if stream == seal.Durable {
		c.seq++
		m.Seq, m.Prev = c.seq, c.prev
	}
	s, err := c.sealer.Seal(m, []byte(text))
	if err != nil {
		return err
	}
	if stream == seal.Durable {
		c.prev, c.sent[c.seq] = s.Hash, s.Bytes
	}
	return w.doRefusable(c, feed.Status, s.Bytes)
}

func (w *world) doBroken(c *fakeCamera) error {
	b := append([]byte(nil), w.sealLive(c, time.Now(), 4*time.Second, nil)...)
	b[len(b)-5000] ^= 1
	return w.doRefusable(c, feed.Live, b)
}

// doNotYours seals with the right camera's key for another household's viewer.
func (w *world) doNotYours(c *fakeCamera) error {
	key, err := seal.NewViewerKey(nil)
	if err != nil {
		return err
	}
	v := key.Public()
	v.Name = "stranger"
	b, err := seal.SignRoster(newKey(w.t), seal.Roster{Version: 1, Viewers: []seal.Viewer{v}, Cameras: []seal.RosterCamera{{ID: c.id}}})
	if err != nil {
		return err
	}
	peeked, err := openAnyRoster(b)
	if err != nil {
		return err
	}
	mine := c.sealer
	defer func() { c.sealer = mine }()
	if c.sealer, err = seal.NewSealer(seal.SealerConfig{Key: c.key, Roster: peeked, Boot: [16]byte{1}, Firmware: "1.4.0"}); err != nil {
		return err
	}
	return w.doRefusable(c, feed.Live, w.sealLive(c, time.Now(), 4*time.Second, nil))
}

// doRevoked takes the camera out of the household; it goes on sealing.
func (w *world) doRevoked(c *fakeCamera) error {
	left := w.cameras[:0]
	for _, x := range w.cameras {
		if x != c {
			left = append(left, x)
		}
	}
	w.cameras = left
	w.revoked = append(w.revoked, c.id)
	w.sign()
	w.items <- feed.Item{Camera: left[0].id, Kind: feed.Roster, Sealed: w.roster, Retained: true}
	w.deliver(c, feed.Media, w.event(c, 900, time.Now(), 1)[0])
	return nil
}
