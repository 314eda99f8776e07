package bench

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/cmd/internal/agent"
)

// lastWords is how long a film's agent may take to deliver its last clip, once
// the time of the bench is over.
const lastWords = 15 * time.Second

// ends reports whether source is a film that is ended when the bench's time is
// over. Then its last clip is delivered to its end, as after a film's own end; a
// device or a drawn scene is just left.
func (b *bench) ends(source agent.Source) bool {
	return b.For > 0 && !source.IsDevice() && !strings.HasPrefix(source.Name, "scene:")
}

// endsAt opens cameras whose frames end at a time.
func endsAt(open func(context.Context) (capture.Camera, error), at time.Time) func(context.Context) (capture.Camera, error) {
	return func(ctx context.Context) (capture.Camera, error) {
		c, err := open(ctx)
		if err != nil {
			return nil, err
		}
		return ending{c, at}, nil
	}
}

// ending is a camera whose frames end at a time.
type ending struct {
	capture.Camera
	at time.Time
}

// Next implements capture.Camera.
func (e ending) Next(ctx context.Context, f *capture.Frame) error {
	within, cancel := context.WithDeadline(ctx, e.at)
	defer cancel()
	err := e.Camera.Next(within, f)
	if err != nil && ctx.Err() == nil && within.Err() != nil {
		return io.EOF
	}
	return err
}
