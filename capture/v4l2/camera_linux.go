package v4l2

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealcam/sealcam/capture"
)

// pollTime bounds how long a cancelled Next goes on waiting.
const pollTime = 250 * time.Millisecond

// maxFaults is how many times in a row a driver may announce a frame and then
// have none before it is given up. Each is followed by a longer pause.
const maxFaults = 20

// plausible is how far the driver's time of a frame may be from the time at
// which it is fetched.
const plausible = 10 * time.Second

// queue is a device that streams: what Next needs of the kernel.
type queue interface {
	wait(time.Duration) (ready bool, err error) // also ready when there is an error to fetch
	dequeue(*buffer) error                      // a unix.Errno
	release(index uint32) error
	close() error
}

// camera is an open, streaming device.
type camera struct {
	dev    queue
	path   string
	format capture.Format
	memory [][]byte
	clock  func() time.Duration // CLOCK_MONOTONIC

	buf    buffer // of the last dequeue; here so that it is allocated once
	held   bool   // buf is the caller's until the next Next
	closed bool
	faults int // announced frames in a row that were none

	frames uint64 // dequeued so far
	raw    uint32 // the driver's last sequence number
	seq    uint64
	mono   time.Duration
}

// Format returns what the driver set.
func (c *camera) Format() capture.Format { return c.format }

// Next waits for a frame. f.Data is the driver's own buffer: it is valid, and
// out of the driver's hands, until the next call. Frames that the driver flags
// as damaged are a BadFrame.
func (c *camera) Next(ctx context.Context, f *capture.Frame) error {
	if c.closed {
		return os.ErrClosed
	}
	if c.held {
		c.held = false
		if err := c.dev.release(c.buf.Index); err != nil {
			return c.lost("giving a buffer back", err)
		}
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		ready, err := c.dev.wait(pollTime)
		if err != nil {
			return c.lost("waiting", err)
		}
		if !ready {
			continue
		}
		if err = c.dev.dequeue(&c.buf); err == nil {
			c.faults = 0
			return c.take(f)
		}
		if err := c.fault(ctx, err); err != nil {
			return err
		}
	}
}

// fault judges an announced frame that could not be had. It returns nil when
// waiting may go on, after a pause: a driver that says "ready" for ever and has
// nothing would otherwise keep the processor busy.
func (c *camera) fault(ctx context.Context, err error) error {
	temporary := errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EIO)
	if c.faults++; c.faults > maxFaults && errors.Is(err, unix.EAGAIN) {
		err = errors.New("the driver announces frames and has none")
	}
	if !temporary || c.faults > maxFaults {
		return c.lost("fetching a frame", err)
	}
	t := time.NewTimer(time.Duration(c.faults) * 10 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
	}
	if errors.Is(err, unix.EIO) { // by the specification a frame was lost, perhaps for now only
		return &capture.BadFrame{Reason: "io", Err: err}
	}
	return nil
}

// take fills f from the buffer that was dequeued.
func (c *camera) take(f *capture.Frame) error {
	b := &c.buf
	if int64(b.Index) >= int64(len(c.memory)) {
		return c.lost("fetching a frame", fmt.Errorf("the driver names buffer %d of %d", b.Index, len(c.memory)))
	}
	c.held = true
	c.count(b.Sequence)
	c.stamp(b)
	m := c.memory[b.Index]
	switch {
	case b.Flags&flagError != 0:
		return &capture.BadFrame{Reason: "flagged", Err: errors.New("the driver marks it as damaged")}
	case b.BytesUsed == 0:
		return &capture.BadFrame{Reason: "empty"}
	case int64(b.BytesUsed) > int64(len(m)):
		return &capture.BadFrame{Reason: "header", Err: fmt.Errorf("%d bytes in a buffer of %d", b.BytesUsed, len(m))}
	}
	*f = capture.Frame{Format: c.format, Data: m[:b.BytesUsed:b.BytesUsed], Seq: c.seq, Mono: c.mono}
	return nil
}

// count carries the driver's 32-bit sequence number on in 64 bits. Some drivers
// do not count, and some begin again: either counts as the next frame.
func (c *camera) count(raw uint32) {
	step := raw - c.raw
	switch {
	case c.frames == 0:
		c.seq = uint64(raw)
	case step == 0 || step >= 1<<31:
		c.seq++
	default:
		c.seq += uint64(step)
	}
	c.frames++
	c.raw = raw
}

// stamp takes the driver's time if it is of the monotonic clock and plausible,
// else the time now. Time never goes back.
func (c *camera) stamp(b *buffer) {
	now := c.clock()
	at := time.Duration(b.Timestamp.Nano())
	// Drivers that reckon when a frame must have been taken may be a little ahead.
	if b.Flags&flagTimestampMask != flagMonotonic || at <= 0 || (now-at).Abs() > plausible {
		at = now
	}
	c.mono = max(at, c.mono)
}

// lost is the error of a device that must be opened again.
func (c *camera) lost(doing string, err error) error {
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		return &capture.SourceError{Source: c.path, Err: capture.ErrGone, Try: "plug the camera in again; if it comes back by itself, its cable or its power is too weak"}
	}
	return &capture.SourceError{Source: c.path, Err: fmt.Errorf("%s: %w", doing, err)}
}

// Close stops the device. What Next handed out is gone then.
func (c *camera) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	return c.dev.close()
}
