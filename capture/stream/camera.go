package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/mjpeg"
)

// lag is how far playing may fall behind before it is taken for a pause of the
// whole machine, which frames are not left out for.
const lag = 2 * time.Second

// camera plays a source.
type camera struct {
	src    source
	opt    Options
	live   bool // Mono is the time of arrival
	format capture.Format
	closed bool

	first   capture.Frame // read by lead, not yet handed out
	hasLead bool
	bad     []error // bad frames in front of it

	seq    uint64
	period time.Duration // between two frames
	base   time.Duration // Mono at which this pass began
	last   time.Duration // Mono of the frame read last
	frames int           // read in this pass
	start  time.Time     // when Mono 0 was due; zero before the first frame
}

// lead reads up to the first good frame, to learn the format.
func (c *camera) lead(ctx context.Context) error {
	for len(c.bad) < maxLead {
		c.first = capture.Frame{}
		err := c.src.next(ctx, &c.first)
		if err == nil && c.first.Format.Pixel == 0 {
			err = c.learn()
		}
		switch {
		case err != nil && isBad(err):
			c.bad = append(c.bad, err)
			continue
		case err == io.EOF:
			return nothing(c.bad)
		case err != nil:
			return err
		}
		c.begin()
		return nil
	}
	return nothing(c.bad)
}

// begin sets up playing by the first good frame.
func (c *camera) begin() {
	c.hasLead = true
	if c.format.Pixel == 0 {
		c.format = c.first.Format
	}
	rate := c.src.rate()
	if rate == 0 {
		rate = c.opt.Rate
	}
	c.period = after(1, rate)
	if !c.live { // what a pipe really delivers, its writer decides
		c.format.Rate = rate
	}
}

// learn takes the format from a JPEG.
func (c *camera) learn() error {
	h, err := mjpeg.Scan(c.first.Data)
	if err != nil {
		return &capture.BadFrame{Reason: string(err.(mjpeg.Error)), Err: err}
	}
	c.format = capture.Format{Pixel: capture.MJPEG, Width: h.Width, Height: h.Height}
	return nil
}

// nothing is the error of a source without a good frame.
func nothing(bad []error) error {
	if len(bad) == 0 {
		return &capture.SourceError{Err: fmt.Errorf("%w: no JPEG in it", capture.ErrNoFormat), Try: "only motion JPEG is read; ffmpeg converts: ffmpeg -i IN -c:v mjpeg -q:v 3 -an out.avi"}
	}
	return &capture.SourceError{Err: fmt.Errorf("%w: the first %d frames are all unusable, the last: %w", capture.ErrNoFormat, len(bad), bad[len(bad)-1])}
}

// Format returns the format of the first good frame.
func (c *camera) Format() capture.Format { return c.format }

// Next implements capture.Camera.
func (c *camera) Next(ctx context.Context, f *capture.Frame) error {
	if c.closed {
		return os.ErrClosed
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := c.read(ctx, f)
		if err == io.EOF && c.opt.Loop {
			if err = c.again(); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		if f.Format.Pixel == 0 {
			f.Format = c.format
		}
		late, err := c.pace(ctx, f)
		if err != nil {
			return err
		}
		if !late {
			return nil
		}
	}
}

// read fills f with the next frame, first those that lead read. Bad frames have
// a number too, so that nobody takes them for lost.
func (c *camera) read(ctx context.Context, f *capture.Frame) error {
	var err error
	switch {
	case len(c.bad) > 0:
		err, c.bad = c.bad[0], c.bad[1:]
	case c.hasLead:
		*f, c.hasLead = c.first, false
	default:
		*f = capture.Frame{}
		err = c.src.next(ctx, f)
	}
	if err != nil && !isBad(err) {
		return err
	}
	f.Seq = c.seq
	c.seq++
	if err != nil {
		return err
	}
	c.frames++
	f.Mono += c.base
	c.last = f.Mono
	return nil
}

// isBad reports whether err is of one frame alone. It is a function of its own
// because errors.As takes an allocation, which good frames do without.
func isBad(err error) bool {
	var bad *capture.BadFrame
	return errors.As(err, &bad)
}

// again begins the next pass, whose frames go on where this one's ended. A
// source that has become empty ends all the same.
func (c *camera) again() error {
	if c.frames == 0 {
		return io.EOF
	}
	if err := c.src.rewind(); errors.Is(err, errors.ErrUnsupported) {
		return io.EOF
	} else if err != nil {
		return err
	}
	c.base, c.frames = c.last+c.period, 0
	return nil
}

// pace waits until f is due. It reports late for a frame that a camera would
// have dropped by now.
func (c *camera) pace(ctx context.Context, f *capture.Frame) (late bool, err error) {
	if !c.opt.Pace {
		return false, nil
	}
	now := c.opt.Now()
	if c.start.IsZero() {
		c.start = now.Add(-f.Mono)
	}
	if c.live {
		f.Mono = now.Sub(c.start)
		return false, nil
	}
	wait := f.Mono - now.Sub(c.start)
	switch {
	case wait > 0:
		return false, c.opt.Sleep(ctx, wait)
	case wait < -lag:
		c.start = now.Add(-f.Mono)
	case wait < -c.period:
		return true, nil
	}
	return false, nil
}

// Close implements capture.Camera.
func (c *camera) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	return c.src.close()
}
