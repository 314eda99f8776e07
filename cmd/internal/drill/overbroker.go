package drill

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Way is a broker between the relay and the viewers.
type Way struct {
	URL     string
	Relay   *tls.Config // of a client that may publish below sealcam/v1/
	Viewers *tls.Config // of clients that may subscribe there
}

const arrival = 60 * time.Second // for what was published to reach a viewer

// overBroker makes the drill over c.Way. All viewers of a household live through
// the same days, side by side: what is published once reaches each of them, and
// nothing more is published until it has.
func (d *drill) overBroker(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var homes sync.WaitGroup
	for i := range d.world.homes {
		homes.Go(func() {
			if err := d.street(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	homes.Wait()
	return context.Cause(ctx)
}

// street is the way to all viewers of one household.
type street struct {
	d        *drill
	home     *household
	relay    *mqtt.Conn
	peers    []*peer
	retained map[string][]byte // by topic
}

// peer is one viewer with its own connection.
type peer struct {
	name   string
	judge  *judge
	viewer subject
	items  chan feed.Item
	way    *feed.Broker
	hang   func() // up
	// forgets says that the viewer comes back from the storm without its memory.
	forgets bool
}

// street drills the viewers of the household number i.
func (d *drill) street(ctx context.Context, i int) (err error) {
	s := &street{d: d, home: d.world.homes[i], retained: map[string][]byte{}}
	name := fmt.Sprintf("relay-%d-%d", d.config.Seed, i)
	s.relay, err = mqtt.Dial(ctx, mqtt.Config{URL: d.config.Way.URL, TLS: d.config.Way.Relay, ClientID: name})
	if err != nil {
		return fmt.Errorf("the relay does not reach the broker: %w", err)
	}
	defer s.relay.Close()
	defer func() {
		for _, p := range s.peers {
			if p.hang != nil {
				p.hang()
			}
			err = errors.Join(err, p.viewer.close())
		}
	}()
	// A broker may have kept what an earlier drill left, and keeps nothing of this.
	if err := s.clear(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.clear(ctx)) }()
	for n := i; n < d.config.Sessions; n += len(d.world.homes) {
		if err := s.move(ctx, n); err != nil {
			return err
		}
	}
	if err := s.each(func(p *peer) error { return p.dial(ctx, d.config.Way) }); err != nil {
		return err
	}
	each := d.config.Deliveries / d.config.Sessions
	p := d.world.plan(s.home, numbersOf(d.config.Seed, fmt.Sprintf("street %d", i)), each, 0, true)
	if err := p.steps(func(st step) error { return s.take(ctx, st) }); err != nil {
		return err
	}
	for _, p := range s.peers {
		if err := p.judge.end(p.viewer.gaps); err != nil {
			return err
		}
		if n := p.way.Stats().Dropped; n != 0 {
			return fmt.Errorf("%s lost %d messages on its way: it is too slow for this drill", p.name, n)
		}
		d.mu.Lock()
		d.total.add(p.judge.tally)
		d.mu.Unlock()
	}
	return nil
}

// move brings the viewer number n into the street.
func (s *street) move(ctx context.Context, n int) error {
	v, err := s.d.subject(ctx)
	if err != nil {
		return err
	}
	p := &peer{name: fmt.Sprintf("viewer %d", n), viewer: v, judge: newJudge(s.d.world, s.home, 0, newTally()), items: make(chan feed.Item, 64)}
	p.forgets = len(s.peers)%2 == 1
	s.peers = append(s.peers, p)
	return v.begin(s.home, s.home.keys[len(s.peers)%len(s.home.keys)], p.judge.roster)
}

// each lets all viewers do something at once.
func (s *street) each(do func(*peer) error) error {
	errs := make([]error, len(s.peers))
	var all sync.WaitGroup
	for i, p := range s.peers {
		all.Go(func() { errs[i] = do(p) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// dial connects the viewer as sealcam's viewers connect.
func (p *peer) dial(ctx context.Context, w *Way) (err error) {
	ours := map[seal.CameraID]bool{}
	for _, c := range p.judge.home.cameras {
		ours[c.id] = true
	}
	// What is for other households comes too, at the pace of their viewers.
	p.way, err = feed.NewBroker(feed.BrokerConfig{MQTT: mqtt.Config{URL: w.URL, TLS: w.Viewers, Queue: 4096}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.way.Run(ctx, func(it feed.Item) {
			if !ours[it.Camera] {
				return // no screen of this household is about it
			}
			select {
			case p.items <- it:
			case <-ctx.Done():
			}
		})
	}()
	p.hang = func() { cancel(); <-ended }
	late := time.NewTimer(arrival)
	defer late.Stop()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for {
		if up, _ := p.way.Link(); up {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			_, why := p.way.Link()
			return fmt.Errorf("%s does not reach the broker: %s", p.name, why)
		}
	}
}

// take lets a step happen to every viewer.
func (s *street) take(ctx context.Context, st step) error {
	switch {
	case st.do == deliver && st.attack == attackNamed(retained):
		return nil // the broker has its own
	case st.do == deliver:
		return s.publish(ctx, st)
	case st.do == reconnect || st.do == forget:
		return s.each(func(p *peer) error {
			st := st
			if st.do == forget && !p.forgets {
				st.do = reconnect
			}
			return s.comeBack(ctx, p, st)
		})
	}
	return s.each(func(p *peer) error { return p.judge.take(p.viewer, st) })
}

// publish brings one delivery to everybody.
func (s *street) publish(ctx context.Context, st step) error {
	m := mqtt.Message{Topic: feed.Topic(st.screen.id, st.topic), Payload: st.sealed, QoS: 1}
	if st.topic != feed.Media && len(st.sealed) > 0 {
		m.Retained = true // as cameras do, and as a relay can
		s.retained[m.Topic] = st.sealed
	}
	if err := s.send(ctx, m); err != nil {
		return err
	}
	for _, p := range s.peers {
		it, err := p.next(ctx)
		if err != nil {
			return err
		}
		if it.Camera != st.screen.id || it.Kind != st.topic || !bytes.Equal(it.Sealed, st.sealed) {
			return fmt.Errorf("the broker gave %s another message than was published last", p.name)
		}
		if err := p.judge.take(p.viewer, st); err != nil {
			return err
		}
	}
	s.d.progress(len(s.peers), 0)
	return nil
}

func (s *street) send(ctx context.Context, m mqtt.Message) error {
	token := s.relay.Publish(ctx, m)
	select {
	case <-token.Done():
		if err := token.Err(); err != nil {
			return fmt.Errorf("the relay could not publish: %w", err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// clear makes the broker forget what it has kept of this household.
func (s *street) clear(ctx context.Context) error {
	for _, c := range s.home.cameras {
		for _, kind := range []string{feed.Live, feed.Status} {
			if err := s.send(ctx, mqtt.Message{Topic: feed.Topic(c.id, kind), Retained: true, QoS: 1}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *peer) next(ctx context.Context) (feed.Item, error) {
	late := time.NewTimer(arrival)
	defer late.Stop()
	select {
	case it := <-p.items:
		return it, nil
	case <-ctx.Done():
		return feed.Item{}, ctx.Err()
	case <-late.C:
		return feed.Item{}, fmt.Errorf("what was published did not reach %s within %v", p.name, arrival)
	}
}

// comeBack lets a viewer lose its connection and come back; the broker hands
// over what it has kept of every topic.
func (s *street) comeBack(ctx context.Context, p *peer, st step) error {
	p.hang()
	if err := p.judge.take(p.viewer, st); err != nil {
		return err
	}
	if err := p.dial(ctx, s.d.config.Way); err != nil {
		return err
	}
	for range s.retained {
		it, err := p.next(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(s.home.cameras, func(c *camera) bool { return c.id == it.Camera })
		kept := step{do: deliver, now: st.now, attack: attackNamed(retained), screen: s.home.cameras[i], topic: it.Kind, sealed: it.Sealed}
		if err := p.judge.take(p.viewer, kept); err != nil {
			return err
		}
	}
	return nil
}
