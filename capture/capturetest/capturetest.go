// Package capturetest holds a fake camera and ready-made frames for tests of
// whatever looks at frames.
//
// What this package does not do: it is for tests, and no program imports it.
// Scenes that move and darken as a real place does are capture/scene's.
package capturetest

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"io"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// Camera is a capture.Camera that does what its fields say. It keeps to the
// letter of the interface: what Next hands out is overwritten by the following
// Next and by Close, so that whoever holds on to a frame is found out.
type Camera struct {
	Delivers capture.Format
	Steps    []Step // what Next does, one after the other
	Repeat   bool   // begin again behind the last step
	End      error  // what Next returns behind the last step; nil waits for ctx
	CloseErr error  // what Close returns

	Nexts  int // calls of Next so far
	Closed int // calls of Close so far

	buf   []byte
	step  int
	count uint64
}

// Step is one call of Next: it waits, then fails with Err or gives a frame.
type Step struct {
	Wait time.Duration
	Err  error
	Data []byte
	Seq  uint64        // 0 counts up by itself
	Mono time.Duration // 0 counts up by 1/Rate
}

// Format implements capture.Camera.
func (c *Camera) Format() capture.Format { return c.Delivers }

// Next implements capture.Camera.
func (c *Camera) Next(ctx context.Context, f *capture.Frame) error {
	c.Nexts++
	c.poison()
	if c.Closed > 0 {
		panic("capturetest: Next after Close")
	}
	if c.Repeat && c.step == len(c.Steps) {
		c.step = 0
	}
	if c.step == len(c.Steps) {
		if c.End != nil {
			return c.End
		}
		<-ctx.Done()
		return ctx.Err()
	}
	s := c.Steps[c.step]
	c.step++
	if err := pause(ctx, s.Wait); err != nil {
		return err
	}
	if s.Err != nil {
		return s.Err
	}
	c.buf = append(c.buf[:0], s.Data...)
	*f = capture.Frame{Format: c.Delivers, Data: c.buf, Seq: s.Seq, Mono: s.Mono}
	if s.Seq == 0 {
		f.Seq = c.count
	}
	if s.Mono == 0 && c.Delivers.Rate > 0 {
		f.Mono = time.Duration(float64(c.count) / c.Delivers.Rate * float64(time.Second))
	}
	c.count++
	return nil
}

// Close implements capture.Camera.
func (c *Camera) Close() error {
	c.Closed++
	c.poison()
	return c.CloseErr
}

func (c *Camera) poison() {
	for i := range c.buf {
		c.buf[i] = 0xa5
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Frames returns a Step for each of data, for Camera.Steps.
func Frames(data ...[]byte) []Step {
	steps := make([]Step, len(data))
	for i, d := range data {
		steps[i].Data = d
	}
	return steps
}

// Ended returns the Step of a source that has ended.
func Ended() Step { return Step{Err: io.EOF} }

// JPEG returns a baseline JPEG of w x h pixels with its Huffman tables: a
// gradient, with a square whose place depends on n. Equal arguments give equal
// bytes.
func JPEG(w, h, n int) []byte {
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	side := max(1, min(w, h)/4)
	left, top := n*7%max(1, w-side), n*5%max(1, h-side)
	for y := range h {
		for x := range w {
			v := uint8(x * 255 / w)
			if x >= left && x < left+side && y >= top && y < top+side {
				v = 255 - v
			}
			m.Y[m.YOffset(x, y)] = v
		}
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = 128, uint8(96+n%64)
	}
	var b bytes.Buffer
	// Writing to a buffer cannot fail, and the size is the caller's.
	if err := jpeg.Encode(&b, m, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Bare returns the JPEG without its Huffman tables, as most cameras send it.
func Bare(jpeg []byte) []byte {
	out := append([]byte{}, jpeg[:2]...)
	i := 2
	for jpeg[i+1] != 0xda {
		n := 2 + int(jpeg[i+2])<<8 + int(jpeg[i+3])
		if jpeg[i+1] != 0xc4 {
			out = append(out, jpeg[i:i+n]...)
		}
		i += n
	}
	return append(out, jpeg[i:]...)
}

// Grey returns a raw grey frame of w x h pixels, all of one level.
func Grey(w, h int, level uint8) []byte {
	return bytes.Repeat([]byte{level}, w*h)
}
