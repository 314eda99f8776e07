package bench

import (
	"context"
	"errors"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/page"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// The household's viewers on the bench: the page, and the one that counts.
const (
	pageViewer     = "page"
	countingViewer = "bench"
)

// relay makes a viewer's way to the broker, with a relay in front that can turn
// hostile.
func (b *bench) relay(v *identity.Viewer) (*feed.Relay, error) {
	up, err := feed.NewBroker(feed.BrokerConfig{MQTT: mqtt.Config{URL: b.broker.URL(), TLS: v.TLS()}, View: b.View || v.Name() == pageViewer, Log: b.Log})
	if err != nil {
		return nil, err
	}
	return feed.NewRelay(up), nil
}

// newViewers makes the page and the viewer that counts. Each has its own
// connection, its own keys, and its own hostile relay.
func (b *bench) newViewers() error {
	shown, err := b.home.AddViewer(pageViewer)
	if err != nil {
		return err
	}
	counted, err := b.home.AddViewer(countingViewer)
	if err != nil {
		return err
	}
	if _, err := b.street.AddViewer(pageViewer); err != nil { // a camera seals to somebody
		return err
	}
	toPage, err := b.relay(shown)
	if err != nil {
		return err
	}
	toCount, err := b.relay(counted)
	if err != nil {
		return err
	}
	if b.viewer, err = viewer.New(viewer.Config{Identity: counted, Feed: toCount, Now: time.Now, Log: b.Log}); err != nil {
		return err
	}
	b.controls = &controls{bench: b, relays: []*feed.Relay{toPage, toCount}}
	if b.page, err = page.New(page.Config{Feed: toPage, Bench: b.controls, Roster: b.roster, Now: time.Now, Log: b.Log}); err != nil {
		return err
	}
	b.url, err = page.URL("http://"+b.listener.Addr().String(), shown.Household(), shown.Key(), "")
	return err
}

// roster returns the household's signed roster as it is now.
func (b *bench) roster() ([]byte, error) {
	_, signed, err := b.home.Roster()
	return signed, err
}

// watch counts verdicts until ctx ends.
func (b *bench) watch(ctx context.Context) error {
	err := b.viewer.Run(ctx, func(o viewer.Outcome) error {
		switch o.What {
		case viewer.Verified:
			m := o.Verified.Meta()
			switch m.Kind {
			case seal.KindView:
				b.inParts.Store(m.Media == clip.Media)
				b.views.accept(o.At, o.At.Sub(m.Taken))
				return nil
			case seal.KindSnapshot:
			case seal.KindClip:
				b.verdicts.part()
				_, err := b.films.Add(o.Verified, o.At)
				return err
			default:
				return nil
			}
			b.verdicts.accept(o.At, o.At.Sub(m.Taken))
			return b.store(o.Verified)
		case viewer.Refused:
			if o.Kind == feed.View {
				b.views.refuse(string(o.Refusal.Reason))
				return nil
			}
			b.verdicts.refuse(string(o.Refusal.Reason))
		}
		return nil
	})
	_, closeErr := b.films.Close()
	return errors.Join(err, closeErr)
}

// drain waits, when the camera has ended, until its viewer has judged what was
// sealed, or a moment has passed: a live picture that was replaced before it
// was sent is never judged.
func (b *bench) drain(ctx context.Context) {
	limit := time.After(5 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if s := b.mine.agent.Stats(); b.verdicts.judged() >= s.Sealed+s.Parts {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			return
		case <-ctx.Done():
			return
		}
	}
}
