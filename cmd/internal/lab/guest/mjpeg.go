//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

// mjpeg plays JPEG files into a v4l2loopback device, over and over: with the
// loopback's other end that makes an MJPEG camera.
func mjpeg(ctx context.Context, args []string, stdout io.Writer) error {
	fs := flag.NewFlagSet("mjpeg", flag.ContinueOnError)
	device := fs.String("device", "/dev/video10", "v4l2loopback device")
	size := fs.String("size", "1920x1080", "width and height")
	rate := fs.Float64("rate", 10, "frames per second")
	frames := fs.Int("frames", 0, "stop after so many; 0: go on")
	if err := fs.Parse(args); err != nil {
		return err
	}
	var w, h uint32
	if n, err := fmt.Sscanf(*size, "%dx%d", &w, &h); n != 2 || err != nil || *rate <= 0 || fs.NArg() == 0 {
		return fmt.Errorf("mjpeg needs a size, a rate and files\n%s", usage)
	}
	var jpegs [][]byte
	for _, name := range fs.Args() {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		jpegs = append(jpegs, b)
	}
	f, err := openDevice(*device)
	if err != nil {
		return err
	}
	defer f.Close()
	want := format{Type: bufOutput, Pix: pixFormat{
		Width: w, Height: h, Field: 1, Colorspace: 7, // progressive, JPEG
		PixelFormat: 'M' | 'J'<<8 | 'P'<<16 | 'G'<<24, SizeImage: w * h * 2,
	}}
	if err := ioctl(f, nrSetFormat, &want); err != nil {
		return fmt.Errorf("%s: setting MJPG %s: %w", *device, *size, err)
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / *rate))
	defer tick.Stop()
	for n := 0; *frames == 0 || n < *frames; n++ {
		if _, err := f.Write(jpegs[n%len(jpegs)]); err != nil {
			return fmt.Errorf("%s: frame %d: %w", *device, n, err)
		}
		if n == 0 {
			fmt.Fprintln(stdout, "playing", *device)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	return nil
}
