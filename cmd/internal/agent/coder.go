package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/annexb"
	"github.com/sealcam/sealcam/capture/v4l2"
	"github.com/sealcam/sealcam/encode"
)

// VideoEncoder compresses raw frames to H.264 or H.265. *v4l2.Encoder is one, and
// says what each method promises.
type VideoEncoder interface {
	Encode(ctx context.Context, f *capture.Frame, each func(*capture.Frame) error) error
	Flush() error
	Close() error
	String() string
}

// openEncoder opens what this machine has.
func openEncoder(want v4l2.EncoderWant) (VideoEncoder, error) {
	e, err := v4l2.OpenEncoder("", want)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// An encoder that fails is opened again at once, and after so many failures, none of
// which had a minute without before it, left alone for a while.
const (
	encoderStrikes = 3
	encoderTrust   = time.Minute
	encoderRest    = 10 * time.Minute
	encoderGap     = 5 * time.Second // no frames for so long: another film
	encoderSets    = 100             // frames, among which there are parameter sets
)

// coder compresses raw frames for clips: by an encoder of this machine where there
// is one, else to motion JPEG. Who has the frame that may go there next (clips.spare)
// may touch it.
type coder struct {
	open  func(v4l2.EncoderWant) (VideoEncoder, error) // nil: motion JPEG is wanted
	must  bool                                         // motion JPEG is not
	mono  func() time.Duration
	log   *slog.Logger
	store func(*capture.Frame) error // of what is compressed
	each  func(*capture.Frame) error // came, made once

	painter encode.Painter
	jpeg    encode.JPEG
	out     []byte

	video   VideoEncoder   // nil: motion JPEG
	of      capture.Format // of the frames that it was looked for
	opened  time.Duration
	next    time.Duration // when it may be looked for again
	strikes int
	count   int           // frames that came out since it was opened
	sets    bool          // parameter sets did
	last    time.Duration // Frame.Mono
	said    string

	failures atomic.Uint64
	trouble  atomic.Pointer[string] // what failed last, in words; nil once another one has worked for encoderTrust
}

// newCoder returns the coder for the settings.
func newCoder(c Config, masks capture.Masks, store func(*capture.Frame) error) *coder {
	k := &coder{open: c.Encoder, must: c.Settings.Clips.Format == "h264", mono: c.Mono, log: c.Log.With("part", "clips"), store: store}
	k.painter.Masks, k.each = masks, k.came
	if k.open == nil {
		k.open = openEncoder
	}
	if c.Settings.Clips.Format == "mjpeg" {
		k.open = nil
	}
	return k
}

// compress compresses f, whose memory it may write to, and stores what comes of it.
// It reports whether that took this machine's own work. The error wraps
// encode.ErrUnmasked for a frame that had to be left out.
func (c *coder) compress(ctx context.Context, f *capture.Frame) (worked bool, err error) {
	v := c.encoder(f.Format)
	if v == nil {
		if c.out, _, _, err = c.jpeg.Append(c.out[:0], f); err != nil {
			return true, err
		}
		j := *f
		j.Data, j.Format.Pixel, j.Format.Stride = c.out, capture.MJPEG, 0
		return true, c.store(&j)
	}
	// An encoder knows of no masks, so it must not see what they hide.
	if err := c.painter.Paint(f); err != nil {
		return false, err
	}
	if f.Mono < c.last || f.Mono-c.last > encoderGap {
		err = v.Flush() // what it holds is of another film
	}
	c.last = f.Mono
	if err == nil {
		err = v.Encode(ctx, f, c.each)
	}
	if err == nil && c.count > 0 && c.trouble.Load() != nil && c.mono()-c.opened > encoderTrust {
		c.trouble.Store(nil)
	}
	if bad := (*capture.BadFrame)(nil); err == nil || errors.As(err, &bad) || ctx.Err() != nil {
		return false, err
	}
	c.fail(err)
	return false, nil
}

// came stores what came out of the encoder.
func (c *coder) came(f *capture.Frame) error {
	if c.count++; !c.sets {
		info, err := annexb.Inspect(encode.CodecOf(f.Format.Pixel), f.Data)
		if c.sets = err == nil && info.Params; !c.sets && c.count > encoderSets {
			return annexb.ErrNoParams
		}
	}
	if err := c.store(f); err != nil {
		// Not the frame is bad, but who made it: B-frames, for example.
		return fmt.Errorf("what it makes cannot be used: %v", err)
	}
	return nil
}

// encoder returns the encoder for frames of a format, nil if there is none.
func (c *coder) encoder(f capture.Format) VideoEncoder {
	if c.open == nil {
		c.say(slog.LevelInfo, "motion JPEG", "as clips.format says")
		return nil
	}
	f.Stride = 0
	now := c.mono()
	if f == c.of && (c.video != nil || now < c.next) {
		return c.video
	}
	c.shut()
	c.of = f
	v, err := c.open(v4l2.EncoderWant{Frames: f})
	if err != nil {
		level := slog.LevelInfo
		if c.must {
			level = slog.LevelWarn
		}
		c.next = now + encoderRest
		c.say(level, "motion JPEG", err.Error())
		return nil
	}
	c.video, c.opened, c.count, c.sets = v, now, 0, false
	c.say(slog.LevelInfo, "video", v.String())
	return v
}

// say tells once what clips are made of, and again when that changes.
func (c *coder) say(level slog.Level, what, why string) {
	if c.said != what+why {
		c.said = what + why
		c.log.Log(context.Background(), level, "raw frames become clips of "+what, "why", why)
	}
}

// fail gives the encoder up, for now or for longer.
func (c *coder) fail(err error) {
	now := c.mono()
	c.shut()
	if now-c.opened > encoderTrust {
		c.strikes = 0
	}
	c.next = now
	if c.strikes++; c.strikes >= encoderStrikes {
		c.strikes, c.next = 0, now+encoderRest
	}
	words := "the video encoder fails: clips lack frames, or are of motion JPEG: " + err.Error()
	c.trouble.Store(&words)
	c.failures.Add(1)
	c.log.Warn("the encoder has failed", "err", err, "again_in", c.next-now)
}

// shut closes the encoder, and with it forgets every frame.
func (c *coder) shut() {
	if c.video != nil {
		if err := c.video.Close(); err != nil {
			c.log.Debug("closing the encoder", "err", err)
		}
		c.video = nil
	}
	clear(c.out[:cap(c.out)])
}
