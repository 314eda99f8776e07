package keeper

import (
	"context"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

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
