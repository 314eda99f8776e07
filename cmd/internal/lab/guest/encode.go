//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/v4l2"
)

// unit is what the encoder made of one frame, by the header of FWHT, the format of
// the kernel's virtual codec (struct fwht_cframe_hdr, in network order).
type unit struct {
	Seq           uint64
	Mono          time.Duration
	Bytes         int
	Sound         bool // its magic is right, and its size that of the data
	Width, Height int
	Flags         uint32
	Range         uint32 // V4L2_QUANTIZATION_*
}

const (
	fwhtHeader = 44
	fwhtMagic  = "\x4f\x4f\x4f\x4f\xff\xff\xff\xff"
)

func readUnit(f *capture.Frame) unit {
	u := unit{Seq: f.Seq, Mono: f.Mono, Bytes: len(f.Data)}
	if len(f.Data) < fwhtHeader || string(f.Data[:8]) != fwhtMagic {
		return u
	}
	word := func(i int) uint32 { return binary.BigEndian.Uint32(f.Data[4*i:]) }
	u.Width, u.Height, u.Flags, u.Range = int(word(3)), int(word(4)), word(5), word(9)
	u.Sound = int(word(10)) == len(f.Data)-fwhtHeader
	return u
}

// encoded is what `guest encode` prints.
type encoded struct {
	Nodes  []v4l2.EncoderInfo
	Used   v4l2.EncoderInfo
	How    string
	Format capture.Format  // of the frames that were given
	Given  []time.Duration // Mono of each
	Units  []unit          // what came of them, to the end of the drain
	After  []unit          // of three more, behind a flush
}

// encode compresses frames of a camera, or drawn ones, by the product's own encoder
// interface. It prints the result as JSON; with -frames 0 it goes on until an error.
func encode(ctx context.Context, args []string, stdout io.Writer) error {
	fs := flag.NewFlagSet("encode", flag.ContinueOnError)
	size := fs.String("size", "640x360", "width and height of frames")
	pixel := fs.String("pixel", "yuyv", "layout of frames: nv12, yuyv or grey")
	draw := fs.Bool("draw", false, "drawn frames, without a camera")
	feeds := fs.String("feeds", "", "what the encoder is fed with; its choice if empty")
	frames := fs.Int("frames", 30, "how many frames; 0 is without end")
	if err := fs.Parse(args); err != nil {
		return err
	}
	want := v4l2.Want{}
	for _, p := range []capture.Pixel{capture.NV12, capture.YUYV, capture.Grey} {
		if p.String() == *pixel {
			want.Pixel = p
		}
	}
	if n, err := fmt.Sscanf(*size, "%dx%d", &want.Width, &want.Height); n != 2 || err != nil || fs.NArg() != 1 {
		return fmt.Errorf("encode takes one device\n%s", usage)
	}
	cam := capture.Camera(&drawing{format: capture.Format{Pixel: want.Pixel, Width: want.Width, Height: want.Height, Rate: 10}})
	if !*draw {
		var err error
		if cam, err = v4l2.Open(fs.Arg(0), want); err != nil {
			return err
		}
	}
	defer cam.Close()
	out := encoded{Format: cam.Format()}
	nodes, err := v4l2.Encoders()
	if err != nil {
		return err
	}
	out.Nodes = nodes
	e, err := v4l2.OpenEncoder("", v4l2.EncoderWant{Frames: cam.Format(), Makes: "FWHT", Feeds: *feeds})
	if err != nil {
		return err
	}
	defer e.Close()
	out.Used, out.How = e.Info(), e.How()
	if *frames == 0 {
		fmt.Fprintln(stdout, "encoding")
		return out.run(ctx, cam, e, 1<<30, func(*capture.Frame) error { return nil })
	}
	if err := out.run(ctx, cam, e, *frames, keep(&out.Units)); err != nil {
		return err
	}
	if err := e.Drain(ctx, keep(&out.Units)); err != nil {
		return err
	}
	if err := e.Flush(); err != nil {
		return err
	}
	given := slices.Clone(out.Given)
	if err := out.run(ctx, cam, e, 3, keep(&out.After)); err != nil {
		return err
	}
	out.Given = given
	return json.NewEncoder(stdout).Encode(out)
}

func keep(list *[]unit) func(*capture.Frame) error {
	return func(f *capture.Frame) error {
		*list = append(*list, readUnit(f))
		return nil
	}
}

// run gives n frames to the encoder.
func (o *encoded) run(ctx context.Context, cam capture.Camera, e *v4l2.Encoder, n int, each func(*capture.Frame) error) error {
	var f capture.Frame
	for range n {
		err := cam.Next(ctx, &f)
		if bad := (*capture.BadFrame)(nil); errors.As(err, &bad) {
			continue
		}
		if err != nil {
			return err
		}
		if len(o.Given) < 1000 {
			o.Given = append(o.Given, f.Mono)
		}
		if err := e.Encode(ctx, &f, each); err != nil {
			return err
		}
	}
	return nil
}

// drawing is a camera of any size, whose picture is a moving gradient.
type drawing struct {
	format capture.Format
	n      int
	data   []byte
}

func (d *drawing) Format() capture.Format { return d.format }
func (d *drawing) Close() error           { return nil }

func (d *drawing) Next(ctx context.Context, f *capture.Frame) error {
	w, h := d.format.Width, d.format.Height
	d.data = d.data[:0]
	for i := range 2 * ((w + 1) / 2 * 2) * (h + 1) {
		d.data = append(d.data, byte(i/7+3*d.n))
	}
	*f = capture.Frame{Format: d.format, Data: d.data, Seq: uint64(d.n), Mono: time.Duration(d.n+1) * 100 * time.Millisecond}
	d.n++
	return ctx.Err()
}
