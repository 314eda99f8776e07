package keeper

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"log/slog"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// FromBroker makes a Source of a broker within the process.
func FromBroker(b *broker.Broker, log *slog.Logger) (Source, error) {
	f, err := feed.NewBroker(feed.BrokerConfig{
		MQTT: mqtt.Config{URL: "mqtt://127.0.0.1"}, // is not dialled
		View: true, Recordings: true, Log: log,
		Dial: func(context.Context, mqtt.Config) (feed.Conn, error) { return b.Inside(), nil },
	})
	if err != nil {
		return nil, err
	}
	return FromFeed(f), nil
}

// FromURL makes a Source of a broker elsewhere, which knows this keeper by the
// certificate in conf. name tells its connections from those of other keepers.
func FromURL(url, name string, conf *tls.Config, log *slog.Logger) (Source, error) {
	suffix := make([]byte, 6)
	if _, err := rand.Read(suffix); err != nil {
		return nil, err
	}
	f, err := feed.NewBroker(feed.BrokerConfig{
		MQTT: mqtt.Config{URL: url, TLS: conf, ClientID: name + "-" + hex.EncodeToString(suffix), Queue: inboundQueue},
		View: true, Recordings: true, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return FromFeed(f), nil
}

// inboundQueue is how many messages of all cameras may wait between the network and
// their lanes, for the moment that it takes to sort them.
const inboundQueue = 256

// FromFeed makes a Source of a Feed. A message that the keeper has no room for is
// lost there: no receipt is sent for it, and so the camera has it still.
func FromFeed(f feed.Feed) Source { return fromFeed{f} }

type fromFeed struct{ feed feed.Feed }

func (f fromFeed) Run(ctx context.Context, each func(Delivery)) error {
	return f.feed.Run(ctx, func(it feed.Item) { each(Delivery{Item: it}) })
}

func (f fromFeed) Send(ctx context.Context, camera seal.CameraID, kind string, payload []byte) error {
	return f.feed.Send(ctx, camera, kind, payload)
}

func (f fromFeed) Link() (bool, string) { return f.feed.Link() }
