package drill

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

// nap is when a viewer is away: it joins, sleeps, wakes and reads from the keeper, and
// then lives on.
type nap struct{ join, sleep, wake time.Duration }

// Between the changes of the days, so that nothing but the keeper is to blame.
var naps = [...]nap{
	{restart + 2*time.Minute, restart + 2*time.Hour, reset - 30*time.Minute},
	{reset + 2*time.Minute, reset + 2*time.Hour, night - 30*time.Minute},
}

// perLie is how many deliveries of the drill there are for each viewer that a lie is
// told to; maxPerLie bounds those viewers.
const (
	perLie    = 50000
	maxPerLie = 6
)

// keepers lets viewers that were away read from a keeper that tells each of them one
// kind of lie. It is the client of all of sealcam's viewers that reads, and the
// viewer under trial that opens.
func (d *drill) keepers(ctx context.Context, r *Report) error {
	s, err := d.subject(ctx)
	if err != nil {
		return err
	}
	total, viewers := newTally(), 0
	for round := range min(max(d.config.Deliveries/perLie, 1), maxPerLie) {
		for i := range lies {
			n := &napper{d: d, home: d.world.homes[(round+i)%len(d.world.homes)], nap: naps[(round+i)%len(naps)], lie: i, subject: s}
			n.teller = &teller{napper: n, r: numbersOf(d.config.Seed, fmt.Sprintf("lies %d %d", round, i)), chosen: map[*message]bool{}, extra: map[string][]byte{}}
			if err := n.live(ctx); err != nil {
				return errors.Join(err, s.close())
			}
			total.add(n.judge.tally)
			viewers++
		}
	}
	total.reportKeeper(r, viewers)
	return s.close()
}

// napper is a viewer that is away, and its keeper.
type napper struct {
	d       *drill
	home    *household
	nap     nap
	lie     int // index of lies
	subject subject
	judge   *judge
	keeper  *feed.FakeKeeper
	teller  *teller

	of     map[[32]byte]*message // by SHA-256 of what the keeper was given
	byHash map[string]*message   // the same, by the hash that keepers list
	kept   []feed.FakeEntry
	head   map[*camera]uint64 // highest durable number that was shown
}

// row is what comes of the lie.
func (n *napper) row() *Row { return n.judge.tally.row(len(table) + n.lie) }

// seen returns what the keeper could list of a camera that the viewer has shown.
func (n *napper) seen(id seal.CameraID) (list []feed.FakeEntry) {
	for _, e := range n.kept {
		if m := n.byHash[e.Hash]; e.Camera == id && n.judge.fates[m.index] == shown {
			list = append(list, e)
		}
	}
	return list
}

// live lets the viewer live through its days.
func (n *napper) live(ctx context.Context) error {
	n.judge = newJudge(n.d.world, n.home, n.nap.join, newTally())
	n.of, n.byHash, n.head = map[[32]byte]*message{}, map[string]*message{}, map[*camera]uint64{}
	if err := n.subject.begin(n.home, n.home.keys[0], n.judge.roster); err != nil {
		return err
	}
	n.keeper = &feed.FakeKeeper{ID: "keeper", Household: n.home.id}
	if err := n.broker(n.nap.join, n.nap.sleep); err != nil {
		return err
	}
	if err := n.fill(); err != nil {
		return err
	}
	lies[n.lie].tell(n.teller)
	for range 2 { // what it then misses, it asks for once more
		if err := n.read(ctx); err != nil {
			return err
		}
		n.teller.pass++
	}
	if err := n.broker(n.nap.wake, forever); err != nil {
		return err
	}
	if err := n.judge.end(n.subject.gaps); err != nil {
		return err
	}
	n.row().Tried = int(n.teller.told.Load())
	n.row().Reported += n.judge.tally.fates[missing]
	return nil
}

// broker brings what cameras send after one time and up to another as it came, and the
// rosters of then.
func (n *napper) broker(after, until time.Duration) error {
	for _, m := range n.home.days {
		if m.at <= after || m.at > until {
			continue
		}
		if r := n.home.rosterAt(m.at); r != n.judge.roster {
			if err := n.judge.take(n.subject, step{do: newRoster, now: r.from, roster: r}); err != nil {
				return err
			}
		}
		if err := n.give(m.at, m, m.camera, m.sealed, honest); err != nil {
			return err
		}
	}
	return nil
}

// fill gives the keeper what cameras sent until the viewer wakes.
func (n *napper) fill() error {
	for _, m := range n.home.days {
		if m.at <= n.nap.join || m.at > n.nap.wake || m.stream != seal.Durable {
			continue
		}
		n.of[sha256.Sum256(m.sealed)] = m
		n.keeper.Now = func() time.Time { return dawn.Add(m.at) }
		if err := n.keeper.Keep(feed.Item{Camera: m.camera.id, Kind: topicOf(m), Sealed: m.sealed}); err != nil {
			return fmt.Errorf("the keeper does not take what a camera sealed: %w", err)
		}
	}
	n.keeper.Now = func() time.Time { return dawn.Add(n.nap.wake) }
	n.kept = n.keeper.Kept()
	for _, e := range n.kept {
		n.byHash[e.Hash] = n.of[sha256.Sum256(n.keeper.Message(e.Hash))]
	}
	return nil
}

// read has the viewer read what it does not have, as all viewers of sealcam do.
func (n *napper) read(ctx context.Context) error {
	k, err := feed.NewKeeper(feed.KeeperConfig{
		URLs: []string{"https://keeper.drill"}, Household: n.home.id, Now: n.keeper.Now, Transport: feed.Inside{Handler: n.keeper},
		Pass: func(seal.KeyID) ([]byte, error) { return []byte("pass"), nil },
	})
	if err != nil {
		return err
	}
	var failed error
	k.Know(func(id seal.CameraID) feed.Known {
		known, err := n.known(id)
		failed = errors.Join(failed, err)
		return known
	})
	told := k.Once(ctx, func(it feed.Item) {
		m, attack := n.of[sha256.Sum256(it.Sealed)], honest
		if m == nil || n.teller.lied(m) {
			attack = len(table) + n.lie
		}
		for _, c := range n.home.cameras {
			if c.id == it.Camera {
				failed = errors.Join(failed, n.give(n.nap.wake, m, c, it.Sealed, attack))
			}
		}
	})
	s, row := k.Stats(), n.row()
	if s.Wrong > 0 {
		row.Refused["not what was asked for"] += int(s.Wrong)
	}
	if s.Withheld > 0 {
		row.Refused["not given"] += int(s.Withheld)
	}
	if told != nil {
		row.Refused["no such list"]++
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return failed
}

// known says what the viewer has of a camera.
func (n *napper) known(id seal.CameraID) (known feed.Known, err error) {
	for c, head := range n.head {
		if c.id == id {
			known.Head = head
		}
	}
	spans, err := n.subject.gaps(id)
	for _, s := range spans {
		known.Gaps = append(known.Gaps, seal.Gap{First: s.first, Last: s.last})
	}
	return known, err
}

// give brings sealed to the screen of a camera, and takes note of what is shown. m is
// which message it is, nil for none of this household's.
func (n *napper) give(now time.Duration, m *message, screen *camera, sealed []byte, attack int) error {
	st := step{do: deliver, now: now, attack: attack, screen: screen, sealed: sealed, forwards: m}
	if err := n.judge.take(n.subject, st); err != nil {
		return err
	}
	if m != nil && m.stream == seal.Durable && n.judge.fates[m.index] == shown {
		n.head[m.camera] = max(n.head[m.camera], m.seq)
	}
	return nil
}
