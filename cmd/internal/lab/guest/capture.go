//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/v4l2"
)

// captureLoop runs the product's own capture on a device, without what comes
// after it, and prints capture.Stats as one JSON line four times a second.
func captureLoop(ctx context.Context, args []string, stdout io.Writer) error {
	fs := flag.NewFlagSet("capture", flag.ContinueOnError)
	size := fs.String("size", "640x360", "width and height to want")
	rate := fs.Float64("rate", 15, "frames per second to want")
	pixel := fs.String("pixel", "", "layout to want: mjpeg, nv12, yuyv or grey; the best if empty")
	if err := fs.Parse(args); err != nil {
		return err
	}
	want := v4l2.Want{Rate: *rate}
	for _, p := range []capture.Pixel{capture.MJPEG, capture.NV12, capture.YUYV, capture.Grey} {
		if p.String() == *pixel {
			want.Pixel = p
		}
	}
	if n, err := fmt.Sscanf(*size, "%dx%d", &want.Width, &want.Height); n != 2 || err != nil || fs.NArg() != 1 {
		return fmt.Errorf("capture takes one device\n%s", usage)
	}
	l := capture.Loop{
		Open:    func(context.Context) (capture.Camera, error) { return v4l2.Open(fs.Arg(0), want) },
		Log:     slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Backoff: capture.Backoff{Max: 2 * time.Second},
	}
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx, func(*capture.Frame) error { return nil }) }()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		case <-tick.C:
			if err := json.NewEncoder(stdout).Encode(l.Stats()); err != nil {
				return err
			}
		}
	}
}
