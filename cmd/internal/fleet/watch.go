package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Watched is what the viewers of the watched households have seen.
type Watched struct {
	Households int            `json:"households"`
	Shown      uint64         `json:"shown"`          // pictures, each once
	Tampered   uint64         `json:"tampered"`       // messages that the relay swapped, replayed or changed; lies that the keeper told
	Refused    map[string]int `json:"refused"`        // of these, and of others, by reason
	Missing    uint64         `json:"missing"`        // at the end, of pictures that may still come
	Wrong      int            `json:"wrong"`          // shown under a camera or household that did not take it, or twice
	Examples   []string       `json:"wrong_examples"` //
}

// screens are the viewers of the watched households. Those that watch by the broker
// all read from one connection: a broker of a fleet serves no one household. Others
// read from a keeper that lies.
type screens struct {
	way     *feed.Broker
	homes   []*screen
	relay   *rand.Rand // nil for an honest one
	liar    *liar      // nil for none
	readers []*screen  // of the liar

	mu   sync.Mutex
	seen Watched
	lied Watched // to the readers
}

// screen is one household's viewer, and its feed.
type screen struct {
	all    *screens
	seen   *Watched
	viewer *viewer.Viewer
	keeper *feed.Keeper // that it reads from; nil for the broker
	home   seal.HouseholdID
	ours   map[seal.CameraID]bool
	shown  map[string]bool // captions
	items  chan feed.Item
	before []feed.Item // what came, for the relay to replay
}

// newScreens makes the viewers of the first households of w, for a broker at url and
// a keeper's HTTPS at api.
func (w world) newScreens(url, api string) (*screens, error) {
	hostile, err := chosen(w.Faults)
	if err != nil {
		return nil, err
	}
	conf, err := w.watcherTLS()
	if err != nil {
		return nil, err
	}
	s := &screens{seen: Watched{Refused: map[string]int{}}, lied: Watched{Refused: map[string]int{}}}
	if hostile[faultRelay] {
		s.relay = numbers(w.Seed, "relay", 0)
	}
	s.way, err = feed.NewBroker(feed.BrokerConfig{MQTT: mqtt.Config{URL: url, TLS: conf, Queue: 4096}, Log: w.Log})
	if err != nil {
		return nil, err
	}
	if hostile[faultLiar] {
		if s.liar, err = w.newLiar(api); err != nil {
			return nil, err
		}
	}
	for i := range w.Watched {
		sc, err := w.newScreen(s, i)
		if err != nil {
			return nil, err
		}
		s.homes = append(s.homes, sc)
		if s.liar == nil {
			continue
		}
		if sc, err = w.newReader(s, i); err != nil {
			return nil, err
		}
		s.readers = append(s.readers, sc)
	}
	s.seen.Households, s.lied.Households = len(s.homes), len(s.readers)
	return s, nil
}

// newScreen makes the viewer of household i that watches by the broker.
func (w world) newScreen(s *screens, i int) (*screen, error) {
	sc := &screen{all: s, seen: &s.seen, items: make(chan feed.Item, 1024)}
	return sc, w.equip(sc, i, viewerName, sc)
}

// newReader makes the viewer of household i that reads from the keeper that lies.
func (w world) newReader(s *screens, i int) (sc *screen, err error) {
	sc = &screen{all: s, seen: &s.lied}
	id, err := identity.OpenViewer(w.home(i), readerName)
	if err != nil {
		return nil, err
	}
	conf, err := id.KeeperTLS()
	if err != nil {
		return nil, err
	}
	sc.keeper, err = feed.NewKeeper(feed.KeeperConfig{
		URLs: []string{s.liar.url}, TLS: conf, Household: id.Household(), Now: time.Now, Log: w.Log,
		Pass: func(keeper seal.KeyID) ([]byte, error) { return id.Pass(keeper, time.Now()) },
	})
	if err != nil {
		return nil, err
	}
	return sc, w.equip(sc, i, readerName, sc.keeper)
}

// equip gives a screen the viewer of household i that is called name.
func (w world) equip(sc *screen, i int, name string, way feed.Feed) error {
	id, err := identity.OpenViewer(w.home(i), name)
	if err != nil {
		return err
	}
	sc.home, sc.ours, sc.shown = id.Household(), map[seal.CameraID]bool{}, map[string]bool{}
	for _, c := range id.Roster().Cameras {
		sc.ours[c.ID] = true
	}
	sc.viewer, err = viewer.New(viewer.Config{Identity: id, Feed: way, Now: time.Now, Log: w.Log})
	return err
}

// run watches until ctx ends.
func (s *screens) run(ctx context.Context) {
	var all sync.WaitGroup
	if s.liar != nil {
		all.Go(func() { s.liar.run(ctx) })
	}
	for _, sc := range slices.Concat(s.homes, s.readers) {
		all.Go(func() {
			_ = sc.viewer.Run(ctx, func(o viewer.Outcome) error { sc.look(o); return nil })
		})
	}
	_ = s.way.Run(ctx, func(it feed.Item) {
		for _, sc := range s.homes {
			if sc.ours[it.Camera] {
				sc.pass(ctx, it)
			}
		}
	})
	all.Wait()
}

// pass hands an item to a viewer, and what a hostile relay makes of it before.
func (sc *screen) pass(ctx context.Context, it feed.Item) {
	items := []feed.Item{it}
	if r := sc.all.relay; r != nil && it.Kind == feed.Media {
		items = append(sc.tamper(r, it), it)
	}
	for _, it := range items {
		select {
		case sc.items <- it:
		case <-ctx.Done():
			return
		}
	}
}

// remembered is how many items a relay has at hand.
const remembered = 64

// tamper returns what the relay puts before it: one of every three times the same
// bytes as another camera's picture, an old picture as news, or this one with a
// byte changed.
func (sc *screen) tamper(r *rand.Rand, it feed.Item) (bad []feed.Item) {
	switch r.IntN(9) {
	case 0:
		if other := sc.other(r, it.Camera); other != "" {
			bad = append(bad, feed.Item{Camera: other, Kind: it.Kind, Sealed: it.Sealed})
		}
	case 1:
		if len(sc.before) > 0 {
			bad = append(bad, sc.before[r.IntN(len(sc.before))])
		}
	case 2:
		b := bytes.Clone(it.Sealed)
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		bad = append(bad, feed.Item{Camera: it.Camera, Kind: it.Kind, Sealed: b})
	}
	if len(sc.before) < remembered {
		sc.before = append(sc.before, it)
	} else {
		sc.before[r.IntN(remembered)] = it
	}
	sc.all.mu.Lock()
	sc.all.seen.Tampered += uint64(len(bad))
	sc.all.mu.Unlock()
	return bad
}

// other returns another camera, of this household or of the next.
func (sc *screen) other(r *rand.Rand, not seal.CameraID) seal.CameraID {
	roster := sc.viewer.Roster().Cameras
	if c := roster[r.IntN(len(roster))].ID; c != not {
		return c
	}
	return ""
}

// look takes note of what the viewer would show.
func (sc *screen) look(o viewer.Outcome) {
	s := sc.all
	s.mu.Lock()
	defer s.mu.Unlock()
	switch o.What {
	case viewer.Refused:
		sc.seen.Refused[string(o.Refusal.Reason)]++
	case viewer.Verified:
		id, media := o.Verified.Media()
		if o.Verified.Meta().Kind != seal.KindSnapshot {
			return
		}
		var c caption
		head, _, _ := bytes.Cut(media, []byte("\n"))
		key := string(head)
		switch err := json.Unmarshal(head, &c); {
		case err != nil || c.Camera != id || c.Camera != o.Camera || c.Household != sc.home || !sc.ours[id]:
			sc.wrong("household %s was shown %.200q under camera %s", sc.home, head, o.Camera)
		case sc.shown[key]:
			sc.wrong("household %s was shown picture %d of camera %s twice", sc.home, c.Number, id)
		default:
			sc.shown[key] = true
			sc.seen.Shown++
		}
	}
}

// maxExamples bounds what is told in detail.
const maxExamples = 10

// wrong counts what must not be. sc.all.mu is held.
func (sc *screen) wrong(format string, a ...any) {
	sc.seen.Wrong++
	if len(sc.seen.Examples) < maxExamples {
		sc.seen.Examples = append(sc.seen.Examples, fmt.Sprintf(format, a...))
	}
}

// watched returns what was seen so far by the broker.
func (s *screens) watched() Watched { return s.sum(&s.seen, s.homes) }

// wrong is how much was shown on any screen that must not be.
func (s *screens) wrong() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.Wrong + s.lied.Wrong
}

// lies returns what was seen so far from the keeper that lies; nil without one.
func (s *screens) lies() *Lied {
	if s.liar == nil {
		return nil
	}
	l := &Lied{Watched: s.sum(&s.lied, s.readers), Told: s.liar.counts()}
	for _, n := range l.Told {
		l.Tampered += n
	}
	for _, sc := range s.readers {
		st := sc.keeper.Stats()
		l.Sessions += st.Connected
		l.Refused["not what was asked for"] += int(st.Wrong)
		l.Refused["not given"] += int(st.Withheld)
	}
	return l
}

// sum returns a copy of seen, with what those who saw it still miss.
func (s *screens) sum(seen *Watched, by []*screen) Watched {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := *seen
	w.Refused = maps.Clone(seen.Refused)
	for _, sc := range by {
		for id := range sc.ours {
			w.Missing += sc.viewer.Missing(id)
		}
	}
	return w
}

// Run implements feed.Feed.
func (sc *screen) Run(ctx context.Context, each func(feed.Item)) error {
	for {
		select {
		case it := <-sc.items:
			each(it)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Send implements feed.Feed.
func (sc *screen) Send(ctx context.Context, camera seal.CameraID, kind string, payload []byte) error {
	return sc.all.way.Send(ctx, camera, kind, payload)
}

// Link implements feed.Feed.
func (sc *screen) Link() (bool, string) { return sc.all.way.Link() }
